"""Pure functions from a frame to a figure.

Backgrounds and most colours come from Streamlit's theme, light or dark; those that are named here
read on both. Titles are short enough for a phone.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

import altair as alt
import pandas as pd

from dashboard.units import NUMBERS, Units

#: Reads on light and dark alike.
_INK = "#808495"
_GOOD, _FAIR, _BAD = "#21a366", "#e0912f", "#e5484d"
#: What a month can be in, and its colour.
STATES = {
    "released": _GOOD,
    "with a stand-in": "#2b7bba",
    "outdated": _FAIR,
    "refused": _BAD,
    "not released": _INK,
}
#: Of kinds beside one another: each reads on light and on dark, and to who sees few colours.
_KINDS = ["#2b7bba", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8a8f9d", "#9a6b3f", "#56b4e9"]
_HEIGHT = 260
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
#: A named scheme of one hue from faint to full, which reads on both backgrounds.
_DENSITY: Literal["tealblues"] = "tealblues"
_DIVERGING = ["#c2452d", "#d9dce2", "#2b6fae"]
#: For figures in cells: on strong colours, and on faint ones.
_ON_STRONG, _ON_FAINT = "#ffffff", "#26323d"
#: A name of several parts, as a segment's, goes on as many lines.
_LINES = "split(datum.label, ', ')"


def readable(name: str) -> str:
    """A snake-case name as people write it."""
    return name.replace("_", " ").capitalize()


def months(calendar: pd.DataFrame) -> alt.LayerChart:
    """A calendar of months: columns ``month``, ``state``, a key of `STATES`, and ``told``."""
    table = calendar.assign(
        year=calendar["month"].str[:4],
        name=pd.to_datetime(calendar["month"]).dt.strftime("%b"),
        number=calendar["month"].str[5:],
    )
    gap = alt.Scale(paddingInner=0.08)
    every = alt.Scale(domain=[f"{number:02}" for number in range(1, 13)], paddingInner=0.08)
    base = alt.Chart(table).encode(
        x=alt.X("number:O", title=None, axis=None, scale=every),
        y=alt.Y("year:O", title=None, axis=alt.Axis(ticks=False, domain=False), scale=gap),
        tooltip=["month", "state", "told"],
    )
    present = [state for state in STATES if (table["state"] == state).any()]
    tiles = base.mark_rect(cornerRadius=4).encode(
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=present, range=[STATES[state] for state in present]),
            legend=alt.Legend(title=None, orient="bottom", columns=3),
        )
    )
    names = base.mark_text(fontSize=11).encode(
        text="name:N",
        color=alt.condition(
            alt.datum["state"] == "outdated", alt.value(_ON_FAINT), alt.value(_ON_STRONG)
        ),
    )
    return layered(tiles, names).properties(
        height=100 + 46 * table["year"].nunique(), title="Calendar"
    )


def daily_series(days: pd.DataFrame, name: str, units: Units) -> alt.Chart:
    """A line of the mean of `name`, a number, over the days of the month."""
    title = units.title(name)
    chart: alt.Chart = (
        alt.Chart(units.of(days)[["date", name]])
        .mark_line(point=True)
        .encode(
            x=alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=6)),
            y=alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=False)),
            tooltip=["date:T", alt.Tooltip(f"{name}:Q", title=title, format=",.1f")],
        )
        .properties(height=_HEIGHT, title=f"{NUMBERS[name].label}, mean by day")
    )
    return chart


def weekdays(table: pd.DataFrame, name: str, units: Units) -> alt.Chart:
    """Bars of the mean of `name` by day of the week."""
    shown = units.of(table)[["day_of_week", name]]
    shown = shown.assign(
        weekday=[_WEEKDAYS[number - 1] for number in shown["day_of_week"]],
        weekend=shown["day_of_week"].map(lambda day: "Weekend" if day > 5 else "Weekday"),  # noqa: PLR2004 - Friday
    )
    title = units.title(name)
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("weekday:O", sort=_WEEKDAYS, title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y(f"{name}:Q", title=title),
            color=alt.Color("weekend:N", title=None, legend=alt.Legend(orient="bottom")),
            tooltip=["weekday", alt.Tooltip(f"{name}:Q", title=title, format=",.1f")],
        )
        .properties(height=_HEIGHT, title=f"{NUMBERS[name].label}, mean by weekday")
    )
    return chart


def shares(parts: Mapping[str, float], title: str) -> alt.Chart:
    """Horizontal bars of shares of one, largest first."""
    frame = pd.DataFrame(
        {"name": [readable(name) for name in parts], "share": list(parts.values())}
    )
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort="-x", title=None),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            tooltip=["name", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=60 + 26 * len(frame), title=title)
    )
    return chart


def bars(values: Mapping[str, float], title: str, axis: str | None = None) -> alt.Chart:
    """Horizontal bars of values by name, in the order given."""
    frame = pd.DataFrame({"name": list(values), "value": list(values.values())})
    lines = max((name.count(", ") for name in values), default=0)
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y(
                "name:N",
                sort=None,
                title=None,
                axis=alt.Axis(labelLimit=160, labelExpr=_LINES, labelOffset=-6 * lines),
            ),
            x=alt.X("value:Q", title=axis, axis=alt.Axis(tickCount=5)),
            tooltip=["name", alt.Tooltip("value:Q", format=",.4~g")],
        )
        .properties(height=90 + (30 + 14 * lines) * len(frame), title=title)
    )
    return chart


def histogram(
    bins: pd.DataFrame, name: str, units: Units, line: tuple[float, str] | None = None
) -> alt.LayerChart:
    """Days by value of `name`.

    Parameters
    ----------
    bins : DataFrame
        ``low``, ``high`` and ``days`` of its bins.
    line : tuple of (float, str), optional
        Where to draw a line, in the lake's unit, and what it is.
    """
    factor, title = units.factor(name), units.title(name)
    shown = bins.assign(low=bins["low"] * factor, high=bins["high"] * factor)
    drawn = [
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("low:Q", bin="binned", title=title, axis=alt.Axis(tickCount=6)),
            x2="high:Q",
            y=alt.Y("days:Q", title="Days", axis=alt.Axis(format=",")),
            tooltip=[
                alt.Tooltip("low:Q", format=",.1f", title="from"),
                alt.Tooltip("high:Q", format=",.1f", title="to"),
                alt.Tooltip("days:Q", format=","),
            ],
        )
    ]
    if line is not None:
        mark = alt.Chart(pd.DataFrame({"at": [line[0] * factor], "told": [line[1]]}))
        drawn += [
            mark.mark_rule(color=_BAD, strokeDash=[5, 3], size=2).encode(x="at:Q"),
            mark.mark_text(color=_BAD, baseline="bottom", y=-3).encode(x="at:Q", text="told:N"),
        ]
    return layered(*drawn).properties(height=_HEIGHT, title=NUMBERS[name].label)


def spread_by_activity(spreads: pd.DataFrame, name: str, units: Units) -> alt.LayerChart:
    """Boxes of `name` by activity: 5th, 25th, 50th, 75th and 95th of a hundred days.

    Parameters
    ----------
    spreads : DataFrame
        ``activity_type``, ``p5``, ``p25``, ``p50``, ``p75`` and ``p95`` of that number.
    """
    marks = ["p5", "p25", "p50", "p75", "p95"]
    shown = spreads.assign(
        name=[readable(name) for name in spreads["activity_type"]],
        **{mark: spreads[mark] * units.factor(name) for mark in marks},
    ).sort_values("p50", ascending=False)
    base = alt.Chart(shown).encode(
        y=alt.Y("name:N", sort=list(shown["name"]), title=None),
        tooltip=["name", *(alt.Tooltip(f"{mark}:Q", format=",.1f") for mark in marks)],
    )
    scale = alt.Scale(zero=False)
    return layered(
        base.mark_rule(color=_INK).encode(
            x=alt.X("p5:Q", title=units.title(name), scale=scale, axis=alt.Axis(tickCount=6)),
            x2="p95:Q",
        ),
        base.mark_bar(size=14).encode(x=alt.X("p25:Q", scale=scale), x2="p75:Q"),
        base.mark_tick(color="white", thickness=2, size=14).encode(x=alt.X("p50:Q", scale=scale)),
    ).properties(height=60 + 28 * len(shown), title=f"{NUMBERS[name].label}, spread by activity")


def scatter(
    sample: pd.DataFrame, trend: pd.DataFrame, x: str, y: str, units: Units
) -> alt.LayerChart:
    """A sample of days by two numbers, and the median of one by the other over all days.

    Parameters
    ----------
    sample : DataFrame
        ``activity_type`` and both numbers.
    trend : DataFrame
        ``at`` of `x`, and the ``median`` of `y` there.
    """
    known = units.of(sample)[["activity_type", x, y]].dropna(subset=[x, y])
    labelled = [readable(name) if name else "Unknown" for name in known["activity_type"]]
    points = known.assign(activity=labelled).drop(columns="activity_type")
    line = trend.assign(at=trend["at"] * units.factor(x), median=trend["median"] * units.factor(y))
    zero = alt.Scale(zero=False)
    return layered(
        alt.Chart(points)
        .mark_circle(opacity=0.45, size=22)
        .encode(
            x=alt.X(f"{x}:Q", title=units.title(x), scale=zero, axis=alt.Axis(tickCount=6)),
            y=alt.Y(f"{y}:Q", title=units.title(y), scale=zero),
            color=alt.Color(
                "activity:N", title=None, legend=alt.Legend(orient="bottom", columns=3)
            ),
            tooltip=["activity", *(alt.Tooltip(f"{n}:Q", format=",.1f") for n in (x, y))],
        ),
        alt.Chart(line[["at", "median"]])
        .mark_line(color=_BAD, size=3, interpolate="monotone")
        .encode(x="at:Q", y="median:Q"),
    ).properties(height=420, title=f"{NUMBERS[y].label} by {NUMBERS[x].label.lower()}")


def correlations(table: pd.DataFrame) -> alt.LayerChart:
    """A map of Pearson's r: columns ``one``, ``other`` and ``r``."""
    names = {name: NUMBERS[name].label for name in table["one"].unique()}
    shown = table.assign(one=table["one"].map(names), other=table["other"].map(names)).dropna()
    order = list(names.values())
    return _grid(shown, ("one", order), ("other", order), "r").properties(
        title="Correlation (Pearson's r)"
    )


def _grid(
    cells: pd.DataFrame, across: tuple[str, list[str]], down: tuple[str, list[str]], value: str
) -> alt.LayerChart:
    """Signed values as coloured cells with their figures; columns with the order of their names."""
    (x, columns), (y, rows) = across, down
    most = max(1.0, float(cells[value].abs().max()) if len(cells) else 1.0)
    names = alt.Axis(labelAngle=-40, labelLimit=140, labelExpr=_LINES)
    base = alt.Chart(cells).encode(
        x=alt.X(f"{x}:N", sort=columns, title=None, axis=names),
        y=alt.Y(f"{y}:N", sort=rows, title=None, axis=alt.Axis(labelLimit=150)),
        tooltip=[x, y, alt.Tooltip(f"{value}:Q", format="+.2f")],
    )
    scale = alt.Scale(domain=[-most, 0, most], range=_DIVERGING, interpolate="rgb")
    colour = alt.Color(f"{value}:Q", scale=scale, legend=None)
    return layered(
        base.mark_rect(cornerRadius=2).encode(color=colour),
        base.mark_text(fontSize=11).encode(
            text=alt.Text(f"{value}:Q", format="+.1f"),
            color=_on(f"abs(datum.{value}) > {0.55 * most}"),
        ),
    ).properties(height=120 + 34 * len(rows))


def _on(strong: str) -> Any:
    """The colour of a figure in a cell, by whether the cell's is strong."""
    return alt.condition(strong, alt.value(_ON_STRONG), alt.value(_ON_FAINT))


def projection(people: pd.DataFrame, explained: Sequence[float]) -> alt.Chart:
    """Users in the space of the segments, seen from its two widest sides.

    Parameters
    ----------
    people : DataFrame
        ``x``, ``y`` and ``name`` of the segment, or without a name where none is stable.
    explained : sequence of float
        Shares of the variance that x and y show.
    """
    chart = (
        alt.Chart(people[[name for name in ("x", "y", "name") if name in people]])
        .mark_circle(opacity=0.6, size=26)
        .encode(
            x=alt.X(
                "x:Q",
                title=f"First axis ({explained[0]:.0%} of the differences)",
                axis=alt.Axis(tickCount=8),
            ),
            y=alt.Y("y:Q", title=f"Second axis ({explained[1]:.0%})"),
            tooltip=["name"] if "name" in people else [],
        )
        .properties(height=620, title="Users, seen from two sides")
    )
    if "name" in people:
        chart = chart.encode(
            color=alt.Color(
                "name:N",
                title=None,
                legend=alt.Legend(orient="bottom", columns=1, labelLimit=320),
            )
        )
    placed: alt.Chart = chart
    return placed


def apart(distances: pd.DataFrame) -> alt.LayerChart:
    """How far each segment lies from everyone: ``segment``, ``measure``, ``distance`` in SD."""
    measures, segments = (list(dict.fromkeys(distances[name])) for name in ("measure", "segment"))
    drawn = _grid(distances, ("segment", segments), ("measure", measures), "distance")
    return drawn.properties(title="What sets each apart")


def moves(movement: pd.DataFrame) -> alt.LayerChart:
    """Users by the segment they were in and are in: ``before``, ``segment``, ``users``."""
    shown = movement.assign(
        share=movement["users"] / movement.groupby("before")["users"].transform("sum")
    )
    names: dict[str, Any] = {"labelLimit": 150, "labelExpr": _LINES}
    base = alt.Chart(shown).encode(
        x=alt.X("segment:N", title="This month", axis=alt.Axis(labelAngle=-40, **names)),
        y=alt.Y("before:N", title="Month before", axis=alt.Axis(labelOffset=-6, **names)),
        tooltip=[
            alt.Tooltip("before:N", title="from"),
            alt.Tooltip("segment:N", title="to"),
            alt.Tooltip("users:Q", format=","),
            alt.Tooltip("share:Q", format=".0%"),
        ],
    )
    return layered(
        base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("share:Q", scale=alt.Scale(scheme=_DENSITY), legend=None)
        ),
        base.mark_text().encode(
            text=alt.Text("users:Q", format=","),
            color=_on("datum.share > 0.4"),
        ),
    ).properties(height=190 + 40 * shown["before"].nunique(), title="Movement between segments")


def stability(candidates: pd.DataFrame, asked: float, chosen: int) -> alt.LayerChart:
    """Agreement by number of segments.

    Parameters
    ----------
    candidates : DataFrame
        ``k``, ``part``, what was compared, and ``agreement``.
    asked : float
        What each must reach.
    chosen : int
        The number that was chosen.
    """
    at = alt.Chart(pd.DataFrame({"k": [chosen], "asked": [asked]}))
    return layered(
        at.mark_rule(color=_INK, size=26, opacity=0.2).encode(x="k:O"),
        at.mark_rule(color=_INK, strokeDash=[5, 3]).encode(y="asked:Q"),
        alt.Chart(candidates)
        .mark_line(point=True)
        .encode(
            x=alt.X("k:O", title="Number of segments", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("agreement:Q", title="Adjusted Rand index", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "part:N", title=None, legend=alt.Legend(orient="bottom", columns=1, labelLimit=300)
            ),
            tooltip=["k", "part", alt.Tooltip("agreement:Q", format=".2f")],
        ),
    ).properties(height=380, title="How stable each number is")


def heat(days: pd.DataFrame, name: str, units: Units) -> alt.LayerChart:
    """The days of one user as a calendar: ``date`` and the number `name`."""
    shown = units.of(days)[["date", name]].copy()
    dates = pd.to_datetime(shown["date"])
    first = dates.min().to_period("M").start_time
    shown["weekday"] = [_WEEKDAYS[day] for day in dates.dt.weekday]
    shown["week"] = (dates.dt.day + first.weekday() - 1) // 7
    shown["day"] = dates.dt.day
    title = units.title(name)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "weekday:O",
            sort=_WEEKDAYS,
            title=None,
            axis=alt.Axis(labelAngle=0, orient="top", ticks=False, domain=False),
        ),
        y=alt.Y("week:O", title=None, axis=None),
        tooltip=["date:T", alt.Tooltip(f"{name}:Q", title=title, format=",.1f")],
    )
    half = (shown[name].min() + shown[name].max()) / 2
    known = base.transform_filter(f"isValid(datum.{name})")
    missing = base.transform_filter(f"!isValid(datum.{name})")
    colour = alt.Color(
        f"{name}:Q",
        title=title,
        scale=alt.Scale(scheme=_DENSITY, zero=False),
        legend=alt.Legend(orient="bottom", gradientLength=160),
    )
    return layered(
        known.mark_rect(cornerRadius=4).encode(color=colour),
        known.mark_text(fontSize=11).encode(text="day:Q", color=_on(f"datum.{name} > {half}")),
        missing.mark_rect(cornerRadius=4, color=_INK, opacity=0.2),
        missing.mark_text(fontSize=11, color=_INK).encode(text="day:Q"),
    ).properties(height=330, title=f"{NUMBERS[name].label}, day by day")


def against_usual(days: pd.DataFrame, name: str, units: Units, goal: float) -> alt.LayerChart:
    """Bars of one user's days beside what was usual for them, and their goal.

    Parameters
    ----------
    days : DataFrame
        ``date``, the number `name`, and ``usual``, its mean of the 28 days before.
    """
    factor = units.factor(name)
    shown = days[["date", name, "usual"]].assign(goal=goal)
    shown[[name, "usual", "goal"]] *= factor
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=6))
    )
    title = units.title(name)
    return layered(
        base.mark_bar(size=7, cornerRadiusEnd=2).encode(
            y=alt.Y(f"{name}:Q", title=title),
            tooltip=["date:T", *(alt.Tooltip(f"{n}:Q", format=",.0f") for n in (name, "usual"))],
        ),
        base.mark_line(color=_FAIR, size=2.5).encode(y="usual:Q"),
        base.mark_line(color=_GOOD, strokeDash=[5, 3], size=1.5).encode(y="goal:Q"),
    ).properties(height=_HEIGHT, title=f"{NUMBERS[name].label} beside the usual")


def expected(days: pd.DataFrame) -> alt.LayerChart:
    """Recorded kcal beside what the model expects: ``date``, ``kcal``, ``expected``, bounds."""
    base = alt.Chart(days).encode(
        x=alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=6))
    )
    zero = alt.Scale(zero=False)
    return layered(
        base.mark_area(opacity=0.25).encode(
            y=alt.Y("low:Q", title="kcal", scale=zero), y2="high:Q"
        ),
        base.mark_line(size=2).encode(y=alt.Y("expected:Q", scale=zero)),
        base.mark_circle(size=55, opacity=1).encode(
            y=alt.Y("kcal:Q", scale=zero),
            color=alt.Color(
                "within:N",
                title=None,
                scale=alt.Scale(domain=["within", "outside"], range=[_INK, _BAD]),
                legend=alt.Legend(orient="bottom"),
            ),
            tooltip=[
                "date:T",
                *(
                    alt.Tooltip(f"{n}:Q", format=",.0f")
                    for n in ("kcal", "expected", "low", "high")
                ),
            ],
        ),
    ).properties(height=_HEIGHT, title="Energy: recorded and expected")


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> alt.LayerChart:
    """Days by what they were and what they were recognised as, as shares of what they were."""
    names = [readable(label) for label in labels]
    cells = pd.DataFrame(
        [
            {"was": was, "recognised": name, "days": days, "share": days / max(sum(row), 1)}
            for was, row in zip(names, counts, strict=True)
            for name, days in zip(names, row, strict=True)
        ]
    )
    base = alt.Chart(cells).encode(
        x=alt.X(
            "recognised:N",
            sort=names,
            title="Recognised as",
            axis=alt.Axis(labelAngle=-40),
        ),
        y=alt.Y("was:N", sort=names, title="Was"),
        tooltip=[
            "was",
            "recognised",
            alt.Tooltip("days:Q", format=","),
            alt.Tooltip("share:Q", format=".1%"),
        ],
    )
    return layered(
        base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("share:Q", scale=alt.Scale(scheme=_DENSITY, domain=[0, 1]), legend=None)
        ),
        base.mark_text(fontSize=11).encode(
            text=alt.Text("share:Q", format=".0%"),
            color=_on("datum.share > 0.4"),
        ),
    ).properties(height=120 + 34 * len(names), title="Confusion, share of each row")


def reliability(bins: Sequence[Mapping[str, float]]) -> alt.LayerChart:
    """How often the classifier is right by how sure it is, beside the diagonal of a perfect one."""
    ideal = alt.Chart(pd.DataFrame({"confidence": [0, 1], "right": [0, 1]}))
    return layered(
        ideal.mark_line(color=_INK, strokeDash=[5, 3]).encode(x="confidence:Q", y="right:Q"),
        alt.Chart(pd.DataFrame(bins))
        .mark_line(point=True)
        .encode(
            x=alt.X("confidence:Q", title="How sure it is", axis=alt.Axis(format="%")),
            y=alt.Y("right:Q", title="How often it is right", axis=alt.Axis(format="%")),
            tooltip=[
                *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("confidence", "right")),
                alt.Tooltip("rows:Q", title="days", format=","),
            ],
        ),
    ).properties(height=320, title="Calibration")


def agreement(edges: Sequence[float], rows: Sequence[Sequence[int]]) -> alt.LayerChart:
    """Days by recorded and predicted kcal, beside the diagonal of perfect predictions."""
    bins = list(pairwise(edges))
    cells = pd.DataFrame(
        [
            {"low": at[0], "high": at[1], "from": to[0], "until": to[1], "days": days}
            for at, row in zip(bins, rows, strict=True)
            for to, days in zip(bins, row, strict=True)
            if days
        ]
    )
    ends = pd.DataFrame({"low": [edges[0], edges[-1]]})
    return layered(
        alt.Chart(cells)
        .mark_rect()
        .encode(
            x=alt.X("low:Q", bin="binned", title="Recorded kcal", axis=alt.Axis(tickCount=5)),
            x2="high:Q",
            y=alt.Y("from:Q", bin="binned", title="Predicted kcal", axis=alt.Axis(tickCount=6)),
            y2="until:Q",
            color=alt.Color(
                "days:Q",
                title="Days",
                scale=alt.Scale(type="log", scheme=_DENSITY),
                legend=alt.Legend(orient="bottom", gradientLength=160, tickCount=3),
            ),
            tooltip=[
                alt.Tooltip("low:Q", title="recorded from", format=",.0f"),
                alt.Tooltip("from:Q", title="predicted from", format=",.0f"),
                alt.Tooltip("days:Q", format=","),
            ],
        ),
        alt.Chart(ends).mark_line(color=_BAD, strokeDash=[5, 3]).encode(x="low:Q", y="low:Q"),
    ).properties(height=400, title="Recorded against predicted")


def residuals(edges: Sequence[float], rows: Sequence[int]) -> alt.Chart:
    """Days by recorded less predicted kcal."""
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "days": rows})
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="Recorded less predicted, kcal",
                axis=alt.Axis(tickCount=6),
            ),
            x2="high:Q",
            y=alt.Y("days:Q", title="Days", axis=alt.Axis(format=",")),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=",.0f"),
                alt.Tooltip("high:Q", title="to", format=",.0f"),
                alt.Tooltip("days:Q", format=","),
            ],
        )
        .properties(height=400, title="Residuals")
    )
    return chart


def backtest(scores: pd.DataFrame, title: str) -> alt.Chart:
    """A score by month beside that of no model: ``month``, ``of`` and ``score``."""
    chart: alt.Chart = (
        alt.Chart(scores)
        .mark_line(point=True)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("score:Q", title=title),
            color=alt.Color(
                "of:N",
                title=None,
                sort=list(dict.fromkeys(scores["of"])),
                legend=alt.Legend(orient="bottom", labelLimit=300),
            ),
            tooltip=["month", "of", alt.Tooltip("score:Q", format=".3f")],
        )
        .properties(height=_HEIGHT, title=f"{title}, month on month")
    )
    return chart


def sizes(steps: pd.DataFrame, chosen: str) -> alt.LayerChart:
    """Bytes of each step on disk and in memory, on a scale of tenfold steps.

    Parameters
    ----------
    steps : DataFrame
        ``step``, ``where`` and ``bytes``.
    chosen : str
        The step that is told of.
    """
    base = alt.Chart(steps).encode(
        y=alt.Y("step:N", sort=None, title=None, axis=alt.Axis(labelLimit=150)),
        yOffset="where:N",
    )
    return layered(
        base.mark_bar(cornerRadiusEnd=3).encode(
            x=alt.X(
                "bytes:Q",
                title="Bytes, each line ten times the last",
                scale=alt.Scale(type="log", domainMin=1_000),
                axis=alt.Axis(format="~s", tickCount=6),
            ),
            x2=alt.datum(1_000),
            color=alt.Color("where:N", title=None, legend=alt.Legend(orient="bottom")),
            opacity=alt.condition(alt.datum["step"] == chosen, alt.value(1.0), alt.value(0.45)),
            tooltip=["step", "where", alt.Tooltip("bytes:Q", format=",")],
        )
    ).properties(height=70 + 46 * steps["step"].nunique(), title="Size of the calorie forest")


def completeness(parts: pd.DataFrame) -> alt.Chart:
    """What the records of each number are: ``number``, ``part`` and ``share``."""
    order = ["Known", "Out of range", "Missing", "Not worn"]
    chart: alt.Chart = (
        alt.Chart(parts)
        .mark_bar()
        .encode(
            y=alt.Y("number:N", sort=None, title=None),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color(
                "part:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=[_GOOD, _BAD, _FAIR, _INK]),
                legend=alt.Legend(orient="bottom", columns=2),
            ),
            order=alt.Order("rank:Q"),
            tooltip=["number", "part", alt.Tooltip("share:Q", format=".2%")],
        )
        .properties(
            height=120 + 28 * parts["number"].nunique(), title="What is known of each number"
        )
    )
    return chart


def drift(indices: pd.DataFrame, shifted: float) -> alt.LayerChart:
    """Population stability index by ``number``, and the line above which it counts as a shift."""
    line = alt.Chart(pd.DataFrame({"at": [shifted], "told": ["shifted"]}))
    return layered(
        alt.Chart(indices)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("number:N", sort="-x", title=None),
            x=alt.X("index:Q", title="Population stability index", axis=alt.Axis(tickCount=5)),
            tooltip=["number", alt.Tooltip("index:Q", format=".4f")],
        ),
        line.mark_rule(color=_BAD, strokeDash=[5, 3], size=2).encode(x="at:Q"),
        line.mark_text(color=_BAD, align="right", dx=-5, baseline="top", y=2).encode(
            x="at:Q", text="told:N"
        ),
    ).properties(height=100 + 28 * len(indices), title="Drift since the month before")


def delivered(days: pd.DataFrame) -> alt.LayerChart:
    """Records by day, and of these the worn ones: ``date``, ``records`` and ``worn``."""
    base = alt.Chart(days[["date", "records", "worn"]]).encode(
        x=alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=6)),
        tooltip=["date:T", *(alt.Tooltip(f"{n}:Q", format=",") for n in ("records", "worn"))],
    )
    return layered(
        base.mark_area(color=_INK, opacity=0.35).encode(y=alt.Y("records:Q", title="Records")),
        base.mark_area(opacity=0.8).encode(y="worn:Q"),
    ).properties(height=_HEIGHT, title="Records, and of these worn")


def layered(*charts: Any) -> alt.LayerChart:
    """`charts` on one another."""
    return cast("alt.LayerChart", alt.layer(*charts))


def themed(chart: Any) -> Any:
    """`chart` with what of Streamlit's theme does not suit it set right.

    The theme moves the first and the last name of an axis off their bars and leaves out names that
    are close, and some of its colours for kinds are faint on light or on dark.
    """
    names = {"labelFlush": False, "labelOverlap": False}
    return chart.configure_axisBand(**names).configure_range(category=_KINDS)
