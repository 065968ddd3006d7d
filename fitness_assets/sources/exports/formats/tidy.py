"""Any tidy CSV or Parquet, one row a user and day, by its layout or by our own names."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import plausible
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.layout import CANONICAL, Layout
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "tidy"
TITLE = "CSV or Parquet with columns user_id and date, or with a layout"

_PARQUET = b"PAR1"
_ROWS_PER_BATCH = 8192
_MOST_INT = 2**31 - 1
_REQUIRED = {"user_id", "date"}
_MEASURES = set(SCHEMA.names) - _REQUIRED
_NULLABLE = pa.schema([field.with_nullable(True) for field in SCHEMA])


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` has our own columns; of Parquet the end tells."""
    names = set(parsing.header(head))
    return head.startswith(_PARQUET) or (names >= _REQUIRED and bool(names & _MEASURES))


def read(
    members: Sequence[Member], told: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The records of `members`, as they come: of a day that is there twice, both.

    Of a file that ends in damage, the rows before it have been handed out by then.
    """
    for member in members:
        try:
            yield from _read(member, told, quarantine)
        except SourceError as error:
            quarantine(member.name, "", str(error))


def _read(member: Member, told: ImportOptions, quarantine: Quarantine) -> Iterator[pa.RecordBatch]:
    layout = told.layout or CANONICAL
    parquet = member.head().startswith(_PARQUET)
    rows = _parquet(member, layout) if parquet else _csv(member, layout, quarantine)
    fixed = {"source": NAME, "ingested_at": told.delivered, "user_id": told.user}
    fixed |= layout.constants
    for places, values in rows:
        wrong: dict[int, str] = {}
        columns = []
        for field in SCHEMA:
            name = field.name
            column, factor = layout.columns.get(name, ("", 1.0))
            if column in values:
                read_one = partial(_value, name, factor, layout)
                found = _converted(values[column], read_one, fixed.get(name), wrong)
            else:
                found = [fixed.get(name)] * len(places)
            if not field.nullable:
                none = {i: f"there is no {name}" for i, one in enumerate(found) if one is None}
                wrong = none | wrong
            columns.append(pa.array(found, field.type))
        for index in sorted(wrong):
            quarantine(member.name, places[index], wrong[index])
        kept = [index not in wrong for index in range(len(places))]
        batch = pa.record_batch(columns, _NULLABLE).filter(pa.array(kept, pa.bool_()))
        if batch.num_rows:
            yield batch.cast(SCHEMA)


def _converted(
    values: Sequence[Any],
    read_one: Callable[[Any], Any],
    fixed: Any,
    wrong: dict[int, str],
) -> list[Any]:
    """`values` as the canonical record has them; `wrong` is told of those that cannot be."""
    found = []
    for index, value in enumerate(values):
        try:
            one = read_one(value)
        except (ValueError, TypeError) as error:
            wrong.setdefault(index, str(error))
            one = None
        found.append(fixed if one is None else one)
    return found


def _value(name: str, factor: float, layout: Layout, value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
        codes = layout.values.get(name, {})
        if value in codes:
            return codes[value]
        value = None if value in layout.missing else value
    # Not-a-number is how some writers spell a missing value.
    if value is None or value != value:  # noqa: PLR0124
        return None
    try:
        read = _READ.get(name)
        if read is not None:
            return read(value, layout.date_format)
        amount = (parsing.number(value) or 0.0) * factor
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if amount == 0 and name in layout.zero_is_missing:
        return None
    if name not in _COUNTS:
        return amount
    if amount > _MOST_INT:
        raise ValueError(f"{name} is {amount:.0f}")
    return round(amount)


def _text(value: Any, _date_format: str | None) -> str | None:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip() or None


def _stamp(value: Any, _date_format: str | None) -> datetime:
    stamp = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _date(value: Any, date_format: str | None) -> date:
    """A day; of a stamp the day that it shows."""
    if isinstance(value, datetime):
        return plausible(value.date())
    if isinstance(value, date):
        return plausible(value)
    return _parsed(str(value).strip(), date_format)


@lru_cache(maxsize=4096)
def _parsed(value: str, date_format: str | None) -> date:
    if date_format is None:
        return parsing.day(value)
    return plausible(datetime.strptime(value, date_format).date())  # noqa: DTZ007 - a day


def _activity(value: Any, _date_format: str | None) -> str | None:
    return activity(str(value))


_READ: dict[str, Callable[[Any, str | None], Any]] = {
    **{field.name: _text for field in SCHEMA if pa.types.is_string(field.type)},
    "date": _date,
    "ingested_at": _stamp,
    "activity_type": _activity,
}
_COUNTS = {field.name for field in SCHEMA if pa.types.is_integer(field.type)}

#: The places of some rows, and their values by column.
_Rows = tuple[list[str], dict[str, list[Any]]]


def _csv(member: Member, layout: Layout, quarantine: Quarantine) -> Iterator[_Rows]:
    names = parsing.header(member.head(), layout.delimiter)
    wanted = _wanted(names, layout, member)
    rows = parsing.records(member, quarantine, layout.delimiter)
    while some := list(islice(rows, _ROWS_PER_BATCH)):
        places = [place for place, _ in some]
        yield places, {name: [row.get(name) for _, row in some] for name in wanted}


def _parquet(member: Member, layout: Layout) -> Iterator[_Rows]:
    number = 0
    try:
        with member.open() as content, pq.ParquetFile(content) as file:
            wanted = _wanted(file.schema_arrow.names, layout, member)
            for batch in file.iter_batches(_ROWS_PER_BATCH, columns=wanted):
                places = [f"row {number + index + 1}" for index in range(batch.num_rows)]
                number += batch.num_rows
                yield places, {name: batch.column(name).to_pylist() for name in wanted}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{member.name} cannot be read as Parquet: {reason}") from error


def _wanted(names: Sequence[str], layout: Layout, member: Member) -> list[str]:
    """The columns to read. A layout's must all be there; of our own those that say who and when."""
    columns = {column for column, _ in layout.columns.values()}
    missing = sorted((_REQUIRED if layout is CANONICAL else columns) - set(names))
    if missing:
        raise SourceError(f"{member.name} lacks the column {', '.join(missing)}")
    return sorted(columns & set(names))
