"""Fitted forests as read-only scikit-learn estimators, stored as bytes and never as a pickle.

Leaf values are exact to float32; see `PackedForest.of` for coarser ones. `routing` explains the
arrays in memory, `format` the bytes on disk.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from fitness_assets.errors import PackedForestError
from fitness_assets.models.forests.packed.convert import from_sklearn
from fitness_assets.models.forests.packed.format import (
    ForestContent,
    decode,
    encode,
    weight_totals,
)
from fitness_assets.models.forests.packed.routing import FlatTrees

# Rows times trees that are routed at once, so that their state stays in the processor's cache.
_BLOCK = 1 << 15


class PackedForest(BaseEstimator):  # type: ignore[misc]
    """A fitted forest in flat arrays. It can predict, but not be fitted.

    Create one with `of` or `from_bytes`; both return a `PackedRegressor` or a `PackedClassifier`.
    Copies and clones return the forest itself.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the forest was fitted with feature names.
    trees_ : FlatTrees
    """

    n_features_in_: int
    trees_: FlatTrees

    @staticmethod
    def of(forest: Any, *, value_step: float | None = None) -> "PackedRegressor | PackedClassifier":
        """Pack `forest`.

        Parameters
        ----------
        forest : RandomForest or ExtraTrees, Regressor or Classifier
            Fitted, with one output.
        value_step : float or None
            A power of two in the unit of a regressor's target. Leaf values are rounded to its
            multiples, which gives fewer bytes and a larger `value_error_`.

        Raises
        ------
        TypeError
            If `forest` is another kind of estimator.
        ValueError
            If it has several outputs, is not finite in float32 or exceeds the limits of the
            format, or if `value_step` is not a power of two or is given for a classifier.
        PackedForestError
            If a tree has more levels than the format allows.
        """
        return _from_content(from_sklearn(forest, value_step))

    @staticmethod
    def from_bytes(content: bytes) -> "PackedRegressor | PackedClassifier":
        """The forest in `content`, which may come from an untrusted source.

        Raises
        ------
        PackedForestError
            If `content` is anything but the result of `to_bytes`.
        """
        return _from_content(decode(content))

    def to_bytes(self) -> bytes:
        """The forest in the format of module `format`. Equal forests give equal bytes.

        Raises
        ------
        ValueError
            If the names of features and classes are longer than the format allows.
        """
        check_is_fitted(self)
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        trees, leaf = self.trees_, self.trees_.is_leaf()
        names = getattr(self, "feature_names_in_", None)
        return encode(
            ForestContent(
                n_features=self.n_features_in_,
                n_trees=self.tree_count,
                names=None if names is None else names.tolist(),
                leaf=leaf,
                missing_left=trees.missing_left[~leaf],
                feature=trees.features[~leaf],
                threshold=trees.branches["threshold"][~leaf],
                value=trees.branches["threshold"][leaf],
                **self._fields_of_kind(),
            )
        )

    @property
    def node_count(self) -> int:
        """Nodes of all trees."""
        return len(self.trees_.features)

    @property
    def tree_count(self) -> int:
        """Number of trees."""
        return len(self.trees_.roots)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in memory."""
        arrays = (part for part in vars(self).values() if isinstance(part, np.ndarray))
        return self.trees_.nbytes + sum(array.nbytes for array in arrays)

    def fit(self, X: object, y: object = None) -> NoReturn:  # noqa: ARG002, N803 - scikit-learn's
        """Raise TypeError: a packed forest cannot be fitted."""
        raise TypeError("a packed forest cannot be fitted; fit a forest and pack it")

    def _set_content(self, content: ForestContent) -> None:
        """Set the fitted attributes from `content`."""
        self.n_features_in_ = content.n_features
        if content.names is not None:
            self.feature_names_in_ = np.array(content.names, dtype=object)
        self.trees_ = FlatTrees.of(content)

    def _fields_of_kind(self) -> dict[str, Any]:
        """The fields of `ForestContent` that only this kind of forest has."""
        raise NotImplementedError

    def _leaf_values(self, X: ArrayLike) -> Iterator[NDArray[np.float32]]:  # noqa: N803
        """Values of the leaves that the rows of `X` reach in each tree, a block of rows at a time.

        Each block has shape (trees, rows of the block).
        """
        check_is_fitted(self)
        inputs = validate_data(
            self, X, dtype=np.float32, ensure_all_finite="allow-nan", reset=False
        )
        step = max(1, _BLOCK // self.tree_count)
        for start in range(0, len(inputs), step):
            yield self.trees_.values(self.trees_.leaves(inputs[start : start + step]))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trees_")

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
        raise TypeError("a packed forest cannot be pickled; store the result of to_bytes")

    # skops stores the result of `__getstate__` and restores it with `__setstate__`; it does not
    # call `__reduce_ex__`.
    def __getstate__(self) -> dict[str, bytes]:
        return {"packed": self.to_bytes()}

    def __setstate__(self, state: object) -> None:
        packed = state.get("packed") if isinstance(state, dict) else None
        if not isinstance(packed, bytes):
            raise PackedForestError("the state of a packed forest must be bytes")
        self._set_content(decode(packed))


class PackedRegressor(RegressorMixin, PackedForest):  # type: ignore[misc]
    """A packed forest for regression.

    Attributes
    ----------
    value_error_ : float
        Largest difference between a leaf value and that of the original forest. No prediction
        differs from the original's by more, except for float64 rounding of the mean.
    """

    def _set_content(self, content: ForestContent) -> None:
        if content.classes is not None:
            raise PackedForestError("the packed forest is a classifier")
        super()._set_content(content)
        self.value_error_ = content.value_error

    def _fields_of_kind(self) -> dict[str, Any]:
        return {"value_error": self.value_error_}

    def node_values(self) -> NDArray[np.float64]:
        """The value of each leaf, of shape (nodes, 1); 0 for other nodes."""
        trees = self.trees_
        values = np.where(trees.is_leaf(), trees.branches["threshold"], np.float64(0))
        return values[:, np.newaxis]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's
        """Mean prediction of the trees.

        Parameters
        ----------
        X : array-like of shape (rows, features)
            Cast to float32. NaN is a missing value.

        Returns
        -------
        ndarray of shape (rows,)

        Raises
        ------
        ValueError
            If `X` has another number of features, or is infinite in float32, as in scikit-learn.
        """
        return np.concatenate(
            [sum(block, start=np.float64(0)) / len(block) for block in self._leaf_values(X)]
        )


class PackedClassifier(ClassifierMixin, PackedForest):  # type: ignore[misc]
    """A packed forest for classification.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
    """

    def _set_content(self, content: ForestContent) -> None:
        if content.classes is None or content.weights is None:
            raise PackedForestError("the packed forest is a regressor")
        super()._set_content(content)
        self.classes_, self._weights = content.classes, content.weights
        self._totals = weight_totals(content.weights)

    def _fields_of_kind(self) -> dict[str, Any]:
        return {"classes": self.classes_, "weights": self._weights}

    def node_values(self) -> NDArray[np.float64]:
        """The class probabilities in each leaf, of shape (nodes, classes); 0 for other nodes."""
        trees = self.trees_
        leaf = trees.is_leaf()
        rows = trees.branches["threshold"][leaf].astype(np.intp)
        values = np.zeros((len(leaf), len(self.classes_)))
        values[leaf] = (self._weights / self._totals[:, np.newaxis]).take(rows, axis=0)
        return values

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's
        """Mean over the trees of the class probabilities in the leaf.

        Parameters and errors are those of `PackedRegressor.predict`.

        Returns
        -------
        ndarray of shape (rows, classes)
        """
        blocks = []
        for block in self._leaf_values(X):
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


def _from_content(content: ForestContent) -> PackedRegressor | PackedClassifier:
    forest = PackedRegressor() if content.classes is None else PackedClassifier()
    forest._set_content(content)  # noqa: SLF001 - a class of this module
    return forest
