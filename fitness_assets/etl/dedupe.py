"""Vectorized last step of the ETL, on sorted Arrow batches: deduplication, baselines, labels."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.etl.baselines import with_baselines
from fitness_assets.record.activities import activity

# Rows per table, so that the cost of a call to Arrow or NumPy does not matter.
_ROWS = 131_072


def finish(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Keep one record per user and day, add the baselines, and drop the rows of the history.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Sorted by user and day; of the records of one day, the one to keep first. The column
        ``_history`` marks the rows that are input to the baselines only.
    schema : Schema
        Of the rows returned.
    """
    for table in _whole_users(batches):
        days = with_baselines(first_record_per_day(table))
        days = days.filter(pc.invert(days["_history"]))
        yield from with_activities(days).select(schema.names).cast(schema).to_batches()


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


def _whole_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Combine `batches` into tables that hold all days of their users."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= _ROWS:
            table = pa.Table.from_batches(waiting)
            last = pc.index(table["user_id"], table["user_id"][-1]).as_py()
            yield table.slice(0, last)
            waiting = table.slice(last).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)
