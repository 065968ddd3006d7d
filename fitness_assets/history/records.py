"""Bests, streaks and gaps of one user."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from fitness_assets.history.grid import Bools, Floats
from fitness_assets.history.schema import DIRECTIONS, MEASURES

#: Days in a row that were not worn, from which on they are a gap.
LEAST_GAP = 7
#: Gaps of one user that are kept: the longest.
_MOST_GAPS = 40
#: Days with a value that a period needs for a best: most of it.
LEAST_DAYS = {"week": 5, "month": 20, "year": 240}
#: Values that a day of a streak reaches. Steps: from about 8,000 a day, more lower mortality
#: little (Paluch et al., Lancet Public Health 7:e219, 2022). Sleep: 7 h (Watson et al., Sleep
#: 38:843, 2015). Active minutes: 150 a week (WHO guidelines on physical activity, 2020).
GOALS = {"steps": 8_000.0, "sleep_hours": 7.0, "active_minutes": 22.0}


@dataclass(frozen=True)
class Best:
    """The best day, week, month or year of a measure; the value of a period is its mean."""

    measure: str
    period: str
    first: date
    last: date
    value: float
    days: int


@dataclass(frozen=True)
class Streak:
    """Days in a row, numbered from the first day of a grid, that reach a goal or were worn."""

    measure: str | None
    goal: float | None
    first: int
    days: int
    is_current: bool


def bests(values: Floats, first: date) -> list[Best]:
    """The best day, and the best week, month and year with enough days, of each measure.

    Parameters
    ----------
    values : ndarray of shape (days, measures)
    first : date
        The first day.
    """
    dates = [first + timedelta(days=day) for day in range(len(values))]
    found = []
    periods = dict(_periods(dates))
    for measure, direction in DIRECTIONS.items():
        own = values[:, MEASURES.index(measure)]
        known = np.isfinite(own)
        for period, codes in periods.items():
            counts = np.bincount(codes[known])
            if not counts.size or counts.max() < LEAST_DAYS.get(period, 1):
                continue
            means = np.bincount(codes[known], own[known]) / np.maximum(counts, 1)
            enough = counts >= LEAST_DAYS.get(period, 1)
            best = int(np.argmax(np.where(enough, direction * means, -np.inf)))
            days = np.flatnonzero(codes == best)
            found.append(
                Best(
                    measure,
                    period,
                    dates[days[0]],
                    dates[days[-1]],
                    float(means[best]),
                    int(counts[best]),
                )
            )
    return found


def _periods(dates: list[date]) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """The number of the day, week, month and year of each date, from the first one's."""
    ordinals = np.array([day.toordinal() for day in dates], dtype=np.int64)
    yield "day", ordinals - ordinals[0]
    # The ordinal of a Monday is 1 modulo 7.
    weeks = (ordinals - 1) // 7
    yield "week", weeks - weeks[0]
    months = np.array([12 * day.year + day.month for day in dates], dtype=np.int64)
    yield "month", months - months[0]
    years = np.array([day.year for day in dates], dtype=np.int64)
    yield "year", years - years[0]


def streaks(values: Floats, worn: Bools) -> list[Streak]:
    """The longest streak of each goal and of days worn, and the one that reaches the last day."""
    found = []
    for measure, goal in ((None, None), *GOALS.items()):
        reached = worn if measure is None else values[:, MEASURES.index(measure)] >= (goal or 0)
        runs = _runs(reached)
        if not runs:
            continue
        longest = max(runs, key=lambda run: run[1] - run[0])
        current = runs[-1] if runs[-1][1] == len(reached) else None
        found += [
            Streak(measure, goal, start, end - start, end == len(reached))
            for start, end in dict.fromkeys(filter(None, (longest, current)))
        ]
    return found


def gaps(worn: Bools) -> list[tuple[int, int]]:
    """The first and last day of each gap, in order. Days before the first worn one are none."""
    days = np.flatnonzero(worn)
    if not len(days):
        return []
    found = [run for run in _runs(~worn) if run[0] > days[0] and run[1] - run[0] >= LEAST_GAP]
    longest = sorted(found, key=lambda run: run[0] - run[1])[:_MOST_GAPS]
    return [(start, end - 1) for start, end in sorted(longest)]


def _runs(flags: Bools) -> list[tuple[int, int]]:
    """The first position of each run of true flags, and the position after it."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    changes = np.diff(padded)
    starts, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
