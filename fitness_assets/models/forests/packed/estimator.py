"""Forests of scikit-learn as a few flat arrays: small in memory, smaller on disk, never a pickle.

A node takes 11 bytes in memory where scikit-learn's takes 72, and a forest predicts from there. The
routing is that of scikit-learn for every float32 input, NaN and infinities included: scikit-learn
compares float32 inputs with float64 thresholds, so a threshold rounded down to float32 parts them
alike. Leaves are exact to float32; see `PackedForest.of` for coarser ones.

Notes
-----
What `PackedForest.to_bytes` writes, version 1. Everything is little-endian. A header of 44 bytes:

====== ==== =======================================================================
offset size
====== ==== =======================================================================
0      4    ``PFOR``
4      4    CRC-32 of everything after it
8      1    version: 1
9      1    kind: 0 regressor, 1 classifier
10     2    number of features
12     4    number of trees
16     4    number of nodes
20     4    number of thresholds in all tables
24     4    number of rows of class weights; 0 for a regressor
28     4    number of classes; 0 for a regressor
32     4    bytes of JSON
36     8    float64: largest rounding error of a leaf value; 0 for a classifier
====== ==== =======================================================================

and one raw LZMA1 stream (`_FILTERS`) with its end marker. In it, in this order, with the trees one
after the other, each in preorder (a node, all that is left of it, all that is right of it):

- JSON with ``names``, of the features, or null, and for a classifier ``classes`` and ``dtype``.
- A bit a node, most significant first: whether it is a leaf.
- A bit an inner node: whether a missing value goes to the left.
- The feature of each inner node.
- For each feature, the number of its distinct thresholds.
- The thresholds, feature by feature, ascending: the first, then the step to the next, as numbers of
  float32 values (see `_ordinals`).
- For each feature in turn, the ranks of the thresholds of its nodes in its table.
- For a regressor, the leaf values: the first, then the steps, as numbers of float32 values, with
  the sign in the lowest bit (see `_zigzag`).
- For a classifier, a number a leaf: 0 if its row of weights has not occurred yet, else how many
  distinct rows ago it was new; and the rows in the order they occur, as float32. A row holds the
  weight of each class in the leaf, whole numbers unless samples were weighted, and its shares are
  the leaf's probabilities.

Thresholds and rows are written number by number; features, ranks, values and the numbers of rows in
planes, all lowest bytes first.
"""

import json
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from fitness_assets.errors import PackedForestError

_MAGIC = b"PFOR"
_VERSION = 1
_REGRESSOR, _CLASSIFIER = 0, 1
_HEADER = struct.Struct("<4sI BBH IIIIII d")
_CHECKED_FROM = 8
_FILTERS = [
    {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}
    | {"lc": 0, "lp": 0, "pb": 0}
]

# Bounds of what is read, so that a few hostile bytes cannot ask for all memory or time there is.
_MOST_NODES = 1 << 24
_MOST_WEIGHTS = 1 << 24
_MOST_FEATURES = (1 << 16) - 1
_MOST_LEVELS = 1 << 16
_MOST_JSON = 1 << 20

# Rows times trees that are routed at once: their state stays in the processor's cache.
_BLOCK = 1 << 15

#: dtype of class labels, and the type of such a label in JSON.
_LABELS: dict[str, type] = {
    "bool": bool,
    "object": str,
    "str": str,
    **{f"{sign}int{bits}": int for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float64": float,
}

#: Of a split, its threshold, and how many nodes after the left one, which comes next, the right one
#: is. Of a leaf, its value, or the number of its row of weights, and -1: back to itself.
_BRANCH = np.dtype([("threshold", np.float32), ("skip", np.int32)])


@dataclass(frozen=True, eq=False)
class _Content:
    """What the bytes of a forest of T trees, N nodes, S splits and L leaves say.

    Attributes
    ----------
    n_features, n_trees : int
    names : list of str or None
        Of the features.
    leaf : ndarray of bool, shape (N,)
        In preorder, tree after tree, as everything that follows.
    missing_left : ndarray of bool, shape (S,)
    feature : ndarray of uint16, shape (S,)
    threshold : ndarray of float32, shape (S,)
    value : ndarray of float32, shape (L,)
        For a classifier, numbers of rows of `weights`, in the order in which they first occur.
    value_error : float
        Largest difference of a value from that of scikit-learn's leaf.
    classes : ndarray, shape (K,), or None
    weights : ndarray of float32, shape (R, K), or None
    """

    n_features: int
    n_trees: int
    names: list[str] | None
    leaf: NDArray[np.bool_]
    missing_left: NDArray[np.bool_]
    feature: NDArray[np.uint16]
    threshold: NDArray[np.float32]
    value: NDArray[np.float32]
    value_error: float = 0.0
    classes: NDArray[Any] | None = None
    weights: NDArray[np.float32] | None = None


class PackedForest(BaseEstimator):  # type: ignore[misc]
    """A fitted forest in a few flat arrays, which does not change and does not learn.

    Make one with `of` or `from_bytes`; both give a `PackedRegressor` or a `PackedClassifier`.
    Copies and clones are the forest itself.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the forest was fitted with names.
    """

    n_features_in_: int

    @staticmethod
    def of(forest: Any, *, value_step: float | None = None) -> "PackedRegressor | PackedClassifier":
        """`forest`, packed.

        Parameters
        ----------
        forest : RandomForest or ExtraTrees, Regressor or Classifier
            Fitted, with one output.
        value_step : float or None
            A power of two in the unit of a regressor's target. Leaf values are rounded to multiples
            of it, which makes the bytes fewer, and `value_error_` larger.

        Raises
        ------
        TypeError
            If `forest` is no such forest.
        ValueError
            If it has several outputs, is not finite in float32 or is beyond the bounds of the
            format, or if `value_step` is no power of two or was given for a classifier.
        PackedForestError
            If a tree has more levels than the format allows.
        """
        return _packed(_content(forest, value_step))

    @staticmethod
    def from_bytes(content: bytes) -> "PackedRegressor | PackedClassifier":
        """The forest in `content`, which may come from anywhere.

        Raises
        ------
        PackedForestError
            If `content` is not what `to_bytes` gives, whatever is wrong with it.
        """
        return _packed(_decode(content))

    def to_bytes(self) -> bytes:
        """The forest in the format of this module. Equal forests give equal bytes.

        Raises
        ------
        ValueError
            If the names of the features and classes are beyond the bounds of the format.
        """
        check_is_fitted(self)
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        leaf = self._features == self.n_features_in_
        value, threshold = self._branches["threshold"][leaf], self._branches["threshold"][~leaf]
        names = getattr(self, "feature_names_in_", None)
        return _encode(
            _Content(
                self.n_features_in_,
                len(self._roots),
                None if names is None else names.tolist(),
                leaf,
                self._missing_left[~leaf],
                self._features[~leaf],
                threshold,
                value,
                **self._kind(),
            )
        )

    @property
    def node_count(self) -> int:
        """Nodes of all trees."""
        return len(self._features)

    @property
    def tree_count(self) -> int:
        """Number of trees."""
        return len(self._roots)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in memory."""
        return sum(part.nbytes for part in vars(self).values() if isinstance(part, np.ndarray))

    def fit(self, X: object, y: object = None) -> NoReturn:  # noqa: ARG002, N803 - scikit-learn's
        """Refuse: a packed forest does not learn.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a packed forest does not learn; fit a forest and pack that")

    def _take(self, content: _Content) -> None:
        """Become the forest of `content`."""
        leaf = content.leaf
        roots, skip, self._depth = _structure(leaf, content.n_trees)
        features = np.full(len(leaf), content.n_features, np.uint16)
        missing_left = np.zeros(len(leaf), np.bool_)
        branches = np.empty(len(leaf), _BRANCH)
        features[~leaf] = content.feature
        missing_left[~leaf] = content.missing_left
        branches["skip"] = skip
        branches["threshold"][~leaf] = content.threshold
        branches["threshold"][leaf] = content.value
        self.n_features_in_ = content.n_features
        if content.names is not None:
            self.feature_names_in_ = np.array(content.names, dtype=object)
        self._roots, self._features = roots, features
        self._missing_left, self._branches = missing_left, branches

    def _kind(self) -> dict[str, Any]:
        """The fields of `_Content` that are particular to the kind of forest."""
        raise NotImplementedError

    def _route(self, X: NDArray[np.float32]) -> NDArray[np.intp]:  # noqa: N803 - as there
        """The leaf that each row reaches in each tree.

        Parameters
        ----------
        X : ndarray of float32, shape (rows, features)
            Any values at all.

        Returns
        -------
        ndarray of int, shape (trees, rows)
            Numbers of nodes, counted through all trees.
        """
        rows, width = len(X), self.n_features_in_ + 1
        # A leaf asks for one more feature, which is missing: that leads to the right, to itself.
        inputs = np.full((rows, width), np.nan, np.float32)
        inputs[:, :-1] = X
        missing = bool(np.isnan(X).any())
        first = np.tile(np.arange(0, rows * width, width), len(self._roots))
        node = np.repeat(self._roots, rows)
        for _ in range(self._depth):
            branch = self._branches.take(node)
            x = inputs.take(first + self._features.take(node))
            left = x <= branch["threshold"]
            if missing:
                left |= np.isnan(x) & self._missing_left.take(node)
            # A sum where `np.where` would be a jump that the processor mispredicts half the time.
            node += 1 + branch["skip"] * ~left
        return node.reshape(-1, rows)

    def _blocks(self, X: ArrayLike) -> Iterator[NDArray[np.float32]]:  # noqa: N803 - as there
        """What the leaves hold that the rows of `X` reach in each tree, some rows at a time."""
        check_is_fitted(self)
        inputs = validate_data(
            self, X, dtype=np.float32, ensure_all_finite="allow-nan", reset=False
        )
        step = max(1, _BLOCK // len(self._roots))
        for start in range(0, len(inputs), step):
            leaf = self._route(inputs[start : start + step])
            yield self._branches.take(leaf)["threshold"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_branches")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __sklearn_clone__(self) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a packed forest does not pickle; store what to_bytes gives")

    # skops, unlike pickle, asks for the state first, and writes and reads it by these two.
    def __getstate__(self) -> dict[str, bytes]:
        return {"packed": self.to_bytes()}

    def __setstate__(self, state: object) -> None:
        packed = state.get("packed") if isinstance(state, dict) else None
        if not isinstance(packed, bytes):
            raise PackedForestError("a packed forest is made of bytes")
        self._take(_decode(packed))


class PackedRegressor(RegressorMixin, PackedForest):  # type: ignore[misc]
    """A packed forest that estimates a number.

    Attributes
    ----------
    value_error_ : float
        Largest difference between a leaf's value and that of the forest it was made of. No
        prediction is further from the forest's, but for the last digits of the mean's float64.
    """

    def _take(self, content: _Content) -> None:
        if content.classes is not None:
            raise PackedForestError("the packed forest is a classifier")
        super()._take(content)
        self.value_error_ = content.value_error

    def _kind(self) -> dict[str, Any]:
        return {"value_error": self.value_error_}

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's
        """Mean over the trees.

        Parameters
        ----------
        X : array-like of shape (rows, features)
            Is cast to float32. NaN is a missing value.

        Returns
        -------
        ndarray of shape (rows,)

        Raises
        ------
        ValueError
            If `X` has another number of features, or an infinity in float32, as scikit-learn does.
        """
        return np.concatenate(
            [sum(block, start=np.float64(0)) / len(block) for block in self._blocks(X)]
        )


class PackedClassifier(ClassifierMixin, PackedForest):  # type: ignore[misc]
    """A packed forest that tells classes apart.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
    """

    def _take(self, content: _Content) -> None:
        if content.classes is None or content.weights is None:
            raise PackedForestError("the packed forest is a regressor")
        super()._take(content)
        self.classes_, self._weights = content.classes, content.weights
        self._totals = _totals(content.weights)

    def _kind(self) -> dict[str, Any]:
        return {"classes": self.classes_, "weights": self._weights}

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's
        """Mean over the trees of the shares of each class in the leaf.

        Parameters and errors are those of `PackedRegressor.predict`.

        Returns
        -------
        ndarray of shape (rows, classes)
        """
        blocks = []
        for block in self._blocks(X):
            total = np.zeros((block.shape[1], len(self.classes_)))
            for row in block.astype(np.intp):
                total += self._weights.take(row, axis=0) / self._totals.take(row)[:, np.newaxis]
            blocks.append(total / len(block))
        return np.concatenate(blocks)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803 - scikit-learn's
        """Most probable class of each row; see `predict_proba`.

        Returns
        -------
        ndarray of shape (rows,)
        """
        classes: NDArray[Any] = self.classes_.take(self.predict_proba(X).argmax(axis=1))
        return classes


def _packed(content: _Content) -> PackedRegressor | PackedClassifier:
    forest = PackedRegressor() if content.classes is None else PackedClassifier()
    forest._take(content)  # noqa: SLF001 - of this module
    return forest


def _content(forest: Any, value_step: float | None) -> _Content:
    """The content of a forest of scikit-learn. Errors are those of `PackedForest.of`."""
    from sklearn.ensemble import (  # slow to import, and a process that only predicts does without
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
        raise ValueError(f"a packed forest has one output, and this one {forest.n_outputs_}")
    trees = [estimator.tree_ for estimator in forest.estimators_]
    nodes = sum(tree.node_count for tree in trees)
    if nodes > _MOST_NODES or forest.n_features_in_ > _MOST_FEATURES:
        raise ValueError(
            f"a packed forest has at most {_MOST_NODES:,} nodes and {_MOST_FEATURES:,} features, "
            f"and this one {nodes:,} and {forest.n_features_in_:,}"
        )
    orders = [_preorder(tree.children_left, tree.children_right) for tree in trees]

    def gather(name: str) -> NDArray[Any]:
        parts = (getattr(t, name)[order] for t, order in zip(trees, orders, strict=True))
        return np.concatenate(list(parts))

    leaf = gather("children_left") == -1
    names = getattr(forest, "feature_names_in_", None)
    splits = {
        "n_features": forest.n_features_in_,
        "n_trees": len(trees),
        "names": None if names is None else [str(name) for name in names],
        "leaf": leaf,
        "missing_left": gather("missing_go_to_left")[~leaf].astype(np.bool_),
        "feature": gather("feature")[~leaf].astype(np.uint16),
        "threshold": _rounded_down(gather("threshold")[~leaf]),
    }
    exact = gather("value")[leaf, 0]
    if not classifier:
        value = _float32(exact[:, 0] if value_step is None else _stepped(exact[:, 0], value_step))
        error = float(np.abs(value - exact[:, 0]).max())
        return _Content(**splits, value=value, value_error=error)
    if value_step is not None:
        raise ValueError("a step is for the values of a regressor")
    labels = forest.classes_
    if not _all_are(_LABELS.get(_label_dtype(labels)), labels.tolist()):
        raise ValueError(f"labels of dtype {labels.dtype} cannot be packed")
    # Probabilities are a leaf's class counts over their sum. The counts are exact in float32.
    counts = _float32(exact * gather("weighted_n_node_samples")[leaf, np.newaxis])
    rows, first, row = np.unique(counts, axis=0, return_index=True, return_inverse=True)
    place = np.argsort(first)
    if not np.all(_totals(rows) > 0) or rows.size > _MOST_WEIGHTS:
        raise ValueError("leaves without any weight, or with too many distinct ones, to be packed")
    value = np.argsort(place)[row].astype(np.float32)
    return _Content(**splits, value=value, classes=labels, weights=rows[place])


def _preorder(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """Nodes of a tree, each before all that is left of it and that before all that is right.

    scikit-learn numbers them so, unless `max_leaf_nodes` had it grow the best leaf first.
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
    """The largest float32 that is not above each threshold: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    above = nearest > threshold
    # -0.0 parts the inputs as 0.0 does, and would be a second entry in the tables.
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest) + np.float32(0)


def _stepped(value: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    if not step > 0 or np.frexp(step)[0] != np.frexp(1.0)[0]:
        raise ValueError(f"{step} is not a power of two")
    stepped: NDArray[np.float64] = np.round(value / step) * step
    return stepped


def _float32(value: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        rounded = value.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ValueError("a leaf of the forest is not finite in float32")
    return rounded


def _totals(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    totals: NDArray[np.float64] = weights.sum(axis=1, dtype=np.float64)
    return totals


def _label_dtype(labels: NDArray[Any]) -> str:
    return "str" if labels.dtype.kind == "U" else labels.dtype.name


def _structure(
    leaf: NDArray[np.bool_], n_trees: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], int]:
    """Where the trees begin, the ``skip`` of each node (see `_BRANCH`), and the number of levels.

    Raises
    ------
    PackedForestError
        Unless `leaf` is `n_trees` whole trees in preorder.
    """
    # The subtrees that are still to come, before and after each node. A split adds one, a leaf ends
    # one; the right side of a split begins where as many are left as before it.
    after = np.cumsum(np.where(leaf, -1, 1), dtype=np.int32)
    if len(leaf) == 0 or after[-1] != -n_trees or np.any(after[:-1] <= -n_trees):
        raise PackedForestError("the nodes are not whole trees")
    before = np.concatenate([np.zeros(1, np.int32), after[:-1]])
    roots = np.flatnonzero(np.diff(np.minimum.accumulate(before), prepend=1))
    order = np.argsort(before, kind="stable").astype(np.int32)
    right = np.arange(len(leaf), dtype=np.int32)
    following = np.empty_like(right)
    following[order[:-1]] = order[1:]
    right[~leaf] = following[~leaf]

    levels, inner = 0, roots[~leaf[roots]]
    while len(inner):
        levels += 1
        if levels > _MOST_LEVELS:
            raise PackedForestError(f"a tree has more than {_MOST_LEVELS:,} levels")
        below = np.concatenate([inner + 1, right[inner]])
        inner = below[~leaf[below]]
    return roots, np.subtract(right, np.arange(1, len(leaf) + 1), dtype=np.int32), levels


def _encode(content: _Content) -> bytes:
    table, lengths, ranks = _tables(content)
    about: dict[str, Any] = {"names": content.names}
    if content.classes is None or content.weights is None:
        kind, rows, classes = _REGRESSOR, 0, 0
        leaves = [_planes(_zigzag(_steps(content.value)), 4)]
    else:
        kind, (rows, classes) = _CLASSIFIER, content.weights.shape
        about |= {"classes": content.classes.tolist(), "dtype": _label_dtype(content.classes)}
        leaves = [_planes(_ages(content.value), 4), content.weights.astype("<f4").tobytes()]
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    if len(text) > _MOST_JSON:
        raise ValueError(f"names of {len(text):,} bytes are too long to be packed")
    parts = [
        text,
        np.packbits(content.leaf).tobytes(),
        np.packbits(content.missing_left).tobytes(),
        _planes(content.feature, 2),
        lengths.astype("<u4").tobytes(),
        _steps(table).astype("<u4").tobytes(),
        _planes(ranks[np.argsort(content.feature, kind="stable")], 4),
        *leaves,
    ]
    counts = (content.n_trees, len(content.leaf), len(table), rows, classes, len(text))
    head = _HEADER.pack(_MAGIC, 0, _VERSION, kind, content.n_features, *counts, content.value_error)
    checked = head[_CHECKED_FROM:] + lzma.compress(
        b"".join(parts), format=lzma.FORMAT_RAW, filters=_FILTERS
    )
    return _MAGIC + struct.pack("<I", zlib.crc32(checked)) + checked


def _decode(content: bytes) -> _Content:
    """The content of `content`, of which nothing is believed. Errors are `PackedForestError`."""
    _require(len(content) >= _HEADER.size, "these bytes are too few")
    magic, crc, version, kind, n_features, *counts, value_error = _HEADER.unpack_from(content)
    _require(magic == _MAGIC, "these bytes are something else")
    _require(version == _VERSION, f"version {version} is not one that is known")
    _require(zlib.crc32(content[_CHECKED_FROM:]) == crc, "the bytes were damaged")
    n_trees, n_nodes, n_thresholds, n_rows, n_classes, n_text = counts
    _require(kind in (_REGRESSOR, _CLASSIFIER), f"kind {kind} is not one that is known")
    _require(1 <= n_trees <= n_nodes <= _MOST_NODES, "the number of trees or nodes is impossible")
    _require(n_features > 0, "there are no features")
    n_splits, odd = divmod(n_nodes - n_trees, 2)
    n_leaves = n_nodes - n_splits
    classifier = kind == _CLASSIFIER
    _require(not odd, "the number of nodes is impossible")
    _require(n_thresholds <= n_splits, "there are more thresholds than nodes")
    _require(n_text <= _MOST_JSON, "there is too much text")
    _require(
        (1 <= n_rows <= n_leaves and n_classes >= 1 and n_rows * n_classes <= _MOST_WEIGHTS)
        if classifier
        else n_rows == n_classes == 0,
        "the number of class weights is impossible",
    )
    _require(np.isfinite(value_error) and value_error >= 0, "the rounding error is impossible")

    bits = [(n_nodes + 7) // 8, (n_splits + 7) // 8]
    numbers = [4 * n_features, 4 * n_thresholds, 4 * n_splits, 4 * n_leaves, 4 * n_rows * n_classes]
    sizes = [n_text, *bits, 2 * n_splits, *numbers]
    payload = _expand(content[_HEADER.size :], sum(sizes))
    ends = np.cumsum(sizes).tolist()
    parts = [payload[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    text, leaf_bits, missing_bits, features, lengths, steps, ranks, leaves, rows = parts

    names, classes = _read_text(text, n_features, n_classes if classifier else None)
    feature = _from_planes(features, 2).astype(np.uint16)
    _require(not np.any(feature >= n_features), "a node asks for a feature that is not there")
    value, weights = _read_leaves(leaves, rows, n_rows, n_classes)
    return _Content(
        n_features=n_features,
        n_trees=n_trees,
        names=names,
        leaf=_from_bits(leaf_bits, n_nodes),
        missing_left=_from_bits(missing_bits, n_splits),
        feature=feature,
        threshold=_read_thresholds(feature, lengths, steps, ranks),
        value=value,
        value_error=value_error,
        classes=classes,
        weights=weights,
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise PackedForestError(f"not a packed forest: {otherwise}")


def _expand(stream: bytes, size: int) -> bytes:
    """The `size` bytes that `stream` must expand to; no more are ever made of it."""
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        payload = decompressor.decompress(stream, max_length=size + 1)
    except lzma.LZMAError as error:
        raise PackedForestError(f"not a packed forest: {error}") from error
    whole = decompressor.eof and len(payload) == size and not decompressor.unused_data
    _require(whole, "the stream has another length than the header says")
    return payload


def _read_text(
    text: bytes, n_features: int, n_classes: int | None
) -> tuple[list[str] | None, NDArray[Any] | None]:
    """Names of the features and the classes, where there are any."""
    try:
        about = json.loads(text)
        names = about["names"]
        labels, dtype = (None, "") if n_classes is None else (about["classes"], about["dtype"])
        named = names is None or (_all_are(str, names) and len(names) == n_features)
        known = labels is None or (_all_are(_LABELS[dtype], labels) and len(labels) == n_classes)
        _require(named and known, "the names or classes are not as many as they are")
        return names, None if labels is None else np.array(labels, dtype=dtype)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PackedForestError("not a packed forest: the names or classes are garbled") from error


def _all_are(kind: type | None, labels: list[Any]) -> bool:
    return type(labels) is list and all(type(label) is kind for label in labels)


def _tables(content: _Content) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct thresholds by feature, how many a feature has, and each node's rank among them."""
    order = np.lexsort((content.threshold, content.feature))
    feature, threshold = content.feature[order], content.threshold[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1])
    lengths = np.bincount(feature[new], minlength=content.n_features)
    entry = np.empty(len(order), np.int64)
    entry[order] = np.cumsum(new) - 1
    return threshold[new], lengths, entry - _starts(lengths)[content.feature]


def _read_thresholds(
    feature: NDArray[np.uint16], lengths: bytes, steps: bytes, ranks: bytes
) -> NDArray[np.float32]:
    length = np.frombuffer(lengths, "<u4").astype(np.int64)
    table = _from_steps(np.frombuffer(steps, "<u4"))
    _require(length.sum() == len(table), "the tables of thresholds are not as long as they are")
    starts = _starts(length)
    of = np.repeat(np.arange(len(length)), length)
    ascending = (table[1:] > table[:-1]) | (of[1:] != of[:-1])
    _require(not np.isnan(table).any() and bool(ascending.all()), "a table is not sorted")
    rank = np.empty(len(feature), np.int64)
    rank[np.argsort(feature, kind="stable")] = _from_planes(ranks, 4)
    _require(bool(np.all(rank < length[feature])), "a threshold is not in its table")
    threshold: NDArray[np.float32] = table[starts[feature] + rank]
    return threshold


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(lengths) - lengths


def _read_leaves(
    leaves: bytes, rows: bytes, n_rows: int, n_classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Values of the leaves, or numbers of their rows and the rows."""
    numbers = _from_planes(leaves, 4)
    if not n_classes:
        value = _from_steps(_from_zigzag(numbers))
        _require(bool(np.isfinite(value).all()), "a leaf is not finite")
        return value, None
    ages = numbers.astype(np.int64)
    seen = np.cumsum(ages == 0)
    _require(
        bool(np.all(ages <= seen)) and seen[-1] == n_rows, "a leaf has weights that are not there"
    )
    weights = np.frombuffer(rows, "<f4").astype(np.float32).reshape(n_rows, n_classes)
    sound = np.isfinite(weights).all() and np.all(weights >= 0) and np.all(_totals(weights) > 0)
    _require(bool(sound), "the weights of a leaf are impossible")
    return np.where(ages == 0, seen - 1, seen - ages).astype(np.float32), weights


def _ages(row: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many distinct rows ago each was new, from their numbers in that order; 0 if it is new."""
    number = row.astype(np.int64)
    newest = np.maximum.accumulate(number)
    new = np.diff(newest, prepend=-1) > 0
    return np.where(new, 0, newest + 1 - number)


def _ordinals(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers in the order of the numbers, one apart where no float32 is between two."""
    bits = numbers.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _steps(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Differences between ordinals, modulo 2**32, beginning with that of the first number to 0."""
    return np.diff(_ordinals(numbers), prepend=np.uint32(0))


def _from_steps(steps: NDArray[np.uint32]) -> NDArray[np.float32]:
    ordinals = np.cumsum(steps, dtype=np.uint32)
    bits = np.where(ordinals >> 31, ordinals & np.uint32((1 << 31) - 1), ~ordinals)
    return bits.view(np.float32)


def _zigzag(steps: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …: small steps of either sign become small numbers."""
    return (steps << np.uint32(1)) ^ -(steps >> np.uint32(31))


def _from_zigzag(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return (numbers >> np.uint32(1)) ^ -(numbers & np.uint32(1))


def _planes(numbers: NDArray[Any], width: int) -> bytes:
    """The lowest bytes of all numbers, then the next, `width` in all."""
    little = numbers.astype(f"<u{width}")
    return little.view(np.uint8).reshape(-1, width).T.tobytes()


def _from_planes(planes: bytes, width: int) -> NDArray[np.uint32]:
    rows = np.frombuffer(planes, np.uint8).reshape(width, -1)
    return np.ascontiguousarray(rows.T).view(f"<u{width}").ravel().astype(np.uint32)


def _from_bits(bits: bytes, count: int) -> NDArray[np.bool_]:
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), count=count)
    _require(np.packbits(unpacked).tobytes() == bits, "there are bits beyond the last node")
    return unpacked.astype(np.bool_)
