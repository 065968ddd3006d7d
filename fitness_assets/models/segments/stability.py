"""Are the groups there? What is asked of each number of segments, in the space of scaled profiles.

K-Means always finds groups, and silhouette likes them even in noise. Four other questions tell:

- Do other users give the same groups? Bootstraps of the users (Fang and Wang, Comput Stat Data
  Anal 56:468, 2012).
- Do other days of the same users give the same groups? Odd days against even days.
- Does the next month give the same groups to the same users? Consecutive months, learned apart.
- Are there gaps between the groups, or does one population vary evenly? The gap statistic
  (Tibshirani, Walther and Hastie, J R Stat Soc B 63:411, 2001) against a null of one normal
  population with the same covariance (as in Liu et al., J Am Stat Assoc 103:1281, 2008).

The first three are adjusted Rand indices: 1 for the same groups, 0 for an agreement of chance.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_score

from fitness_assets.models.explanations import SMALLEST, STABLE

# Further segments are to add more than this share to the gap: with thousands of users its standard
# error is so small that cuts through a group would count.
_SLIGHT = 0.05
_PAIRS = 8
_NULLS = 10
# Silhouette compares each profile with every other; this many tell it well enough.
_SILHOUETTE_SAMPLE = 2_000


@dataclass(frozen=True)
class View:
    """Profiles of some days, scaled by themselves.

    Attributes
    ----------
    train : ndarray of shape (users, measures)
        Of the users that are learned from.
    judged : ndarray of shape (users, measures)
        Of the users on whom partitions are compared.
    users : Index
        The users of `judged`, in order.
    """

    train: np.ndarray
    judged: np.ndarray
    users: "pd.Index[Any]"


@dataclass(frozen=True)
class Evidence:
    """The same people on all days, and on some.

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


def kmeans(segments: int, tries: int = 10, seed: int = 0) -> KMeans:
    """The untrained clustering, the best of so many starts."""
    return KMeans(n_clusters=segments, n_init=tries, random_state=seed)


def examine(evidence: Evidence, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """What speaks for each number of segments.

    Returns
    -------
    list of dict
        A dict for each of `numbers`: ``k``; ``stability``, the least of ``bootstrap``,
        ``odd_even`` and ``months`` (None without a second month); ``kept``, the share of users
        that keep their segment from month to month; ``gap`` and its standard error ``gap_error``;
        ``silhouette``; and ``smallest``, the users learned from in the smallest segment.
    """
    numbers = list(numbers)
    gaps = gap(evidence.window.train, numbers)
    return [
        _examine(evidence, k) | {"gap": value, "gap_error": error}
        for k, (value, error) in zip(numbers, gaps, strict=True)
    ]


def choose(candidates: list[dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """The number of segments, and whether it is stable.

    Among the stable ones it is the smallest whose gap is within a standard error, or a twentieth,
    of the largest. Where none is stable it is the one that comes nearest, to a tenth.
    """
    stable = [c for c in candidates if c["stability"] >= STABLE and c["smallest"] >= SMALLEST]
    if not stable:
        return max(candidates, key=lambda c: round(c["stability"], 1)), False
    best = max(stable, key=lambda c: c["gap"])
    enough = best["gap"] - max(best["gap_error"], _SLIGHT * best["gap"])
    return next(c for c in stable if c["gap"] >= enough), True


def gap(scaled: np.ndarray, numbers: Iterable[int]) -> list[tuple[float, float]]:
    """The gap of each number of segments, and its standard error.

    Parameters
    ----------
    scaled : ndarray of shape (users, measures)
    numbers : iterable of int

    Returns
    -------
    list of (float, float)
        Mean log of the spread within segments under the null, less that of `scaled`. About 0 for
        one population without groups, whatever its measures have to do with each other.
    """
    numbers = list(numbers)
    # K-Means does not see rotations, so the null is drawn along the principal axes.
    spread = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False) / np.sqrt(len(scaled))
    generator = np.random.default_rng(0)
    nulls = [_normal(generator, len(scaled), spread) for _ in range(_NULLS)]
    found = []
    for k in numbers:
        under_null = [_log_within(null, k) for null in nulls]
        error = np.std(under_null) * np.sqrt(1 + 1 / _NULLS)
        found.append((float(np.mean(under_null) - _log_within(scaled, k)), float(error)))
    return found


def matched(labels: np.ndarray, to: np.ndarray) -> np.ndarray:
    """`labels` under the names of `to` that let most users agree.

    Each label takes one name and no two the same (the assignment problem; Kuhn, Nav Res Logist Q
    2:83, 1955).
    """
    size = int(max(labels.max(), to.max())) + 1
    common = np.zeros((size, size), dtype=int)
    np.add.at(common, (labels, to), 1)
    return np.asarray(linear_sum_assignment(common, maximize=True)[1][labels])


def _examine(evidence: Evidence, k: int) -> dict[str, Any]:
    window = evidence.window
    model = _fit(kmeans(k), window.train)
    bootstrap = _bootstrap(window, k)
    odd_even, _ = _agreement(evidence.odd_even, k)
    months, kept = _agreement(evidence.months, k)
    return {
        "k": k,
        "stability": min(index for index in (bootstrap, odd_even, months) if index is not None),
        "bootstrap": bootstrap,
        "odd_even": odd_even,
        "months": months,
        "kept": kept,
        "silhouette": _silhouette(window.judged, model.predict(window.judged)),
        "smallest": int(np.bincount(model.labels_, minlength=k).min()),
    }


def _bootstrap(window: View, k: int) -> float:
    """Mean adjusted Rand of pairs of clusterings, each learned on a resample of the users."""
    generator = np.random.default_rng(k)
    users = len(window.train)

    def labels(seed: int) -> np.ndarray:
        sample = window.train[generator.integers(users, size=users)]
        return np.asarray(_fit(kmeans(k, 3, seed), sample).predict(window.judged))

    pairs = [(labels(2 * pair), labels(2 * pair + 1)) for pair in range(_PAIRS)]
    return float(np.mean([adjusted_rand_score(*pair) for pair in pairs]))


def _agreement(views: list[View], k: int) -> tuple[float | None, float | None]:
    """Of clusterings learned apart, each with the next: adjusted Rand, and share that agrees.

    The users are those in both. None and None where there are no two views with enough of them.
    """
    labels = [
        pd.Series(_fit(kmeans(k, 6), view.train).predict(view.judged), view.users) for view in views
    ]
    indices, shares = [], []
    for one, other in pairwise(labels):
        users = one.index.intersection(other.index)
        if len(users) >= SMALLEST:
            a, b = one[users].to_numpy(), other[users].to_numpy()
            indices.append(adjusted_rand_score(a, b))
            shares.append(np.mean(matched(b, a) == a))
    return (float(np.mean(indices)), float(np.mean(shares))) if indices else (None, None)


def _silhouette(profiles: np.ndarray, labels: np.ndarray) -> float | None:
    if len(set(labels)) in (1, len(labels)):
        return None
    size = min(_SILHOUETTE_SAMPLE, len(profiles))
    return float(silhouette_score(profiles, labels, sample_size=size, random_state=0))


def _normal(generator: np.random.Generator, users: int, spread: np.ndarray) -> np.ndarray:
    """Draws of a normal population, uncorrelated and of exactly this spread in each measure."""
    draws = generator.standard_normal((users, len(spread)))
    # In a small cohort the covariance of the draws would differ by chance more than groups show.
    uncorrelated = np.linalg.svd(draws - draws.mean(axis=0), full_matrices=False)[0]
    return np.asarray(uncorrelated * np.sqrt(users) * spread)


def _log_within(profiles: np.ndarray, k: int) -> float:
    within = _fit(kmeans(k, 3), profiles).inertia_
    return float(np.log(max(within, np.finfo(float).tiny)))


def _fit(model: KMeans, profiles: np.ndarray) -> KMeans:
    with warnings.catch_warnings():
        # Fewer distinct profiles than segments: then the partition has fewer, as the indices show.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(profiles)
