"""What is usual for a person: trailing means of their own days, on Arrow tables."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: What has baselines, and the lengths of the windows in days.
VALUES = ("steps", "calories_burned", "resting_heart_rate")
WINDOWS = (7, 28)

# Values are summed as whole millionths, so that a mean does not depend on what came before its
# window, nor on the order of summation.
_UNIT = 1_000_000


#: The columns that `with_baselines` adds, in order: their names, of which value, over which days.
COLUMNS = [(f"{value}_mean_{window}d", value, window) for value in VALUES for window in WINDOWS]


def with_baselines(days: pa.Table) -> pa.Table:
    """Add the trailing means of `VALUES` over `WINDOWS`.

    The mean of a day is over the known values of the 7 (28) days before it. The day itself is not
    in it, so that it can be compared with its baseline and predicted from it. Null where no value
    is known.

    Parameters
    ----------
    days : Table
        Rows sorted by ``user_id`` and ``date``, one a user and day. What comes before the first
        day of a user is unknown.
    """
    users = days["user_id"].combine_chunks()
    keys = days["date"].combine_chunks().cast(pa.int32()).to_numpy().astype(np.int64)
    another = np.ones(days.num_rows, bool)
    another[1:] = pc.not_equal(users[1:], users[:-1]).to_numpy(zero_copy_only=False)
    # Users lie further apart than any window reaches, so one search finds the window of each row.
    keys += np.cumsum(another) * 10_000_000
    sums, counts = {}, {}
    for value in VALUES:
        column = days[value].combine_chunks()
        numbers = column.cast(pa.float64()).fill_null(0).to_numpy()
        sums[value] = _before(np.rint(numbers * _UNIT).astype(np.int64))
        counts[value] = _before(column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64))
    first = {window: np.searchsorted(keys, keys - window) for window in WINDOWS}
    for name, value, window in COLUMNS:
        count = counts[value][:-1] - counts[value][first[window]]
        total = sums[value][:-1] - sums[value][first[window]]
        mean = total / np.maximum(count, 1) / _UNIT
        days = days.append_column(name, pa.array(mean, mask=count == 0))
    return days


def _before(values: np.ndarray) -> np.ndarray:
    """Sum of the values before each position, and of all at the end."""
    return np.concatenate([[0], np.cumsum(values)])
