"""scikit-learn's forests as the content of a packed forest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fitness_assets.models.forests.packed.format import (
    MAX_FEATURES,
    MAX_NODES,
    MAX_TREES,
    MAX_WEIGHTS,
    ForestContent,
    can_encode_labels,
    weight_totals,
)


def from_sklearn(forest: Any, value_step: float | None) -> ForestContent:
    """The content of a fitted forest.

    Parameters and errors are those of `estimator.PackedForest.of`.
    """
    # Slow to import, and not needed by a process that only predicts.
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )

    classifier = isinstance(forest, RandomForestClassifier | ExtraTreesClassifier)
    if not classifier and not isinstance(forest, RandomForestRegressor | ExtraTreesRegressor):
        raise TypeError(f"{type(forest).__name__} is not a forest that can be packed")
    check_is_fitted(forest)
    if forest.n_outputs_ != 1:
        raise ValueError(f"a packed forest has one output; this forest has {forest.n_outputs_}")
    trees = [estimator.tree_ for estimator in forest.estimators_]
    nodes = sum(tree.node_count for tree in trees)
    if nodes > MAX_NODES or len(trees) > MAX_TREES or forest.n_features_in_ > MAX_FEATURES:
        raise ValueError(
            f"a packed forest has at most {MAX_TREES:,} trees, {MAX_NODES:,} nodes and "
            f"{MAX_FEATURES:,} features; this forest has {len(trees):,}, {nodes:,} and "
            f"{forest.n_features_in_:,}"
        )
    orders = [preorder(tree.children_left, tree.children_right) for tree in trees]

    def concatenated(name: str) -> NDArray[Any]:
        parts = (getattr(t, name)[order] for t, order in zip(trees, orders, strict=True))
        return np.concatenate(list(parts))

    leaf = concatenated("children_left") == -1
    names = getattr(forest, "feature_names_in_", None)
    splits = {
        "n_features": forest.n_features_in_,
        "n_trees": len(trees),
        "names": None if names is None else [str(name) for name in names],
        "leaf": leaf,
        "missing_left": concatenated("missing_go_to_left")[~leaf].astype(np.bool_),
        "feature": concatenated("feature")[~leaf].astype(np.uint16),
        "threshold": _rounded_down(concatenated("threshold")[~leaf]),
    }
    exact = concatenated("value")[leaf, 0]
    if not classifier:
        exact_value = exact[:, 0]
        value = _float32(exact_value if value_step is None else _quantized(exact_value, value_step))
        error = float(np.abs(value - exact_value).max())
        return ForestContent(**splits, value=value, value_error=error)
    if value_step is not None:
        raise ValueError("value_step applies to a regressor, not to a classifier")
    labels = forest.classes_
    if not can_encode_labels(labels):
        raise ValueError(f"labels of dtype {labels.dtype} cannot be packed")
    # Probabilities are a leaf's class counts over their sum. The counts are exact in float32.
    counts = _float32(exact * concatenated("weighted_n_node_samples")[leaf, np.newaxis])
    rows, first, row = np.unique(counts, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    if not np.all(weight_totals(rows) > 0) or rows.size > MAX_WEIGHTS:
        raise ValueError(
            f"a leaf of the forest has no weight, or the leaves have more than {MAX_WEIGHTS:,} "
            "distinct class weights"
        )
    value = np.argsort(order)[row].astype(np.float32)
    return ForestContent(**splits, value=value, classes=labels, weights=rows[order])


def preorder(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """Nodes of a tree in preorder: each node, then its left subtree, then its right subtree.

    scikit-learn numbers nodes in this order, except where `max_leaf_nodes` makes it grow the best
    leaf first.
    """
    lefts, rights = left.tolist(), right.tolist()
    order, pending = [], [0]
    while pending:
        node = pending.pop()
        order.append(node)
        if lefts[node] != -1:
            pending += (rights[node], lefts[node])
    return np.array(order)


def _rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each threshold: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    above = nearest > threshold
    # -0.0 routes like 0.0, and would be a second entry in the threshold tables.
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest) + np.float32(0)


def _quantized(value: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    if not step > 0 or np.frexp(step)[0] != np.frexp(1.0)[0]:
        raise ValueError(f"value_step must be a power of two; it is {step}")
    quantized: NDArray[np.float64] = np.round(value / step) * step
    return quantized


def _float32(value: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        rounded = value.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ValueError("a leaf of the forest is not finite in float32")
    return rounded
