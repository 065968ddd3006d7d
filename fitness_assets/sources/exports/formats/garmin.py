"""Garmin's data export: JSON lists of days, nights and activities, distinguished by their keys."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import Clock, date_of, local_seconds
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.text import shorten

_NAME = re.compile(r"(UDSFile_.*|_sleepData|summarizedActivities)\.json$")
_HEADER = re.compile(
    rb'"(totalSteps|totalKilocalories|includesWellnessData|sleepStartTimestampGMT'
    rb'|summarizedActivitiesExport)"\s*:'
)
_DAILY = (
    ("totalSteps", "steps", 1.0),
    ("totalDistanceMeters", "distance_km", 0.001),
    ("totalKilocalories", "total_kcal", 1.0),
    ("activeKilocalories", "active_kcal", 1.0),
    ("bmrKilocalories", "basal_kcal", 1.0),
    ("moderateIntensityMinutes", "active_minutes", 1.0),
    ("vigorousIntensityMinutes", "active_minutes", 1.0),
)
_DAILY_KEYS = [key for key, _, _ in _DAILY]
_SLEEP = tuple(
    (f"{stage}SleepSeconds", "sleep_hours", 1 / 3600) for stage in ("deep", "light", "rem")
)


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON list with a key of Garmin's."""
    return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"[") and bool(_HEADER.search(head))


def matches_name(name: str) -> bool:
    """Whether `name` ends as Garmin's file names do."""
    return bool(_NAME.search(name))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Objects of other kinds are ignored."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name)
    clock = Clock(options.zone_or_utc, options.zone_or_utc)
    nights: dict[str, tuple[date, float]] = {}

    def process(item: dict[str, Any]) -> Iterable[str]:
        if "summarizedActivitiesExport" in item:
            for workout in item["summarizedActivitiesExport"]:
                days.add_workout(user, *_workout(workout, clock))
            return ("activity_type",) if item["summarizedActivitiesExport"] else ()
        if "sleepEndTimestampGMT" in item:
            slept = parsing.convert(item, _SLEEP)
            for hours in slept.values():
                # Files overlap, and may hold the same night twice.
                night = (_day_of_waking(item, clock), hours)
                key = str(item.get("sleepStartTimestampGMT"))
                nights[key] = max(night, nights.get(key, night))
            return slept
        if not item.keys().isdisjoint(_DAILY_KEYS) and (
            item.get("includesWellnessData") is not False
        ):
            resting = item.get("restingHeartRate") or item.get("currentDayRestingHeartRate")
            values = parsing.convert(item, _DAILY)
            if (rate := parsing.parse_amount(resting)) is not None:
                values["resting_heart_rate"] = rate
            days.add_daily_values(user, parsing.parse_day(_text(item["calendarDate"])), values)
            return values
        return ()

    def read_member(member: Member) -> None:
        parsing.process_each(member, parsing.json_records(member, quarantine), process, quarantine)

    read_each(members, read_member, quarantine)
    for day, hours in nights.values():
        days.add_amount(user, day, "sleep_hours", hours, FORMAT.name)
    return days.record_batches(quarantine, options.delivered)


def _workout(item: dict[str, Any], clock: Clock) -> tuple[date, str | None, float]:
    """The day, the activity and the length of a workout."""
    # startTimeLocal is the local time written as milliseconds since 1970 in UTC.
    local, utc = (parsing.parse_amount(item.get(key)) for key in ("startTimeLocal", "startTimeGmt"))
    if local is None and utc is None:
        raise ValueError("an activity has no start")
    seconds = clock.to_local(int((utc or 0) / 1000)) if local is None else int(local / 1000)
    length = parsing.parse_amount(item.get("duration")) or 0.0
    return check_day(date_of(seconds)), activity(_text(item.get("activityType"))), length


def _day_of_waking(item: dict[str, Any], clock: Clock) -> date:
    calendar_date = item.get("calendarDate")
    if calendar_date is not None:
        return parsing.parse_day(_text(calendar_date))
    end = datetime.fromisoformat(_text(item["sleepEndTimestampGMT"]))
    return check_day(clock.local_date(local_seconds(end)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shorten(value)} is not text")
    return value


FORMAT = Format(
    name="garmin",
    title="Garmin's data export",
    priority=50,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON list with `totalSteps`, `totalKilocalories`, `includesWellnessData`, "
    "`sleepStartTimestampGMT` or `summarizedActivitiesExport`.",
    dates="`calendarDate` as 2020-01-02, the local day. Activities and nights without it: UTC, "
    "assigned to the day of `--timezone`.",
    units="m, kcal, minutes and seconds.",
    columns={
        "steps": "`totalSteps`",
        "distance_km": "`totalDistanceMeters`",
        "calories_burned": "`totalKilocalories`, else `activeKilocalories` + `bmrKilocalories`, "
        "else `activeKilocalories`",
        "calories_kind": "`total`, or `active` if only active energy is stated",
        "resting_heart_rate": "`restingHeartRate`, else `currentDayRestingHeartRate`",
        "sleep_hours": "deep, light and REM sleep, on the day of waking",
        "active_minutes": "`moderateIntensityMinutes` + `vigorousIntensityMinutes`",
        "activity_type": "`activityType` of the longest activity",
    },
)
