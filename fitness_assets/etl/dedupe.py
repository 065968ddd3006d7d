"""Deduplication of sorted Arrow tables, and the canonical names of activities."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record.activities import activity


def first_record_per_day(records: pa.Table) -> pa.Table:
    """Keep the first record of each user and day.

    Parameters
    ----------
    records : Table
        Sorted by ``user_id`` and ``date``.
    """
    first = np.ones(records.num_rows, bool)
    first[1:] = False
    for name in ("user_id", "date"):
        column = records[name].combine_chunks()
        first[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    return records if first.all() else records.filter(pa.array(first))


def with_activities(days: pa.Table) -> pa.Table:
    """Replace ``activity_type`` by the canonical names of `record.activities`."""
    # There are few distinct names, so each is looked up once.
    encoded = days["activity_type"].combine_chunks().dictionary_encode()
    names = [activity(name) for name in encoded.dictionary.to_pylist()]
    column = pa.array(names, pa.string()).take(encoded.indices)
    return days.set_column(days.schema.get_field_index("activity_type"), "activity_type", column)
