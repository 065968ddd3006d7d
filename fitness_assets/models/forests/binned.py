"""Grow a forest of scikit-learn on binned features, which takes less time.

A tree sorts the values of a feature in each node, and tries a threshold between any two. With few
distinct values both take less time, and scores stay the same: the bins of gradient boosting (Ke et
al., LightGBM, NeurIPS 2017), here for a forest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bins of a feature. With 32 the scores are worse; with 255 they are the same.
_BINS = 64
# With fewer features a tree splits each so often that the edges of bins cost accuracy. With fewer
# rows there is little time to save.
_LEAST_FEATURES, _LEAST_ROWS = 8, 8_000


def fit_binned(forest: Any, features: NDArray[np.float32], target: NDArray[Any]) -> None:
    """Fit `forest` to `features`, with thresholds on the edges of bins if the data is large.

    Parameters
    ----------
    forest : RandomForestRegressor or RandomForestClassifier
        It predicts from features that are not binned.
    features : ndarray of float32, shape (n, m)
        Finite.
    target : ndarray of shape (n,)
    """
    rows, columns = features.shape
    if columns < _LEAST_FEATURES or rows < _LEAST_ROWS:
        forest.fit(features, target)
        return
    edges = [bin_edges(column) for column in features.T]
    # A tree reads one feature of many rows at a time.
    bins = np.empty(features.shape, np.float32, order="F")
    for place, (column, found) in enumerate(zip(features.T, edges, strict=True)):
        bins[:, place] = np.searchsorted(found, column)
    forest.fit(bins, target)
    starts = np.cumsum([0, *map(len, edges[:-1])])
    every = np.concatenate(edges)
    for estimator in forest.estimators_:
        tree = estimator.tree_
        split = tree.children_left != -1
        # A threshold lies between two bins: a row is in bin b or below if it is at most edge b.
        first = starts[tree.feature[split]]
        tree.threshold[split] = every[first + tree.threshold[split].astype(np.intp)]


def bin_edges(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The edges between the bins of a feature: some of the midpoints between distinct values.

    Bins have about the same number of rows, unless there are so few distinct values that each has
    its own.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)

    Returns
    -------
    ndarray of shape (bins - 1,)
        Ascending.
    """
    distinct, counts = np.unique(values, return_counts=True)
    below = distinct[:-1].astype(np.float64)
    midpoints: NDArray[np.float64] = below + (distinct[1:] - below) / 2
    if len(distinct) <= _BINS:
        return midpoints
    cuts = np.arange(1, _BINS) * len(values) / _BINS
    places = np.unique(np.searchsorted(np.cumsum(counts), cuts))
    return midpoints[places[places < len(midpoints)]]
