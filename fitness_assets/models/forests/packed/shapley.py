"""What each input adds to the output of packed trees: exact Shapley values along their paths.

These are interventional Shapley values (Lundberg et al., Nature Machine Intelligence 2:56, 2020):
an input that is left out has its value in a reference row. They need the leaves only, and no counts
of rows in the nodes, which a packed forest does not have.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from fitness_assets.models.forests.packed.routing import FlatTrees

# Cells of the two masks of a block of paths; more paths are followed block by block.
_BLOCK = 1 << 22


class _Paths(NamedTuple):
    """Paths from the roots, in which some inputs have the row's value, and some the reference's.

    Attributes
    ----------
    node : ndarray of int, shape (n,)
        Where each path has come to.
    reference : ndarray of int, shape (n,)
        Number of its reference row.
    by_row, by_reference : ndarray of bool, shape (n, inputs)
        Inputs that have led where only the row's value leads, or only that of the reference row.
    """

    node: NDArray[np.intp]
    reference: NDArray[np.intp]
    by_row: NDArray[np.bool_]
    by_reference: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_] | slice) -> "_Paths":
        return _Paths(
            self.node[chosen],
            self.reference[chosen],
            self.by_row[chosen],
            self.by_reference[chosen],
        )


def contributions(
    trees: FlatTrees,
    values: NDArray[np.float64],
    row: NDArray[np.float64],
    references: NDArray[np.float64],
    inputs: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean outputs for the reference rows, and what each input of `row` adds to them.

    Parameters
    ----------
    trees : FlatTrees
    values : ndarray of shape (nodes, outputs)
        Outputs of each leaf; those of other nodes are not used. The outputs of a forest are the
        means of its trees.
    row : ndarray of shape (m,)
    references : ndarray of shape (n, m)
    inputs : ndarray of int, shape (m,)
        Number of the input that each column encodes, from 0 on. Columns of one input change
        together.

    Returns
    -------
    ndarray of shape (outputs,)
    ndarray of shape (inputs, outputs)
        Their sum and the mean outputs for `references` are the outputs for `row`.
    """
    # A leaf uses one more column. See `FlatTrees.leaves`.
    own = np.append(np.asarray(row, np.float32), np.float32(np.nan))
    other = np.full((len(references), len(own)), np.nan, np.float32)
    other[:, :-1] = references
    differ = (own[:-1] != other[:, :-1]) & ~(np.isnan(own[:-1]) & np.isnan(other[:, :-1]))
    # Only inputs that differ can add anything, which are few if most values are missing.
    number = np.append(inputs, -1)
    active, place = np.unique(number[:-1][differ.any(axis=0)]), np.zeros(len(own), np.intp)
    known = np.isin(number, active)
    place[known] = np.searchsorted(active, number[known])
    added = np.zeros((int(inputs.max()) + 1, values.shape[1]))
    mean = np.zeros(values.shape[1])
    count = len(trees.roots) * len(references)
    nobody = np.zeros((count, max(len(active), 1)), np.bool_)
    pending = [
        _Paths(
            np.repeat(trees.roots, len(references)),
            np.tile(np.arange(len(references)), len(trees.roots)),
            nobody,
            nobody,
        )
    ]
    while pending:
        paths = pending.pop()
        if paths.by_row.size > _BLOCK and len(paths.node) > 1:
            half = len(paths.node) // 2
            pending += [paths.where(slice(half, None)), paths.where(slice(half))]
            continue
        done = trees.branches["skip"][paths.node] == -1
        if done.any():
            total, each = _of_leaves(paths.where(done), values)
            mean += total
            added[active] += each[: len(active)]
            paths = paths.where(~done)
        if len(paths.node):
            pending.append(_children(trees, paths, own, other, place))
    return mean / count, added / count


def _of_leaves(
    paths: _Paths, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sums of the outputs for the reference rows, and of what each input adds to them.

    A leaf is reached by the coalitions that have all of the a inputs `by_row` and none of the b
    inputs `by_reference`. Over the orders in which inputs join a coalition, an input of the former
    leads to it in a share 1 / (a C(a + b, a)), and one of the latter away in 1 / (b C(a + b, b)).
    """
    value = values[paths.node]
    a, b = paths.by_row.sum(axis=1), paths.by_reference.sum(axis=1)
    towards = np.where(a > 0, 1 / (np.maximum(a, 1) * comb(a + b, a)), 0.0)
    away = np.where(b > 0, 1 / (np.maximum(b, 1) * comb(a + b, b)), 0.0)
    shares: NDArray[np.float64] = (
        paths.by_row * towards[:, np.newaxis] - paths.by_reference * away[:, np.newaxis]
    )
    return value[a == 0].sum(axis=0), shares.T @ value


def _children(
    trees: FlatTrees,
    paths: _Paths,
    row: NDArray[np.float32],
    references: NDArray[np.float32],
    place: NDArray[np.intp],
) -> _Paths:
    """The paths, one level further. One at which the row and its reference part becomes two."""
    feature, branch = trees.features[paths.node], trees.branches[paths.node]
    missing_left = trees.missing_left[paths.node]

    def goes_left(x: NDArray[np.float32]) -> NDArray[np.bool_]:
        left: NDArray[np.bool_] = (x <= branch["threshold"]) | (np.isnan(x) & missing_left)
        return left

    row_left = goes_left(row[feature])
    reference_left = goes_left(references[paths.reference, feature])
    numbers, at = np.arange(len(feature)), place[feature]
    by_row, by_reference = paths.by_row[numbers, at], paths.by_reference[numbers, at]
    part = ~by_row & ~by_reference & (row_left != reference_left)
    sides = []
    for follows, left, mask in (
        (~by_reference, row_left, "by_row"),
        (by_reference | part, reference_left, "by_reference"),
    ):
        side = paths.where(follows)
        inside = getattr(side, mask)
        inside[np.arange(len(inside)), at[follows]] |= part[follows]
        node = side.node + 1 + branch["skip"][follows] * ~left[follows]
        sides.append(side._replace(node=node))
    return _Paths(*(np.concatenate(parts) for parts in zip(*sides, strict=True)))
