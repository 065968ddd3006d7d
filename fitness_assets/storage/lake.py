"""The lake: monthly Parquet tables in ``year=YYYY/month=MM`` folders, published by manifest."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.storage.publication import Manifest, Writer, read_manifest

# A reader whose month is published anew under its hands starts again; more often is a fault.
_ATTEMPTS = 5

#: Rows of a row group: the least that a reader of some rows must decode.
_ROW_GROUP = 262_144


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

    def writer(self, month: str) -> Writer:
        """The writer of `month`, whose `publish` wants what `describe` gives."""
        return Writer(self.folder(month))

    def scan(self, months: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of `months`, in order, reading only the columns asked for.

        Raises
        ------
        StorageError
            If a month is not in the lake, or a file of it cannot be read.
        """
        return pa.concat_tables([self._read(month, columns) for month in months])

    def _read(self, month: str, columns: Sequence[str] | None) -> pa.Table:
        wanted = list(columns) if columns is not None else None
        for _ in range(_ATTEMPTS):
            files = self.files(month)
            try:
                return pa.concat_tables([_read_file(path, wanted) for path in files])
            except FileNotFoundError:
                continue
        raise StorageError(f"{self.folder(month)} lacks a file that its manifest names")

    def published(self, month: str) -> Manifest:
        """What is published for `month`; StorageError if nothing is."""
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; materialize it first")
        return manifest


def stage(writer: Writer, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Stage `batches` as the table's next file. Equal rows give equal bytes, however batched."""
    number = len(list(writer.staging.glob("part-*.parquet")))
    path = writer.staging / f"part-{number:05d}.parquet"
    # What the writer of a batch keeps in its schema for itself is not for the lake.
    schema = schema.remove_metadata()
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= _ROW_GROUP:
                rows = _together(waiting, schema)
                whole = rows.num_rows // _ROW_GROUP * _ROW_GROUP
                file.write_table(rows.slice(0, whole), row_group_size=_ROW_GROUP)
                waiting = rows.slice(whole).to_batches()
        file.write_table(_together(waiting, schema), row_group_size=_ROW_GROUP)


def stage_copies(writer: Writer, folder: Path) -> None:
    """Stage the rows of each Parquet file in `folder`, in the order of their names.

    The rows are written anew. Spark's own files cannot be kept: their footers list encodings in
    the order of a hash set of the JVM, so that equal rows give other bytes in another process.
    """
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            stage(writer, file.iter_batches(), file.schema_arrow)


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


def _read_file(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except pa.ArrowException as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
