"""Scores of parts of the held-out rows: by activity, segment, sex, age band and device.

Scores are means, so those of two slices have a difference: the score of the rows that only one of
them has. A slice is not public if that would be the score of few people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fitness_assets.models.disclosure import SMALLEST_CELL

#: Title of each kind of slice.
TITLES = {
    "activity": "Activity",
    "segment": "Segment",
    "sex": "Sex",
    "age": "Age",
    "device": "Device",
}
#: Columns of `daily_activity` that the slices need, besides the target and the segment.
COLUMNS = ("activity_type", "sex", "age", "source")

# The column of each kind of slice. A device is known by the source of the record.
_COLUMNS = {"activity": "activity_type", "segment": "segment", "sex": "sex", "device": "source"}
# Age bands: from each of these years to the next.
_AGES = {
    "under 30": -np.inf,
    "30 to 44": 30.0,
    "45 to 59": 45.0,
    "60 and over": 60.0,
}
_MIN_ROWS = 10

T = TypeVar("T")


@dataclass
class _Cell:
    """The rows with one value of a kind of slice.

    Attributes
    ----------
    kind, value : str
    here : ndarray of bool, shape (n,)
    people : int
        Number of users of these rows.
    scored : bool
        Whether it has a value and enough rows.
    public : bool
        Whether a release that does not publish rows of people may have its score.
    """

    kind: str
    value: str
    here: NDArray[np.bool_]
    people: int
    scored: bool
    public: bool


def score_slices(
    test: pd.DataFrame,
    score: Callable[[str, np.ndarray, bool], T],
    people: int = SMALLEST_CELL,
) -> dict[str, list[T]]:
    """Scores of the rows of each slice, by kind; within a kind, those of the most rows first.

    Slices of fewer than ten rows are left out: their scores would be chance, and R² of a single row
    is undefined. So are rows without a value, and kinds without slices.

    A slice is public unless the score of fewer than `people` users follows from it: its own, that
    of the rows in no public slice of its kind, or that of the rows in which it differs from slices
    of another kind together.

    Parameters
    ----------
    test : DataFrame
        A column that it lacks has no slices.
    score : callable
        Given the value, the positions of its rows, and whether the slice is public.
    people : int
        Smallest number of users of a public score.
    """
    users = pd.factorize(test["user_id"])[0]
    cells = _cells(test, users, people)
    _protect(cells, users, people)
    found: dict[str, list[T]] = {}
    for cell in cells:
        if cell.scored:
            scores = score(cell.value, np.flatnonzero(cell.here), cell.public)
            found.setdefault(cell.kind, []).append(scores)
    return found


def _cells(test: pd.DataFrame, users: NDArray[np.intp], people: int) -> list[_Cell]:
    """All cells, with rows without a value as cells too; within a kind, the largest first."""
    values = {kind: test[column] for kind, column in _COLUMNS.items() if column in test}
    if "age" in test:
        edges = [*_AGES.values(), np.inf]
        years = test["age"].to_numpy(dtype=float, na_value=np.nan)
        values["age"] = pd.Series(pd.cut(years, edges, right=False, labels=list(_AGES)))
    found = []
    for kind in TITLES:
        if kind not in values:
            continue
        codes, names = pd.factorize(values[kind].to_numpy())
        cells = []
        for code, name in enumerate([None, *names], -1):
            here = codes == code
            count = _users(here, users)
            scored = name is not None and here.sum() >= _MIN_ROWS
            cells.append(_Cell(kind, str(name), here, count, scored, scored and count >= people))
        found += sorted(cells, key=lambda cell: (-cell.here.sum(), cell.value))
    return found


def _protect(cells: list[_Cell], users: NDArray[np.intp], people: int) -> None:
    """Make cells not public until no score of few people follows from those of the others."""
    changed = True
    while changed:
        changed = False
        for kind in TITLES:
            own = [cell for cell in cells if cell.public and cell.kind == kind]
            while own and _few(_rest(own), users, people):
                min(own, key=lambda cell: cell.people).public = False
                own = [cell for cell in own if cell.public]
                changed = True
        for cell in cells:
            if cell.public and any(
                _few(_apart(cell, [c for c in cells if c.public and c.kind == kind]), users, people)
                for kind in TITLES
                if kind != cell.kind
            ):
                cell.public = False
                changed = True


def _rest(cells: list[_Cell]) -> NDArray[np.bool_]:
    """The rows in none of `cells`."""
    rest: NDArray[np.bool_] = ~np.logical_or.reduce([cell.here for cell in cells])
    return rest


def _apart(cell: _Cell, others: list[_Cell]) -> NDArray[np.bool_]:
    """The rows that a cell and those of the others that are most like it together differ in."""
    apart = np.zeros_like(cell.here)
    if others:
        for here in (*(other.here for other in others), _rest(others)):
            inside, outside = here & cell.here, here & ~cell.here
            apart |= inside if inside.sum() < outside.sum() else outside
    return apart


def _few(rows: NDArray[np.bool_], users: NDArray[np.intp], people: int) -> bool:
    return 0 < _users(rows, users) < people


def _users(rows: NDArray[np.bool_], users: NDArray[np.intp]) -> int:
    return int(np.count_nonzero(np.bincount(users[rows])))
