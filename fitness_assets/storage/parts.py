"""Read the Parquet files of the lake: all rows, or those of a bucket of users."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.errors import StorageError
from fitness_assets.record.buckets import EVERYONE, Bucket
from fitness_assets.storage.locations import Location, ObjectPath, open_ranges

_File = TypeVar("_File")


@dataclass(frozen=True)
class Part:
    """Files that have the rows of a bucket.

    Attributes
    ----------
    paths : tuple of Path or ObjectPath
    bucket : Bucket or None
        The bucket whose rows to keep; None if the files have no others.
    """

    paths: tuple[Location, ...]
    bucket: Bucket | None


def files_of_bucket(
    files: tuple[_File, ...], count: int, bucket: Bucket
) -> tuple[tuple[_File, ...], Bucket | None]:
    """Those of the files of `count` buckets with rows of `bucket`; and it, if they have others."""
    if count == 1:
        # One file, or those of a month that an older version wrote in any order.
        return files, None if bucket == EVERYONE else bucket
    found = tuple(files[index] for index in bucket.overlapping(count))
    return found, bucket if count < bucket.count else None


def read_part(part: Part, schema: pa.Schema) -> pa.Table:
    """The rows of `part` with the columns of `schema`; those that a file lacks are null."""
    tables = []
    for path in part.paths:
        with _opened(path) as file:
            tables.append(_filtered(file, None, part.bucket))
    return pa.concat_tables(
        [schema.empty_table(), *(_with_schema(table, schema) for table in tables)]
    )


@contextmanager
def _opened(path: Location) -> Iterator[pq.ParquetFile]:
    """The Parquet file at `path`, which Arrow reads itself if it is a local one."""
    if isinstance(path, ObjectPath):
        with (
            path.open_ranges() as content,
            pq.ParquetFile(content, page_checksum_verification=True) as file,
        ):
            yield file
    else:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file


def _with_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, names=schema.names).cast(schema)


def _filtered(file: pq.ParquetFile, columns: list[str] | None, bucket: Bucket | None) -> pa.Table:
    """Columns of `file`, of the users of `bucket` or of all."""
    if bucket is None:
        return file.read(columns=columns)
    tables = [file.schema_arrow.empty_table()]
    # One group after the other: together they may not fit into memory.
    for number in range(file.num_row_groups):
        kept = bucket.contains(file.read_row_group(number, columns=["user_id"])["user_id"])
        if kept.any():
            tables.append(file.read_row_group(number, columns=columns).filter(pa.array(kept)))
    names = file.schema_arrow.names if columns is None else columns
    return pa.concat_tables([table.select(names) for table in tables])


class Counter:
    """Bytes that were read from files."""

    bytes = 0


class _CountedFile(io.RawIOBase):
    """A file that adds the bytes read from it to a counter."""

    def __init__(self, path: Location, counter: Counter) -> None:
        super().__init__()
        self._file = open_ranges(path)
        self._counter = counter

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._file.read(-1 if size is None else size) or b""
        self._counter.bytes += len(content)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


def read_file(
    path: Location,
    size: int,
    columns: list[str] | None,
    counter: Counter,
    bucket: Bucket | None,
) -> pa.Table:
    """Columns of a file, of the users of `bucket` or of all.

    Parameters
    ----------
    path : Path or ObjectPath
    size : int
        Its published size in bytes.
    columns : list of str or None
        None for all.
    counter : Counter
        Counts what is read.
    bucket : Bucket or None
        None for all users.

    Raises
    ------
    FileNotFoundError
        If the file was deleted by a later publication; read the manifest again.
    StorageError
        If it has another size, or cannot be read.
    """
    try:
        with _CountedFile(path, counter) as content:
            found = content.seek(0, os.SEEK_END)
            if found != size:
                raise StorageError(f"{path} has {found:,} bytes where {size:,} were published")
            with pq.ParquetFile(content, page_checksum_verification=True) as file:
                return _filtered(file, columns, bucket)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
