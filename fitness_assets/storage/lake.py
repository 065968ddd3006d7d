"""The lake: monthly Parquet tables in ``year=YYYY/month=MM`` folders, published by manifest."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.storage.publication import Manifest, Writer, read_manifest

# A reader whose month is published anew under its hands starts again; more often is a fault.
_ATTEMPTS = 5


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


def write_batches(writer: Writer, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
    """Stage `batches` as one Parquet file."""
    with pq.ParquetWriter(
        writer.staging / "part-00000.parquet", schema, compression="zstd"
    ) as file:
        for batch in batches:
            file.write_batch(batch)


def describe(staging: Path) -> dict[str, Any]:
    """What a table's manifest says of the staged Parquet files: rows, and columns with types."""
    metadata = [pq.ParquetFile(path) for path in sorted(staging.glob("*.parquet"))]
    schema = metadata[0].schema_arrow
    return {
        "rows": sum(file.metadata.num_rows for file in metadata),
        "columns": {field.name: str(field.type) for field in schema},
    }


def _read_file(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        # The folder's year= and month= are columns of the file as well; take those of the file.
        return pq.ParquetFile(path).read(columns=columns)
    except pa.ArrowException as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
