"""Charts that compare one person's month with their own past."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.common import value_scale
from dashboard.charts.notes import with_notes, within
from dashboard.charts.theme import (
    BLUE,
    FAIR,
    HEIGHT,
    WEEKDAYS,
    band,
    bottom_legend,
    date_axis,
    date_tip,
    layered,
    shared_domain,
    tip,
)
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

#: The two series.
NOW, PAST = "this month", "the past"
_QUANTILES = [0.1, 0.9]


def by_day(
    now: pd.DataFrame, past: pd.DataFrame, name: str, units: Units, notes: Sequence[Note]
) -> alt.LayerChart:
    """A measurement by day of the month, over the range in which 80% of the past days lie.

    Parameters
    ----------
    now, past : DataFrame
        ``date`` and the measurement `name` in its stored unit.
    name : str
    units : Units
    notes : sequence of Note
    """
    factor, title = units.factor(name), units.title(name)
    shown = now.set_index("date")[[name]].astype(float).asfreq("D").reset_index()
    shown[name] *= factor
    low, high = (float(past[name].astype(float).quantile(q)) * factor for q in _QUANTILES)
    shown = shown.assign(low=low, high=high)
    text_format = f",.{NUMBERS[name].decimals}f"
    scale = _scale(now, past, name, units)
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, axis=date_axis()),
        tooltip=[
            date_tip(),
            tip(f"{name}:Q", title, text_format),
            tip("low:Q", "Past, 10th percentile", text_format),
            tip("high:Q", "Past, 90th percentile", text_format),
        ],
    )
    chart = layered(
        band(base, len(shown), alt.Y("low:Q", title=title, scale=scale), "high:Q", color=FAIR),
        base.mark_line(point=True, color=BLUE).encode(y=alt.Y(f"{name}:Q", scale=scale)),
    ).properties(height=HEIGHT, title=f"{NUMBERS[name].label}, day by day")
    return with_notes(chart, within(notes, shown))


def by_weekday(now: pd.DataFrame, past: pd.DataFrame, name: str, units: Units) -> alt.Chart:
    """The mean of a measurement by weekday as points, in the month and in the past.

    Parameters
    ----------
    now, past : DataFrame
        ``date`` and the measurement `name` in its stored unit.
    name : str
    units : Units
    """
    parts = []
    for series, days in ((NOW, now), (PAST, past)):
        means = _weekday_means(days, name)
        rows = {"weekday": [WEEKDAYS[day] for day in means.index], "value": means.to_numpy()}
        parts.append(pd.DataFrame(rows).assign(series=series))
    shown = pd.concat(parts, ignore_index=True)
    shown["value"] *= units.factor(name)
    title = units.title(name)
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_circle(size=90, opacity=1)
        .encode(
            x=alt.X("weekday:O", sort=WEEKDAYS, title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("series:N", sort=[NOW, PAST]),
            y=alt.Y("value:Q", title=title, scale=_scale(now, past, name, units)),
            color=alt.Color(
                "series:N",
                title=None,
                scale=alt.Scale(domain=[NOW, PAST], range=[BLUE, FAIR]),
                legend=bottom_legend(),
            ),
            tooltip=[
                tip("weekday:N", "Weekday"),
                tip("series:N", "Days of"),
                tip("value:Q", f"Mean {title}", f",.{NUMBERS[name].decimals}f"),
            ],
        )
        .properties(height=HEIGHT, title=f"{NUMBERS[name].label}, mean by weekday")
    )
    return chart


def _scale(now: pd.DataFrame, past: pd.DataFrame, name: str, units: Units) -> alt.Scale:
    """The scale of the values of both charts, which are next to each other."""
    shown = [now[name], past[name].astype(float).quantile(_QUANTILES)]
    domain = shared_domain(*shown, *(_weekday_means(days, name) for days in (now, past)))
    return value_scale(name, units, domain)


def _weekday_means(days: pd.DataFrame, name: str) -> pd.Series:
    means: pd.Series = days[name].astype(float).groupby(days["date"].dt.dayofweek).mean()
    return means
