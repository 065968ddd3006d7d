"""Charts that several views draw."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dashboard.charts.theme import (
    BAD,
    BLUE,
    DIVERGING,
    HEIGHT,
    INK,
    LABEL_LINES,
    TEXT,
    bottom_legend,
    count_axis,
    date_axis,
    date_tip,
    layered,
    rows_height,
    tip,
)
from dashboard.text import label
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units


def daily_means(
    days: pd.DataFrame, name: str, units: Units, domain: Sequence[float] | None = None
) -> alt.Chart:
    """The mean of a measurement on each day of the month, as a line.

    Parameters
    ----------
    days : DataFrame
        ``date``, and the measurement `name` in its stored unit.
    name : str
    units : Units
    domain : sequence of float, optional
        The limits of the axis in the stored unit, if another chart has the same ones.
    """
    title = units.title(name)
    chart: alt.Chart = (
        alt.Chart(units.convert(days)[["date", name]])
        .mark_line(point=True)
        .encode(
            x=alt.X("date:T", title=None, axis=date_axis()),
            y=alt.Y(f"{name}:Q", title=title, scale=value_scale(name, units, domain)),
            tooltip=[date_tip(), tip(f"{name}:Q", title, ",.1f")],
        )
        .properties(height=HEIGHT, title=f"{NUMBERS[name].label}, mean by day")
    )
    return chart


def value_scale(name: str, units: Units, domain: Sequence[float] | None) -> alt.Scale:
    """The scale of an axis of the measurement `name`, with the limits `domain` in its stored unit.

    Without them the axis has the limits of its own values. It does not begin at 0.
    """
    if domain is None:
        return alt.Scale(zero=False)
    limits = [limit * units.factor(name) for limit in domain]
    return alt.Scale(domain=limits, zero=False, nice=False)


def daily_records(days: pd.DataFrame) -> alt.Chart:
    """Records by day, worn and not worn, as stacked bars: ``date``, ``records`` and ``worn``."""
    parts = {"worn": days["worn"], "not worn": days["records"] - days["worn"]}
    shown = pd.concat(
        [
            pd.DataFrame({"date": days["date"], "part": part, "rank": rank, "count": counts})
            for rank, (part, counts) in enumerate(parts.items())
        ],
        ignore_index=True,
    )
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_bar(size=7)
        .encode(
            x=alt.X("date:T", title=None, axis=date_axis()),
            y=alt.Y("count:Q", title="Records", axis=count_axis()),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=list(parts), range=[BLUE, INK]),
                legend=bottom_legend(),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[date_tip(), tip("part:N", "Device"), tip("count:Q", "Records", ",")],
        )
        .properties(height=HEIGHT, title="Records by day")
    )
    return chart


def share_bars(shares: Mapping[str, float], title: str) -> alt.Chart:
    """Horizontal bars of shares of 1 by snake-case name, largest first."""
    frame = pd.DataFrame({"name": [label(name) for name in shares], "share": list(shares.values())})
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort="-x", title=None),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            tooltip=[tip("name:N", "Name"), tip("share:Q", "Share", ".1%")],
        )
        .properties(height=rows_height(len(frame), 22), title=title)
    )
    return chart


def value_bars(values: Mapping[str, float], title: str, axis_title: str) -> alt.Chart:
    """Horizontal bars of values by name, in the order of `values`."""
    frame = pd.DataFrame({"name": list(values), "value": list(values.values())})
    # A segment's name has several parts, which are written below each other.
    breaks = max((name.count(", ") for name in values), default=0)
    labels = alt.Axis(labelLimit=210, labelExpr=LABEL_LINES, labelOffset=-6 * breaks)
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort=None, title=None, axis=labels),
            x=alt.X("value:Q", title=axis_title, axis=alt.Axis(tickCount=5)),
            tooltip=[tip("name:N", "Name"), tip("value:Q", axis_title, ",.4~r")],
        )
        .properties(height=rows_height(len(frame), 26 + 12 * breaks, axis_title=True), title=title)
    )
    return chart


def contribution_bars(added: Mapping[str, float], title: str, axis_title: str) -> alt.LayerChart:
    """Bars to the right for what adds to an estimate, and to the left for what lowers it.

    Parameters
    ----------
    added : mapping of str to float
        Signed amounts by name, drawn in this order.
    title : str
    axis_title : str
    """
    frame = pd.DataFrame({"name": list(added), "added": list(added.values())})
    largest = max((abs(value) for value in added.values()), default=0) or 1.0
    base = alt.Chart(frame).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=190)),
        x=alt.X(
            "added:Q",
            title=axis_title,
            # Room for the amounts next to the bars.
            scale=alt.Scale(domain=[-1.35 * largest, 1.35 * largest]),
            axis=alt.Axis(tickCount=5),
        ),
        tooltip=[tip("name:N", "Input"), tip("added:Q", axis_title, "+,.3~r")],
    )
    lower, higher = DIVERGING[0], DIVERGING[-1]
    sign = alt.condition("datum.added < 0", alt.value(lower), alt.value(higher))
    text = alt.Text("added:Q", format="+,.0f")
    return layered(
        base.mark_bar(cornerRadiusEnd=3).encode(color=sign),
        base.transform_filter("datum.added >= 0")
        .mark_text(align="left", dx=4, fontSize=11, color=TEXT)
        .encode(text=text),
        base.transform_filter("datum.added < 0")
        .mark_text(align="right", dx=-4, fontSize=11, color=TEXT)
        .encode(text=text),
    ).properties(height=rows_height(len(frame), 24, axis_title=True), title=title)


def histogram(
    bins: pd.DataFrame, name: str, units: Units, mark: tuple[float, str] | None = None
) -> alt.LayerChart:
    """Days by value of a measurement.

    Parameters
    ----------
    bins : DataFrame
        ``low``, ``high`` and ``days`` of the bins of the measurement `name`, in its stored unit.
    mark : tuple of (float, str), optional
        A value to draw a vertical line at, in the stored unit, and its label.
    """
    factor, title = units.factor(name), units.title(name)
    shown = bins.assign(low=bins["low"] * factor, high=bins["high"] * factor)
    layers = [
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("low:Q", bin="binned", title=title, axis=alt.Axis(tickCount=6)),
            x2="high:Q",
            y=alt.Y("days:Q", title="Days", axis=count_axis()),
            tooltip=[
                tip("low:Q", "From", ",.1f"),
                tip("high:Q", "To", ",.1f"),
                tip("days:Q", "Days", ","),
            ],
        )
    ]
    if mark is not None:
        line = alt.Chart(pd.DataFrame({"value": [mark[0] * factor], "label": [mark[1]]}))
        layers += [
            line.mark_rule(color=BAD, strokeDash=[5, 3], size=2).encode(x="value:Q"),
            line.mark_text(color=TEXT, baseline="bottom", y=-3).encode(x="value:Q", text="label:N"),
        ]
    return layered(*layers).properties(height=HEIGHT, title=NUMBERS[name].label)
