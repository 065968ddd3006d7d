"""Tidy CSV or Parquet: one row a user and day, with canonical column names or by a layout."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import FULL_SCHEMA, OPTIONAL, schema_of
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.layout import CANONICAL, Layout
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.users import UserIds
from fitness_assets.sources.parquet_limits import batches
from fitness_assets.text import shorten

_PARQUET_MAGIC = b"PAR1"
_ROWS_PER_BATCH = 8192
# Characters of the values of a batch.
_MAX_BATCH_LENGTH = 8 << 20
MAX_TEXT_LENGTH = 1_000
_MAX_INT32 = 2**31 - 1
_REQUIRED = {"user_id", "date"}
_MEASURES = set(FULL_SCHEMA.names) - _REQUIRED
# Columns of files with several rows a day, which are not tidy.
_TIMES = {"time", "hour", "minute", "timestamp", "start", "end"}
_NO_USER = (
    "it has no column user_id: name the user (--user NAME, or a folder NAME in the inbox), or "
    "declare the column in a layout"
)
_INTEGERS = {field.name for field in FULL_SCHEMA if pa.types.is_integer(field.type)}

# The places of some rows, and their values by column of the file.
_Rows = tuple[list[str], dict[str, list[Any]]]


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header with canonical columns, or the start of a Parquet file.

    The columns of a Parquet file are at its end, and are checked when it is read.
    """
    names = set(csv_header(head))
    is_daily = "user_id" in names or names.isdisjoint(_TIMES)
    is_csv = is_daily and "date" in names and bool(names & _MEASURES)
    return head.startswith(_PARQUET_MAGIC) or is_csv


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The records of `members`, one a row: rows of the same user and day are all returned.

    Rows before damage in a file are returned too, since the file is streamed.
    """
    users = UserIds(quarantine)
    for member in members:
        try:
            yield from _read_member(member, options, users, quarantine)
        except SourceError as error:
            quarantine(member.name, "", str(error))


def _read_member(
    member: Member, options: ImportOptions, users: UserIds, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    layout = options.layout or CANONICAL
    is_parquet = member.head().startswith(_PARQUET_MAGIC)
    read_rows = _parquet_rows if is_parquet else _csv_rows
    defaults = {
        "source": FORMAT.name,
        "ingested_at": options.delivered,
        "user_id": options.user,
        **layout.constants,
    }
    for places, values in read_rows(member, layout, defaults, quarantine):
        errors: dict[int, str] = {}
        columns = []
        schema = schema_of(
            [name for name in OPTIONAL if layout.columns.get(name, ("", 1.0))[0] in values]
        )
        for field in schema:
            name = field.name
            column, factor = layout.columns.get(name, ("", 1.0))
            if column in values:
                convert = partial(_convert, name, factor, layout)
                converted = _convert_all(values[column], convert, defaults.get(name), errors)
                if name not in _REQUIRED and any(value is not None for value in converted):
                    member.usage.columns.add(name)
            else:
                converted = [defaults.get(name)] * len(places)
            if name == "user_id":
                converted = _convert_all(
                    converted, lambda user: user and users.read(user, member.name), None, errors
                )
            if not field.nullable:
                missing = {i: f"{name} is missing" for i, v in enumerate(converted) if v is None}
                errors = missing | errors
            columns.append(pa.array(converted, field.type))
        for index in sorted(errors):
            quarantine(member.name, places[index], errors[index])
        valid = pa.array([index not in errors for index in range(len(places))], pa.bool_())
        nullable = pa.schema([field.with_nullable(True) for field in schema])
        batch = pa.record_batch(columns, nullable).filter(valid)
        if batch.num_rows:
            member.usage.records += batch.num_rows
            yield batch.cast(schema)


def _convert_all(
    values: Sequence[Any],
    convert: Callable[[Any], Any],
    default: Any,
    errors: dict[int, str],
) -> list[Any]:
    """`values` converted, with `default` for missing ones; adds to `errors`, by row."""
    converted = []
    for index, value in enumerate(values):
        try:
            result = convert(value)
        except (ValueError, TypeError) as error:
            errors.setdefault(index, str(error))
            result = None
        converted.append(default if result is None else result)
    return converted


def _convert(name: str, factor: float, layout: Layout, value: Any) -> Any:
    """A value of the file as the canonical column `name` holds it; None if it is missing."""
    if isinstance(value, str):
        value = value.strip()
        codes = layout.values.get(name, {})
        if value in codes:
            return codes[value]
        value = None if value in layout.missing else value
    # Some writers use NaN for a missing value.
    if value is None or value != value:  # noqa: PLR0124
        return None
    try:
        converter = _CONVERTERS.get(name)
        if converter is not None:
            return converter(value, layout.date_format)
        amount = (parsing.parse_amount(value) or 0.0) * factor
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if amount == 0 and name in layout.zero_is_missing:
        return None
    if name not in _INTEGERS:
        return amount
    if amount > _MAX_INT32:
        raise ValueError(f"{name} is {amount:.0f}")
    return round(amount)


def _to_text(value: Any, _date_format: str | None) -> str | None:
    if isinstance(value, str | bytes) and len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"{shorten(value)} has {len(value):,} characters")
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip() or None


def _to_timestamp(value: Any, _date_format: str | None) -> datetime:
    stamp = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    check_day(stamp.date())
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _to_local_time(value: Any, _date_format: str | None) -> datetime:
    """A time on the local clock; for a timestamp with an offset, the time that it shows."""
    stamp = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    check_day(stamp.date())
    return stamp.replace(tzinfo=None)


def _to_day(value: Any, date_format: str | None) -> date:
    """A day; for a timestamp the day that it shows, whatever its offset."""
    if isinstance(value, datetime):
        return check_day(value.date())
    if isinstance(value, date):
        return check_day(value)
    text = str(value).strip()
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"{shorten(text)} is not a date")
    return _parse_day(text, date_format)


@lru_cache(maxsize=4096)
def _parse_day(text: str, date_format: str | None) -> date:
    if date_format is None:
        return parsing.parse_day(text)
    return check_day(datetime.strptime(text, date_format).date())  # noqa: DTZ007 - a day


def _to_activity(value: Any, _date_format: str | None) -> str | None:
    return activity(_to_text(value, None) or "")


# Converters of columns that are not amounts.
_CONVERTERS: dict[str, Callable[[Any, str | None], Any]] = {
    **{field.name: _to_text for field in FULL_SCHEMA if pa.types.is_string(field.type)},
    "date": _to_day,
    "ingested_at": _to_timestamp,
    "sleep_start": _to_local_time,
    "sleep_end": _to_local_time,
    "activity_type": _to_activity,
}


def _csv_rows(
    member: Member, layout: Layout, defaults: Mapping[str, Any], quarantine: Quarantine
) -> Iterator[_Rows]:
    table = Table(member, quarantine, encoding=layout.encoding, delimiter=layout.delimiter)
    columns = _columns_to_read(table.names, layout, defaults, member)
    numbers = {
        column: number_column(name, factor) for name, (column, factor) in layout.columns.items()
    }
    date_column = layout.columns["date"][0] if layout.date_format is None else None
    table.detect(numbers, date_column, decimal=layout.decimal)
    places: list[str] = []
    values: dict[str, list[Any]] = {name: [] for name in columns}
    length = 0
    for place, row in table.records():
        places.append(place)
        for name in columns:
            value = row.get(name)
            values[name].append(value)
            length += len(value or "")
        if len(places) >= _ROWS_PER_BATCH or length >= _MAX_BATCH_LENGTH:
            yield places, values
            places, values, length = [], {name: [] for name in columns}, 0
    if places:
        yield places, values


def _parquet_rows(
    member: Member, layout: Layout, defaults: Mapping[str, Any], _quarantine: Quarantine
) -> Iterator[_Rows]:
    rows_before = 0

    def columns_of(names: list[str]) -> list[str]:
        return _columns_to_read(names, layout, defaults, member)

    try:
        with member.open() as content:
            for batch in batches(content, member.name, columns_of, _ROWS_PER_BATCH):
                places = [f"row {rows_before + index + 1}" for index in range(batch.num_rows)]
                rows_before += batch.num_rows
                yield places, {name: batch.column(name).to_pylist() for name in batch.schema.names}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{member.name} cannot be read as Parquet: {reason}") from error


def _columns_to_read(
    names: Sequence[str], layout: Layout, defaults: Mapping[str, Any], member: Member
) -> list[str]:
    """The file's columns that are used.

    All columns of a layout must be present; without a layout, the date, and the user id unless the
    user is declared.
    """
    columns = {column for column, _ in layout.columns.values()}
    if layout is CANONICAL and "user_id" not in names and not defaults["user_id"]:
        raise SourceError(f"{member.name}: {_NO_USER}")
    missing = sorted(({"date"} if layout is CANONICAL else columns) - set(names))
    if missing:
        raise SourceError(f"{member.name} lacks the column {', '.join(missing)}")
    unread = [name for name in names if name and name not in columns]
    if unread:
        member.usage.notes.append(f"columns not read: {', '.join(map(str, unread))}")
    return sorted(columns & set(names))


FORMAT = Format(
    name="tidy",
    title="CSV or Parquet with columns date and user_id, or with a layout",
    priority=1000,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=True,
    identified_by="CSV with `date` and at least one more canonical column, and with `user_id` "
    "unless the user is declared; any Parquet file; with a layout, any CSV or Parquet file.",
    dates="`date` as 2023-04-30, or in the layout's `date_format`: the local day.",
    units="The canonical units, or those that the layout declares.",
    columns={field.name: f"`{field.name}`" for field in FULL_SCHEMA if field.name not in _REQUIRED},
)
