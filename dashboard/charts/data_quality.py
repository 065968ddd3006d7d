"""Charts of the view Data quality."""

import altair as alt
import pandas as pd

from dashboard.charts.theme import (
    BAD,
    FAIR,
    GOOD,
    INK,
    TEXT,
    bottom_legend,
    layered,
    rows_height,
    tip,
)

#: Parts that the records of a measurement fall into, and their colours.
PARTS = {"Known": GOOD, "Set to missing": BAD, "Missing": FAIR, "Not worn": INK}


def completeness(parts: pd.DataFrame) -> alt.Chart:
    """Shares of the records of each measurement by `PARTS`, as stacked bars.

    Parameters
    ----------
    parts : DataFrame
        ``measurement``, ``part``, ``rank`` (the order of the parts) and ``share``.
    """
    order = list(PARTS)
    chart: alt.Chart = (
        alt.Chart(parts)
        .mark_bar()
        .encode(
            y=alt.Y("measurement:N", sort=None, title=None),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color(
                "part:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=list(PARTS.values())),
                legend=bottom_legend(columns=2),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                tip("measurement:N", "Measure"),
                tip("part:N", "Records"),
                tip("share:Q", "Share", ".2%"),
            ],
        )
        .properties(
            height=rows_height(parts["measurement"].nunique(), 24, legend_rows=2),
            title="Completeness by measure",
        )
    )
    return chart


def drift_bars(indices: pd.DataFrame, limit: float | None) -> alt.LayerChart:
    """Population stability index by measurement.

    Parameters
    ----------
    indices : DataFrame
        ``measurement`` and ``index``.
    limit : float or None
        The index above which the check fails, if it is known.
    """
    limits = [] if limit is None else [limit]
    line = alt.Chart(pd.DataFrame({"value": limits, "label": ["limit"] * len(limits)}))
    return layered(
        alt.Chart(indices)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("measurement:N", sort="-x", title=None),
            x=alt.X(
                "index:Q",
                title="Difference from the month before",
                axis=alt.Axis(tickCount=5),
            ),
            tooltip=[
                tip("measurement:N", "Measure"),
                tip("index:Q", "Population stability index", ".4f"),
            ],
        ),
        line.mark_rule(color=BAD, strokeDash=[5, 3], size=2).encode(x="value:Q"),
        line.mark_text(color=TEXT, baseline="bottom", y=-3).encode(x="value:Q", text="label:N"),
    ).properties(
        height=rows_height(len(indices), 24, axis_title=True), title="Change since the month before"
    )
