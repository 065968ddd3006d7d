"""Strava's bulk export: `activities.csv`, a row an activity.

Names of columns are in English or German, some of them within a tag, and five of them occur twice:
of these, the second column is in SI units and is used. Distance and energy are those of workouts,
and not of the day.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.unknown_files import LAYOUT_CAN_DESCRIBE
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.sources.exports.written_times import parse_shown

_TAG = re.compile(r"<[^<>]*>")
# In metres.
_OLD_DISTANCE = "distance"
# The columns that are used, and their names in English, in German, and in English before 2019.
_COLUMNS = {
    "id": ("Activity ID", "Aktivitäts-ID", "id"),
    "date": ("Activity Date", "Aktivitätsdatum", "date"),
    "type": ("Activity Type", "Aktivitätsart", "type"),
    "elapsed": ("Elapsed Time", "Verstrichene Zeit", "elapsed_time"),
    "moving": ("Moving Time", "Bewegungszeit"),
    "filename": ("Filename", "Dateiname", "filename"),
    "distance": ("Distance", "Distanz", _OLD_DISTANCE),
    "kcal": ("Calories",),
    "mean rate": ("Average Heart Rate",),
    "greatest rate": ("Max Heart Rate",),
}
_REQUIRED = ("id", "date", "type", "elapsed")
_GERMAN_ACTIVITIES = {
    **dict.fromkeys(("lauf", "laufen", "traillauf", "virtueller lauf"), "running"),
    **dict.fromkeys(("radfahrt", "radfahren", "virtuelle radfahrt"), "cycling"),
    **dict.fromkeys(("gehen", "spaziergang", "spazieren"), "walking"),
    **dict.fromkeys(("wanderung", "wandern"), "hiking"),
    **dict.fromkeys(("krafttraining", "training"), "gym_workout"),
    "schwimmen": "swimming",
}
_WORKOUT = (
    ("distance", "distance_km", 0.001),
    ("kcal", "calories_burned", 1.0),
    ("mean rate", "heart_rate_avg", 1.0),
    ("greatest rate", "heart_rate_max", 1.0),
)
_SI = number_column("active_minutes", 1 / 60)


def matches_header(head: bytes) -> bool:
    """Whether the columns of an activity, and the one of its file, are in the header of a CSV."""
    names = _used([_plain(name) for name in csv_header(head)])
    return names.keys() >= {*_REQUIRED, "filename"}


def matches_name(name: str) -> bool:
    """Whether `name` is that of the list of activities."""
    return name == "activities.csv"


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. An activity in two exports counts once."""
    days = UserDays(FORMAT.name, FORMAT.title, options)
    seen: set[str] = set()

    def read_member(member: Member) -> None:
        # The second column of greatest heart rates is empty in some exports.
        table = Table(member, quarantine, same=_COLUMNS["greatest rate"])
        plain = {name: _plain(name) for name in table.names}
        names = {used: name for name in table.names for used in _used([plain[name]])}
        missing = [_COLUMNS[used][0] for used in _REQUIRED if used not in names]
        if missing:
            raise SourceError(
                f"{member.name} has no column {', '.join(missing)}; if its columns are in another "
                f"language, {LAYOUT_CAN_DESCRIBE}"
            )
        numbers = {names[used]: _SI for used in ("elapsed", "moving") if used in names}
        distances = [name for name in table.names if plain[name] in _COLUMNS["distance"]]
        # The unit of the first of two columns follows the account.
        in_metres = len(distances) > 1 or _OLD_DISTANCE in distances
        conversions = [
            (names[used], column, factor)
            for used, column, factor in _WORKOUT
            if used in names and (used != "distance" or in_metres)
        ]
        numbers |= {name: number_column(column, factor) for name, column, factor in conversions}
        order = table.detect(numbers, names["date"])
        if options.zone is None:
            member.usage.notes.append("times are in UTC, and no time zone is declared")

        def process(row: dict[str, str]) -> Iterable[str]:
            shown = parse_shown(row[names["date"]], order)
            seconds = parsing.parse_amount(row.get(names.get("moving", ""), ""))
            if seconds is None:
                seconds = parsing.parse_amount(row[names["elapsed"]])
            number = row[names["id"]].strip()
            if number and number in seen:
                return ("activity_type",)
            seen.add(number)
            start = shown.replace(tzinfo=UTC)
            local = days.local(start.timestamp())
            kind = row[names["type"]].strip()
            minutes = (seconds or 0.0) / 60
            filled = days.add_workout(
                Workout(
                    start=start,
                    local_start=local,
                    activity=_GERMAN_ACTIVITIES.get(kind.lower()) or activity(kind),
                    minutes=minutes,
                    **parsing.convert_known(row, conversions),
                )
            )
            days.add_amount(local.date(), "active_minutes", minutes)
            return (*filled, "active_minutes")

        parsing.process_each(member, table.records(), process, quarantine)

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine)


def _used(names: Sequence[str]) -> dict[str, str]:
    """The columns that are used, by what they hold."""
    return {used: name for name in names for used, known in _COLUMNS.items() if name in known}


def _plain(name: str) -> str:
    """A column name without the tags of missing translations."""
    return _TAG.sub("", name).strip()


FORMAT = Format(
    name="strava",
    title="Strava's bulk export (activities.csv)",
    priority=130,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV with `Activity ID`, `Activity Date`, `Activity Type`, `Elapsed Time` and "
    "`Filename`, their German names, or their names before 2019.",
    dates="`Activity Date` is in UTC, and assigned to the day of `--timezone`: as Jan 27, 2021, "
    "1:57:47 PM, as 27.01.2021, 13:57:47, or as 2021-01-27 13:57:47.",
    units="seconds, m and kcal. Distance and energy are those of workouts and not of the day.",
    columns={
        "active_minutes": "`Moving Time` of all activities, else `Elapsed Time`",
        "activity_type": "`Activity Type` of the longest activity",
    },
    workouts={
        "activity": "`Activity Type`",
        "minutes": "`Moving Time`, else `Elapsed Time`",
        "distance_km": "the second column `Distance`, in m",
        "calories_burned": "`Calories`",
        "heart_rate_avg": "`Average Heart Rate`",
        "heart_rate_max": "`Max Heart Rate`, the second column or else the first",
    },
)
