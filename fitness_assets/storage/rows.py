"""Write rows of the lake to Parquet files: equal rows give equal bytes."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.record import buckets, raw
from fitness_assets.storage.locations import ObjectPath

#: Rows of the mean bucket of a month: what one task of the ETL holds in memory.
ROWS_PER_BUCKET = 250_000

# Rows of a row group: the least that a reader of some rows must decode.
_ROW_GROUP = 262_144

# Bytes of a column's dictionary beyond which its values are written plain. Means have nearly as
# many distinct values as rows, and a dictionary of them costs time and space without any benefit.
_MAX_DICTIONARY = 65_536

_WRITER_OPTIONS: Mapping[str, Any] = {
    "compression": "zstd",
    "dictionary_pagesize_limit": _MAX_DICTIONARY,
    # A checksum per page lets a reader of some columns verify only what it reads.
    "write_page_checksum": True,
}

# Files into which the rows of a large month are distributed before their number is known.
_SPILL_FILES = 64

# Rows that are distributed at once. Each file gets a batch of them, and thousands of small batches
# take longer to write and to read than their rows.
_SPILL_ROWS = 65_536


def part(number: int) -> str:
    """The name of a table's file with this number."""
    return f"part-{number:05d}.parquet"


def write_rows(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write `batches` to a Parquet file. Equal rows give equal bytes, for any size of batches."""
    # Metadata of the schema belongs to the library that created the batches.
    schema = schema.remove_metadata()
    with pq.ParquetWriter(path, schema, **_WRITER_OPTIONS) as file:
        for rows in _collected(batches, schema, _ROW_GROUP):
            file.write_table(rows, row_group_size=_ROW_GROUP)


def upload_rows(path: ObjectPath, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """As `write_rows`, to an object store."""
    with tempfile.TemporaryDirectory(prefix="fitness-") as folder:
        staged = Path(folder, path.name)
        write_rows(staged, batches, schema)
        path.store.write(path.key, staged)


def write_delivered(folder: Path, batches: Iterable[pa.RecordBatch]) -> None:
    """Write raw records, in buckets if they are many, without optional columns of nulls only.

    Parameters
    ----------
    folder : Path
        An existing folder. It gets a file for each bucket, and one for few records. The records of
        a bucket are in the order of their buckets among `_SPILL_FILES`, and then as delivered.
    batches : iterable of RecordBatch
        With the columns of `record.raw.SCHEMA`, and the same optional columns in each.
    """
    remaining = iter(batches)
    first, rows = [], 0
    while rows <= ROWS_PER_BUCKET and (batch := next(remaining, None)) is not None:
        first.append(batch)
        rows += batch.num_rows
    if rows <= ROWS_PER_BUCKET:
        schema = _delivered(first[0].schema if first else raw.SCHEMA, first)
        write_rows(folder / part(0), (batch.select(schema.names) for batch in first), schema)
        return
    spill = folder / "spill"
    spill.mkdir()
    rows, schema = _spill(chain(first, remaining), spill, first[0].schema)
    count = buckets.count_of(rows, ROWS_PER_BUCKET)
    for index in range(count):
        write_rows(folder / part(index), _spilled(spill, buckets.Bucket(index, count)), schema)
    shutil.rmtree(spill)


def _delivered(schema: pa.Schema, batches: Iterable[pa.RecordBatch | pa.Table]) -> pa.Schema:
    """`raw.SCHEMA`, and those optional columns of `schema` that have a value in `batches`."""
    optional = raw.optional_in(schema.names)
    known: set[str] = set()
    for batch in batches:
        known |= {name for name in optional if batch[name].null_count < batch.num_rows}
    return raw.schema_of(known)


def _spill(
    batches: Iterable[pa.RecordBatch], folder: Path, schema: pa.Schema
) -> tuple[int, pa.Schema]:
    """Distribute `batches` to `_SPILL_FILES` buckets; the number of rows, and their schema."""
    rows, known = 0, raw.SCHEMA
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    schema = schema.remove_metadata()
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                pa.ipc.new_stream(str(folder / f"{index}.arrow"), schema, options=options)
            )
            for index in range(_SPILL_FILES)
        ]
        selected = (batch.select(schema.names) for batch in batches)
        for table in _collected(selected, schema, _SPILL_ROWS):
            rows += table.num_rows
            known = raw.schema_of({*known.names, *_delivered(schema, [table]).names})
            index = buckets.indices(table["user_id"], _SPILL_FILES)
            ordered = table.take(pa.array(np.argsort(index, kind="stable")))
            ends = np.cumsum(np.bincount(index, minlength=_SPILL_FILES))
            for file, end, length in zip(files, ends, np.diff(ends, prepend=0), strict=True):
                if length:
                    file.write_table(ordered.slice(end - length, length))
    return rows, known


def _spilled(folder: Path, bucket: buckets.Bucket) -> Iterator[pa.RecordBatch]:
    """The spilled records of `bucket`."""
    for index in bucket.overlapping(_SPILL_FILES):
        with pa.ipc.open_stream(str(folder / f"{index}.arrow")) as batches:
            for batch in batches:
                if bucket.count > _SPILL_FILES:
                    users = pa.chunked_array([batch["user_id"]])
                    yield batch.filter(pa.array(bucket.contains(users)))
                else:
                    yield batch


def _collected(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int
) -> Iterator[pa.Table]:
    """`batches` as tables of multiples of `size` rows, and a last one of the remaining rows."""
    pending: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        pending.append(batch)
        count += batch.num_rows
        if count >= size:
            rows = _combined(pending, schema)
            complete = count // size * size
            yield rows.slice(0, complete)
            pending = rows.slice(complete).to_batches()
            count -= complete
    yield _combined(pending, schema)


def _combined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches(
        [batch.replace_schema_metadata(None) for batch in batches], schema
    )
    return table.combine_chunks()
