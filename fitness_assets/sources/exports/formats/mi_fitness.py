"""Xiaomi's Mi Fitness: CSV whose rows have a key and a value of JSON.

The table of days states each of them several times: only the tag ``daily_report`` is used, in which
devices are merged. Its time is local midnight as an instant, so a day needs the declared zone.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.text import shorten

_COLUMNS = {"Uid", "Key", "Time", "Value", "UpdateTime"}
_REPORT = "daily_report"
# The JSON counts quarters of an hour.
_ZONE_SECONDS = 900
_STEPS = (
    ("steps", "steps", 1.0),
    ("distance", "distance_km", 0.001),
    ("calories", "active_kcal", 1.0),
)
_WORKOUT = (
    ("duration", "minutes", 1 / 60),
    ("distance", "distance_km", 0.001),
    ("calories", "calories_burned", 1.0),
    ("avg_hrm", "heart_rate_avg", 1.0),
    ("max_hrm", "heart_rate_max", 1.0),
)
_HEART_RATE = (("avg_hr", "heart_rate_avg", 1.0), ("avg_rhr", "resting_heart_rate", 1.0))
_OXYGEN = (("avg_spo2", "spo2", 1.0),)
_SLEEP = (
    ("sleep_deep_duration", "sleep_deep", 1.0),
    ("sleep_light_duration", "sleep_light", 1.0),
    ("sleep_rem_duration", "sleep_rem", 1.0),
    ("sleep_awake_duration", "sleep_awake", 1.0),
)
_DAILY = {"steps": _STEPS, "heart_rate": _HEART_RATE, "spo2": _OXYGEN}

_Value = dict[str, Any]


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header of Mi Fitness."""
    names = csv_header(head)
    return names[:1] == ["Uid"] and set(names) >= _COLUMNS


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Readings within a day are not used."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options))

    def read_member(member: Member) -> None:
        table = Table(member, quarantine)
        process: Callable[[dict[str, str]], Iterable[str]]
        if "Tag" in table.names:
            process = reader.day
        elif "Category" in table.names:
            process = reader.workout
        else:
            member.usage.notes.append("readings within a day are in the table of days already")
            return
        if options.zone is None:
            member.usage.notes.append("midnights are in UTC, and no time zone is declared")
        parsing.process_each(member, table.records(), process, quarantine)

    read_each(members, read_member, quarantine)
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the rows of one user."""

    def __init__(self, days: UserDays) -> None:
        self.days = days

    def day(self, row: dict[str, str]) -> Iterable[str]:
        """Read a value of a day."""
        if row["Tag"] != _REPORT:
            return ()
        key = row["Key"]
        if key != "sleep" and key not in _DAILY:
            return ()
        value = _parsed(row["Value"])
        midnight = self.days.local(parsing.parse_amount(row["Time"]) or 0.0)
        if key == "sleep":
            return self._sleep(midnight.date(), value)
        values = {name: each for name, each in parsing.convert(value, _DAILY[key]).items() if each}
        self.days.state(midnight.date(), values)
        return values

    def workout(self, row: dict[str, str]) -> Iterable[str]:
        """Read a workout."""
        value = _parsed(row["Value"])
        start = value.get("start_time", row["Time"])
        return self.days.add_workout(
            Workout(
                local_start=self._local(start, value),
                start=utc(parsing.parse_amount(start) or 0.0),
                activity=activity(row["Key"]),
                **{"minutes": 0.0, **parsing.convert_known(value, _WORKOUT)},
            )
        )

    def _sleep(self, day: date, value: _Value) -> Iterable[str]:
        asleep = parsing.parse_amount(value["total_duration"])
        if not asleep:
            return ()
        stages = parsing.convert(value, _SLEEP)
        details = value.get("segment_details")
        segments = [each for each in details if isinstance(each, dict)] if details else []
        spans = [
            (self._local(each["bedtime"], each), self._local(each["wake_up_time"], each))
            for each in segments
        ]
        start, end = max(spans, key=lambda span: span[1] - span[0]) if spans else (None, None)
        night = Night(hours=asleep / 60, start=start, end=end, stages=stages)
        self.days.add_night(day, night, key=day)
        return ["sleep_hours", *(SLEEP_SPAN if spans else ()), *stages]

    def _local(self, stamp: object, value: _Value) -> datetime:
        """A time on the user's clock: by the zone of its value, else the declared one."""
        quarters = value.get("timezone")
        offset = quarters * _ZONE_SECONDS if isinstance(quarters, int) else None
        seconds = parsing.parse_amount(stamp)
        if seconds is None:
            raise ValueError("it has no time")
        return self.days.local(seconds, offset)


def _parsed(text: str) -> _Value:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shorten(text)} is not JSON") from error
    if not isinstance(value, dict):
        raise TypeError(f"{shorten(text)} is not an object")
    return value


FORMAT = Format(
    name="mi_fitness",
    title="Xiaomi's Mi Fitness",
    priority=220,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV that begins with `Uid` and has `Key`, `Time`, `Value` and `UpdateTime`.",
    dates="Seconds since 1970. A daily row has local midnight as an instant: declare "
    "`--timezone`. Nights and workouts carry their zone in quarters of an hour.",
    units="m, minutes and seconds. Zeros are missing values.",
    columns={
        "steps": "`steps` of `daily_report`",
        "distance_km": "`distance` of `daily_report`",
        "calories_burned": "`calories` of `steps` of `daily_report`",
        "calories_kind": "always `active`",
        "heart_rate_avg": "`avg_hr` of `daily_report`",
        "resting_heart_rate": "`avg_rhr` of `daily_report`",
        "sleep_hours": "`total_duration` of `daily_report`",
        "activity_type": "`Key` of the longest sport record",
        "sleep_deep": "`sleep_deep_duration`",
        "sleep_light": "`sleep_light_duration`",
        "sleep_rem": "`sleep_rem_duration`",
        "sleep_awake": "`sleep_awake_duration`",
        "sleep_start": "`bedtime` of the longest segment",
        "sleep_end": "`wake_up_time` of the longest segment",
        "spo2": "`avg_spo2` of `daily_report`",
    },
    workouts={
        "activity": "`Key` of the sport record",
        "minutes": "`duration`",
        "distance_km": "`distance`",
        "calories_burned": "`calories`",
        "heart_rate_avg": "`avg_hrm`",
        "heart_rate_max": "`max_hrm`",
    },
)
