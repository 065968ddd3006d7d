"""Reads Parquet files from outside: their sizes are checked before anything is decompressed."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets.errors import SourceError

#: Limits on one file. A million days, the default row group of many writers, take 8 MB a number.
MAX_COLUMNS = 1_000
MAX_ROWS = 20_000_000
MAX_COLUMN_BYTES = 64_000_000
MAX_ROW_GROUP_BYTES = 256_000_000
#: Of the texts of one column in one batch of rows, each time that they occur.
MAX_TEXT_BYTES = 32_000_000
MAX_METADATA_BYTES = 16_000_000
_MAX_LIST, _MAX_STRING = 100_000, 1_000_000

# The end of a file: the length of the metadata, and the magic bytes.
_END_BYTES = 8
_BUFFER_BYTES = 1 << 20


def batches(
    content: IO[bytes] | Path,
    name: str,
    columns_of: Callable[[list[str]], list[str]],
    rows: int,
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, in batches.

    Texts may be dictionaries.

    Parameters
    ----------
    content : binary file or Path
    name : str
        Name of the file in messages.
    columns_of : callable
        Given the names of the columns, returns those to read.
    rows : int
        Rows of a batch.

    Raises
    ------
    SourceError
        If a limit of this module is exceeded.
    ArrowException, OSError
        If it is not a Parquet file.
    """
    if isinstance(content, Path):
        with content.open("rb") as file:
            _check_metadata(file, name)
    else:
        _check_metadata(content, name)
    with _open(content) as file:
        if file.metadata.num_columns > MAX_COLUMNS:
            raise SourceError(
                f"{name} has {file.metadata.num_columns:,} columns; the limit is {MAX_COLUMNS:,}"
            )
        schema = file.schema_arrow
        columns = columns_of(schema.names)
        _check_sizes(file.metadata, columns, name)
    if not isinstance(content, Path):
        content.seek(0)
    texts = [field.name for field in map(schema.field, columns) if _is_text(field.type)]
    with _open(content, texts) as file:
        for batch in file.iter_batches(rows, columns=columns):
            for text in texts:
                _check_text(batch.column(text), f"{name}: {text}")
            yield batch


def plain_columns(content: IO[bytes], name: str) -> list[str]:
    """The columns of a Parquet file that hold values, and neither lists nor structures.

    Parameters and errors are those of `batches`.
    """
    _check_metadata(content, name)
    with _open(content) as file:
        schema = file.schema_arrow
    content.seek(0)
    return [field.name for field in schema if not pa.types.is_nested(field.type)]


def _open(content: IO[bytes] | Path, texts: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(
        content,
        read_dictionary=list(texts),
        buffer_size=_BUFFER_BYTES,
        pre_buffer=False,
        thrift_string_size_limit=_MAX_STRING,
        thrift_container_size_limit=_MAX_LIST,
    )


def _check_metadata(file: IO[bytes], name: str) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    metadata_bytes = int.from_bytes(file.read(4), "little")
    file.seek(0)
    # Of a file that is not Parquet or is cut off, Arrow says so without reading them.
    if MAX_METADATA_BYTES < metadata_bytes < size:
        raise SourceError(
            f"{name} has {metadata_bytes:,} bytes of metadata; the limit is {MAX_METADATA_BYTES:,}"
        )


def _check_sizes(metadata: pq.FileMetaData, columns: Sequence[str], name: str) -> None:
    if metadata.num_rows > MAX_ROWS:
        raise SourceError(f"{name} has {metadata.num_rows:,} rows; the limit is {MAX_ROWS:,}")
    wanted = set(columns)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        total = 0
        for index in range(group.num_columns):
            chunk = group.column(index)
            column, _, below = chunk.path_in_schema.partition(".")
            if chunk.path_in_schema not in wanted and column not in wanted:
                continue
            if below and chunk.path_in_schema not in wanted:
                raise SourceError(f"{name}: {column} holds lists or structures, not values")
            size = max(chunk.total_uncompressed_size, chunk.total_compressed_size)
            total += size
            if size > MAX_COLUMN_BYTES or total > MAX_ROW_GROUP_BYTES:
                raise SourceError(
                    f"{name}: row group {number + 1} has {size:,} bytes of {column}; the limit is "
                    f"{MAX_COLUMN_BYTES:,} a column and {MAX_ROW_GROUP_BYTES:,} in all: write "
                    "smaller row groups"
                )


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string,
            types.is_large_string,
            types.is_binary,
            types.is_large_binary,
        )
    )


def _check_text(column: pa.Array, name: str) -> None:
    """Raise SourceError if texts that occur often, or are long, would take too much memory."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
    else:
        lengths = pc.binary_length(column)
    size = pc.sum(lengths.cast(pa.int64())).as_py() or 0
    if size > MAX_TEXT_BYTES:
        raise SourceError(
            f"{name} has {size:,} bytes of text in {len(column):,} rows; the limit is "
            f"{MAX_TEXT_BYTES:,}"
        )
