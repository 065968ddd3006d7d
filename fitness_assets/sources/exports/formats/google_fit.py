"""Google Fit: `Daily activity metrics.csv` of a Google Takeout, one row a day.

Columns vary by user and are found by name. Latitude and longitude are never read. Sleep is left
out: the file splits a night at midnight, so its hours cannot be assigned to the day of waking.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format

_DAILY = (
    ("Step count", "steps", 1.0),
    ("Distance (m)", "distance_km", 0.001),
    ("Calories (kcal)", "total_kcal", 1.0),
    ("Move Minutes count", "active_minutes", 1.0),
    ("Average heart rate (bpm)", "heart_rate_avg", 1.0),
    ("Average weight (kg)", "weight_kg", 1.0),
)
_DURATION = " duration (ms)"
# Words in the names of durations that are not activities.
_NOT_ACTIVITIES = ("inactive", "sleep", "bed", "vehicle", "tilting", "unknown", "still")


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header with ``Date`` and two known columns."""
    names = parsing.csv_header(head)
    return "Date" in names and len({column for column, _, _ in _DAILY} & set(names)) > 1


def matches_name(name: str) -> bool:
    """Whether `name` is that of the daily metrics."""
    return name.endswith("Daily activity metrics.csv")


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name)

    def process(row: dict[str, str]) -> None:
        day = parsing.parse_day(row["Date"])
        days.add_daily_values(user, day, parsing.convert(row, _DAILY))
        for name, value in row.items():
            length = parsing.parse_amount(value) if name.endswith(_DURATION) else None
            if length and not any(word in name.lower() for word in _NOT_ACTIVITIES):
                days.add_workout(user, day, activity(name.removesuffix(_DURATION)), length)

    def read_member(member: Member) -> None:
        parsing.process_each(member, parsing.csv_records(member, quarantine), process, quarantine)

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine, options.delivered)


FORMAT = Format(
    name="google_fit",
    title="Google Fit's Daily activity metrics.csv",
    priority=70,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV with `Date` and at least two of `Step count`, `Distance (m)`, "
    "`Calories (kcal)`, `Move Minutes count`, `Average heart rate (bpm)` and "
    "`Average weight (kg)`.",
    dates="`Date` as 2018-04-03, the local day.",
    units="m, kcal, minutes and kg, as the column names say.",
    columns={
        "steps": "`Step count`",
        "distance_km": "`Distance (m)`",
        "calories_burned": "`Calories (kcal)`",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`Average heart rate (bpm)`",
        "active_minutes": "`Move Minutes count`",
        "activity_type": "the activity with the longest `… duration (ms)`",
        "weight_kg": "`Average weight (kg)`",
    },
)
