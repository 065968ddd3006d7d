"""Change points of one measure of one user: days from which on its mean is another.

Weekly means are segmented by PELT (Killick et al., J Am Stat Assoc 107:1590, 2012) with the penalty
of the modified Bayesian information criterion (Zhang and Siegmund, Biometrics 63:22, 2007), with
the long-run variance of an AR(1) process in place of the variance (Lavielle and Moulines, J Time
Ser Anal 21:33, 2000). A change point is kept only if block bootstraps (Künsch, Ann Stat 17:1217,
1989) of all weeks, and of the weeks around it, rarely show as large a change, and if a step fits
the weeks around it better than a straight line. The bootstrap of all weeks bounds how often
anything is found in noise; its statistic is the largest difference of the means of adjacent
windows of several lengths (MOSUM; Eichinger and Kirch, Bernoulli 24:526, 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fitness_assets.history.grid import Floats

#: Days of values that a search needs.
LEAST_DAYS = 84
#: Weeks on either side of a change point.
LEAST_WEEKS = 4
# Known days of a week that has a mean.
_KNOWN = 3
_WEEK = 7
# Weeks from which an annual cycle is distinguished from a change, and removed.
_SEASON_WEEKS = 104
_YEAR = 365.2425
# Changes and cycle are fitted in turn until neither changes, or this often.
_REPEATS = 4
# Weeks by which the day of a change is looked for on either side of the change of weekly means.
_AROUND = 2
_SAMPLES = 1_999
# Smaller changes, in standard deviations of days, are of no interest to anyone.
_LEAST_SIZE = 0.25
# Standard errors of an AR(1) process below which a step may be noise: the quantile of 0.999 of the
# largest standardized step at any position is about 4 (Csörgő and Horváth, Limit Theorems in
# Change-Point Analysis, 1997), and PELT also chose the weeks around it.
_LEAST_ERRORS = 4.5
# Difference of the sums of squares, in variances, of two dates of a change of which neither is
# unlikely: the quantile of 0.95 of the likelihood ratio is -2 log(1 - sqrt(0.95)) = 7.35 (Yao,
# Ann Stat 15:1321, 1987).
_DATE_INTERVAL = 7.35
# Consistency constant of the median absolute deviation for the normal distribution.
_MAD = 1.4826


@dataclass(frozen=True)
class ChangePoint:
    """A change of the mean.

    Attributes
    ----------
    day : int
        The first day after it, from the first day of the series.
    earliest, latest : int
        Interval of 95% of that day.
    before, after : float
        Means of the days since the change before and until the change after.
    low, high : float
        Interval of 95% of the difference.
    p : float
        Of the block bootstrap.
    days : int
        Values that the means rest on.
    """

    day: int
    earliest: int
    latest: int
    before: float
    after: float
    low: float
    high: float
    p: float
    days: int


def change_points(
    series: Floats, weekday: int, likely: Sequence[int] = ()
) -> list[ChangePoint] | None:
    """The change points of daily values, in order.

    Parameters
    ----------
    series : ndarray of shape (days,)
        NaN where unknown.
    weekday : int
        Of the first day, 0 for Monday.
    likely : sequence of int
        Days on which a device began. A change is dated to one that is in the 95% interval of its
        date.

    Returns
    -------
    list of ChangePoint or None
        None if there are too few values.
    """
    days = np.flatnonzero(np.isfinite(series))
    if len(days) < LEAST_DAYS:
        return None
    values = series[days] - _weekday_effects(series[days], (days + weekday) % _WEEK)
    weeks, places = np.unique(days // _WEEK, return_inverse=True)
    counts = np.bincount(places)
    enough = counts >= _KNOWN
    means = (np.bincount(places, values) / counts)[enough]
    at: Floats = np.asarray(weeks[enough] * _WEEK + _WEEK / 2, dtype=np.float64)
    if len(means) < 2 * LEAST_WEEKS + 2:
        return None
    found, waves = _changes_and_season(means, at)
    if not found:
        return []
    means = means - _waves(at) @ waves
    values = values - _waves(days) @ waves
    bounds = [0, *found, len(means)]
    of_all = _p_of_all(means, found)
    kept = []
    for start, change, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        sizes = _bootstrap(means[start:end], change - start)
        if sizes is None:
            continue
        span = (
            np.searchsorted(days, at[start] - _WEEK / 2),
            np.searchsorted(days, at[end - 1] + _WEEK / 2),
        )
        own = slice(int(span[0]), int(span[1]))
        sizes = replace(sizes, p=max(sizes.p, of_all))
        kept.append(_dated(days[own], values[own], at[change] - _WEEK / 2, likely, sizes))
    return [each for each in kept if each is not None]


def _weekday_effects(values: Floats, weekdays: npt.NDArray[np.int64]) -> Floats:
    """The difference of the mean of each value's weekday from the mean of all weekdays."""
    counts = np.bincount(weekdays, minlength=_WEEK)
    means = np.bincount(weekdays, values, minlength=_WEEK) / np.maximum(counts, 1)
    effects = np.where(counts > 0, means - means[counts > 0].mean(), 0.0)
    found: Floats = effects[weekdays]
    return found


def _changes_and_season(means: Floats, at: Floats) -> tuple[list[int], Floats]:
    """The changes of weekly means, and the amplitudes of the annual cycle; 0 if there is none.

    There is a cycle if it explains more than its two amplitudes cost by the penalty.
    """
    penalty = 3 * _long_run_variance(means) * np.log(len(means))
    found, waves = _segment(means, penalty), np.zeros(2)
    if len(means) < _SEASON_WEEKS:
        return found, waves
    cost = _squares(means, found) + penalty * len(found)
    changes = found
    for _ in range(_REPEATS):
        fitted = _season(means, at, changes)
        before, changes = changes, _segment(means - _waves(at) @ fitted, penalty)
        if changes == before:
            break
    seasonal = _squares(means - _waves(at) @ fitted, changes) + penalty * (len(changes) + 2)
    return (changes, fitted) if seasonal < cost else (found, waves)


def _squares(means: Floats, changes: list[int]) -> float:
    """The sum of squares around the means between changes."""
    return float(sum(len(part) * part.var() for part in np.split(means, changes)))


def _waves(days: npt.NDArray[np.generic]) -> Floats:
    """The two waves of an annual cycle at each day."""
    angle = 2 * np.pi * np.asarray(days, dtype=np.float64) / _YEAR
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _season(means: Floats, at: Floats, changes: list[int]) -> Floats:
    """The amplitudes of the annual cycle, fitted together with the mean of each segment."""
    segment = np.searchsorted(changes, np.arange(len(means)), side="right")
    design = np.concatenate([np.eye(len(changes) + 1)[segment], _waves(at)], axis=1)
    fitted = np.linalg.lstsq(design, means, rcond=None)[0]
    found: Floats = fitted[-2:]
    return found


def _segment(means: Floats, penalty: float) -> list[int]:
    """The positions of the weeks after the changes."""
    # Takes about a second to import.
    from ruptures.detection import KernelCPD

    if penalty <= 0:
        return []
    # The cost of a linear kernel is the sum of squares around the mean, in compiled code.
    search = KernelCPD(kernel="linear", min_size=LEAST_WEEKS).fit(means[:, None])
    return [int(position) for position in search.predict(pen=penalty)[:-1]]


def _long_run_variance(means: Floats) -> float:
    """The long-run variance of an AR(1) process, from differences, which few changes affect.

    The variances of the differences at lags 1 and 2 are 2 g (1 - f) and 2 g (1 - f^2), where g is
    the variance and f the autocorrelation.
    """
    first, second = (_scale(means[lag:] - means[:-lag]) ** 2 / 2 for lag in (1, 2))
    if first <= 0:
        return 0.0
    f = float(np.clip(second / first - 1, 0.0, 0.7))
    return float(first / (1 - f) * (1 + f) / (1 - f))


def _scale(values: Floats) -> float:
    return float(_MAD * np.median(np.abs(values - np.median(values))))


@dataclass(frozen=True)
class _Sizes:
    """How rarely the weeks around a change show as large a one, and errors of its size."""

    p: float
    errors: Floats


def _bootstrap(means: Floats, change: int) -> _Sizes | None:
    """Resample the weeks around a change point; None if a line fits them better than a step."""
    n = len(means)
    steps = np.where(np.arange(n) < change, means[:change].mean(), means[change:].mean())
    residuals = (means - steps) * np.sqrt(n / (n - 2))
    x = np.arange(n) - (n - 1) / 2
    line = means - means.mean() - (x @ means) / (x @ x) * x
    if line @ line <= (means - steps) @ (means - steps):
        return None
    sampled = _resampled(residuals)
    observed = _largest_step(_sums(means[None]))[0]
    exceeding = int((_largest_step(_sums(sampled)) >= observed).sum())
    errors = sampled[:, change:].mean(axis=1) - sampled[:, :change].mean(axis=1)
    return _Sizes(p=(1 + exceeding) / (1 + _SAMPLES), errors=errors)


def _p_of_all(means: Floats, changes: list[int]) -> float:
    """How rarely all weeks without any change show differences as large as the observed ones."""
    n = len(means)
    residuals = means.copy()
    for start, end in pairwise([0, *changes, n]):
        residuals[start:end] -= means[start:end].mean()
    # Each change was fitted by its position and a mean, which mostly lowers the variance between
    # blocks.
    blocks = n / _block(n)
    freedom = blocks - 2 * len(changes) - 1
    if freedom <= 0:
        return 1.0
    residuals *= np.sqrt(blocks / freedom)
    sampled = _largest_difference(_resampled(residuals))
    return float((1 + (sampled >= _largest_difference(means[None])[0]).sum()) / (1 + _SAMPLES))


def _resampled(residuals: Floats) -> Floats:
    """Samples of circular blocks of residuals, shape (samples, weeks)."""
    found: Floats = residuals[_picked(len(residuals))]
    return found


@lru_cache(maxsize=4)
def _picked(n: int) -> npt.NDArray[np.int32]:
    """The week that each week of a sample is taken from. It depends on the number of weeks only."""
    length = _block(n)
    starts = np.random.default_rng(n).integers(0, n, (_SAMPLES, -(-n // length)))
    picked = (starts[:, :, None] + np.arange(length)) % n
    return np.ascontiguousarray(picked.reshape(_SAMPLES, -1)[:, :n], dtype=np.int32)


def _block(weeks: int) -> int:
    """Weeks of a block: their number grows with the cube root of that of all weeks (Künsch)."""
    return int(np.ceil(weeks ** (1 / 3)))


def _largest_difference(rows: Floats) -> Floats:
    """The largest standardized difference of the means of two adjacent windows of any length."""
    n = rows.shape[1]
    sums = _sums(rows)
    found = _largest_step(sums)
    length = 2 * LEAST_WEEKS
    while 2 * length < n:
        # Windows that overlap by three quarters suffice.
        step = length // 4
        ends = sums[:, ::step]
        differences = ends[:, 8:] - 2 * ends[:, 4:-4] + ends[:, :-8]
        found = np.maximum(found, np.abs(differences).max(axis=1) / np.sqrt(2 * length))
        length *= 2
    return found


def _sums(rows: Floats) -> Floats:
    """The sums of the first 0, 1, ... values of each row."""
    found = np.zeros((len(rows), rows.shape[1] + 1))
    np.cumsum(rows, axis=1, out=found[:, 1:])
    return found


def _largest_step(sums: Floats) -> Floats:
    """The largest standardized difference of the means before and after any position.

    Parameters
    ----------
    sums : ndarray of shape (samples, weeks + 1)
        Of `_sums`.
    """
    n = sums.shape[1] - 1
    position = np.arange(LEAST_WEEKS, n - LEAST_WEEKS + 1)
    steps = sums[:, -1:] * (-position / n)
    steps += sums[:, LEAST_WEEKS : n - LEAST_WEEKS + 1]
    steps *= np.sqrt(n / (position * (n - position)))
    found: Floats = np.maximum(steps.max(axis=1), -steps.min(axis=1))
    return found


def _variance_of_sum(residuals: Floats, is_next_day: npt.NDArray[np.bool_]) -> float:
    """The long-run variance of an AR(1) process of days: that of a sum of days, for each day."""
    variance = float(residuals.var())
    if variance <= 0:
        return 0.0
    products = (residuals[1:] * residuals[:-1])[is_next_day]
    f = products.mean() / variance if len(products) else 0.0
    # The estimate is too low by this in short series (Kendall, Biometrika 41:403, 1954).
    f = float(np.clip(f + (1 + 4 * f) / len(residuals), 0.0, 0.95))
    return variance * (1 + f) / (1 - f)


def _dated(
    days: npt.NDArray[np.int64],
    values: Floats,
    near: float,
    likely: Sequence[int],
    sizes: _Sizes,
) -> ChangePoint | None:
    """The day near `near` from which on two means fit the values best, or a likely day."""
    n = len(values)
    if n < 2 * _WEEK:
        return None
    position = np.arange(1, n)
    around = np.abs(days[1:] - near) <= _AROUND * _WEEK
    sums = np.cumsum(values - values.mean())[:-1]
    gains = sums**2 * (n / (position * (n - position)))
    split = int(np.argmax(np.where(around, gains, -1.0))) + 1
    before, after = values[:split], values[split:]
    residuals = np.concatenate([before - before.mean(), after - after.mean()])
    variance = _variance_of_sum(residuals, np.diff(days) == 1)
    possible = np.flatnonzero(gains[split - 1] - gains <= _DATE_INTERVAL * variance) + 1
    near_enough = np.intersect1d(np.searchsorted(days, likely), possible)
    if len(near_enough):
        split = int(near_enough[np.argmax(gains[near_enough - 1])])
        before, after = values[:split], values[split:]
    size = float(after.mean() - before.mean())
    error = float(np.sqrt(variance * (1 / split + 1 / (n - split))))
    least = max(_LEAST_SIZE * float(residuals.std()), _LEAST_ERRORS * error)
    if not around.any() or abs(size) < least:
        return None
    low, high = np.quantile(sizes.errors, [0.025, 0.975])
    return ChangePoint(
        day=int(days[split]),
        earliest=int(days[possible[0]]),
        latest=int(days[possible[-1]]),
        before=float(before.mean()),
        after=float(after.mean()),
        low=size - float(high),
        high=size - float(low),
        p=sizes.p,
        days=n,
    )
