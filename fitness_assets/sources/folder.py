"""The folder source: CSV and Parquet files with one row per user and day."""

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fitness_assets import months, regular_files
from fitness_assets.errors import SourceError
from fitness_assets.record.raw import FULL_SCHEMA, ReportUnreadable, schema_of
from fitness_assets.sources.parquet_limits import MAX_COLUMNS, batches

#: Columns that every file must have. The other canonical columns are optional.
REQUIRED_COLUMNS = (
    "user_id",
    "date",
    "steps",
    "calories_burned",
    "heart_rate_avg",
    "sleep_hours",
    "activity_type",
)

_BATCH_ROWS = 65_536
_MAX_HEADER_LENGTH = 1 << 18
_SUFFIXES = (".csv", ".parquet")
_DATE = r"^\d{4}-\d{2}-\d{2}([T ].*)?$"
_NULL_TEXTS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


class Folder:
    """A folder of CSV and Parquet files, such as the original project's lake.

    Files in a ``year=YYYY/month=MM`` folder are opened for that month only, and must contain no
    other. All other files are opened for every month.

    Parameters
    ----------
    root : Path
        The folder. Names that start with a dot or an underscore are ignored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self) -> None:
        """Raise SourceError if the folder is missing, unreadable or has no telemetry files."""
        self._files()

    def version(self, month: str) -> None:
        """Return None: the version is not known without reading."""

    def workouts_version(self, month: str) -> None:
        """Return None: there are no versions."""

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - there are none
        """Nothing: the source has days only."""
        return iter(())

    def read(self, month: str, report_unreadable: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        """Read the records of `month`, in the order of the files' paths.

        All batches have the optional columns that any file has that may hold records of the month.

        A file outside of the months' folders that cannot be read is skipped as a whole and
        reported, so that it does not block every month.

        Raises
        ------
        SourceError
            If a file in the folder of `month` cannot be read; the message names the file, and the
            row and column of an invalid value. Or if there are no records of `month`.
        """
        found = False
        errors: list[str] = []
        by_path = {path: _month_of_path(path.relative_to(self._root)) for path in self._files()}
        schema = schema_of(
            {
                name
                for path, folder_month in by_path.items()
                if folder_month in {None, month}
                for name in _header(path)
            }
        )
        for path, folder_month in by_path.items():
            if folder_month is None:
                # Either all rows of a file are used or none, so spool them until the last is valid.
                with tempfile.TemporaryFile() as spool:
                    try:
                        _write_spool(_records(path, month, schema), spool, schema)
                    except SourceError as error:
                        errors.append(str(error))
                        message = str(error).replace(f"{self._root}/", "")
                        report_unreadable(path.relative_to(self._root).as_posix(), message)
                        continue
                    for records in _read_spool(spool):
                        found = True
                        yield records
            elif folder_month == month:
                for records in _records(path, month, schema, strict=True):
                    found = True
                    yield records
        if not found:
            skipped = f"; {len(errors)} files cannot be read, first: {errors[0]}" if errors else ""
            raise SourceError(f"{self._root} holds no records of {month}{skipped}")

    def _files(self) -> list[Path]:
        if not self._root.is_dir():
            raise SourceError(f"{self._root} is not a readable folder")
        try:
            files = sorted(
                path
                for folder, _, names in os.walk(self._root, onerror=_raise)
                for path in (Path(folder, name) for name in names)
                if path.suffix.lower() in _SUFFIXES
                and not any(part[0] in "._" for part in path.relative_to(self._root).parts)
            )
        except OSError as error:
            raise SourceError(f"{error.filename}: {error.strerror}") from error
        if not files:
            raise SourceError(f"{self._root} holds no .csv or .parquet file")
        return files


def _raise(error: OSError) -> None:
    raise error


def _month_of_path(path: Path) -> str | None:
    match = re.search(r"(?:^|/)year=(\d{4})/month=(\d{1,2})/", path.as_posix())
    return f"{match[1]}-{int(match[2]):02d}" if match else None


def _header(path: Path) -> list[str]:
    """Names of the columns of a file; none if it cannot be read, which `_records` reports."""
    try:
        regular_files.check(path)
        if path.suffix.lower() == ".parquet":
            return list(pq.read_schema(path).names)
        return _csv_names(path)
    except (SourceError, pa.ArrowException, OSError, UnicodeDecodeError, csv.Error):
        return []


def _csv_names(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as text:
        header = text.readline(_MAX_HEADER_LENGTH)
    if len(header) >= _MAX_HEADER_LENGTH:
        raise SourceError(f"{path} has a header of {len(header):,} characters or more")
    return next(csv.reader([header]), [])


def _records(
    path: Path, month: str, schema: pa.Schema, *, strict: bool = False
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `month` in `path`; if `strict`, others are an error."""
    first, end = (pa.scalar(day, pa.date32()) for day in (months.start(month), months.end(month)))
    row = 0
    for batch in _batches(path):
        records = _canonical(batch, path, row, schema)
        row += batch.num_rows
        dates = records.column("date")
        inside = pc.and_(pc.greater_equal(dates, first), pc.less(dates, end))
        if strict and not pc.all(inside, min_count=0).as_py():
            other = dates.filter(pc.invert(inside))[0]
            raise SourceError(f"{path} is in the folder of {month} but holds {other}")
        records = records.filter(inside)
        if records.num_rows:
            yield records


def _write_spool(batches: Iterable[pa.RecordBatch], file: IO[bytes], schema: pa.Schema) -> None:
    with pa.ipc.new_stream(file, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)


def _read_spool(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    file.seek(0)
    with pa.ipc.open_stream(file) as stream:
        yield from stream


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The canonical columns of `path`, with the file's types; CSV values are text."""
    kind = path.suffix.lower().removeprefix(".")
    try:
        regular_files.check(path)
        if kind == "parquet":
            yield from batches(path, str(path), lambda names: _columns(names, path), _BATCH_ROWS)
        else:
            columns = _columns(_csv_names(path), path)
            # Read as text, so that errors can name the row of an invalid value.
            options = pa_csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=_NULL_TEXTS,
                strings_can_be_null=True,
            )
            with pa_csv.open_csv(path, convert_options=options) as reader:
                yield from reader
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{path} cannot be read as {kind}: {reason}") from error


def _columns(names: list[str], path: Path) -> list[str]:
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"{path} has {len(names):,} columns; the limit is {MAX_COLUMNS:,}")
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise SourceError(f"{path} lacks the column {', '.join(missing)}")
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise SourceError(f"{path} has the column {', '.join(duplicates)} twice")
    return [name for name in names if name in FULL_SCHEMA.names]


def _canonical(
    batch: pa.RecordBatch, path: Path, rows_before: int, schema: pa.Schema
) -> pa.RecordBatch:
    """`batch` with the canonical `schema`; `rows_before` is only for the row number in errors."""
    columns = []
    for field in schema:
        if field.name == "source":
            column = pa.array(["folder"] * batch.num_rows, field.type)
        elif field.name not in batch.schema.names:
            column = pa.nulls(batch.num_rows, field.type)
        else:
            raw = batch.column(field.name)
            try:
                column = _cast(raw, field.type)
            except (pa.ArrowException, ValueError) as error:
                row, value = _first_invalid(raw, field.type)
                raise SourceError(
                    f"{path}, row {rows_before + row}: {field.name} is {value!r}, not {field.type}"
                ) from error
            if not field.nullable and column.null_count:
                row = pc.index(column.is_null(), True).as_py() + 1
                raise SourceError(f"{path}, row {rows_before + row} has no {field.name}")
        columns.append(column)
    return pa.record_batch(columns, schema=schema)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values as `kind`; raises ArrowException or ValueError if one cannot be converted."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if pa.types.is_date(kind):
        if text:
            if not pc.all(pc.match_substring_regex(values, _DATE), min_count=0).as_py():
                raise ValueError("not a date")
            return pc.utf8_slice_codeunits(values, 0, 10).cast(pa.string()).cast(kind)
        if pa.types.is_timestamp(values.type):
            # A timestamp with a zone is assigned to its local day.
            local = pc.local_timestamp(values) if values.type.tz else values
            return pc.floor_temporal(local, unit="day").cast(kind)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(values.type):
        if kind.tz is None and values.type.tz:
            values = pc.local_timestamp(values)
        elif kind.tz and not values.type.tz:
            values = pc.assume_timezone(values, "UTC")
    if pa.types.is_floating(kind) or (
        pa.types.is_integer(kind) and (text or pa.types.is_floating(values.type))
    ):
        # Some writers store missing values as NaN.
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        if pa.types.is_integer(kind):
            values = pc.round(values)
    return values.cast(kind)


def _first_invalid(values: pa.Array, kind: pa.DataType) -> tuple[int, object]:
    """Row (from 1) and content of the first value that cannot be converted to `kind`."""
    for row, value in enumerate(values, start=1):
        try:
            _cast(pa.array([value.as_py()], values.type), kind)
        except (pa.ArrowException, ValueError):
            return row, value.as_py()
    raise AssertionError("called only if a value cannot be converted")
