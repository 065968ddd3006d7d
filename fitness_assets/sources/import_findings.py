"""What an import reports of its records: days not worn, and values that are not plausible."""

from collections import Counter
from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record import wear
from fitness_assets.record.raw import NUMBERS, ColumnSpec
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.reader import LimitedQuarantine


def counting_not_worn(
    batches: Iterator[pa.RecordBatch], counts: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """The records, unchanged; adds those of days not worn to `counts`, by source."""
    for batch in batches:
        not_worn = batch.filter(pa.array(wear.not_worn(batch)))
        counts.update(source or "records" for source in not_worn.column("source").to_pylist())
        yield batch


def reporting_implausible(
    batches: Iterator[pa.RecordBatch],
    quarantine: Quarantine,
    columns: Collection[ColumnSpec] = tuple(NUMBERS.values()),
) -> Iterator[pa.RecordBatch]:
    """The records, unchanged; reports each value that does not reach the lake.

    Parameters
    ----------
    batches : iterator of RecordBatch
        Records of days or workouts.
    quarantine : callable
    columns : collection of ColumnSpec
        The numbers of the records.
    """
    limited = LimitedQuarantine(quarantine)
    for batch in batches:
        for column in columns:
            name = column.name
            if name not in batch.schema.names or column.range is None:
                continue
            low, high = column.range
            effect = "null in the lake" if column.nullable else "the workout is not in the lake"
            values = batch.column(name)
            outside = pc.or_(pc.less(values, low), pc.greater(values, high)).fill_null(False)
            for record in batch.filter(outside).to_pylist():
                limited(
                    record["source"] or "records",
                    f"{record['user_id']}, {record.get('date') or record['local_start']}",
                    f"{name} is {record[name]:g}, not in {low:,} to {high:,}: {effect}",
                )
        yield batch
    limited.report_counts()
