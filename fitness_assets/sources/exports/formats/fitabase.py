"""Fitabase: one CSV a measure and interval, of several users, in their local time."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache, partial

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.text import shorten

# By time column and a column that identifies the file, the daily values: (column, metric, factor).
_DAILY = {
    ("ActivityDate", "TotalSteps"): [
        ("TotalSteps", "steps", 1.0),
        ("TotalDistance", "distance_km", 1.0),
        ("VeryActiveMinutes", "active_minutes", 1.0),
        ("FairlyActiveMinutes", "active_minutes", 1.0),
        ("SedentaryMinutes", "sedentary_minutes", 1.0),
        ("LightlyActiveMinutes", "light_minutes", 1.0),
        ("FairlyActiveMinutes", "moderate_minutes", 1.0),
        ("VeryActiveMinutes", "vigorous_minutes", 1.0),
        ("Calories", "total_kcal", 1.0),
    ],
    ("ActivityDay", "StepTotal"): [("StepTotal", "steps", 1.0)],
    ("ActivityDay", "Calories"): [("Calories", "total_kcal", 1.0)],
    ("SleepDay", "TotalMinutesAsleep"): [("TotalMinutesAsleep", "sleep_hours", 1 / 60)],
    ("Date", "WeightKg"): [("WeightKg", "weight_kg", 1.0)],
}
# By time column and value column, the metric of readings, which are summed; heart rates are
# averaged.
_READINGS = {
    ("ActivityHour", "StepTotal"): "steps",
    ("ActivityMinute", "Steps"): "steps",
    ("ActivityHour", "Calories"): "total_kcal",
    ("ActivityMinute", "Calories"): "total_kcal",
    ("Time", "Value"): "heart_rate_avg",
}
# Columns of the 60 minutes of an hour, in files with a row an hour.
_MINUTE_OF_HOUR = re.compile(r"(Steps|Calories)[0-5]\d")
# Minutes of sleep: 1 is asleep, 2 restless, 3 awake.
_SLEEP_MINUTES = ("date", "value")
_ASLEEP = 1.0


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header that begins with ``Id`` and a known time column."""
    names = csv_header(head)
    time_columns = {time_column for time_column, _ in (*_DAILY, *_READINGS, _SLEEP_MINUTES)}
    return names[:1] == ["Id"] and len(names) > 1 and names[1] in time_columns


def matches_name(name: str) -> bool:
    """Whether `name` ends as Fitabase's file names do."""
    return name.endswith("_merged.csv")


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. The date style is detected for each file."""
    days = DayAggregator(FORMAT.name, options.source_order)
    read_each(members, lambda member: _read_member(member, days, quarantine), quarantine)
    return days.record_batches(quarantine, options.delivered)


def _read_member(member: Member, days: DayAggregator, quarantine: Quarantine) -> None:
    table = Table(member, quarantine)
    names = table.names
    if "Id" not in names or len(names) < 2:  # noqa: PLR2004 - the id and a time
        raise SourceError(f"{member.name} has no column Id")
    time_column = names[1]
    present = [key for name in names if (key := (time_column, name)) in {*_DAILY, *_READINGS}]
    by_minute = [name for name in names if _MINUTE_OF_HOUR.fullmatch(name)]
    conversions = [each for key in present for each in _DAILY.get(key, ())]
    readings = {name: _READINGS[key] for key in present if (name := key[1]) and key in _READINGS}
    if time_column == "ActivityHour":
        readings |= {name: _READINGS["ActivityMinute", name[:-2]] for name in by_minute}
    numbers = {column: number_column(metric, factor) for column, metric, factor in conversions}
    numbers |= {column: number_column(metric) for column, metric in readings.items()}
    order = table.detect(numbers, time_column)
    parse_day = lru_cache(partial(parsing.parse_day, order=order))

    def add_daily_values(row: dict[str, str]) -> Iterable[str]:
        # Several rows of a day are the same row delivered again: the largest value is kept.
        values = parsing.convert(row, conversions)
        days.add_daily_values(_user(row), parse_day(parsing.date_part(row[time_column])), values)
        return values

    if conversions:
        parsing.process_each(member, table.records(), add_daily_values, quarantine)
    elif readings:
        _add_readings(member, table, time_column, readings, parse_day, days, quarantine)
    elif (time_column, "value") == _SLEEP_MINUTES:
        _add_sleep(member, table, parse_day, days, quarantine)


def _add_readings(  # noqa: PLR0913, PLR0917 - all of them describe the file
    member: Member,
    table: Table,
    time_column: str,
    readings: Mapping[str, str],
    parse_day: Callable[[str], date],
    days: DayAggregator,
    quarantine: Quarantine,
) -> None:
    """Each file is one source, so that overlapping collection periods are not added together."""
    # By user, day, hour and metric: the sum and the number of readings.
    hours: dict[tuple[str, date, int, str], tuple[float, int]] = {}

    def process_row(row: dict[str, str]) -> Iterable[str]:
        date_text, _, time = row[time_column].strip().partition(" ")
        user, day, hour = _user(row), parse_day(date_text), _hour(time)
        found = set()
        for column, metric in readings.items():
            amount = parsing.parse_amount(row[column])
            if amount is not None:
                total, count = hours.get((user, day, hour, metric), (0.0, 0))
                hours[user, day, hour, metric] = (total + amount, count + 1)
                found.add(metric)
        return found

    parsing.process_each(member, table.records(), process_row, quarantine)
    for (user, day, hour, metric), (total, count) in hours.items():
        if metric == "heart_rate_avg":
            days.add_heart_rates(user, day, hour, member.name, total, count)
        else:
            amounts = DayAmounts()
            amounts.add(hour * 60, 60, total)
            days.add_amounts(user, day, metric, amounts, member.name, device="")


def _add_sleep(
    member: Member,
    table: Table,
    parse_day: Callable[[str], date],
    days: DayAggregator,
    quarantine: Quarantine,
) -> None:
    """Minutes of sleep, one a row: the minutes asleep of a night, on its last day."""
    nights: dict[tuple[str, str], tuple[date, int]] = {}

    def process_row(row: dict[str, str]) -> Iterable[str]:
        key = (_user(row), row.get("logId", ""))
        day, is_asleep = parse_day(parsing.date_part(row["date"])), float(row["value"]) == _ASLEEP
        last, minutes = nights.get(key, (day, 0))
        nights[key] = (max(day, last), minutes + is_asleep)
        return ("sleep_hours",)

    parsing.process_each(member, table.records(), process_row, quarantine)
    for (user, _), (day, minutes) in nights.items():
        days.add_amount(user, day, "sleep_hours", minutes / 60, member.name)


def _user(row: dict[str, str]) -> str:
    user = row["Id"].strip()
    # Spreadsheets write long ids as 1.50396E+09, which is the same for several users.
    if not (user.isascii() and user.isdigit()):
        raise ValueError(f"Id {shorten(user)} is not a number")
    return user


def _hour(time: str) -> int:
    """The hour of ``3:07:00 PM`` or ``15:07``."""
    hour = int(time.partition(":")[0])
    half = time[-2:].upper()
    return hour % 12 + 12 * (half == "PM") if half in {"AM", "PM"} else hour


FORMAT = Format(
    name="fitabase",
    title="Fitabase CSV",
    priority=20,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=True,
    identified_by="CSV whose first column is `Id` and whose second is `ActivityDate`, "
    "`ActivityDay`, `ActivityHour`, `ActivityMinute`, `SleepDay`, `Date`, `date` or `Time`.",
    dates="Local time. Year, month or day first, in 12 or 24 hours: the order is detected for each "
    "file.",
    units="km, kcal, minutes and kg.",
    columns={
        "steps": "`TotalSteps`, else `StepTotal`, else the sum of hours or minutes, "
        "one a row or 60 a row",
        "distance_km": "`TotalDistance`",
        "calories_burned": "`Calories`, else the sum of hours or minutes",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`Value` of heart rates: mean of the hourly means",
        "sleep_hours": "`TotalMinutesAsleep`, else the minutes with `value` 1, on the day "
        "of waking",
        "active_minutes": "`VeryActiveMinutes` + `FairlyActiveMinutes`",
        "sedentary_minutes": "`SedentaryMinutes`",
        "weight_kg": "`WeightKg`",
        "light_minutes": "`LightlyActiveMinutes`",
        "moderate_minutes": "`FairlyActiveMinutes`",
        "vigorous_minutes": "`VeryActiveMinutes`",
    },
)
