"""Make each leaf of a forest rest on several people, so that no leaf describes one of them.

scikit-learn's `min_samples_leaf` counts rows, and one person has many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fitness_assets.models.disclosure import SMALLEST_CELL

_FIELDS = (
    *("children_left", "children_right", "feature", "threshold", "missing_go_to_left"),
    *("impurity", "n_node_samples", "weighted_n_node_samples", "value"),
)


@dataclass(frozen=True)
class _Targets:
    """Targets of a regressor, or classes by number.

    Attributes
    ----------
    values : ndarray of shape (n,)
    weights : ndarray of shape (classes,) or None
        By class; None for a regressor.
    """

    values: NDArray[Any]
    weights: NDArray[np.float64] | None

    def where(self, rows: NDArray[np.intp]) -> "_Targets":
        """Those of `rows`."""
        return _Targets(self.values[rows], self.weights)

    def totals(
        self, reached: NDArray[np.intp], nodes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The sum of targets by node, or the weights of its classes; and the weight of its rows.

        Parameters
        ----------
        reached : ndarray of int, shape (n,)
            The node that each row reaches.
        nodes : int
        """
        if self.weights is None:
            sums = np.bincount(reached, self.values, nodes).astype(np.float64)
            rows = np.bincount(reached, minlength=nodes).astype(np.float64)
            return sums[:, np.newaxis], rows
        size = len(self.weights)
        cells = np.bincount(reached * size + self.values, minlength=nodes * size)
        totals: NDArray[np.float64] = cells.reshape(nodes, size) * self.weights
        return totals, totals.sum(axis=1)


def merge_small_leaves(
    forest: Any,
    features: NDArray[Any],
    target: NDArray[Any],
    users: NDArray[Any],
    people: int = SMALLEST_CELL,
) -> None:
    """Remove the splits of `forest` that separate fewer than `people` users, in place.

    A split with one small side is replaced by its other side, where the rows of the small side then
    go; a split with two small sides becomes a leaf. Leaves that receive rows by this are fitted
    again. Only the rows that a tree was grown from count.

    Parameters
    ----------
    forest : RandomForestRegressor or RandomForestClassifier
        Fitted, with one output, and with a weight for each class or none.
    features : ndarray of shape (n, m)
        The rows that it was fitted to.
    target : ndarray of shape (n,)
    users : ndarray of shape (n,)
        The user of each row.
    people : int
    """
    if people <= 1:
        return
    inputs = np.ascontiguousarray(features, dtype=np.float32)
    codes = pd.factorize(np.asarray(users))[0]
    labels = getattr(forest, "classes_", None)
    if labels is None:
        targets = _Targets(np.asarray(target, dtype=float), None)
    else:
        each = forest.class_weight or dict.fromkeys(labels, 1.0)
        weights = np.array([each[label] for label in labels])
        targets = _Targets(np.searchsorted(labels, np.asarray(target)), weights)
    for estimator, rows in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        _merge(estimator.tree_, inputs[rows], targets.where(rows), codes[rows], people)


def leaf_users(
    tree: Any, features: NDArray[np.float32], users: NDArray[np.intp], enough: int
) -> dict[int, set[int]]:
    """Users of the rows that reach each leaf of `tree`, at most `enough`, by node number.

    Parameters
    ----------
    tree : Tree
        Of scikit-learn.
    features : ndarray of float32, shape (n, m)
    users : ndarray of int, shape (n,)
        The number of the user of each row.
    enough : int
    """
    size = int(users.max()) + 1
    # Sorting takes less time than `np.unique`, which hashes.
    pairs = np.sort(tree.apply(features) * size + users)
    leaves, found = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], size)
    starts = np.flatnonzero(np.diff(leaves, prepend=-1))
    ends = np.append(starts[1:], len(leaves))
    return {
        int(leaves[start]): set(found[start : min(end, start + enough)].tolist())
        for start, end in zip(starts, ends, strict=True)
    }


def _merge(
    tree: Any,
    features: NDArray[np.float32],
    targets: _Targets,
    users: NDArray[Any],
    people: int,
) -> None:
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    of_node = leaf_users(tree, features, users, people)
    if all(len(found) >= people for found in of_node.values()):
        return
    order = _preorder(left, right)
    for node in reversed(order):
        if left[node] != -1:
            # Of a node with enough users, as many as of a leaf suffice to count those above it.
            one, other = of_node[left[node]], of_node[right[node]]
            more = max(one, other, key=len)
            of_node[node] = more if len(more) >= people else one | other
    large = {node for node in order if len(of_node[node]) >= people}
    arrays = {name: getattr(tree, name) for name in _FIELDS}
    changed = False
    pending = [0]
    while pending:
        node = source = pending.pop()
        while left[source] != -1:
            sides = [side for side in (left[source], right[source]) if side in large]
            if len(sides) != 1:
                break
            source = sides[0]
        is_leaf = left[source] == -1 or left[source] not in large
        if source != node:
            changed = True
            for array in arrays.values():
                array[node] = array[source]
        if not is_leaf:
            pending += (left[source], right[source])
        elif left[source] != -1:
            changed = True
            arrays["children_left"][node] = arrays["children_right"][node] = -1
            arrays["feature"][node] = arrays["threshold"][node] = -2
    if changed:
        _refit_leaves(tree, tree.apply(features), targets)


def _preorder(left: list[int], right: list[int]) -> list[int]:
    order, pending = [], [0]
    while pending:
        node = pending.pop()
        order.append(node)
        if left[node] != -1:
            pending += (right[node], left[node])
    return order


def _refit_leaves(tree: Any, reached: NDArray[np.intp], targets: _Targets) -> None:
    """Set the value of each leaf to the mean of its rows, or to the shares of weighted classes."""
    totals, count = targets.totals(reached, tree.node_count)
    leaves = np.flatnonzero(count)
    # The other leaves have the same rows as before; their values stay the same to the last digit.
    leaves = leaves[~np.isclose(count[leaves], tree.weighted_n_node_samples[leaves], rtol=1e-9)]
    tree.value[leaves, 0] = totals[leaves] / count[leaves, np.newaxis]
    tree.weighted_n_node_samples[leaves] = count[leaves]
