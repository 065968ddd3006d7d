"""Tidy CSV or Parquet: one row a user and day, with canonical column names or by a layout.

With a layout, a row may be a minute, an hour or a workout too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record import workouts
from fitness_assets.record.raw import FULL_SCHEMA, OPTIONAL, SCHEMA, schema_of
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.interval_days import IntervalDays
from fitness_assets.sources.exports.layout import CANONICAL, OF_INTERVALS, OF_WORKOUTS, Layout
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.report import note_of_unread
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.tidy_values import amount, convert, moment, stored
from fitness_assets.sources.exports.users import UserIds
from fitness_assets.sources.exports.workout_rows import WorkoutRows
from fitness_assets.sources.parquet_limits import batches

_PARQUET_MAGIC = b"PAR1"
_ROWS_PER_BATCH = 8192
# Characters of the values of a batch.
_MAX_BATCH_LENGTH = 8 << 20
_REQUIRED = {"user_id", "date"}
_MEASURES = set(FULL_SCHEMA.names) - _REQUIRED
# Columns of files with several rows a day, which are not tidy.
_TIMES = {"time", "hour", "minute", "timestamp", "start", "end"}
_NO_USER = (
    "it has no column user_id: name the user (--user NAME, or a folder NAME in the inbox), or "
    "declare the column in a layout"
)

# The columns that are read, by what a row stands for. Optional ones may be absent.
_NAMES = {
    "day": (*SCHEMA.names, *OPTIONAL),
    "hour": OF_INTERVALS,
    "minute": OF_INTERVALS,
    "workout": OF_WORKOUTS,
}

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

    Rows before damage in a file are returned too, since the file is streamed. Rows of minutes and
    hours are combined.
    """
    users = UserIds(quarantine)
    layout = options.layout or CANONICAL
    days: IntervalDays | WorkoutRows | None = None
    if layout.rows == "workout":
        days = WorkoutRows(FORMAT.name, layout)
    elif layout.rows != "day":
        days = IntervalDays(FORMAT.name, layout, options)
    for member in members:
        try:
            for rows in _read_member(member, options, users, quarantine):
                if days is None:
                    yield from _records(rows, member, quarantine)
                else:
                    _add_parts(days, rows, member, quarantine)
        except SourceError as error:
            quarantine(member.name, "", str(error))
    if days is not None:
        yield from days.record_batches(quarantine, options.delivered)


@dataclass(frozen=True)
class _Converted:
    """Rows of a file as the canonical record holds them.

    Attributes
    ----------
    places : list of str
    columns : dict of str to list
        By canonical column. If a row is a part of a day, ``date`` is the moment at which it begins.
    errors : dict of int to str
        Why a row cannot be used, by its index.
    """

    places: list[str]
    columns: dict[str, list[Any]]
    errors: dict[int, str]


def _read_member(
    member: Member, options: ImportOptions, users: UserIds, quarantine: Quarantine
) -> Iterator[_Converted]:
    layout = options.layout or CANONICAL
    is_parquet = member.head().startswith(_PARQUET_MAGIC)
    read_rows = _parquet_rows if is_parquet else _csv_rows
    defaults = {
        "source": FORMAT.name if layout.rows == "day" else "",
        "ingested_at": options.delivered,
        "user_id": options.user,
        **layout.constants,
    }
    for places, values in read_rows(member, layout, defaults, quarantine):
        errors: dict[int, str] = {}
        columns: dict[str, list[Any]] = {}
        for name in _NAMES[layout.rows]:
            converted = _column(name, values, layout, options, errors)
            if converted is None and name in OPTIONAL:
                continue
            known = converted or [None] * len(places)
            default = defaults.get(name)
            columns[name] = [default if value is None else value for value in known]
            if (
                name in _MEASURES
                and layout.rows == "day"
                and any(value is not None for value in known)
            ):
                member.usage.columns.add(name)
        columns["user_id"] = _convert_all(
            columns["user_id"], lambda user: user and users.read(user, member.name), errors
        )
        for name in _REQUIRED:
            missing = {
                index: f"{name} is missing"
                for index, value in enumerate(columns[name])
                if value is None
            }
            errors = missing | errors
        yield _Converted(places, columns, errors)


def _records(rows: _Converted, member: Member, quarantine: Quarantine) -> Iterator[pa.RecordBatch]:
    """The records of rows that are days."""
    for index in sorted(rows.errors):
        quarantine(member.name, rows.places[index], rows.errors[index])
    schema = schema_of(rows.columns)
    valid = pa.array([index not in rows.errors for index in range(len(rows.places))], pa.bool_())
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    arrays = [pa.array(rows.columns[field.name], field.type) for field in schema]
    batch = pa.record_batch(arrays, nullable).filter(valid)
    if batch.num_rows:
        member.usage.records += batch.num_rows
        yield batch.cast(schema)


def _add_parts(
    days: IntervalDays | WorkoutRows, rows: _Converted, member: Member, quarantine: Quarantine
) -> None:
    """Add rows that are parts of a day to `days`."""
    for index, place in enumerate(rows.places):
        reason = rows.errors.get(index)
        row = {name: column[index] for name, column in rows.columns.items()}
        user, begin = row.pop("user_id"), row.pop("date")
        source = row.pop("source", "")
        if reason is None:
            known = {name: value for name, value in row.items() if value is not None}
            try:
                member.usage.add(days.add(user, begin, source, known))
            except ValueError as error:
                reason = str(error)
        if reason is not None:
            quarantine(member.name, place, reason)


def _column(
    name: str,
    values: Mapping[str, list[Any]],
    layout: Layout,
    options: ImportOptions,
    errors: dict[int, str],
) -> list[Any] | None:
    """The values of a canonical column; None if the file has none. Adds to `errors`, by row."""
    if name in layout.combined:
        combined = layout.combined[name]
        parts = combined.of(values)
        to_amount = partial(amount, name, combined.factor, layout)
        by_part = [_convert_all(values[part], to_amount, errors) for part in parts]
        totals = [combined.value(name, row) for row in zip(*by_part, strict=True)]
        return _convert_all(totals, partial(stored, name, layout), errors)
    if layout.rows != "day" and name == "date":
        stamps = values[layout.columns["date"][0]]
        times = values[layout.time] if layout.time is not None else [None] * len(stamps)
        begin = partial(moment, layout=layout, zone=options.zone)
        return _convert_all(list(zip(stamps, times, strict=True)), begin, errors)
    column, factor = layout.columns.get(name, ("", 1.0))
    if column not in values:
        return None
    return _convert_all(values[column], partial(convert, name, factor, layout), errors)


def _convert_all(
    values: Sequence[Any], convert: Callable[[Any], Any], errors: dict[int, str]
) -> list[Any]:
    """`values` converted; adds to `errors`, by row."""
    converted = []
    for index, value in enumerate(values):
        try:
            result = convert(value)
        except (ValueError, TypeError) as error:
            errors.setdefault(index, str(error))
            result = None
        converted.append(result)
    return converted


def _csv_rows(
    member: Member, layout: Layout, defaults: Mapping[str, Any], quarantine: Quarantine
) -> Iterator[_Rows]:
    table = Table(member, quarantine, encoding=layout.encoding, delimiter=layout.delimiter)
    columns = _columns_to_read(table.names, layout, defaults, member)
    numbers = {
        column: number_column(name, factor) for name, (column, factor) in layout.columns.items()
    } | {
        column: number_column(name, combined.factor)
        for name, combined in layout.combined.items()
        for column in combined.of(columns)
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
    columns |= {layout.time} if layout.time is not None else set()
    for combined in layout.combined.values():
        columns |= {*combined.columns, *combined.of(names)}
        if not combined.of(names):
            raise SourceError(f"{member.name} has no column {combined.pattern}")
    if layout is CANONICAL and "user_id" not in names and not defaults["user_id"]:
        raise SourceError(f"{member.name}: {_NO_USER}")
    missing = sorted(({"date"} if layout is CANONICAL else columns) - set(names))
    if missing:
        raise SourceError(f"{member.name} lacks the column {', '.join(missing)}")
    unread = [name for name in names if name and name not in columns]
    if unread:
        member.usage.notes.append(note_of_unread(map(str, unread)))
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
    dates="`date` as 2023-04-30, or in the layout's `date_format`: the local day. With `rows` of a "
    "layout, minutes, hours or workouts, as timestamps or with a column of the time of day.",
    units="The canonical units, or those that the layout declares.",
    columns={field.name: f"`{field.name}`" for field in FULL_SCHEMA if field.name not in _REQUIRED},
    workouts={
        name: f"`{'activity_type' if name == 'activity' else name}` of a layout of workouts"
        for name in ("activity", *workouts.NUMBERS)
    },
)
