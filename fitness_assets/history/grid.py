"""The days of users as arrays with one place for each calendar day."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fitness_assets.history.schema import MEASURES

#: The columns of `daily_activity` that summaries are computed from.
COLUMNS = ("user_id", "date", "worn", *MEASURES)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`."""
    return (day - _EPOCH).days


@dataclass(frozen=True)
class Grid:
    """The days of users, without gaps in the calendar.

    Attributes
    ----------
    users : list of str
        In order.
    first : date
        The first day.
    values : ndarray of shape (users, days, measures)
        Of `MEASURES`; NaN where unknown or the device was not worn.
    worn : ndarray of shape (users, days)
        False on days without a record.
    """

    users: list[str]
    first: date
    values: Floats
    worn: Bools

    @property
    def length(self) -> int:
        """The number of days."""
        return int(self.worn.shape[1])


def grid(table: pa.Table, first: date, last: date) -> Grid:
    """The records of `table` from `first` to `last` by day.

    Parameters
    ----------
    table : Table
        `COLUMNS` of `daily_activity`: one row a user and day.
    first, last : date
        The first and last day of the grid. Other records are left out.
    """
    numbers = table["date"].cast(pa.int32()).to_numpy()
    length = day_number(last) - day_number(first) + 1
    days = numbers - day_number(first)
    inside = (days >= 0) & (days < length)
    codes = table["user_id"].combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    names = np.array(codes.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names, kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    user = place[codes.indices.to_numpy()][inside] if len(names) else np.zeros(0, dtype=np.int64)
    days = days[inside]
    worn = np.zeros((len(names), length), dtype=bool)
    worn[user, days] = _numbers(table, "worn")[inside] > 0
    values = np.full((len(names), length, len(MEASURES)), np.nan)
    for number, measure in enumerate(MEASURES):
        values[user, days, number] = _numbers(table, measure)[inside]
    values[~worn] = np.nan
    return Grid([str(name) for name in names[order]], first, values, worn)


def _numbers(table: pa.Table, name: str) -> Floats:
    column = table[name].cast(pa.float64())
    found: Floats = column.fill_null(np.nan).to_numpy()
    return found
