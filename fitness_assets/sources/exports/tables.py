"""CSV files whose encoding, delimiter, decimal sign and order of dates are detected."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import IO, Any

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import encodings, parsing
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.date_order import detect_date_order
from fitness_assets.sources.exports.number_style import DecimalDetector, NumberColumn, to_point

_DELIMITERS = ",;\t"
#: Limits on one table. A day has 1,440 minutes, which may be columns. A value has at most 131,072
#: characters, the limit of `csv`.
MAX_COLUMNS = 2_000
MAX_ROW_LENGTH = 1 << 20
# A file has few dates, each written in few ways.
_MAX_DATE_LENGTH, _MAX_DATES = 40, 100_000
# Lines in which the delimiter is looked for.
_HEADER_LINES = 3
# Written as the first line by some spreadsheets.
_DELIMITER_LINE = re.compile(r"sep=(.)")
# What `surrogateescape` gives for a byte that cannot be decoded.
_UNDECODABLE = re.compile("[\ud800-\udfff]")


def csv_header(head: bytes, delimiter: str | None = None) -> list[str]:
    """The column names of a CSV that begins with `head`: the values of its first line."""
    return list(_names(head, delimiter))


# Every format of CSV looks at the same first bytes.
@lru_cache(maxsize=8)
def _names(head: bytes, delimiter: str | None) -> tuple[str, ...]:
    return tuple(_header(head.decode(encodings.UTF_8, errors="replace"), delimiter)[0])


class Table:
    """One CSV file.

    Parameters
    ----------
    member : Member
    quarantine : callable
        Called for each row that cannot be read.
    encoding, delimiter : str, optional
        Detected if they are not declared.
    title_lines : int
        Number of lines before the column names.
    same : collection of str
        Names of columns that may occur twice with the same meaning: an empty value of the second,
        which is used, is that of the first.

    Attributes
    ----------
    names : list of str
        The column names.
    """

    def __init__(  # noqa: PLR0913 - what a format or layout may declare of its tables
        self,
        member: Member,
        quarantine: Quarantine,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        title_lines: int = 0,
        same: Collection[str] = (),
    ) -> None:
        self._member = member
        self._title_lines = title_lines
        self._same = same
        self._quarantine = quarantine
        if encoding is None:
            with member.open(counted=False) as file:
                encoding = encodings.text_encoding(file)
            if encoding != encodings.UTF_8:
                member.usage.notes.append("read as Windows-1252")
        self._encoding = encoding
        text = member.head().decode(encoding, errors="surrogateescape")
        self.names, self._delimiter = _header(text, delimiter, title_lines)
        self._decimal = "."
        self._number_columns: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """The rows, each with its place. Rows with undecodable bytes are quarantined."""
        yield from self._rows(self._quarantine, counted=True)

    def records(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The rows as values by column, each with its place. Empty rows are skipped.

        After `detect`, numbers have a decimal point.
        """
        for place, record in self._records(self._quarantine, counted=True):
            if self._decimal != ".":
                try:
                    for name in self._number_columns:
                        record[name] = to_point(record[name], self._decimal)
                except ValueError as error:
                    self._quarantine(self._member.name, place, str(error))
                    continue
            yield place, record

    def detect(
        self,
        numbers: Mapping[str, NumberColumn | None],
        date_column: str | None = None,
        *,
        decimal: str | None = None,
    ) -> str:
        """Detect the decimal sign and the order of dates, from the whole file.

        Parameters
        ----------
        numbers : mapping
            What is known of each number column; columns that the file lacks are ignored.
        date_column : str, optional
            The column whose dates are inspected.
        decimal : str, optional
            The decimal sign, if it is declared.

        Returns
        -------
        str
            The order of dates: ``ymd``, ``mdy`` or ``dmy``.

        Raises
        ------
        SourceError
            If the file mixes decimal signs or orders of dates.
        """
        present = {name: each for name in self.names if (each := numbers.get(name)) is not None}
        detector = DecimalDetector(present)
        dates: set[str] = set()
        for place, record in self._records(lambda *_: None, counted=False):
            if decimal is None:
                for name in present:
                    detector.add(place, name, record[name])
            if date_column is not None:
                text = parsing.date_part(record.get(date_column, "")[:_MAX_DATE_LENGTH])
                if len(dates) < _MAX_DATES:
                    dates.add(text)
        self._number_columns = tuple(present)
        self._decimal = decimal or detector.sign(self._member.name)
        if self._decimal == ",":
            self._member.usage.notes.append("read with a decimal comma")
        return detect_date_order(dates, self._member.name)

    def _records(
        self, quarantine: Quarantine, *, counted: bool
    ) -> Iterator[tuple[str, dict[str, str]]]:
        names: list[str] = []
        pairs: list[tuple[int, int]] = []
        unread = self._member.usage.unread if counted else None
        for number, (place, row) in enumerate(self._rows(quarantine, counted=counted)):
            if number < self._title_lines:
                continue
            if not names:
                names = _without_empty_end(row)
                if len(names) > MAX_COLUMNS:
                    raise SourceError(
                        f"{self._member.name} has {len(names):,} columns; the limit is "
                        f"{MAX_COLUMNS:,}"
                    )
                if self._title_lines and names != _without_empty_end(self.names):
                    raise SourceError(f"{self._member.name} has no line of columns after its title")
                if unread is not None:
                    unread |= dict.fromkeys(names)
                # The last column of a name is the one that is used.
                last = {name: index for index, name in enumerate(names)}
                pairs = [(names.index(each), last[each]) for each in self._same if each in last]
            elif not any(map(str.strip, row)):
                continue
            elif len(row) < len(names):
                quarantine(self._member.name, place, f"{len(row)} values for {len(names)} columns")
            else:
                for first, second in pairs:
                    row[second] = row[second].strip() or row[first]
                values = zip(names, row, strict=False)
                yield place, dict(values) if unread is None else _ObservedRow(values, unread)

    def _rows(self, quarantine: Quarantine, *, counted: bool) -> Iterator[tuple[str, list[str]]]:
        content = self._member.open(counted=counted)
        with io.TextIOWrapper(
            content, self._encoding, errors="surrogateescape", newline=""
        ) as file:
            lines = _Lines(file)
            reader = csv.reader(lines, delimiter=self._delimiter)
            is_first = True
            while True:
                lines.row_length = 0
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    quarantine(self._member.name, f"line {reader.line_num}", str(error))
                    continue
                if is_first and _DELIMITER_LINE.fullmatch(self._delimiter.join(row)):
                    continue
                if not is_first and any(map(_UNDECODABLE.search, row)):
                    quarantine(
                        self._member.name,
                        f"line {reader.line_num}",
                        "it has bytes that are not text in the file's encoding: declare `encoding` "
                        "in a layout",
                    )
                    continue
                is_first = False
                yield f"line {reader.line_num}", row


class _ObservedRow(dict[str, str]):
    """A row that removes the columns that are read from `unread`."""

    def __init__(self, values: Iterable[tuple[str, str]], unread: dict[str, None]) -> None:
        super().__init__(values)
        self._unread = unread

    def __getitem__(self, name: str) -> str:
        self._unread.pop(name, None)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._unread.pop(name, None)
        return super().get(name, default)


class _Lines:
    """The lines of a table.

    Attributes
    ----------
    row_length : int
        Characters of the lines of the current row: quoted values may hold line breaks.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.row_length = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        """The next line; csv.Error if the row becomes too long, after the end of the line."""
        line = self._file.readline(MAX_ROW_LENGTH)
        if not line:
            raise StopIteration
        self.row_length += len(line)
        if self.row_length >= MAX_ROW_LENGTH:
            while line and not line.endswith(("\n", "\r")):
                line = self._file.readline(MAX_ROW_LENGTH)
            raise csv.Error(f"a row of more than {MAX_ROW_LENGTH:,} characters")
        return line


def _header(text: str, delimiter: str | None, title_lines: int = 0) -> tuple[list[str], str]:
    """The values of the first line after `title_lines`, and the delimiter.

    It is the one that gives most values in the first line that has several: some formats have a
    title before the header.
    """
    lines = [
        line for line in islice(io.StringIO(text, newline=None), _HEADER_LINES) if line.strip()
    ]
    for line in list(lines):
        declared = _DELIMITER_LINE.fullmatch(line.rstrip("\n"))
        if declared is not None:
            delimiter = delimiter or declared[1]
            lines.remove(line)
    if not lines:
        return [], delimiter or ","
    if delimiter is None:
        for line in lines:
            delimiter = max(_DELIMITERS, key=lambda each: len(_values(line, each)))
            if len(_values(line, delimiter)) > 1:
                break
    first = min(title_lines, len(lines) - 1)
    return _values(lines[first], delimiter or ","), delimiter or ","


def _without_empty_end(row: list[str]) -> list[str]:
    """The names of a row, without the empty ones at its end."""
    names = [name.strip() for name in row]
    while names and not names[-1]:
        names.pop()
    return names


def _values(line: str, delimiter: str) -> list[str]:
    try:
        return [value.strip() for value in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []
