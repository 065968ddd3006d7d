"""Statistical disclosure control: what may be published about a group without showing one person.

The methods are those of Hundepool et al., Statistical Disclosure Control (Wiley, 2012):

- Cells of fewer than k people are suppressed, and so many others with them that no suppressed cell
  is the difference of a total and of published cells (complementary suppression; Cox, J Am Stat
  Assoc 75:377, 1980).
- Counts are rounded to multiples of k. So is every sum and difference of them, in one table,
  between tables and between months: none is a count from 1 to k - 1.
- A quantile is published if at least k people have values up to it, and k from it on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Smallest number of people in a cell, unless the settings say otherwise.
SMALLEST_CELL = 5

# Significant digits of published means and quantiles: finer ones would identify a value.
_DIGITS = 3


def rounded(count: float, people: int) -> int:
    """`count` to the nearest multiple of `people`, halves up."""
    return int((count + people / 2) // people) * people


def significant(values: Any, digits: int = _DIGITS) -> NDArray[np.float64]:
    """`values` rounded to significant digits; NaN and 0 stay as they are."""
    numbers = np.asarray(values, dtype=float)
    known = np.isfinite(numbers) & (numbers != 0)
    scale = np.zeros(numbers.shape)
    # Smaller values have fewer digits: a larger factor would be infinite.
    scale[known] = np.minimum(digits - 1 - np.floor(np.log10(np.abs(numbers[known]))), 300)
    factor = 10.0**scale
    result: NDArray[np.float64] = np.where(known, np.round(numbers * factor) / factor, numbers)
    return result


def suppressed(users: Any, people: int) -> NDArray[np.bool_]:
    """Which cells of a table must not be published, if the totals of its axes are known.

    Parameters
    ----------
    users : array of int, with one or two dimensions
        Number of people of each cell.
    people : int
        The smallest number in a published cell.

    Returns
    -------
    ndarray of bool
        The cells with too few people. And wherever only one cell of a row or of a column with
        people is among them, or only cells with too few people are, the smallest other cell.
    """
    counts = np.asarray(users, dtype=int)
    hidden: NDArray[np.bool_] = (counts > 0) & (counts < people)
    lines = _lines(counts)
    changed = True
    while changed:
        changed = False
        for line in lines:
            own, hides = counts[line], hidden[line]
            enough = hides.sum() > 1 and own[hides].max() >= people
            rest = np.flatnonzero(~hides & (own > 0))
            if hides.any() and not enough and len(rest):
                hides[rest[np.argmin(own[rest])]] = True
                hidden[line] = hides
                changed = True
    return hidden


def _lines(counts: NDArray[np.int_]) -> list[Any]:
    """Indices of the rows and of the columns of a table."""
    if counts.ndim == 1:
        return [np.s_[:]]
    return [np.s_[row, :] for row in range(len(counts))] + [
        np.s_[:, column] for column in range(counts.shape[1])
    ]


def bounds(values: Any, users: Any, people: int) -> tuple[float, float]:
    """The smallest and the largest value that at least `people` people reach or go beyond.

    Parameters
    ----------
    values : array of shape (n,)
        NaN is ignored.
    users : array of shape (n,)
        The user of each value.
    people : int

    Returns
    -------
    float, float
        NaN where there are fewer people with values.
    """
    column = pd.DataFrame({"value": np.asarray(values, dtype=float)})
    (low,), (high,) = column_bounds(column, users, people)
    return float(low), float(high)


def column_bounds(
    values: pd.DataFrame, users: Any, people: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `bounds` of each column.

    Parameters
    ----------
    values : DataFrame of shape (n, m)
    users : array of shape (n,)
    people : int

    Returns
    -------
    ndarray, ndarray of shape (m,)
    """
    own = values.groupby(np.asarray(users))
    lowest, highest = own.min().to_numpy(dtype=float), own.max().to_numpy(dtype=float)
    if len(lowest) < people:
        missing = np.full(values.shape[1], np.nan)
        return missing, missing
    # NaN is sorted last.
    return np.sort(lowest, axis=0)[people - 1], -np.sort(-highest, axis=0)[people - 1]


def quantiles(
    values: pd.DataFrame, users: Any, shares: Sequence[float], people: int
) -> NDArray[np.float64]:
    """Quantiles of each column, NaN for those beyond its `bounds`.

    Parameters
    ----------
    values : DataFrame of shape (n, m)
    users : array of shape (n,)
        The user of each row.
    shares : sequence of float
    people : int

    Returns
    -------
    ndarray of shape (len(shares), m)
    """
    # No value is beyond NaN.
    low, high = column_bounds(values, users, people)
    found = values.quantile(list(shares)).to_numpy()
    return np.where((found >= low) & (found <= high), significant(found), np.nan)


def strip_counts(model: Any, people: int) -> None:
    """Remove from a fitted pipeline what it keeps of single rows and does not predict with.

    scikit-learn's estimators keep the number of rows that each feature is known in, and K-Means
    the segment of each row that it was fitted to.

    Parameters
    ----------
    model : estimator
        Changed in place, with the estimators in it.
    people : int
        Counts are rounded to multiples of it.
    """
    pending, seen = [model], set()
    while pending:
        part = pending.pop()
        if isinstance(part, list | tuple):
            pending += part
        elif hasattr(part, "get_params") and id(part) not in seen:
            seen.add(id(part))
            own = vars(part)
            pending += own.values()
            if (count := own.get("n_samples_seen_")) is not None:
                shown = (np.asarray(count) + people // 2) // people * people
                part.n_samples_seen_ = np.maximum(shown, people).astype(np.asarray(count).dtype)[()]
            if "labels_" in own:
                part.labels_ = own["labels_"][:0]
