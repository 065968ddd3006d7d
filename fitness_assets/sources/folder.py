"""A tree of CSV and Parquet files, one row a user and day, such as the original project's lake."""

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

from fitness_assets import months
from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA, ReportUnreadable

#: A file must have these columns; the other canonical ones are read where they are there.
REQUIRED = (
    "user_id",
    "date",
    "steps",
    "calories_burned",
    "heart_rate_avg",
    "sleep_hours",
    "activity_type",
)

_SUFFIXES = (".csv", ".parquet")
_DAY = r"^\d{4}-\d{2}-\d{2}([T ].*)?$"
_NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


class Folder:
    """The folder source.

    Files below a ``year=YYYY/month=MM`` folder are opened for that month only, and must hold no
    other; files elsewhere are searched for every month.

    Parameters
    ----------
    root : Path
        The folder; names that begin with a dot or an underscore are passed over.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self) -> None:
        """Raise SourceError if the folder is missing, unreadable or without telemetry."""
        self._files()

    def version(self, month: str) -> None:
        """Not known without reading."""

    def read(self, month: str, set_aside: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        """The records of `month`, in the order of the files' paths.

        A file that lies in no month's folder and cannot be read must not stop every month: it is
        set aside, whole, and stays where it is.

        Raises
        ------
        SourceError
            Naming the file that lies in the month's own folder, and the row and column where it is
            one value that is wrong, or the folder where it holds nothing for `month`.
        """
        found = False
        unread: list[str] = []
        for path in self._files():
            below = path.relative_to(self._root)
            promised = _month_of_path(below)
            if promised is None:
                # None of a file's rows, or all of them: they wait until the last one is right.
                with tempfile.TemporaryFile() as waiting:
                    try:
                        _spool(_records(path, month), waiting)
                    except SourceError as error:
                        unread.append(str(error))
                        set_aside(below.as_posix(), str(error).replace(f"{self._root}/", ""))
                        continue
                    for records in _spooled(waiting):
                        found = True
                        yield records
            elif promised == month:
                for records in _records(path, month, strict=True):
                    found = True
                    yield records
        if not found:
            also = f"; {len(unread)} files cannot be read, the first: {unread[0]}" if unread else ""
            raise SourceError(f"{self._root} holds no records of {month}{also}")

    def _files(self) -> list[Path]:
        if not self._root.is_dir():
            raise SourceError(f"{self._root} is not a folder that can be read")
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


def _records(path: Path, month: str, *, strict: bool = False) -> Iterator[pa.RecordBatch]:
    """The canonical records of `month` in `path`; if `strict` it must hold no other."""
    first, end = (pa.scalar(day, pa.date32()) for day in (months.start(month), months.end(month)))
    row = 0
    for batch in _batches(path):
        records = _canonical(batch, path, row)
        row += batch.num_rows
        dates = records.column("date")
        inside = pc.and_(pc.greater_equal(dates, first), pc.less(dates, end))
        if strict and not pc.all(inside, min_count=0).as_py():
            stray = dates.filter(pc.invert(inside))[0]
            raise SourceError(f"{path} lies in the folder of {month} but holds {stray}")
        records = records.filter(inside)
        if records.num_rows:
            yield records


def _spool(batches: Iterable[pa.RecordBatch], file: IO[bytes]) -> None:
    with pa.ipc.new_stream(file, SCHEMA) as stream:
        for batch in batches:
            stream.write_batch(batch)


def _spooled(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    file.seek(0)
    with pa.ipc.open_stream(file) as stream:
        yield from stream


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Content of `path` as it comes, only the canonical columns."""
    kind = path.suffix.lower().removeprefix(".")
    try:
        if kind == "parquet":
            with pq.ParquetFile(path) as file:
                columns = _columns(file.schema_arrow.names, path)
                yield from file.iter_batches(columns=columns)
        else:
            with path.open(newline="", encoding="utf-8-sig") as text:
                columns = _columns(next(csv.reader(text), []), path)
            # Text first, so that a value that does not fit can be named by its row.
            options = pa_csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=_NULLS,
                strings_can_be_null=True,
            )
            with pa_csv.open_csv(path, convert_options=options) as reader:
                yield from reader
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{path} cannot be read as {kind}: {reason}") from error


def _columns(names: list[str], path: Path) -> list[str]:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise SourceError(f"{path} lacks the column {', '.join(missing)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{path} has the column {', '.join(twice)} twice")
    return [name for name in names if name in SCHEMA.names]


def _canonical(batch: pa.RecordBatch, path: Path, rows_before: int) -> pa.RecordBatch:
    columns = []
    for field in SCHEMA:
        if field.name == "source":
            column = pa.array(["folder"] * batch.num_rows, field.type)
        elif field.name not in batch.schema.names:
            column = pa.nulls(batch.num_rows, field.type)
        else:
            raw = batch.column(field.name)
            try:
                column = _cast(raw, field.type)
            except (pa.ArrowException, ValueError) as error:
                row, value = _first_misfit(raw, field.type)
                raise SourceError(
                    f"{path}, row {rows_before + row}: {field.name} is {value!r}, not {field.type}"
                ) from error
            if not field.nullable and column.null_count:
                row = pc.index(column.is_null(), True).as_py() + 1
                raise SourceError(f"{path}, row {rows_before + row} has no {field.name}")
        columns.append(column)
    return pa.record_batch(columns, schema=SCHEMA)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values as `kind`; ArrowException or ValueError where one does not fit."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if pa.types.is_date(kind):
        if text:
            if not pc.all(pc.match_substring_regex(values, _DAY), min_count=0).as_py():
                raise ValueError("not a date")
            return pc.utf8_slice_codeunits(values, 0, 10).cast(pa.string()).cast(kind)
        if pa.types.is_timestamp(values.type):
            # The day on the wall, where the stamp carries a zone.
            local = pc.local_timestamp(values) if values.type.tz else values
            return pc.floor_temporal(local, unit="day").cast(kind)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(values.type) and not values.type.tz:
        values = pc.assume_timezone(values, "UTC")
    if pa.types.is_floating(kind) or (
        pa.types.is_integer(kind) and (text or pa.types.is_floating(values.type))
    ):
        # Not-a-number is how some writers spell a missing reading.
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        if pa.types.is_integer(kind):
            values = pc.round(values)
    return values.cast(kind)


def _first_misfit(values: pa.Array, kind: pa.DataType) -> tuple[int, object]:
    for row, value in enumerate(values, start=1):
        try:
            _cast(pa.array([value.as_py()], values.type), kind)
        except (pa.ArrowException, ValueError):
            return row, value.as_py()
    raise AssertionError("called only when a value does not fit")
