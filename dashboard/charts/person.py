"""Charts of one person's days over months."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.notes import with_notes, within
from dashboard.charts.theme import HEIGHT, date_tip, layered, tip
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

#: Days of the mean that is drawn as a line, and the fewest of them with a value.
MEAN_DAYS, _LEAST = 7, 3


def trend(days: pd.DataFrame, name: str, units: Units, notes: Sequence[Note]) -> alt.LayerChart:
    """A measurement by day as points, and its trailing 7-day mean as a line.

    Parameters
    ----------
    days : DataFrame
        ``date`` and the measurement `name` in its stored unit, of several months.
    name : str
    units : Units
    notes : sequence of Note
    """
    values = days.set_index("date")[name].astype(float).asfreq("D") * units.factor(name)
    mean = values.rolling(f"{MEAN_DAYS}D", min_periods=_LEAST).mean()
    shown = pd.DataFrame({"value": values, "mean": mean}).reset_index()
    title = units.title(name)
    text_format = f",.{NUMBERS[name].decimals}f"
    scale = alt.Scale(zero=False)
    axis = alt.Axis(format="%-d %b %y", labelOverlap=True, tickCount=6)
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, axis=axis),
        tooltip=[
            date_tip(),
            tip("value:Q", title, text_format),
            tip("mean:Q", f"{MEAN_DAYS}-day mean", text_format),
        ],
    )
    chart = layered(
        base.mark_circle(size=14, opacity=0.6).encode(
            y=alt.Y("value:Q", title=title, scale=scale), color=alt.datum("day")
        ),
        base.mark_line(size=2.5).encode(
            y=alt.Y("mean:Q", scale=scale),
            color=alt.datum(f"{MEAN_DAYS}-day mean"),
        ),
    ).properties(height=HEIGHT, title=f"{NUMBERS[name].label}: days and {MEAN_DAYS}-day mean")
    return with_notes(chart, within(notes, shown))
