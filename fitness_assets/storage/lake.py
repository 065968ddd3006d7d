"""The lake: monthly Parquet tables in ``year=YYYY/month=MM`` folders, published by manifest."""

import io
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.storage.publication import Manifest, Writer, read_manifest, verify

# A reader whose month is published anew under its hands starts again; more often is a fault.
_ATTEMPTS = 5

#: Rows of a row group: the least that a reader of some rows must decode.
_ROW_GROUP = 262_144

#: Bytes of a column's dictionary after which its values are written plain. Means have nearly as
#: many values as rows, and a dictionary of those takes time and room to no end.
_DICTIONARY = 65_536


@dataclass(frozen=True)
class Scan:
    """Rows of the lake, and what it took to read them.

    Attributes
    ----------
    table : Table
    bytes_read : int
        Counted as they were read from the files: footers, and the columns asked for.
    """

    table: pa.Table
    bytes_read: int


class Lake:
    """One table of the lake.

    Parameters
    ----------
    root : Path
        The table's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, month: str) -> Path:
        """Where `month` lies."""
        first = months.start(month)
        return self.root / f"year={first:%Y}" / f"month={first:%m}"

    def manifest(self, month: str) -> Manifest | None:
        """What is published for `month`, or None."""
        return read_manifest(self.folder(month))

    def files(self, month: str) -> list[Path]:
        """The published files of `month`; StorageError if there is no such month."""
        return [self.folder(month) / file.path for file in self.published(month).files]

    def pin(self, month: str, folder: Path) -> list[Path]:
        """Links in `folder` to the files of `month`, verified, that stay when it is published anew.

        For a reader, such as Spark, that opens files when it comes to them.
        """
        for _ in range(_ATTEMPTS):
            manifest = self.published(month)
            place = folder / manifest.data_version
            place.mkdir(parents=True, exist_ok=True)
            try:
                for file in manifest.files:
                    (place / file.name).hardlink_to(self.folder(month) / file.path)
            except FileNotFoundError:
                shutil.rmtree(place)
                continue
            for file in manifest.files:
                verify(place / file.name, file)
            return [place / file.name for file in manifest.files]
        raise StorageError(f"{self.folder(month)} lacks a file that its manifest names")

    def writer(self, month: str) -> Writer:
        """The writer of `month`, whose `publish` wants what `describe` gives."""
        return Writer(self.folder(month))

    def scan(self, months: Sequence[str], columns: Sequence[str] | None = None) -> Scan:
        """Rows of `months`, in order, reading the files and the columns asked for and no others.

        Raises
        ------
        StorageError
            If a month is not in the lake, or a file of it is not what was published.
        """
        parts = [self._read(month, columns) for month in months]
        return Scan(pa.concat_tables([p.table for p in parts]), sum(p.bytes_read for p in parts))

    def _read(self, month: str, columns: Sequence[str] | None) -> Scan:
        wanted = list(columns) if columns is not None else None
        for _ in range(_ATTEMPTS):
            manifest = self.published(month)
            counter = _Counter()
            try:
                tables = [
                    _read_file(self.folder(month) / file.path, file.bytes, wanted, counter)
                    for file in manifest.files
                ]
            except FileNotFoundError:
                continue
            table = pa.concat_tables(tables)
            promised = manifest.info["columns"]
            found = {field.name: str(field.type) for field in table.schema}
            expected = {name: promised.get(name) for name in wanted or promised}
            if (table.num_rows, found) != (manifest.info["rows"], expected):
                raise StorageError(f"{self.folder(month)} does not hold what its manifest says")
            return Scan(table, counter.bytes)
        raise StorageError(f"{self.folder(month)} lacks a file that its manifest names")

    def published(self, month: str) -> Manifest:
        """What is published for `month`; StorageError if nothing is."""
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; materialize it first")
        return manifest


def write_rows(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write `batches` to a Parquet file. Equal rows give equal bytes, however batched."""
    # What the writer of a batch keeps in its schema for itself is not for the lake.
    schema = schema.remove_metadata()
    # A checksum a page lets a reader of some columns verify just what it reads.
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        dictionary_pagesize_limit=_DICTIONARY,
        write_page_checksum=True,
    ) as file:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= _ROW_GROUP:
                rows = _together(waiting, schema)
                whole = rows.num_rows // _ROW_GROUP * _ROW_GROUP
                file.write_table(rows.slice(0, whole), row_group_size=_ROW_GROUP)
                waiting = rows.slice(whole).to_batches()
        file.write_table(_together(waiting, schema), row_group_size=_ROW_GROUP)


def _together(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches(
        [batch.replace_schema_metadata(None) for batch in batches], schema
    )
    return table.combine_chunks()


def describe(staging: Path) -> dict[str, Any]:
    """What a table's manifest says of the staged Parquet files: rows, and columns with types."""
    paths = sorted(staging.glob("*.parquet"))
    schema = pq.read_schema(paths[0])
    return {
        "rows": sum(pq.read_metadata(path).num_rows for path in paths),
        "columns": {field.name: str(field.type) for field in schema},
    }


def part(number: int) -> str:
    """Name of the file with this number in a table's folder."""
    return f"part-{number:05d}.parquet"


class _Counter:
    """Bytes that readers took from files."""

    bytes = 0


class _CountedFile(io.FileIO):
    """A file that adds what is read from it to a counter."""

    def __init__(self, path: Path, counter: _Counter) -> None:
        super().__init__(path)
        self._counter = counter

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(-1 if size is None else size) or b""
        self._counter.bytes += len(content)
        return content


def read_staged(staging: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of the staged files, as readers will get them."""
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
