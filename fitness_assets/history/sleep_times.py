"""When a person sleeps: usual times, and how regular they are from day to day."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fitness_assets.formatting import minutes
from fitness_assets.record.raw import SLEEP_SPAN

#: Nights with known times that a summary needs, and pairs of consecutive ones for the regularity.
LEAST_NIGHTS, LEAST_PAIRS = 7, 5

_DAY = 1440
# A difference of fewer minutes is not named.
_NOTABLE = 15
_SATURDAY = 5

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SleepTimes:
    """The times of the nights of a period.

    Attributes
    ----------
    nights : int
        Nights with a known start and end.
    start, end : float
        Medians, in minutes after the midnight before waking; negative before it.
    regularity : float or None
        Sleep Regularity Index, at most 100; None with fewer than `LEAST_PAIRS` pairs of consecutive
        nights.
    weekend_later : float or None
        Minutes by which the middle of nights that end on Saturday or Sunday is later, by median;
        None without at least two of these and two others.
    """

    nights: int
    start: float
    end: float
    regularity: float | None
    weekend_later: float | None


def clock_minutes(dates: pd.Series, times: pd.Series) -> pd.Series:
    """`times`, local, in minutes after the beginning of `dates`; NaN where one is not known."""
    after = pd.to_datetime(times) - pd.to_datetime(dates)
    found: pd.Series = after.dt.total_seconds() / 60
    return found


def sleep_times(days: pd.DataFrame) -> SleepTimes | None:
    """The times of the nights of `days`; None if fewer than `LEAST_NIGHTS` are known.

    A night that is longer than a day, or begins more than a day from its date, is not counted.

    The Sleep Regularity Index (Phillips et al., Sci Rep 7:3216, 2017) is the probability that a
    person is in the same state, asleep or awake, at two times 24 hours apart, scaled so that 100 is
    always and 0 is half of the time. It is computed from one stretch of sleep a night: naps, and
    being awake within a night, are not known.

    Parameters
    ----------
    days : DataFrame
        One row per day: ``date``, and ``sleep_start`` and ``sleep_end`` as of `clock_minutes`.
    """
    if not {*SLEEP_SPAN} <= {*days.columns}:
        return None
    known = days.dropna(subset=list(SLEEP_SPAN)).sort_values("date")
    length = known["sleep_end"] - known["sleep_start"]
    known = known[(length > 0) & (length <= _DAY) & (known["sleep_start"].abs() <= _DAY)]
    if len(known) < LEAST_NIGHTS:
        return None
    dates = pd.to_datetime(known["date"])
    start, end = (known[name].to_numpy(float) for name in SLEEP_SPAN)
    weekend = (dates.dt.weekday >= _SATURDAY).to_numpy()
    middle = (start + end) / 2
    later = None
    if min(weekend.sum(), (~weekend).sum()) > 1:
        later = float(np.median(middle[weekend]) - np.median(middle[~weekend]))
    consecutive = (dates.diff().dt.days == 1).to_numpy()[1:]
    return SleepTimes(
        nights=len(known),
        start=float(np.median(start)),
        end=float(np.median(end)),
        regularity=_regularity(start, end, consecutive),
        weekend_later=later,
    )


def weekend_sentence(later: float) -> str:
    """How the nights of weekends differ from others, for `SleepTimes.weekend_later`."""
    if abs(later) < _NOTABLE:
        return "The middle of sleep is about as late on weekends as on other days."
    word = "later" if later > 0 else "earlier"
    return f"The middle of sleep is {minutes(abs(later))} {word} on weekends."


def _regularity(start: _Floats, end: _Floats, consecutive: npt.NDArray[np.bool_]) -> float | None:
    if consecutive.sum() < LEAST_PAIRS:
        return None
    both = np.minimum(end[1:], end[:-1]) - np.maximum(start[1:], start[:-1])
    length = end - start
    different = length[1:] + length[:-1] - 2 * np.maximum(both, 0)
    share = np.minimum(different / _DAY, 1)[consecutive].mean()
    return float(100 * (1 - 2 * share))
