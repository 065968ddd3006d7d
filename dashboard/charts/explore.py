"""Charts of the view Explore."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.common import value_scale
from dashboard.charts.theme import (
    BAD,
    DENSITY,
    HEIGHT,
    INK,
    TICK,
    WEEKDAYS,
    bottom_legend,
    layered,
    rows_height,
    signed_heatmap,
    tip,
)
from dashboard.text import label
from fitness_assets.record.raw import MEASUREMENTS, NUMBERS
from fitness_assets.record.units import Units

_FRIDAY = 5
#: Percentiles of `spread_by_activity`, and their titles.
_PERCENTILES = {
    "p5": "5th percentile",
    "p25": "25th percentile",
    "p50": "Median",
    "p75": "75th percentile",
    "p95": "95th percentile",
}


def weekday_means(
    table: pd.DataFrame, name: str, units: Units, domain: Sequence[float]
) -> alt.Chart:
    """The mean of a measurement by day of the week, as points.

    Parameters
    ----------
    table : DataFrame
        ``day_of_week`` from 1 (Monday) to 7 (Sunday), and the measurement `name`.
    name : str
    units : Units
    domain : sequence of float
        The limits of the axis in the stored unit.
    """
    shown = units.convert(table)[["day_of_week", name]]
    shown = shown.assign(
        weekday=[WEEKDAYS[number - 1] for number in shown["day_of_week"]],
        kind=shown["day_of_week"].map(lambda day: "Weekend" if day > _FRIDAY else "Weekday"),
    )
    title = units.title(name)
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_circle(size=110, opacity=1)
        .encode(
            x=alt.X("weekday:O", sort=WEEKDAYS, title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y(f"{name}:Q", title=title, scale=value_scale(name, units, domain)),
            color=alt.Color("kind:N", title=None, legend=bottom_legend()),
            tooltip=[tip("weekday:N", "Day of the week"), tip(f"{name}:Q", title, ",.1f")],
        )
        .properties(height=HEIGHT, title=f"{NUMBERS[name].label}, mean by day of the week")
    )
    return chart


def spread_by_activity(spreads: pd.DataFrame, name: str, units: Units) -> alt.LayerChart:
    """Box plots of a measurement by activity, highest median first.

    Parameters
    ----------
    spreads : DataFrame
        ``activity_type``, and the percentiles ``p5``, ``p25``, ``p50``, ``p75`` and ``p95`` of the
        measurement `name` over days.
    """
    shown = spreads.assign(
        activity=[label(activity) for activity in spreads["activity_type"]],
        **{mark: spreads[mark] * units.factor(name) for mark in _PERCENTILES},
    ).sort_values("p50", ascending=False)
    base = alt.Chart(shown).encode(
        y=alt.Y("activity:N", sort=list(shown["activity"]), title=None),
        tooltip=[
            tip("activity:N", "Activity"),
            *(tip(f"{mark}:Q", title, ",.1f") for mark, title in _PERCENTILES.items()),
        ],
    )
    scale = alt.Scale(zero=False)
    return layered(
        base.mark_rule(color=INK).encode(
            x=alt.X("p5:Q", title=units.title(name), scale=scale, axis=alt.Axis(tickCount=6)),
            x2="p95:Q",
        ),
        base.mark_bar(size=14).encode(x=alt.X("p25:Q", scale=scale), x2="p75:Q"),
        base.mark_tick(color=TICK, thickness=2, size=14).encode(x=alt.X("p50:Q", scale=scale)),
    ).properties(
        height=rows_height(len(shown), 24, axis_title=True),
        title=f"{NUMBERS[name].label} by activity",
    )


def scatter(
    sample: pd.DataFrame, trend: pd.DataFrame, x: str, y: str, units: Units
) -> alt.LayerChart:
    """A sample of days by two measurements, and the median of one by the other over all days.

    Parameters
    ----------
    sample : DataFrame
        ``activity_type`` and both measurements.
    trend : DataFrame
        ``at``, values of `x`, and ``median``, the medians of `y` there.
    """
    known = units.convert(sample)[["activity_type", x, y]].dropna(subset=[x, y])
    activities = [label(name) if name else "Unknown" for name in known["activity_type"]]
    points = known.assign(activity=activities).drop(columns="activity_type")
    line = trend.assign(at=trend["at"] * units.factor(x), median=trend["median"] * units.factor(y))
    scale = alt.Scale(zero=False)
    return layered(
        alt.Chart(points)
        .mark_circle(opacity=0.45, size=22)
        .encode(
            x=alt.X(f"{x}:Q", title=units.title(x), scale=scale, axis=alt.Axis(tickCount=6)),
            y=alt.Y(f"{y}:Q", title=units.title(y), scale=scale),
            color=alt.Color("activity:N", title=None, legend=bottom_legend(columns=3)),
            tooltip=[
                tip("activity:N", "Activity"),
                *(tip(f"{name}:Q", units.title(name), ",.1f") for name in (x, y)),
            ],
        ),
        alt.Chart(line[["at", "median"]])
        .mark_line(color=BAD, size=3, interpolate="monotone")
        .encode(x="at:Q", y="median:Q"),
    ).properties(height=420, title=f"{NUMBERS[y].label} by {NUMBERS[x].label.lower()}")


def binned_scatter(
    cells: pd.DataFrame, trend: pd.DataFrame, x: str, y: str, units: Units
) -> alt.LayerChart:
    """Number of days by two measurements, and the median of one by the other.

    Parameters
    ----------
    cells : DataFrame
        ``x`` and ``y``, which are the two measurements in either order, ``x_low``, ``x_high``,
        ``y_low``, ``y_high`` and ``days``.
    trend : DataFrame
        ``at``, values of `x`, and ``median``, the medians of `y` there.
    """
    turned = {"x_low": "y_low", "x_high": "y_high", "y_low": "x_low", "y_high": "x_high"}
    shown = cells if (cells["x"] == x).all() else cells.rename(columns=turned)
    factors = {"x": units.factor(x), "y": units.factor(y)}
    ends = {name: shown[name] * factors[name[0]] for name in turned}
    shown = shown[["days"]].assign(**ends)
    line = trend.assign(at=trend["at"] * factors["x"], median=trend["median"] * factors["y"])
    scale = alt.Scale(zero=False)
    return layered(
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X("x_low:Q", title=units.title(x), scale=scale, axis=alt.Axis(tickCount=6)),
            x2="x_high:Q",
            y=alt.Y("y_low:Q", title=units.title(y), scale=scale),
            y2="y_high:Q",
            color=alt.Color("days:Q", scale=alt.Scale(scheme=DENSITY), legend=None),
            tooltip=[tip("days:Q", "Days", ",")],
        ),
        alt.Chart(line[["at", "median"]])
        .mark_line(color=BAD, size=3, interpolate="monotone")
        .encode(x="at:Q", y="median:Q"),
    ).properties(height=420, title=f"{NUMBERS[y].label} by {NUMBERS[x].label.lower()}")


def correlation_heatmap(table: pd.DataFrame) -> alt.LayerChart:
    """Pearson's r of each pair of measurements: columns ``x``, ``y`` and ``r``."""
    known = set(table["x"])
    labels = {name: NUMBERS[name].label for name in MEASUREMENTS if name in known}
    shown = table.assign(x=table["x"].map(labels), y=table["y"].map(labels)).dropna()
    shown = shown.rename(columns={"x": "measurement", "y": "with"})
    order = list(labels.values())
    return signed_heatmap(
        shown, ("measurement", order), ("with", order), ("r", "Pearson's r")
    ).properties(title="Correlation (Pearson's r)")
