"""Charts of the overview."""

import altair as alt
import pandas as pd

from dashboard.charts.theme import (
    BAD,
    BLUE,
    FAIR,
    GOOD,
    INK,
    ON_FAINT,
    ON_STRONG,
    bottom_legend,
    layered,
    tip,
)

_PARTIAL = "#7a5ea8"

#: The states of a month as `month_states` gives them, and their colours.
STATES = {
    "released": GOOD,
    "with a fallback model": BLUE,
    "partial": _PARTIAL,
    "outdated": FAIR,
    "refused": BAD,
    "not released": INK,
}


def month_calendar(calendar: pd.DataFrame) -> alt.LayerChart:
    """A tile a month, a row a year.

    Parameters
    ----------
    calendar : DataFrame
        ``month``, ``state`` (a key of `STATES`) and ``details``.
    """
    table = calendar.assign(
        year=calendar["month"].str[:4],
        name=pd.to_datetime(calendar["month"]).dt.strftime("%b"),
        number=calendar["month"].str[5:],
    )
    months_of_year = [f"{number:02}" for number in range(1, 13)]
    base = alt.Chart(table).encode(
        x=alt.X(
            "number:O",
            title=None,
            axis=None,
            scale=alt.Scale(domain=months_of_year, paddingInner=0.08),
        ),
        y=alt.Y(
            "year:O",
            title=None,
            axis=alt.Axis(ticks=False, domain=False),
            scale=alt.Scale(paddingInner=0.08),
        ),
        tooltip=[tip("month:N", "Month"), tip("state:N", "State"), tip("details:N", "Details")],
    )
    present = [state for state in STATES if (table["state"] == state).any()]
    tiles = base.mark_rect(cornerRadius=4).encode(
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=present, range=[STATES[state] for state in present]),
            legend=bottom_legend(title=None, columns=3),
        )
    )
    names = base.mark_text(fontSize=11).encode(
        text="name:N",
        color=alt.condition(
            alt.datum["state"] == "outdated", alt.value(ON_FAINT), alt.value(ON_STRONG)
        ),
    )
    return layered(tiles, names).properties(
        height=100 + 46 * table["year"].nunique(), title="State of each month"
    )
