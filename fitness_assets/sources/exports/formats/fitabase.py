"""Fitabase: one CSV a measure and interval, of several users, in their local time."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format

# By time column and a column that identifies the file, the daily values: (column, metric, factor).
_DAILY = {
    ("ActivityDate", "TotalSteps"): [
        ("TotalSteps", "steps", 1.0),
        ("TotalDistance", "distance_km", 1.0),
        ("VeryActiveMinutes", "active_minutes", 1.0),
        ("FairlyActiveMinutes", "active_minutes", 1.0),
        ("SedentaryMinutes", "sedentary_minutes", 1.0),
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


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header that begins with ``Id`` and a known time column."""
    names = parsing.csv_header(head)
    time_columns = {time_column for time_column, _ in (*_DAILY, *_READINGS)}
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
    names = parsing.csv_header(member.head())
    if "Id" not in names:
        raise SourceError(f"{member.name} has no column Id")
    keys = {(names[1], name) for name in names}
    for key in keys & _DAILY.keys():
        _add_daily_values(member, key[0], _DAILY[key], days, quarantine)
    for time_column, value_column in keys & _READINGS.keys():
        _add_readings(member, time_column, value_column, days, quarantine)


def _add_daily_values(
    member: Member,
    time_column: str,
    conversions: parsing.Conversions,
    days: DayAggregator,
    quarantine: Quarantine,
) -> None:
    """Several rows of a day are the same row delivered again: the largest value is kept."""
    rows = list(parsing.csv_records(member, quarantine))
    order = parsing.detect_date_order(
        {parsing.date_part(row.get(time_column, "")) for _, row in rows}
    )

    def process(row: dict[str, str]) -> None:
        day = parsing.parse_day(row[time_column], order)
        days.add_daily_values(_user(row), day, parsing.convert(row, conversions))

    parsing.process_each(member, rows, process, quarantine)


def _add_readings(
    member: Member,
    time_column: str,
    value_column: str,
    days: DayAggregator,
    quarantine: Quarantine,
) -> None:
    """Each file is one source, so that overlapping collection periods are not added together."""
    # By user, date as written and hour: the first place, the sum and the number of readings.
    hours: dict[tuple[str, str, int], tuple[str, float, int]] = {}

    def with_places() -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
        for place, row in parsing.csv_records(member, quarantine):
            yield place, (place, row)

    def process_row(placed: tuple[str, dict[str, str]]) -> None:
        place, row = placed
        amount = parsing.parse_amount(row[value_column])
        date_text, _, time = row[time_column].strip().partition(" ")
        key = (_user(row), date_text, _hour(time))
        if amount is not None:
            first_place, total, count = hours.get(key, (place, 0.0, 0))
            hours[key] = (first_place, total + amount, count + 1)

    parsing.process_each(member, with_places(), process_row, quarantine)
    metric = _READINGS[time_column, value_column]
    order = parsing.detect_date_order({date_text for _, date_text, _ in hours})

    def process_hour(sums: tuple[tuple[str, str, int], float, int]) -> None:
        (user, date_text, hour), total, count = sums
        day = parsing.parse_day(date_text, order)
        if metric == "heart_rate_avg":
            days.add_heart_rates(user, day, hour, member.name, total, count)
        else:
            amounts = DayAmounts()
            amounts.add(hour * 60, 60, total)
            days.add_amounts(user, day, metric, amounts, member.name, device="")

    placed_hours = ((place, (key, total, count)) for key, (place, total, count) in hours.items())
    parsing.process_each(member, placed_hours, process_hour, quarantine)


def _user(row: dict[str, str]) -> str:
    user = row["Id"].strip()
    # Spreadsheets write long ids as 1.50396E+09, which is the same for several users.
    if not user.isdigit():
        raise ValueError(f"Id {parsing.shorten(user)} is not a number")
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
    "`ActivityDay`, `ActivityHour`, `ActivityMinute`, `SleepDay`, `Date` or `Time`.",
    dates="Local time. Year, month or day first, in 12 or 24 hours: the order is detected for each "
    "file.",
    units="km, kcal, minutes and kg.",
    columns={
        "steps": "`TotalSteps`, else `StepTotal`, else the sum of hours or minutes",
        "distance_km": "`TotalDistance`",
        "calories_burned": "`Calories`, else the sum of hours or minutes",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`Value` of heart rates: mean of the hourly means",
        "sleep_hours": "`TotalMinutesAsleep`",
        "active_minutes": "`VeryActiveMinutes` + `FairlyActiveMinutes`",
        "sedentary_minutes": "`SedentaryMinutes`",
        "weight_kg": "`WeightKg`",
    },
)
