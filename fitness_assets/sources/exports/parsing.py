"""Parsing of CSV rows, JSON, amounts, and dates whose style is detected from the file."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine

T = TypeVar("T")

#: JSON is held in memory as a whole and takes about ten times its size there. Devices write one
#: file a day or a month, far below this limit.
MAX_JSON_BYTES = 32 << 20
_MAX_LINE_BYTES = 1 << 20
_MAX_SHOWN = 40

_THOUSANDS = re.compile(r"^\d{1,3}(,\d{3})+(\.\d*)?$")
_DATE = re.compile(r"^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?!\d)")
# In order of preference, if a file's dates fit several equally well.
_DATE_ORDERS = ("ymd", "mdy", "dmy")


def csv_header(head: bytes, delimiter: str = ",") -> list[str]:
    """The column names in the first line of a CSV that begins with `head`."""
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def csv_rows(
    member: Member, quarantine: Quarantine, delimiter: str = ","
) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV, each with its place. Bytes that are not UTF-8 become �."""
    with io.TextIOWrapper(member.open(), "utf-8-sig", errors="replace", newline="") as file:
        lines = iter(lambda: file.readline(_MAX_LINE_BYTES), "")
        reader = csv.reader(lines, delimiter=delimiter)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                quarantine(member.name, f"line {reader.line_num}", str(error))
                continue
            yield f"line {reader.line_num}", row


def csv_records(
    member: Member, quarantine: Quarantine, delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV as values by column, each with its place. Empty rows are skipped."""
    names: list[str] = []
    for place, row in csv_rows(member, quarantine, delimiter):
        if not names:
            names = [name.strip() for name in row]
            while names and not names[-1]:
                names.pop()
        elif not any(map(str.strip, row)):
            continue
        elif len(row) < len(names):
            quarantine(member.name, place, f"{len(row)} values for {len(names)} columns")
        else:
            yield place, dict(zip(names, row, strict=False))


def load_json(member: Member) -> Any:
    """The JSON document of a member.

    Raises
    ------
    SourceError
        If it is not JSON, or larger than `MAX_JSON_BYTES`.
    """
    if member.size > MAX_JSON_BYTES:
        raise SourceError(
            f"{member.name} is {member.size:,} bytes; JSON over {MAX_JSON_BYTES:,} is not read"
        )
    with member.open() as file:
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{member.name} is not JSON: {shorten(error)}") from error


def records(member: Member, quarantine: Quarantine) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a CSV or the objects of a JSON list, each with its place.

    Raises
    ------
    SourceError
        If a JSON document is not a list.
    """
    if member.name.endswith(".csv"):
        yield from csv_records(member, quarantine)
        return
    document = load_json(member)
    if not isinstance(document, list):
        raise SourceError(f"{member.name} is not a list")
    for index, item in enumerate(document, start=1):
        if isinstance(item, dict):
            yield f"record {index}", item
        else:
            quarantine(member.name, f"record {index}", f"{shorten(item)} is not an object")


def process_each(
    member: Member,
    placed: Iterable[tuple[str, T]],
    process: Callable[[T], object],
    quarantine: Quarantine,
) -> None:
    """Call `process` for each item of `placed`; report those that it cannot use to `quarantine`.

    Parameters
    ----------
    member : Member
        The file of the items.
    placed : iterable of (str, object)
        Places in the file, and items.
    process : callable
        It raises KeyError for a missing value, and ValueError, TypeError, AttributeError or
        ArithmeticError for a wrong one.
    quarantine : callable
    """
    for place, item in placed:
        try:
            process(item)
        except KeyError as error:
            quarantine(member.name, place, f"{error.args[0]} is missing")
        except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
            quarantine(member.name, place, str(error))


#: Column of a file, metric, and the factor from the file's unit to the metric's.
Conversions = Iterable[tuple[str, str, float]]


def convert(record: Mapping[str, Any], conversions: Conversions) -> dict[str, float]:
    """The values of a record by metric; columns of the same metric are added.

    Raises
    ------
    ValueError
        If a value is not a number, or negative.
    """
    values: dict[str, float] = {}
    for column, metric, factor in conversions:
        amount = parse_amount(record.get(column))
        if amount is not None:
            values[metric] = values.get(metric, 0.0) + amount * factor
    return values


def parse_amount(value: object) -> float | None:
    """An amount of 0 or more, or None for an empty value. ``1,234`` is read as 1234.

    Raises
    ------
    ValueError
        If it is not a number, or negative.
    """
    if value is None:
        return None
    try:
        amount = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        amount = math.nan
    if isinstance(value, str) and not 0 <= amount < math.inf:
        if not value.strip():
            return None
        if _THOUSANDS.match(value.strip()):
            amount = float(value.replace(",", ""))
    # float() also accepts underscores.
    if not 0 <= amount < math.inf or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{shorten(value)} is not an amount")
    return amount


def shorten(value: object) -> str:
    """A value or an error for use in a message: short, and on one line."""
    text = str(value) if isinstance(value, Exception) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def date_part(stamp: str) -> str:
    """The date of a timestamp, as text."""
    return re.split(r"[ T]", stamp.strip(), maxsplit=1)[0]


def detect_date_order(texts: Collection[str]) -> str:
    """The order of year, month and day, detected from all dates of a file.

    It is the order that fits most dates; if several do, the one with the shortest range of days,
    since a file's days follow one another; if that is equal too, the first of ``ymd``, ``mdy`` and
    ``dmy``.
    """

    def fit(order: str) -> tuple[int, int]:
        days = []
        for text in texts:
            try:
                days.append(parse_day(text, order))
            except ValueError:
                continue
        return len(days), -(max(days) - min(days)).days if days else 0

    return max(_DATE_ORDERS, key=fit)


def parse_day(text: str, order: str = "ymd") -> date:
    """The day at the start of `text`. A year of two digits is one of this century.

    Raises
    ------
    ValueError
        If it is not a date in that order, or is outside the range of `check_day`.
    """
    match = _DATE.match(text)
    if match is None:
        raise ValueError(f"{shorten(text)} is not a date")
    parts = dict(zip(order, match.groups(), strict=True))
    year = int(parts["y"])
    if len(parts["y"]) == 2:  # noqa: PLR2004 - digits of a short year
        year += 2000
    try:
        return check_day(date(year, int(parts["m"]), int(parts["d"])))
    except ValueError as error:
        raise ValueError(f"{shorten(text)} is not a date: {error}") from error
