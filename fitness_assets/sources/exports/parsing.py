"""Readings as text: rows of a CSV, JSON, numbers, and dates whose style the file itself decides."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.aggregate import plausible
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.options import Quarantine

T = TypeVar("T")

#: JSON is held in memory whole, and takes some ten times its size there; devices write it by the
#: day or the month.
MOST_JSON = 32 << 20
_LONGEST_LINE = 1 << 20
_SHOWN = 40

_THOUSANDS = re.compile(r"^\d{1,3}(,\d{3})+(\.\d*)?$")
_DATE = re.compile(r"^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?!\d)")
# In order of preference: the first is meant by every date that it fits.
_ORDERS = ("ymd", "mdy", "dmy")


def header(head: bytes, delimiter: str = ",") -> list[str]:
    """The names in the first line of a CSV that begins with `head`."""
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def rows(
    member: Member, quarantine: Quarantine, delimiter: str = ","
) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV, each with its place; bytes that are no text become �."""
    with io.TextIOWrapper(member.open(), "utf-8-sig", errors="replace", newline="") as file:
        lines = iter(lambda: file.readline(_LONGEST_LINE), "")
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


def records(
    member: Member, quarantine: Quarantine, delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV below its header, by column; those without any value are passed over."""
    names: list[str] = []
    for place, row in rows(member, quarantine, delimiter):
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


def load(member: Member) -> Any:
    """The JSON of a member.

    Raises
    ------
    SourceError
        If it is none, or too long to be held.
    """
    if member.size > MOST_JSON:
        raise SourceError(f"{member.name} is {member.size:,} bytes, too long for JSON of a device")
    with member.open() as file:
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{member.name} is not JSON: {shown(error)}") from error


def items(member: Member, quarantine: Quarantine) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON list, or the records of a CSV, each with its place.

    Raises
    ------
    SourceError
        If it is no list.
    """
    if member.name.endswith(".csv"):
        yield from records(member, quarantine)
        return
    found = load(member)
    if not isinstance(found, list):
        raise SourceError(f"{member.name} is not a list")
    for index, item in enumerate(found, start=1):
        if isinstance(item, dict):
            yield f"record {index}", item
        else:
            quarantine(member.name, f"record {index}", f"{shown(item)} is not a record")


def take_each(
    member: Member,
    found: Iterable[tuple[str, T]],
    take: Callable[[T], object],
    quarantine: Quarantine,
) -> None:
    """Let `take` have each that is found at a place; what it cannot use is left out and told of."""
    for place, one in found:
        try:
            take(one)
        except KeyError as error:
            quarantine(member.name, place, f"there is no {error.args[0]}")
        except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
            quarantine(member.name, place, str(error))


#: Of columns, the metric that each tells of, and what one of its unit is in ours.
Columns = Iterable[tuple[str, str, float]]


def figures(row: Mapping[str, Any], columns: Columns) -> dict[str, float]:
    """What a row tells of each metric; columns of one metric add up.

    Raises
    ------
    ValueError
        If one is not a number, or negative.
    """
    found: dict[str, float] = {}
    for column, metric, factor in columns:
        value = number(row.get(column))
        if value is not None:
            found[metric] = found.get(metric, 0.0) + value * factor
    return found


def number(value: object) -> float | None:
    """An amount; None if there is none. ``1,234`` is a thousand.

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
    # Python would read an underscore as well.
    if not 0 <= amount < math.inf or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{shown(value)} is not an amount")
    return amount


def shown(value: object) -> str:
    """A value as a message shows it: short, and in one line."""
    text = str(value) if isinstance(value, Exception) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def day_text(stamp: str) -> str:
    """The part of a stamp that tells the day."""
    return re.split(r"[ T]", stamp.strip(), maxsplit=1)[0]


def date_order(texts: Collection[str]) -> str:
    """Whether a file writes the year, the month or the day first, told from all of its dates.

    The order that fits most of them; of several, the one by which they lie closest together, since
    the days of a file follow one another; and else month first.
    """

    def fit(order: str) -> tuple[int, int]:
        days = []
        for text in texts:
            try:
                days.append(day(text, order))
            except ValueError:
                continue
        return len(days), -(max(days) - min(days)).days if days else 0

    return max(_ORDERS, key=fit)


def day(text: str, order: str = "ymd") -> date:
    """The day that `text` begins with; two digits of a year are of this century.

    Raises
    ------
    ValueError
        If it is no date in that order, or none that a device can tell of.
    """
    match = _DATE.match(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a date")
    parts = dict(zip(order, match.groups(), strict=True))
    year = int(parts["y"])
    if len(parts["y"]) == 2:  # noqa: PLR2004 - the digits of 16
        year += 2000
    try:
        return plausible(date(year, int(parts["m"]), int(parts["d"])))
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a date: {error}") from error
