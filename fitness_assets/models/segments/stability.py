"""Stability of K-Means segments, for each number of segments, on scaled profiles.

K-Means always finds groups, and the silhouette is positive even for noise. Other measures are
computed:

- Do other users give the same segments? Bootstrap samples of the users (Fang and Wang, Comput Stat
  Data Anal 56:468, 2012), and samples of four in five users (Ben-Hur, Elisseeff and Guyon, Pac Symp
  Biocomput 7:6, 2002). The latter share most of their users, and so agree more easily: this is the
  lenient test, which is reported and does not count.
- Do other days of the same users give the same segments? Odd days compared with even days.
- Does the next month assign the same users to the same segments? Consecutive months, each
  clustered separately.
- Are there gaps between the segments, or do they divide one population? The gap statistic
  (Tibshirani, Walther and Hastie, J R Stat Soc B 63:411, 2001) against a null of one normal
  population with the same covariance (as in Liu et al., J Am Stat Assoc 103:1281, 2008).

All but the gap statistic are adjusted Rand indices: 1 for identical segments, 0 for agreement by
chance.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_score

from fitness_assets.models.segment_metrics import SegmentCandidate
from fitness_assets.models.segments.criteria import SMALLEST_SEGMENT, STABLE

# More segments must increase the gap by more than this share of it. With thousands of users the
# standard error of the gap is so small that splits of one group would pass.
_GAP_TOLERANCE = 0.05
# Pairs of clusterings that are compared, fewer in the lenient test, each of a sample of at most so
# many users.
_PAIRS, _LENIENT_PAIRS, _MAX_SAMPLE = 6, 3, 2_000
#: Share of the users in a sample of the lenient test.
SUBSAMPLE = 0.8
_NULL_SAMPLES = 10
# The silhouette compares each profile with every other one, so it is computed on a sample.
_SILHOUETTE_SAMPLE = 2_000


#: Draws a sample of a null, given a generator, the number of users and the spread of each axis.
NullSample = Callable[[np.random.Generator, int, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class View:
    """Profiles of a set of days, scaled by their own mean and spread.

    Attributes
    ----------
    train : ndarray of shape (users, measures)
        Of the training users.
    judged : ndarray of shape (users, measures)
        Of the users on whom segments are compared.
    users : Index
        The users of `judged`, in order.
    """

    train: np.ndarray
    judged: np.ndarray
    users: "pd.Index[Any]"


@dataclass(frozen=True)
class Evidence:
    """Profiles of the same users on all days and on subsets of them.

    Attributes
    ----------
    window : View
        All days.
    odd_even : list of View
        The odd days, and the even days.
    months : list of View
        Each month, in order.
    """

    window: View
    odd_even: list[View]
    months: list[View]


def kmeans(segments: int, starts: int = 10, seed: int = 0) -> KMeans:
    """The untrained clustering; the best of `starts` is kept."""
    return KMeans(n_clusters=segments, n_init=starts, random_state=seed)


def examine(evidence: Evidence, numbers: Iterable[int]) -> list[SegmentCandidate]:
    """Measure the stability, gap and silhouette of each of `numbers` of segments."""
    numbers = list(numbers)
    gaps = gap(evidence.window.train, numbers)
    return [_examine(evidence, k, *each) for k, each in zip(numbers, gaps, strict=True)]


def choose(candidates: Sequence[SegmentCandidate]) -> tuple[SegmentCandidate, bool]:
    """Select the number of segments, and report whether it is stable.

    Among the stable candidates this is the smallest number whose gap is within one standard error,
    or 5%, of the largest gap. If no candidate is stable, it is the one with the highest stability,
    rounded to a tenth.
    """
    stable = [
        candidate
        for candidate in candidates
        if candidate.stability >= STABLE and candidate.smallest >= SMALLEST_SEGMENT
    ]
    if not stable:
        return max(candidates, key=lambda candidate: round(candidate.stability, 1)), False
    best = max(stable, key=lambda candidate: candidate.gap)
    enough = best.gap - max(best.gap_error, _GAP_TOLERANCE * best.gap)
    return next(candidate for candidate in stable if candidate.gap >= enough), True


def gap(
    scaled: np.ndarray, numbers: Iterable[int], sample: NullSample | None = None
) -> list[tuple[float, float]]:
    """The gap statistic of each number of segments, and its standard error.

    Parameters
    ----------
    scaled : ndarray of shape (users, measures)
    numbers : iterable of int
    sample : callable
        Draws a sample of the null; `null_sample` by default.

    Returns
    -------
    list of (float, float)
        Mean log of the within-segment sum of squares under the null, minus that of `scaled`. About
        0 for one population without groups, whatever the correlations of its measures.
    """
    numbers = list(numbers)
    # K-Means is invariant to rotation, so the null is drawn along the principal axes.
    spread = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False) / np.sqrt(len(scaled))
    generator = np.random.default_rng(0)
    draw = sample or null_sample
    nulls = [draw(generator, len(scaled), spread) for _ in range(_NULL_SAMPLES)]
    samples = [scaled, *nulls]
    found = []
    for k in numbers:
        observed, *under_null = (_log_within(each, k) for each in samples)
        error = np.std(under_null) * np.sqrt(1 + 1 / _NULL_SAMPLES)
        found.append((float(np.mean(under_null) - observed), float(error)))
    return found


def null_sample(generator: np.random.Generator, users: int, spread: np.ndarray) -> np.ndarray:
    """Sample a normal population with uncorrelated measures of exactly this `spread`.

    Parameters
    ----------
    generator : Generator
    users : int
    spread : ndarray of shape (measures,)

    Returns
    -------
    ndarray of shape (users, measures)
    """
    draws = generator.standard_normal((users, len(spread)))
    # For few users the sample covariance of the draws would deviate more than groups show.
    uncorrelated = np.linalg.svd(draws - draws.mean(axis=0), full_matrices=False)[0]
    return np.asarray(uncorrelated * np.sqrt(users) * spread)


def even_sample(generator: np.random.Generator, users: int, spread: np.ndarray) -> np.ndarray:
    """Sample an even spread along the axes. Parameters as of `null_sample`."""
    sides = np.sqrt(3) * spread
    return np.asarray(generator.uniform(-sides, sides, (users, len(spread))))


def matched(labels: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Rename `labels` one to one to those of `to` so that most users agree.

    This is the assignment problem (Kuhn, Nav Res Logist Q 2:83, 1955).
    """
    size = int(max(labels.max(), to.max())) + 1
    common = np.zeros((size, size), dtype=int)
    np.add.at(common, (labels, to), 1)
    return np.asarray(linear_sum_assignment(common, maximize=True)[1][labels])


def agreement(views: Sequence[View], k: int) -> tuple[float | None, float | None]:
    """Agreement of `k` segments of each view with those of the next, clustered separately.

    Returns
    -------
    float or None
        Mean adjusted Rand index, on the users of both views.
    float or None
        Mean share of users with the same segment. Both are None unless two consecutive views have
        enough common users.
    """
    labels = [
        pd.Series(fit(kmeans(k, 4), view.train).predict(view.judged), view.users) for view in views
    ]
    indices, shares = [], []
    for one, other in pairwise(labels):
        users = one.index.intersection(other.index)
        if len(users) >= SMALLEST_SEGMENT:
            a, b = one[users].to_numpy(), other[users].to_numpy()
            indices.append(adjusted_rand_score(a, b))
            shares.append(np.mean(matched(b, a) == a))
    return (float(np.mean(indices)), float(np.mean(shares))) if indices else (None, None)


def _examine(evidence: Evidence, k: int, gap: float, gap_error: float) -> SegmentCandidate:
    window = evidence.window
    model = fit(kmeans(k), window.train)
    bootstrap = resampled(window, k, None)
    odd_even, _ = agreement(evidence.odd_even, k)
    months, kept = agreement(evidence.months, k)
    return SegmentCandidate(
        k=k,
        stability=min(index for index in (bootstrap, odd_even, months) if index is not None),
        subsampling=resampled(window, k, SUBSAMPLE),
        bootstrap=bootstrap,
        odd_even=odd_even,
        months=months,
        kept=kept,
        gap=gap,
        gap_error=gap_error,
        silhouette=_silhouette(window.judged, model.predict(window.judged)),
        smallest=int(np.bincount(model.labels_, minlength=k).min()),
    )


def resampled(window: View, k: int, share: float | None = None) -> float:
    """Mean adjusted Rand index of pairs of clusterings, each of a sample of the users.

    Parameters
    ----------
    window : View
    k : int
    share : float or None
        Of the users in a sample without repetition; None for a bootstrap sample.
    """
    generator = np.random.default_rng(k)
    users = len(window.train)
    size = users if share is None else round(share * users)

    def labels(seed: int) -> np.ndarray:
        chosen = generator.choice(users, min(size, _MAX_SAMPLE), replace=share is None)
        return np.asarray(fit(kmeans(k, 3, seed), window.train[chosen]).predict(window.judged))

    count = _PAIRS if share is None else _LENIENT_PAIRS
    pairs = [(labels(2 * pair), labels(2 * pair + 1)) for pair in range(count)]
    return float(np.mean([adjusted_rand_score(*pair) for pair in pairs]))


def _silhouette(profiles: np.ndarray, labels: np.ndarray) -> float | None:
    if len(set(labels)) in (1, len(labels)):
        return None
    size = min(_SILHOUETTE_SAMPLE, len(profiles))
    return float(silhouette_score(profiles, labels, sample_size=size, random_state=0))


def _log_within(profiles: np.ndarray, k: int) -> float:
    within = fit(kmeans(k, 2), profiles).inertia_
    return float(np.log(max(within, np.finfo(float).tiny)))


def fit(model: KMeans, profiles: np.ndarray) -> KMeans:
    """Train a clustering.

    It ignores that there are fewer distinct profiles than segments; the indices then show it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(profiles)
