"""The trees of a packed forest as flat arrays, and the leaf that each row reaches in them.

A node takes 11 bytes in memory; scikit-learn's takes 72. Every float32 input, NaN and infinities
included, reaches the same leaf as in scikit-learn, which compares float32 inputs with float64
thresholds: a threshold rounded down to float32 splits them in the same way.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fitness_assets.errors import PackedForestError
from fitness_assets.models.forests.packed.format import ForestContent

#: Limit on the levels of a tree: each level takes one step of `FlatTrees.leaves`. Released forests
#: have at most 16.
MAX_LEVELS = 256

# Of a split: its threshold, and the distance from its left child, which is the next node, to its
# right child. Of a leaf: its value, or the number of its row of weights, and -1, which leads back
# to the leaf itself.
_BRANCH = np.dtype([("threshold", np.float32), ("skip", np.int32)])


class FlatTrees(NamedTuple):
    """T trees of N nodes, in preorder, tree after tree.

    Attributes
    ----------
    roots : ndarray of int, shape (T,)
    features : ndarray of uint16, shape (N,)
        The feature of a split; the number of features for a leaf.
    missing_left : ndarray of bool, shape (N,)
        Whether a missing value goes to the left.
    branches : ndarray of record, shape (N,)
    depth : int
        Levels of splits in the deepest tree.
    """

    roots: NDArray[np.intp]
    features: NDArray[np.uint16]
    missing_left: NDArray[np.bool_]
    branches: NDArray[np.void]
    depth: int

    @classmethod
    def of(cls, content: ForestContent) -> Self:
        """The trees of `content`.

        Raises
        ------
        PackedForestError
            If the nodes are not whole trees, or a tree has more than `MAX_LEVELS` levels.
        """
        leaf = content.leaf
        roots, skip, depth = structure(leaf, content.n_trees)
        features = np.full(len(leaf), content.n_features, np.uint16)
        missing_left = np.zeros(len(leaf), np.bool_)
        branches = np.empty(len(leaf), _BRANCH)
        features[~leaf] = content.feature
        missing_left[~leaf] = content.missing_left
        branches["skip"] = skip
        branches["threshold"][~leaf] = content.threshold
        branches["threshold"][leaf] = content.value
        return cls(roots, features, missing_left, branches, depth)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(part.nbytes for part in self if isinstance(part, np.ndarray))

    def is_leaf(self) -> NDArray[np.bool_]:
        """Whether each node is a leaf."""
        leaf: NDArray[np.bool_] = self.branches["skip"] == -1
        return leaf

    def values(self, leaves: NDArray[np.intp]) -> NDArray[np.float32]:
        """The values of `leaves`, or for a classifier their row numbers of weights."""
        values: NDArray[np.float32] = self.branches.take(leaves)["threshold"]
        return values

    def leaves(self, X: NDArray[np.float32]) -> NDArray[np.intp]:  # noqa: N803 - scikit-learn's
        """The leaf that each row reaches in each tree.

        Parameters
        ----------
        X : ndarray of float32, shape (rows, features)
            Any values, NaN and infinities included.

        Returns
        -------
        ndarray of int, shape (trees, rows)
            Node numbers, counted through all trees.
        """
        rows, width = len(X), X.shape[1] + 1
        # A leaf uses one more feature, which is always missing: that leads right, to the leaf.
        inputs = np.full((rows, width), np.nan, np.float32)
        inputs[:, :-1] = X
        missing = bool(np.isnan(X).any())
        first = np.tile(np.arange(0, rows * width, width), len(self.roots))
        node = np.repeat(self.roots, rows)
        for _ in range(self.depth):
            branch = self.branches.take(node)
            x = inputs.take(first + self.features.take(node))
            left = x <= branch["threshold"]
            if missing:
                left |= np.isnan(x) & self.missing_left.take(node)
            # A sum, because `np.where` would be a branch that the processor mispredicts half the
            # time.
            node += 1 + branch["skip"] * ~left
        return node.reshape(-1, rows)


def structure(
    leaf: NDArray[np.bool_], n_trees: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], int]:
    """Roots of the trees, the ``skip`` of each node (see `_BRANCH`), and the number of levels.

    Raises
    ------
    PackedForestError
        Unless `leaf` describes `n_trees` whole trees in preorder of at most `MAX_LEVELS` levels.
    """
    # The number of subtrees still to come, before and after each node. A split adds one, a leaf
    # removes one. The right subtree of a split begins where as many remain as before the split.
    after = np.cumsum(np.where(leaf, -1, 1), dtype=np.int32)
    if len(leaf) == 0 or after[-1] != -n_trees or np.any(after[:-1] <= -n_trees):
        raise PackedForestError("not a packed forest: the nodes are not whole trees")
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
        if levels > MAX_LEVELS:
            raise PackedForestError(f"a tree has more than {MAX_LEVELS:,} levels")
        children = np.concatenate([inner + 1, right[inner]])
        inner = children[~leaf[children]]
    return roots, np.subtract(right, np.arange(1, len(leaf) + 1), dtype=np.int32), levels
