"""The charts of a report."""

import dataclasses
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from fitness_assets.answers import statistics
from fitness_assets.answers.pages.document import Chart
from fitness_assets.answers.records import Days
from fitness_assets.answers.statistics import Point, Summary, summary_of
from fitness_assets.record.units import Units

#: The measures that a report draws, if they are known.
DRAWN = ("steps", "sleep_hours", "active_minutes", "resting_heart_rate", "weight_kg")
_BARS = {"steps", "active_minutes"}
# Days with a value that a band of usual values needs.
_LEAST_USUAL = 28
_MID_WEEK = timedelta(3)
# Days that a bar is wide.
_DAY = 0.8


def charts_of(
    days: Days,
    usual: Days,
    units: Units,
    spans: Sequence[tuple[date, date]] = (),
    *,
    by_day: bool,
) -> list[Chart]:
    """The charts of `DRAWN`.

    Parameters
    ----------
    days : Days
        What is drawn: a value a day, or the median of each week.
    usual : Days
        The days before, whose 10th and 90th percentile are drawn as a band behind days.
    units : Units
    spans : sequence of (date, date)
        First and last day of what is marked.
    by_day : bool
    """
    charts = [_chart(days, usual, measure, units, by_day=by_day) for measure in DRAWN]
    shown = [(max(first, days.period.first), min(last, days.period.last)) for first, last in spans]
    return [dataclasses.replace(chart, spans=shown) for chart in charts if chart.dates]


def _chart(days: Days, usual: Days, measure: str, units: Units, *, by_day: bool) -> Chart:
    points = statistics.series(days, measure, "day" if by_day else "week")
    factor = units.factor(measure)
    bars = measure in _BARS and by_day
    before = summary_of(usual, measure)
    title = units.title(measure)
    step = timedelta(1 if by_day else 7)
    shown = points if bars else _with_gaps(points, step)
    summaries = [None if isinstance(each, date) else each.summary for each in shown]
    starts = [each if isinstance(each, date) else each.start for each in shown]

    def values(mark: str) -> list[float]:
        return [
            np.nan if each is None else float(getattr(each, mark)) * factor for each in summaries
        ]

    return Chart(
        name=measure,
        title=title,
        text=_text(title, [each.summary for each in points], units, measure, by_day=by_day),
        dates=[start + (timedelta(0) if by_day else _MID_WEEK) for start in starts],
        values=values("median"),
        low=() if by_day else values("p10"),
        high=() if by_day else values("p90"),
        usual=_band(before, factor) if by_day else None,
        width=_DAY if bars else 0,
        limits=(days.period.first - timedelta(1), days.period.last + timedelta(1)),
    )


def _with_gaps(points: Sequence[Point], step: timedelta) -> list[Point | date]:
    """`points`, and in each gap between them a day, at which a line is interrupted."""
    found: list[Point | date] = []
    for point in points:
        last = found[-1] if found else None
        if isinstance(last, Point) and point.start - last.start > step:
            found.append(last.start + step)
        found.append(point)
    return found


def _band(before: Summary | None, factor: float) -> tuple[float, float] | None:
    if before is None or before.days < _LEAST_USUAL:
        return None
    return before.p10 * factor, before.p90 * factor


def _text(title: str, summaries: list[Summary], units: Units, measure: str, *, by_day: bool) -> str:
    if not summaries:
        return title
    values = np.array([each.median for each in summaries])
    low, high = units.text(measure, values.min()), units.text(measure, values.max())
    return f"{title}: {len(values)} {'days' if by_day else 'weeks'} from {low} to {high}"
