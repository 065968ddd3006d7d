"""Parsing of JSON, amounts and dates."""

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
from fitness_assets.text import shorten

T = TypeVar("T")

#: JSON is held in memory as a whole. Devices write one file a day or a month, far below this limit.
MAX_JSON_BYTES = 32 << 20
#: Estimate of the memory that its values may take.
MAX_JSON_MEMORY = 250_000_000
# Bytes of an object, a list, and a value with its place in either.
_OBJECT_BYTES, _LIST_BYTES, _VALUE_BYTES = 240, 90, 110
# Larger than any amount, in any unit, and than the milliseconds since 1970 of any time. Sums of
# such amounts are finite.
_MAX_AMOUNT = 1e15
_MAX_DIGITS = 1000

# Groups of three digits; in India of two digits before the last three.
_THOUSANDS = re.compile(r"^(\d{1,3}(,\d{3})+|\d{1,2}(,\d{2})+,\d{3})(\.\d*)?$")
# Spaces, also narrow or unbreakable ones, and apostrophes between groups of three digits.
_GROUP_SPACE = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'\u2019](?=\d{3}(?!\d))")
_DATE = re.compile(r"^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?!\d)")


def objects(items: object) -> list[dict[str, Any]]:
    """The objects of a JSON list; empty if it is none."""
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def load_json(member: Member) -> Any:
    """The JSON document of a member.

    Raises
    ------
    SourceError
        If it is not JSON, larger than `MAX_JSON_BYTES`, or has too many values.
    """
    if member.size > MAX_JSON_BYTES:
        raise SourceError(
            f"{member.name} is {member.size:,} bytes; JSON over {MAX_JSON_BYTES:,} is not read"
        )
    with member.open() as file:
        content = file.read(2 * MAX_JSON_BYTES)
        memory = len(content) + (
            _OBJECT_BYTES * content.count(b"{")
            + _LIST_BYTES * content.count(b"[")
            + _VALUE_BYTES * content.count(b",")
        )
        if memory > MAX_JSON_MEMORY:
            raise SourceError(
                f"{member.name} has too many values: they would take about {memory:,} bytes of "
                f"memory; JSON that takes over {MAX_JSON_MEMORY:,} is not read"
            )
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{member.name} is not JSON: {shorten(error)}") from error


def json_records(member: Member, quarantine: Quarantine) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON list, each with its place.

    Raises
    ------
    SourceError
        If a JSON document is not a list.
    """
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
    process: Callable[[T], Iterable[str] | None],
    quarantine: Quarantine,
) -> None:
    """Call `process` for each item of `placed`; report those that it cannot use to `quarantine`.

    Items that it used are counted in the usage of the member.

    Parameters
    ----------
    member : Member
        The file of the items.
    placed : iterable of (str, object)
        Places in the file, and items.
    process : callable
        It returns the metrics or columns to which the item gave values, if any. It raises KeyError
        for a missing value, and ValueError, TypeError, AttributeError or ArithmeticError for a
        wrong one.
    quarantine : callable
    """
    for place, item in placed:
        try:
            member.usage.add(process(item) or ())
        except KeyError as error:
            quarantine(member.name, place, f"{error.args[0]} is missing")
        except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
            quarantine(member.name, place, str(error))
        except RecursionError:
            quarantine(member.name, place, "its values are nested too deeply")


#: Column of a file, metric, and the factor from the file's unit to the metric's.
Conversions = Collection[tuple[str, str, float]]


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


def convert_known(record: Mapping[str, Any], conversions: Conversions) -> dict[str, float]:
    """The values of a record as of `convert`, without negative ones.

    Several devices write -1 for a missing number of a workout.
    """
    columns = {column for column, _, _ in conversions}
    known = {
        column: record.get(column)
        for column in columns
        if not str(record.get(column)).strip().startswith("-")
    }
    return convert(known, conversions)


def parse_amount(value: object) -> float | None:
    """An amount of 0 or more, or None for an empty value.

    Groups of digits as in ``1,234``, ``1,23,456``, ``1 234`` and ``1'234`` are read.

    Raises
    ------
    ValueError
        If it is not a number, negative, or 10 to the power of 15 or more.
    """
    if value is None:
        return None
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        raise ValueError(f"{shorten(value)} is not an amount")
    amount = math.nan if isinstance(value, bool) else _to_float(value)
    if isinstance(value, str) and not 0 <= amount < math.inf:
        if not value.strip():
            return None
        text = without_group_spaces(value.strip())
        if _THOUSANDS.match(text):
            amount = float(text.replace(",", ""))
        elif text != value.strip():
            amount = _to_float(text)
    # float() also accepts underscores.
    if not 0 <= amount < _MAX_AMOUNT or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{shorten(value)} is not an amount")
    return amount


def _to_float(value: object) -> float:
    """`value` as a number; NaN if it is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        return math.nan


def without_group_spaces(text: str) -> str:
    """`text` without spaces and apostrophes between groups of three digits."""
    return _GROUP_SPACE.sub("", text)


def amounts(
    records: Iterable[Mapping[str, Any]], first: str, second: str
) -> Iterator[tuple[float | None, float | None]]:
    """The amounts of two columns. Records without them are skipped: reading them reports them."""
    for record in records:
        try:
            yield parse_amount(record[first]), parse_amount(record[second])
        except (KeyError, ValueError):
            continue


def date_part(stamp: str) -> str:
    """The date of a timestamp, as text."""
    return re.split(r"[ T]", stamp.strip(), maxsplit=1)[0]


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
    if max(len(parts["m"]), len(parts["d"])) > 2:  # noqa: PLR2004 - digits of a month or day
        raise ValueError(f"{shorten(text)} is not a date")
    year = int(parts["y"])
    if len(parts["y"]) == 2:  # noqa: PLR2004 - digits of a short year
        year += 2000
    try:
        return check_day(date(year, int(parts["m"]), int(parts["d"])))
    except ValueError as error:
        raise ValueError(f"{shorten(text)} is not a date: {error}") from error
