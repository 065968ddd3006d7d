"""Read the rows of a CSV or Parquet file in batches, and their values as a model needs them."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from fitness_assets import regular_files
from fitness_assets.errors import SourceError
from fitness_assets.formatting import number
from fitness_assets.sources.parquet_limits import MAX_COLUMNS, batches, plain_columns
from fitness_assets.text import shorten

#: The formats that are read and written, by the ending of a file's name.
SUFFIXES = (".csv", ".parquet")
_BATCH_ROWS = 65_536
# A row of a CSV must fit in one block. Arrow reads dozens of blocks ahead.
_BLOCK_BYTES = 1_000_000
_MAX_HEADER_BYTES = 1 << 18
_NULL_TEXTS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
# Values beyond this would overflow in the float32 of a forest.
_MAX_NUMBER = 1e15


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes
    ----------
    rows : RecordBatch
        The columns of the file; those of a CSV are text.
    name : str
        Of the file, for messages.
    before : int
        Rows of the file before these.
    """

    rows: pa.RecordBatch
    name: str
    before: int

    def numbers(self, column: str) -> np.ndarray:
        """The numbers of a column, of shape (n,); NaN is missing.

        Raises
        ------
        SourceError
            If a value is not a number, or is too large; the message names the file, row and column.
        """
        values = _decoded(self.rows.column(column))
        kind = values.type
        if _is_text(kind):
            values = _without_nulls(values)
            with suppress(pa.ArrowInvalid):
                return self._checked(column, values, values.cast(pa.float64()))
            for row, value in enumerate(values.to_pylist()):
                if not _is_number(value):
                    raise self._invalid(column, row, value)
        elif is_numeric(kind):
            return self._checked(column, values, values.cast(pa.float64(), safe=False))
        raise SourceError(f"{self.name}: {column} is of type {kind}, not numbers")

    def categories(self, column: str) -> list[str | None]:
        """The texts of a column; None is missing.

        Raises
        ------
        SourceError
            If it is not a column of text.
        """
        values = _decoded(self.rows.column(column))
        if pa.types.is_null(values.type):
            return [None] * len(values)
        if not _is_text(values.type):
            raise SourceError(f"{self.name}: {column} is of type {values.type}, not text")
        texts: list[str | None] = _without_nulls(values).to_pylist()
        return texts

    def _checked(self, column: str, values: pa.Array, numbers: pa.Array) -> np.ndarray:
        found: np.ndarray = numbers.to_numpy(zero_copy_only=False).astype(float)
        wrong = np.abs(np.nan_to_num(found, nan=0.0, posinf=np.inf)) > _MAX_NUMBER
        if wrong.any():
            row = int(wrong.argmax())
            raise self._invalid(column, row, values[row].as_py())
        return found

    def _invalid(self, column: str, row: int, value: object) -> SourceError:
        where = f"{self.name}, row {self.before + row + 1}"
        if _is_number(value):
            return SourceError(f"{where}: {column} is {shorten(value)}, which is too large")
        return SourceError(f"{where}: {column} is {shorten(value)}, not a number")


@dataclass(frozen=True)
class RowFile:
    """An open CSV or Parquet file. Close `file` after use.

    Attributes
    ----------
    file : BufferedReader
    name : str
        For messages.
    bytes : int
    left_out : list of str
        Columns of lists and structures, once a batch was read.
    """

    file: BufferedReader
    name: str
    bytes: int
    left_out: list[str] = field(default_factory=list)

    def read(self) -> Iterator[Batch]:
        """The rows, in batches of at least one.

        Raises
        ------
        SourceError
            If the file has no rows, or is not a file of the format that its name ends with.
        """
        kind = Path(self.name).suffix.lower().removeprefix(".")
        before = 0
        try:
            for rows in self._csv() if kind == "csv" else self._parquet():
                if rows.num_rows:
                    yield Batch(rows, self.name, before)
                    before += rows.num_rows
        except (pa.ArrowException, csv.Error, UnicodeDecodeError, OSError) as error:
            reason = " ".join(str(error).split())
            if "UTF8" in reason or isinstance(error, UnicodeDecodeError):
                reason = "it is not in UTF-8; convert it, for example with iconv"
            if "straddl" in reason:
                reason = f"a row has more than {number(_BLOCK_BYTES)} bytes"
            raise SourceError(f"{self.name} cannot be read as {kind}: {reason}") from error
        if not before:
            raise SourceError(f"{self.name} has no rows")

    def _csv(self) -> Iterator[pa.RecordBatch]:
        start = self.file.read(_MAX_HEADER_BYTES)
        self.file.seek(0)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
            raise SourceError(f"{self.name} is not in UTF-8; convert it, for example with iconv")
        line = start.partition(b"\n")[0].decode("utf-8-sig")
        delimiter = max(",;\t", key=line.count)
        text = start.decode("utf-8-sig", errors="ignore")
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        self._check_names(names)
        reader = pa_csv.open_csv(
            self.file,
            read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            # As text, so that messages can name the row of a value and other columns stay as they
            # are.
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        with reader:
            for rows in reader:
                for start_row in range(0, rows.num_rows, _BATCH_ROWS):
                    yield rows.slice(start_row, _BATCH_ROWS)

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        plain = plain_columns(self.file, self.name)

        def chosen(names: list[str]) -> list[str]:
            self._check_names(names)
            self.left_out.extend(name for name in names if name not in plain)
            return plain

        return batches(self.file, self.name, chosen, _BATCH_ROWS)

    def _check_names(self, names: list[str]) -> None:
        if len(names) > MAX_COLUMNS:
            raise SourceError(
                f"{self.name} has {number(len(names))} columns; the limit is {number(MAX_COLUMNS)}"
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SourceError(f"{self.name} has the column {', '.join(twice)} twice")


def open_rows(path: Path) -> RowFile:
    """Open a CSV or Parquet file. A link is followed.

    Raises
    ------
    SourceError
        If it has another ending, is empty, or is not a regular file.
    OSError
        If it cannot be opened.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SourceError(f"{path} is neither .csv nor .parquet")
    try:
        file = regular_files.open_regular(path.resolve())
    except regular_files.IrregularFileError as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        file.close()
        raise SourceError(f"{path} is empty")
    return RowFile(file, str(path), size)


def decoded(rows: pa.RecordBatch) -> dict[str, pa.Array]:
    """The columns of `rows` by name, dictionaries as their values."""
    return {name: _decoded(rows.column(name)) for name in rows.schema.names}


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _without_nulls(texts: pa.Array) -> pa.Array:
    """`texts` without surrounding blanks, and null where they stand for a missing value."""
    texts = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(texts, value_set=pa.array(_NULL_TEXTS, texts.type))
    return pc.if_else(missing, pa.scalar(None, texts.type), texts)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a type is one of numbers, or of nothing but missing values."""
    types = pa.types
    return any(
        matches(kind)
        for matches in (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    )


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            value = pa.scalar(value).cast(pa.float64()).as_py()
        except pa.ArrowInvalid:
            return False
    return value is None or bool(np.isfinite(float(str(value))))
