"""Make each leaf of a forest rest on several people, so that no leaf describes one of them.

scikit-learn's `min_samples_leaf` counts rows, and one person has many.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fitness_assets.models.disclosure import SMALLEST_CELL

_FIELDS = (
    *("children_left", "children_right", "feature", "threshold", "missing_go_to_left"),
    *("impurity", "n_node_samples", "weighted_n_node_samples", "value"),
)


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
        truth = np.asarray(target, dtype=float)[:, None]
    else:
        weights = forest.class_weight or dict.fromkeys(labels, 1.0)
        each = np.diag([weights[label] for label in labels])
        truth = each[np.searchsorted(labels, np.asarray(target))]
    for estimator, rows in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        _merge(estimator.tree_, inputs[rows], truth[rows], codes[rows], people)


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
    truth: NDArray[np.float64],
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
        _refit_leaves(tree, features, truth)


def _preorder(left: list[int], right: list[int]) -> list[int]:
    order, pending = [], [0]
    while pending:
        node = pending.pop()
        order.append(node)
        if left[node] != -1:
            pending += (right[node], left[node])
    return order


def _refit_leaves(tree: Any, features: NDArray[np.float32], truth: NDArray[np.float64]) -> None:
    """Set the value of each leaf to the mean of its rows, or to the shares of weighted classes."""
    reached = tree.apply(features)
    weight = np.ones(len(truth)) if truth.shape[1] == 1 else truth.sum(axis=1)
    count = np.bincount(reached, weight, minlength=tree.node_count)
    leaves = np.flatnonzero(count)
    # The other leaves have the same rows as before; their values stay the same to the last digit.
    leaves = leaves[~np.isclose(count[leaves], tree.weighted_n_node_samples[leaves], rtol=1e-9)]
    for column in range(truth.shape[1]):
        total = np.bincount(reached, truth[:, column], minlength=tree.node_count)
        tree.value[leaves, 0, column] = total[leaves] / count[leaves]
    tree.weighted_n_node_samples[leaves] = count[leaves]
