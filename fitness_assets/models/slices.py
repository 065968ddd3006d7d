"""Scores of parts of the held-out rows: by activity, segment, sex, age band and device."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd

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


def score_slices(test: pd.DataFrame, score: Callable[[str, np.ndarray], T]) -> dict[str, list[T]]:
    """Scores of the rows of each slice, by kind; within a kind, those of the most rows first.

    Slices of fewer than ten rows are left out: their scores would be chance, and R² of a single row
    is undefined. So are rows without a value, and kinds without slices.

    Parameters
    ----------
    test : DataFrame
        A column that it lacks has no slices.
    score : callable
        Given the value and the positions of its rows.
    """
    values = {kind: test[column] for kind, column in _COLUMNS.items() if column in test}
    if "age" in test:
        edges = [*_AGES.values(), np.inf]
        years = test["age"].to_numpy(dtype=float, na_value=np.nan)
        values["age"] = pd.Series(pd.cut(years, edges, right=False, labels=list(_AGES)))
    found = {kind: _score(values[kind], score) for kind in TITLES if kind in values}
    return {kind: slices for kind, slices in found.items() if slices}


def _score(values: pd.Series, score: Callable[[str, np.ndarray], T]) -> list[T]:
    groups = values.reset_index(drop=True).groupby(values.to_numpy(), observed=True).indices
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0])))
    return [
        score(str(value), np.asarray(rows)) for value, rows in ordered if len(rows) >= _MIN_ROWS
    ]
