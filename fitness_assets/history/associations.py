"""Which measures of one user go together, on the same day or up to two days later.

Each measure is detrended, freed of weekday effects and prewhitened by an AR(1) model (Box and
Jenkins, Time Series Analysis, 1970), since two series that are autocorrelated, or follow the week
or the season, are correlated without any relation. Rank correlations of what is left are compared
with those after the blocks of one series were permuted, which keeps the order of days in a block.
The p values of all pairs and lags that were tried are adjusted (Benjamini and Hochberg, J R Stat
Soc B 57:289, 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from fitness_assets.history.grid import Bools, Floats
from fitness_assets.history.schema import MEASURES

#: The measures that are compared. Distance follows from steps, and weight holds until it is
#: measured again.
COMPARED = (
    "sleep_hours",
    "steps",
    "active_minutes",
    "sedentary_minutes",
    "calories_burned",
    "heart_rate_avg",
    "resting_heart_rate",
)
#: Several measures of the same movement: no pair of them is tried, at no lag.
MOVEMENT = ("steps", "active_minutes", "sedentary_minutes", "calories_burned")
#: Pairs that are not tried on the same day, since one follows from the other: the mean heart rate
#: of a day contains its movement and its rest, and who sleeps does not sit.
TRIVIAL_ON_THE_SAME_DAY = (
    *(("heart_rate_avg", measure) for measure in MOVEMENT),
    ("heart_rate_avg", "resting_heart_rate"),
    ("sleep_hours", "sedentary_minutes"),
)
#: Days by which the second measure is later.
LAGS = (0, 1, 2)
#: Days that have both measures, without which a pair is not tried.
LEAST_DAYS = 90
#: Largest expected share of false findings among those of one user.
FALSE_DISCOVERIES = 0.03

# Days of the centered mean that is subtracted as the trend.
_TREND_DAYS = 57
# Days of the trend that must be known.
_TREND_KNOWN = 10
_BLOCK = 14
# Fewer blocks have too few permutations.
_LEAST_BLOCKS = 8
# Pairs whose p value is above 0.1 by the normal approximation are not permuted.
_CANDIDATE = 1.645
# After this many permutations a pair with more than `_STOP` larger correlations is given up
# (Besag and Clifford, Biometrika 78:301, 1991).
_FIRST, _STOP, _REST = 499, 12, 4_500
_SAMPLES = 999


@dataclass(frozen=True)
class Association:
    """Two measures that go together.

    Attributes
    ----------
    measure, other : str
    lag : int
        Days by which `other` is later.
    r : float
        Rank correlation.
    low, high : float
        Its interval of 95%, of a block bootstrap.
    slope : float
        Difference of `other` for one unit of `measure`.
    p : float
        Adjusted for all pairs and lags that were tried.
    days : int
        Days that have both.
    """

    measure: str
    other: str
    lag: int
    r: float
    low: float
    high: float
    slope: float
    p: float
    days: int


@dataclass(frozen=True)
class Associations:
    """What was found, strongest first, and the number of pairs and lags that were tried."""

    found: list[Association]
    tried: int


def tries() -> list[tuple[int, int, int]]:
    """The positions in `COMPARED` of each first and second measure, and the lag."""
    return list(_tries())


@lru_cache(maxsize=1)
def _tries() -> tuple[tuple[int, int, int], ...]:
    found = []
    for i, first in enumerate(COMPARED):
        for j, second in enumerate(COMPARED):
            for lag in LAGS:
                if i == j or (lag == 0 and i > j) or {first, second} <= set(MOVEMENT):
                    continue
                pair = {first, second}
                if lag == 0 and any(pair == set(each) for each in TRIVIAL_ON_THE_SAME_DAY):
                    continue
                found.append((i, j, lag))
    return tuple(found)


def associations(values: Floats, weekday: int, breaks: Sequence[int]) -> Associations:
    """The associations in the days of one user.

    Parameters
    ----------
    values : ndarray of shape (days, measures)
        Of `MEASURES`; NaN where unknown.
    weekday : int
        Of the first day, 0 for Monday.
    breaks : sequence of int
        Days on which a device changed or a mean: no trend is fitted across them.
    """
    own = values[:, [MEASURES.index(measure) for measure in COMPARED]]
    plain = _without_weekdays(_without_trend(own, breaks), weekday)
    white = _prewhitened(plain)
    ranks = _ranks(white)
    known = np.isfinite(ranks)
    filled = np.where(known, ranks, 0.0)
    tried, correlations, counts = [], [], []
    for lag in LAGS:
        products = _products(filled, known, lag)
        for i, j, own_lag in _tries():
            if own_lag == lag and products.days[i, j] >= LEAST_DAYS:
                tried.append((i, j, lag))
                correlations.append(products.r[i, j])
                counts.append(products.days[i, j])
    if not tried or len(own) // _BLOCK < _LEAST_BLOCKS:
        return Associations([], 0)
    r, n = np.array(correlations), np.array(counts)
    p = _two_sided(np.abs(r) * np.sqrt(n))
    blocks = {}
    for number in np.flatnonzero(np.abs(r) * np.sqrt(n) >= _CANDIDATE):
        i, j, lag = tried[number]
        blocks[number] = _Blocks.of(filled, known, i, j, lag)
        p[number] = blocks[number].permutation_p()
    adjusted = adjust(p)
    found = []
    for number in np.flatnonzero(adjusted <= FALSE_DISCOVERIES):
        i, j, lag = tried[number]
        low, high = blocks[number].interval()
        found.append(
            Association(
                measure=COMPARED[i],
                other=COMPARED[j],
                lag=lag,
                r=float(r[number]),
                low=low,
                high=high,
                slope=_slope(white[:, i], white[:, j], lag),
                p=float(adjusted[number]),
                days=int(n[number]),
            )
        )
    found.sort(key=lambda each: (-abs(each.r), each.measure, each.other, each.lag))
    return Associations(found, len(tried))


def adjust(p: Floats) -> Floats:
    """The p values adjusted by the method of Benjamini and Hochberg.

    As `scipy.stats.false_discovery_control`, whose module takes longer to import than all findings
    of a user.
    """
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def _two_sided(z: Floats) -> Floats:
    """Probabilities that a standard normal variable is further from 0 than `z`."""
    from math import erfc, sqrt

    return np.array([erfc(abs(value) / sqrt(2)) for value in z])


def _without_trend(values: Floats, breaks: Sequence[int]) -> Floats:
    """`values` less their centered mean within the days between two breaks."""
    found = np.full_like(values, np.nan)
    bounds = sorted({0, len(values), *breaks})
    half = _TREND_DAYS // 2
    for start, end in pairwise(bounds):
        part = values[start:end]
        known = np.isfinite(part)
        zero = np.zeros((1, part.shape[1]))
        sums = np.concatenate([zero, np.cumsum(np.where(known, part, 0.0), axis=0)])
        counts = np.concatenate([zero, np.cumsum(known, axis=0)])
        day = np.arange(end - start)
        low, high = np.maximum(day - half, 0), np.minimum(day + half + 1, end - start)
        near = counts[high] - counts[low]
        with np.errstate(invalid="ignore", divide="ignore"):
            trend = np.where(near >= _TREND_KNOWN, (sums[high] - sums[low]) / near, np.nan)
        found[start:end] = part - trend
    return found


def _without_weekdays(values: Floats, weekday: int) -> Floats:
    found = values.copy()
    for day in range(7):
        rows = found[(day - weekday) % 7 :: 7]
        known = np.isfinite(rows)
        rows -= np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return found


def _prewhitened(values: Floats) -> Floats:
    """What each value adds to the prediction of an AR(1) model from the day before."""
    earlier, later = values[:-1], values[1:]
    both = np.isfinite(earlier) & np.isfinite(later)
    x, y = np.where(both, earlier, 0.0), np.where(both, later, 0.0)
    squares = np.maximum((x * x).sum(axis=0), np.finfo(float).tiny)
    phi = np.clip((x * y).sum(axis=0) / squares, -0.9, 0.9)
    found = np.full_like(values, np.nan)
    found[1:] = later - phi * earlier
    return found


def _ranks(values: Floats) -> Floats:
    """Ranks of each column, with mean 0 and standard deviation 1; NaN where it is constant."""
    ranks = pd.DataFrame(values).rank().to_numpy()
    known = np.isfinite(ranks)
    counts = np.maximum(known.sum(axis=0), 1)
    centered = ranks - np.where(known, ranks, 0.0).sum(axis=0) / counts
    spread = np.sqrt((np.where(known, centered, 0.0) ** 2).sum(axis=0) / counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, centered / spread, np.nan)


@dataclass(frozen=True)
class _Products:
    """Correlation, and days with both, of each pair of columns at one lag."""

    r: Floats
    days: npt.NDArray[np.int64]


def _products(filled: Floats, known: Bools, lag: int) -> _Products:
    x, y = filled[: len(filled) - lag], filled[lag:]
    mx, my = known[: len(known) - lag].astype(float), known[lag:].astype(float)
    xy, xx, yy = x.T @ y, (x * x).T @ my, mx.T @ (y * y)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where((xx > 0) & (yy > 0), xy / np.sqrt(xx * yy), 0.0)
    return _Products(r, np.rint(mx.T @ my).astype(np.int64))


@dataclass(frozen=True)
class _Blocks:
    """Sums of products of each block of one series with each block of another."""

    xy: Floats
    xx: Floats
    yy: Floats

    @classmethod
    def of(cls, filled: Floats, known: Bools, i: int, j: int, lag: int) -> "_Blocks":
        """Those of columns `i` and `j` at a lag. Days after the last whole block are left out."""
        length = (len(filled) - lag) // _BLOCK * _BLOCK
        shape = (-1, _BLOCK)
        x, y = (a.reshape(shape) for a in (filled[:length, i], filled[lag : lag + length, j]))
        masks = (known[:length, i], known[lag : lag + length, j])
        mx, my = (a.reshape(shape).astype(float) for a in masks)
        return cls(x @ y.T, (x * x) @ my.T, mx @ (y * y).T)

    def permutation_p(self) -> float:
        """Share of the permutations of blocks with a correlation as large as the observed one."""
        count = len(self.xy)
        observed = abs(self._r(np.arange(count)[None])[0])
        first = self._exceeding(_permutations(count, _FIRST, 0), observed)
        if first > _STOP:
            return (1 + first) / (1 + _FIRST)
        rest = self._exceeding(_permutations(count, _REST, 1), observed)
        return (1 + first + rest) / (1 + _FIRST + _REST)

    def interval(self) -> tuple[float, float]:
        """95% of the correlations of resampled blocks."""
        count = len(self.xy)
        draws = np.random.default_rng(count).integers(0, count, (_SAMPLES, count))
        sums = (np.diagonal(sums)[draws].sum(axis=1) for sums in (self.xy, self.xx, self.yy))
        xy, xx, yy = sums
        low, high = np.quantile(xy / np.sqrt(np.maximum(xx * yy, 1e-12)), [0.025, 0.975])
        return float(low), float(high)

    def _exceeding(self, orders: npt.NDArray[np.intp], observed: float) -> int:
        return int((np.abs(self._r(orders)) >= observed - 1e-12).sum())

    def _r(self, orders: npt.NDArray[np.intp]) -> Floats:
        """The correlation after the blocks of the first series were put in each order."""
        count = len(self.xy)
        cells = orders * count + np.arange(count)
        xy, xx, yy = (sums.ravel()[cells].sum(axis=1) for sums in (self.xy, self.xx, self.yy))
        found: Floats = xy / np.sqrt(np.maximum(xx * yy, 1e-12))
        return found


@lru_cache(maxsize=8)
def _permutations(count: int, number: int, seed: int) -> npt.NDArray[np.intp]:
    """`number` random orders of `count` blocks. They depend on these numbers only."""
    draws = np.random.default_rng([count, seed])
    return draws.permuted(np.tile(np.arange(count), (number, 1)), axis=1)


def _slope(first: Floats, second: Floats, lag: int) -> float:
    x, y = first[: len(first) - lag], second[lag:]
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    return float((x @ y) / (x @ x))
