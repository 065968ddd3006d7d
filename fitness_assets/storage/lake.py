"""The lake: monthly Parquet tables in ``year=YYYY/month=MM`` folders, published by manifest."""

import io
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.record import raw
from fitness_assets.record.distribution import Distribution
from fitness_assets.storage import documents
from fitness_assets.storage.publication import (
    Manifest,
    Writer,
    link_or_copy,
    read_manifest,
    verify,
)

# How often a reader starts again because the month was published again while it was read.
_ATTEMPTS = 5

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


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The info of a month's manifest.

    Attributes
    ----------
    rows : int
    columns : dict of str to str
        Arrow type by name, in order.
    partial_until : date, optional
        Last day so far of a month that had not ended when its records were read. It is not stored
        of a whole month, so that the data version of a whole month does not depend on it.
    """

    rows: int
    columns: dict[str, str]
    partial_until: date | msgspec.UnsetType = msgspec.UNSET

    @property
    def last_day_so_far(self) -> date | None:
        """The last day so far of a partial month; None if the month is whole."""
        return None if self.partial_until is msgspec.UNSET else self.partial_until


class RawInfo(TableInfo, frozen=True, kw_only=True):
    """The info of a month of `raw_telemetry`.

    Attributes
    ----------
    unread : dict of str to str
        Files of the source that could not be read, with the reason.
    source_version : str or None
        Version of the month in the source; None if the source has no versions.
    """

    unread: dict[str, str] = {}
    source_version: str | None = None

    @property
    def is_imported(self) -> bool:
        """Whether its records are imported exports, the only source that has versions."""
        return self.source_version is not None


class DailyInfo(TableInfo, frozen=True, kw_only=True):
    """The info of a month of `daily_activity`.

    Attributes
    ----------
    distributions : dict of str to Distribution
        By column, for the drift check of the next month.
    """

    distributions: dict[str, Distribution]


Info_co = TypeVar("Info_co", bound=TableInfo, covariant=True)


@dataclass(frozen=True)
class Scan:
    """Rows of the lake, and how many bytes were read for them.

    Attributes
    ----------
    table : Table
    bytes_read : int
        Of the files: their footers and the requested columns.
    """

    table: pa.Table
    bytes_read: int


class Lake(Generic[Info_co]):
    """One table of the lake.

    Parameters
    ----------
    root : Path
        The table's folder.
    info_type : type
        Structure of the info of its manifests.
    """

    def __init__(self, root: Path, info_type: type[Info_co]) -> None:
        self.root = root
        self._info_type = info_type

    def folder(self, month: str) -> Path:
        """The folder of `month`."""
        first = months.start(month)
        return self.root / f"year={first:%Y}" / f"month={first:%m}"

    def months(self) -> list[str]:
        """The months that have a folder, in order."""
        folders = self.root.glob("year=[0-9]*/month=[0-9]*")
        keys = (f"{path.parent.name[5:]}-{path.name[6:]}" for path in folders)
        return sorted(filter(months.is_key, keys))

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of `month`, or None."""
        return read_manifest(self.folder(month))

    def published(self, month: str) -> Manifest:
        """The manifest of `month`; StorageError if nothing is published."""
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; run `fitness backfill {month}`")
        return manifest

    def info(self, month: str) -> Info_co:
        """The info of the manifest of `month`; StorageError if nothing is published."""
        return self._info(month, self.published(month))

    def _info(self, month: str, manifest: Manifest) -> Info_co:
        name = f"the manifest of {self.root.name} of {month}"
        return documents.convert(manifest.info, self._info_type, name)

    def files(self, month: str) -> list[Path]:
        """The published files of `month`; StorageError if nothing is published."""
        return [self.folder(month) / file.path for file in self.published(month).files]

    def pin(self, month: str, folder: Path) -> list[Path]:
        """Link the files of `month` into `folder`, verify them, and return the links.

        The links, or copies where the file system has no hard links, keep their content when the
        month is published again. They are for readers that open files late, such as Spark.
        """
        for _ in range(_ATTEMPTS):
            manifest = self.published(month)
            target = folder / manifest.data_version
            target.mkdir(parents=True, exist_ok=True)
            try:
                for file in manifest.files:
                    link_or_copy(self.folder(month) / file.path, target / file.name)
            except FileNotFoundError:
                shutil.rmtree(target)
                continue
            for file in manifest.files:
                verify(target / file.name, file)
            return [target / file.name for file in manifest.files]
        raise StorageError(f"{self.folder(month)} lacks a file of its manifest")

    def writer(self, month: str) -> Writer:
        """The writer of `month`. Publish a `TableInfo` that `describe` returned, or extends it."""
        return Writer(self.folder(month))

    def scan(self, months: Sequence[str], columns: Sequence[str] | None = None) -> Scan:
        """Read `columns`, or all, of `months`, in order. No other file or column is read.

        An optional column of the record that a month does not have is null in its rows.

        Raises
        ------
        StorageError
            If a month is not in the lake, or its files differ from its manifest.
        """
        parts = [self._read(month, columns) for month in months]
        table = pa.concat_tables([p.table for p in parts], promote_options="default")
        return Scan(table, sum(p.bytes_read for p in parts))

    def _read(self, month: str, columns: Sequence[str] | None) -> Scan:
        for _ in range(_ATTEMPTS):
            manifest = self.published(month)
            counter = _Counter()
            info = self._info(month, manifest)
            missing = raw.optional_in(set(columns or ()) - info.columns.keys())
            requested = None if columns is None else [n for n in columns if n not in missing]
            if requested == []:
                # Without any column, Arrow does not count the rows.
                requested = list(info.columns)[:1]
            try:
                tables = [
                    _read_file(self.folder(month) / file.path, file.bytes, requested, counter)
                    for file in manifest.files
                ]
            except FileNotFoundError:
                continue
            table = pa.concat_tables(tables)
            found = {field.name: str(field.type) for field in table.schema}
            names = info.columns if requested is None else requested
            expected = {name: info.columns.get(name) for name in names}
            if (table.num_rows, found) != (info.rows, expected):
                raise StorageError(
                    f"{self.folder(month)} differs from its manifest in rows or columns"
                )
            for name in missing:
                nulls = pa.nulls(len(table), raw.FULL_SCHEMA.field(name).type)
                table = table.append_column(name, nulls)
            return Scan(table if columns is None else table.select(list(columns)), counter.bytes)
        raise StorageError(f"{self.folder(month)} lacks a file of its manifest")


def write_rows(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write `batches` to a Parquet file. Equal rows give equal bytes, for any size of batches."""
    # Metadata of the schema belongs to the library that created the batches.
    schema = schema.remove_metadata()
    with pq.ParquetWriter(path, schema, **_WRITER_OPTIONS) as file:
        pending: list[pa.RecordBatch] = []
        for batch in batches:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= _ROW_GROUP:
                rows = _combined(pending, schema)
                complete = rows.num_rows // _ROW_GROUP * _ROW_GROUP
                file.write_table(rows.slice(0, complete), row_group_size=_ROW_GROUP)
                pending = rows.slice(complete).to_batches()
        file.write_table(_combined(pending, schema), row_group_size=_ROW_GROUP)


def write_delivered(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    """Write raw records to a Parquet file, without the optional columns that are null throughout.

    Parameters
    ----------
    path : Path
    batches : iterable of RecordBatch
        With the columns of `record.raw.SCHEMA`, and the same optional columns in each.
    """
    remaining = iter(batches)
    first = next(remaining, None)
    schema = raw.schema_of([] if first is None else first.schema.names)
    write_rows(path, remaining if first is None else chain([first], remaining), schema)
    drop_null_columns(path, raw.OPTIONAL, _WRITER_OPTIONS)


def drop_null_columns(
    path: Path, names: Collection[str], writer_options: Mapping[str, Any]
) -> None:
    """Write a Parquet file again without those columns of `names` that are null throughout.

    The file is the same as if it was written without them. If there are none, it is not changed.

    Parameters
    ----------
    path : Path
    names : collection of str
    writer_options : mapping
        Options of `ParquetWriter` that it was written with.
    """
    rest = path.with_name(f"{path.name}.rest")
    with pq.ParquetFile(path) as file:
        null = [name for name in file.schema_arrow.names if name in names and _is_null(file, name)]
        if not null:
            return
        schema = pa.schema([each for each in file.schema_arrow if each.name not in null])
        with pq.ParquetWriter(rest, schema, **writer_options) as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=schema.names)
                writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    rest.replace(path)


def _is_null(file: pq.ParquetFile, name: str) -> bool:
    """Whether the column `name` is null throughout, by the statistics of the file."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        columns = (group.column(index) for index in range(group.num_columns))
        chunk = next(column for column in columns if column.path_in_schema == name)
        if chunk.statistics is None or chunk.statistics.null_count != group.num_rows:
            return False
    return True


def _combined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches(
        [batch.replace_schema_metadata(None) for batch in batches], schema
    )
    return table.combine_chunks()


def describe(staging: Path) -> TableInfo:
    """The rows and columns of the staged Parquet files."""
    paths = sorted(staging.glob("*.parquet"))
    schema = pq.read_schema(paths[0])
    return TableInfo(
        rows=sum(pq.read_metadata(path).num_rows for path in paths),
        columns={field.name: str(field.type) for field in schema},
    )


def part(number: int) -> str:
    """The name of a table's file with this number."""
    return f"part-{number:05d}.parquet"


class _Counter:
    """Bytes that were read from files."""

    bytes = 0


class _CountedFile(io.FileIO):
    """A file that adds the bytes read from it to a counter."""

    def __init__(self, path: Path, counter: _Counter) -> None:
        super().__init__(path)
        self._counter = counter

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(-1 if size is None else size) or b""
        self._counter.bytes += len(content)
        return content


def read_staged(staging: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of the staged files."""
    return pa.concat_tables(
        [
            _read_file(path, path.stat().st_size, list(columns), _Counter())
            for path in sorted(staging.glob("*.parquet"))
        ]
    )


def _read_file(path: Path, size: int, columns: list[str] | None, counter: _Counter) -> pa.Table:
    try:
        with _CountedFile(path, counter) as content:
            found = os.fstat(content.fileno()).st_size
            if found != size:
                raise StorageError(f"{path} has {found:,} bytes where {size:,} were published")
            with pq.ParquetFile(content, page_checksum_verification=True) as file:
                return file.read(columns=columns)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
