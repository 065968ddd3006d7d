"""What is told from a person's records in sequence: one of each day, and what is usual for them."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.etl.baselines import with_baselines

# Enough rows at a time for vectors to pay.
_ROWS = 131_072


def finished(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Keep one record a day, add the baselines, and leave the history out.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Sorted by user and day, of a day the record first that is to be kept. The column
        ``_history`` says whether a row is there for the baselines only.
    schema : Schema
        Of the rows that come out.
    """
    for table in _whole_users(batches):
        days = with_baselines(one_record_a_day(table))
        wanted = days.filter(pc.invert(days["_history"]))
        yield from wanted.select(schema.names).cast(schema).to_batches()


def one_record_a_day(records: pa.Table) -> pa.Table:
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


def _whole_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather `batches` into tables that hold all days of their users."""
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
