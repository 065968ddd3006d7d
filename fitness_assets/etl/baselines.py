"""Baselines of a user: trailing means of the days before, computed on Arrow tables."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record.daily import BASELINE_VALUES, BASELINE_WINDOWS, BASELINES

# Values are summed as integers, in millionths, so that a mean depends neither on the values before
# its window nor on the order of summation.
_SCALE = 1_000_000
# Days between the last day of one user and the first of the next: more than any window.
_DAYS_APART = 10_000_000


def with_baselines(days: pa.Table) -> pa.Table:
    """Add the columns of `BASELINES`.

    A baseline is the mean of the known values of the 7 (28) days before on which the device was
    worn. It does not include the day itself, so that the day can be compared with it and predicted
    from it. It is null if no value is known.

    Parameters
    ----------
    days : Table
        Rows sorted by ``user_id`` and ``date``, one per user and day, with ``worn``. Days before
        the first row of a user count as unknown.
    """
    users = days["user_id"].combine_chunks()
    keys = days["date"].combine_chunks().cast(pa.int32()).to_numpy().astype(np.int64)
    new_user = np.ones(days.num_rows, bool)
    new_user[1:] = pc.not_equal(users[1:], users[:-1]).to_numpy(zero_copy_only=False)
    # With the users far apart, one search over all rows finds the first row of each window.
    keys += np.cumsum(new_user) * _DAYS_APART
    worn = days["worn"].combine_chunks().to_numpy(zero_copy_only=False)
    sums, counts = {}, {}
    for value in BASELINE_VALUES:
        column = days[value].combine_chunks()
        known = column.is_valid().to_numpy(zero_copy_only=False) & worn
        numbers = np.where(known, column.cast(pa.float64()).fill_null(0).to_numpy(), 0)
        sums[value] = _cumulative(np.rint(numbers * _SCALE).astype(np.int64))
        counts[value] = _cumulative(known.astype(np.int64))
    first = {window: np.searchsorted(keys, keys - window) for window in BASELINE_WINDOWS}
    for name, value, window in BASELINES:
        count = counts[value][:-1] - counts[value][first[window]]
        total = sums[value][:-1] - sums[value][first[window]]
        mean = total / np.maximum(count, 1) / _SCALE
        days = days.append_column(name, pa.array(mean, mask=count == 0))
    return days


def _cumulative(values: np.ndarray) -> np.ndarray:
    """Return the sum of the values before each position, followed by the sum of all values."""
    return np.concatenate([[0], np.cumsum(values)])
