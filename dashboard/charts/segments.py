"""Charts of the view Segments."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.theme import (
    DENSITY,
    INK,
    LABEL_LINES,
    bottom_legend,
    layered,
    signed_heatmap,
    text_color,
    tip,
)
from fitness_assets.formatting import percent


def projection(users: pd.DataFrame, explained: Sequence[float]) -> alt.Chart:
    """Users on the first two principal axes of their profiles.

    Parameters
    ----------
    users : DataFrame
        ``x``, ``y`` and ``segment``, its name; without ``segment`` if no segments are stable.
    explained : sequence of float
        Shares of the variance that x and y explain.
    """
    chart = (
        alt.Chart(users[[name for name in ("x", "y", "segment") if name in users]])
        .mark_circle(opacity=0.6, size=26)
        .encode(
            x=alt.X(
                "x:Q",
                title=f"{percent(explained[0])} of the differences",
                axis=alt.Axis(tickCount=8),
            ),
            y=alt.Y("y:Q", title=f"{percent(explained[1])} of the differences"),
            tooltip=[tip("segment:N", "Segment")] if "segment" in users else [],
        )
        .properties(height=620, title="Map of the users")
    )
    if "segment" in users:
        legend = bottom_legend(columns=1, labelLimit=320)
        chart = chart.encode(color=alt.Color("segment:N", title=None, legend=legend))
    complete: alt.Chart = chart
    return complete


def segment_distances(distances: pd.DataFrame) -> alt.LayerChart:
    """How far each segment's means are from those of all users.

    Parameters
    ----------
    distances : DataFrame
        ``segment``, ``feature`` and ``distance`` in standard deviations.
    """
    features, segments = (list(dict.fromkeys(distances[name])) for name in ("feature", "segment"))
    return signed_heatmap(
        distances,
        ("segment", segments),
        ("feature", features),
        ("distance", "Standard deviations from the mean"),
    ).properties(title="Differences between the segments")


def segment_movement(movement: pd.DataFrame) -> alt.LayerChart:
    """Users by their segment in the month before and in this one.

    Parameters
    ----------
    movement : DataFrame
        ``before``, ``segment`` and ``users``.
    """
    shown = movement.assign(
        share=movement["users"] / movement.groupby("before")["users"].transform("sum")
    )
    labels: dict[str, Any] = {"labelLimit": 150, "labelExpr": LABEL_LINES}
    base = alt.Chart(shown).encode(
        x=alt.X("segment:N", title="This month", axis=alt.Axis(labelAngle=-40, **labels)),
        y=alt.Y("before:N", title="Month before", axis=alt.Axis(labelOffset=-6, **labels)),
        tooltip=[
            tip("before:N", "Month before"),
            tip("segment:N", "This month"),
            tip("users:Q", "Users", ","),
            tip("share:Q", "Share of the segment before", ".0%"),
        ],
    )
    return layered(
        base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("share:Q", scale=alt.Scale(scheme=DENSITY), legend=None)
        ),
        base.mark_text().encode(
            text=alt.Text("users:Q", format=","), color=text_color("datum.share > 0.4")
        ),
    ).properties(height=190 + 40 * shown["before"].nunique(), title="Users by segment then and now")


def segment_stability(candidates: pd.DataFrame, threshold: float, chosen: int) -> alt.LayerChart:
    """Agreement of clusterings by number of segments.

    Parameters
    ----------
    candidates : DataFrame
        ``k``, the number of segments; ``comparison``, what was compared; ``agreement``, the
        adjusted Rand index.
    threshold : float
        The agreement that each comparison must reach.
    chosen : int
        The number of segments that was chosen.
    """
    marks = alt.Chart(pd.DataFrame({"k": [chosen], "threshold": [threshold]}))
    return layered(
        marks.mark_rule(color=INK, size=26, opacity=0.2).encode(x="k:O"),
        marks.mark_rule(color=INK, strokeDash=[5, 3]).encode(y="threshold:Q"),
        alt.Chart(candidates)
        .mark_line(point=True)
        .encode(
            x=alt.X("k:O", title="Number of segments", axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "agreement:Q",
                title="Agreement",
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=alt.Color(
                "comparison:N", title=None, legend=bottom_legend(columns=1, labelLimit=300)
            ),
            tooltip=[
                tip("k:O", "Number of segments"),
                tip("comparison:N", "Comparison"),
                tip("agreement:Q", "Adjusted Rand index", ".2f"),
            ],
        ),
    ).properties(height=380, title="Stability by number of segments")
