"""Numbers about the days of one person: summaries, differences, runs of days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from fitness_assets import months
from fitness_assets.answers.periods import Period
from fitness_assets.answers.records import Days, Floats

#: Fewest days with a value of which a summary is compared with another.
LEAST_DAYS = 5

Step = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Summary:
    """A measure over some days on which the device was worn.

    Attributes
    ----------
    days : int
        Days with a value, at least 1.
    median, p10, p90, mean, total : float
        Quantiles are interpolated linearly (type 7 of Hyndman and Fan, Am Stat 50:361, 1996).
    low, high : float
    low_day, high_day : date
        The first day with the lowest, and with the highest value.
    """

    days: int
    median: float
    p10: float
    p90: float
    mean: float
    total: float
    low: float
    high: float
    low_day: date
    high_day: date


@dataclass(frozen=True)
class Point:
    """One point of a series: its first day, and the summary of its days."""

    start: date
    summary: Summary


@dataclass(frozen=True)
class Run:
    """Consecutive days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


def summarize(dates: Sequence[date], values: Floats) -> Summary | None:
    """The summary of `values` of `dates`; None if there are none."""
    if not len(values):
        return None
    p10, median, p90 = map(float, np.quantile(values, [0.1, 0.5, 0.9]))
    low, high = int(values.argmin()), int(values.argmax())
    return Summary(
        days=len(values),
        median=median,
        p10=p10,
        p90=p90,
        mean=float(values.mean()),
        total=float(values.sum()),
        low=float(values[low]),
        high=float(values[high]),
        low_day=dates[low],
        high_day=dates[high],
    )


def summary_of(days: Days, measure: str) -> Summary | None:
    """The summary of `measure` over `days`; None if no day has a value."""
    return summarize(*days.values(measure))


def series(days: Days, measure: str, step: Step) -> list[Point]:
    """The summaries of `measure` by day, week (from Monday) or month, without empty ones."""
    dates, values = days.values(measure)
    found: list[Point] = []
    starts = [_start(day, step) for day in dates]
    begin = 0
    for end in range(1, len(dates) + 1):
        if end == len(dates) or starts[end] != starts[begin]:
            summary = summarize(dates[begin:end], values[begin:end])
            if summary is not None:
                found.append(Point(starts[begin], summary))
            begin = end
    return found


def _start(day: date, step: Step) -> date:
    if step == "week":
        return day - timedelta(day.weekday())
    return day.replace(day=1) if step == "month" else day


def runs(days: Iterable[date]) -> list[Run]:
    """The runs of consecutive days in `days`, which are in order."""
    found: list[Run] = []
    for day in days:
        if found and day - found[-1].last == timedelta(1):
            found[-1] = Run(found[-1].first, day)
        else:
            found.append(Run(day, day))
    return found


def before(period: Period) -> Period:
    """The period of the same kind that ends before `period`: a month, a year, or as many days."""
    first, last = months.key(period.first), months.key(period.last)
    length = len(months.between(first, last))
    if period == Period(months.start(first), months.end(last) - timedelta(1)):
        return Period(
            months.start(months.shift(first, -length)),
            months.end(months.shift(last, -length)) - timedelta(1),
        )
    return Period(period.first - timedelta(period.days), period.first - timedelta(1))


def year_before(period: Period) -> Period:
    """The same months of the year before; `period` is whole months."""
    first = months.shift(months.key(period.first), -12)
    last = months.shift(months.key(period.last), -12)
    return Period(months.start(first), months.end(last) - timedelta(1))
