"""The charts of a report."""

import dataclasses
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from fitness_assets.answers import statistics
from fitness_assets.answers.pages.document import Chart
from fitness_assets.answers.records import Days
from fitness_assets.answers.statistics import Summary, summary_of
from fitness_assets.record.units import Units

#: The measures that a report draws, if they are known.
DRAWN = ("steps", "sleep_hours", "active_minutes", "resting_heart_rate", "weight_kg")
_BARS = {"steps", "active_minutes"}
# Days with a value that a band of usual values needs.
_LEAST_USUAL = 28
_MID_WEEK = timedelta(3)
_DAY, _WEEK = 0.8, 5.5


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
    summaries = [each.summary for each in points]
    factor = units.factor(measure)
    bars = measure in _BARS and by_day
    before = summary_of(usual, measure)
    band = _band(before, factor) if by_day else None
    title = units.title(measure)
    return Chart(
        name=measure,
        title=title,
        text=_text(title, summaries, units, measure, "days" if by_day else "weeks"),
        dates=[each.start + (timedelta(0) if by_day else _MID_WEEK) for each in points],
        values=[each.median * factor for each in summaries],
        low=() if by_day else [each.p10 * factor for each in summaries],
        high=() if by_day else [each.p90 * factor for each in summaries],
        usual=band,
        width=_DAY if bars else 0,
    )


def _band(before: Summary | None, factor: float) -> tuple[float, float] | None:
    if before is None or before.days < _LEAST_USUAL:
        return None
    return before.p10 * factor, before.p90 * factor


def _text(title: str, summaries: list[Summary], units: Units, measure: str, unit: str) -> str:
    if not summaries:
        return title
    values = np.array([each.median for each in summaries])
    low, high = units.text(measure, values.min()), units.text(measure, values.max())
    return f"{title}: {len(values)} {unit} from {low} to {high}"
