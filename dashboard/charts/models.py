"""Charts of the view Models."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import altair as alt
import pandas as pd

from dashboard.charts.theme import (
    BAD,
    DENSITY,
    HEIGHT,
    INK,
    bottom_legend,
    count_axis,
    layered,
    text_color,
    tip,
)
from dashboard.text import label
from fitness_assets.record.raw import NUMBERS


def confusion_matrix(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> alt.LayerChart:
    """Days by true and predicted activity, as shares of each true activity.

    Parameters
    ----------
    counts : sequence of sequence of int
        Days; a row a true activity, a column a predicted one.
    labels : sequence of str
        The activities of rows and columns.
    """
    names = [label(name) for name in labels]
    cells = pd.DataFrame(
        [
            {"true": true, "predicted": name, "days": days, "share": days / max(sum(row), 1)}
            for true, row in zip(names, counts, strict=True)
            for name, days in zip(names, row, strict=True)
        ]
    )
    base = alt.Chart(cells).encode(
        x=alt.X(
            "predicted:N", sort=names, title="Predicted activity", axis=alt.Axis(labelAngle=-40)
        ),
        y=alt.Y("true:N", sort=names, title="Recorded activity"),
        tooltip=[
            tip("true:N", "Recorded activity"),
            tip("predicted:N", "Predicted activity"),
            tip("days:Q", "Days", ","),
            tip("share:Q", "Share of the recorded days", ".1%"),
        ],
    )
    scale = alt.Scale(scheme=DENSITY, domain=[0, 1])
    return layered(
        base.mark_rect(cornerRadius=2).encode(color=alt.Color("share:Q", scale=scale, legend=None)),
        base.mark_text(fontSize=11).encode(
            text=alt.Text("share:Q", format=".0%"), color=text_color("datum.share > 0.4")
        ),
    ).properties(height=120 + 34 * len(names), title="What each activity is taken for")


def calibration_curve(bins: Sequence[Mapping[str, float]]) -> alt.LayerChart:
    """The share of correct predictions by confidence, and the diagonal of perfect calibration.

    Parameters
    ----------
    bins : sequence of mapping
        ``confidence``, ``accuracy`` (both shares) and ``rows`` of each bin of confidence.
    """
    diagonal = alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
    return layered(
        diagonal.mark_line(color=INK, strokeDash=[5, 3]).encode(x="confidence:Q", y="accuracy:Q"),
        alt.Chart(pd.DataFrame(bins))
        .mark_line(point=True)
        .encode(
            x=alt.X("confidence:Q", title="Confidence", axis=alt.Axis(format="%")),
            y=alt.Y("accuracy:Q", title="Correct predictions", axis=alt.Axis(format="%")),
            tooltip=[
                tip("confidence:Q", "Confidence", ".1%"),
                tip("accuracy:Q", "Correct predictions", ".1%"),
                tip("rows:Q", "Days", ","),
            ],
        ),
    ).properties(height=320, title="Is it right as often as it says?")


def predicted_against_recorded(
    edges: Sequence[float], rows: Sequence[Sequence[int]], name: str
) -> alt.LayerChart:
    """Days by recorded and predicted value, and the diagonal of perfect predictions.

    Parameters
    ----------
    edges : sequence of float
        Edges of the bins, the same for both axes, in the stored unit.
    rows : sequence of sequence of int
        Days; a row a bin of recorded values, a column a bin of predicted ones.
    name : str
        The number that is predicted, a key of `NUMBERS`.
    """
    number = NUMBERS[name]
    unit, digits = f"({number.unit})", f",.{number.decimals}f"
    quantity = number.label.lower()
    bins = list(pairwise(edges))
    cells = pd.DataFrame(
        [
            {
                "recorded_low": recorded[0],
                "recorded_high": recorded[1],
                "predicted_low": predicted[0],
                "predicted_high": predicted[1],
                "days": days,
            }
            for recorded, row in zip(bins, rows, strict=True)
            for predicted, days in zip(bins, row, strict=True)
            if days
        ]
    )
    ends = pd.DataFrame({"value": [edges[0], edges[-1]]})
    return layered(
        alt.Chart(cells)
        .mark_rect()
        .encode(
            x=alt.X(
                "recorded_low:Q",
                bin="binned",
                title=f"Recorded {quantity} {unit}",
                axis=alt.Axis(tickCount=5),
            ),
            x2="recorded_high:Q",
            y=alt.Y(
                "predicted_low:Q",
                bin="binned",
                title=f"Predicted {quantity} {unit}",
                axis=alt.Axis(tickCount=6),
            ),
            y2="predicted_high:Q",
            color=alt.Color(
                "days:Q",
                title="Days",
                scale=alt.Scale(type="log", scheme=DENSITY),
                legend=bottom_legend(gradientLength=160, tickCount=3),
            ),
            tooltip=[
                tip("recorded_low:Q", f"Recorded from {unit}", digits),
                tip("predicted_low:Q", f"Predicted from {unit}", digits),
                tip("days:Q", "Days", ","),
            ],
        ),
        alt.Chart(ends).mark_line(color=BAD, strokeDash=[5, 3]).encode(x="value:Q", y="value:Q"),
    ).properties(height=400, title=f"Predicted against recorded {quantity}")


def residual_histogram(edges: Sequence[float], rows: Sequence[int], name: str) -> alt.Chart:
    """Days by residual, recorded minus predicted value.

    Parameters
    ----------
    edges : sequence of float
        Edges of the bins, in the stored unit.
    rows : sequence of int
        Days of each bin.
    name : str
        The number that is predicted, a key of `NUMBERS`.
    """
    unit, digits = f"({NUMBERS[name].unit})", f",.{NUMBERS[name].decimals}f"
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "days": rows})
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title=f"Recorded minus predicted {unit}",
                axis=alt.Axis(tickCount=6),
            ),
            x2="high:Q",
            y=alt.Y("days:Q", title="Days", axis=count_axis()),
            tooltip=[
                tip("low:Q", f"From {unit}", digits),
                tip("high:Q", f"To {unit}", digits),
                tip("days:Q", "Days", ","),
            ],
        )
        .properties(height=400, title="Errors")
    )
    return chart


def backtest_scores(scores: pd.DataFrame, title: str) -> alt.Chart:
    """A score by month, of the model and of the baseline.

    Parameters
    ----------
    scores : DataFrame
        ``month``, ``model`` (whose score it is) and ``score``.
    title : str
        Name of the score.
    """
    chart: alt.Chart = (
        alt.Chart(scores)
        .mark_line(point=True)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("score:Q", title=title),
            color=alt.Color(
                "model:N",
                title=None,
                sort=list(dict.fromkeys(scores["model"])),
                legend=bottom_legend(labelLimit=300),
            ),
            tooltip=[
                tip("month:O", "Month"),
                tip("model:N", "Model"),
                tip("score:Q", title, ".3f"),
            ],
        )
        .properties(height=HEIGHT, title=f"{title} on the next month")
    )
    return chart
