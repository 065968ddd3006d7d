"""Garmin's data export: JSON of days, nights and activities, which go by what each row holds."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, plausible
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.local_time import Clock, day_of, wall
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "garmin"
TITLE = "Garmin's data export"
PADDED = False

_NAMES = re.compile(r"(UDSFile_.*|_sleepData|summarizedActivities)\.json$")
_CLAIM = re.compile(
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
_TOTALS = [column for column, _, _ in _DAILY]
_ASLEEP = tuple(
    (f"{stage}SleepSeconds", "sleep_hours", 1 / 3600) for stage in ("deep", "light", "rem")
)


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"[") and bool(_CLAIM.search(head))


def expects(name: str) -> bool:
    """Whether a file of this name should have been."""
    return bool(_NAMES.search(name))


def gather(
    members: Sequence[Member], days: DayAggregator, told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`. Rows of other kinds lie between those that are read."""
    user = told.person(TITLE)
    clock = Clock(told.zone, told.zone)
    nights: dict[str, tuple[date, float]] = {}

    def take(item: dict[str, Any]) -> None:
        if "summarizedActivitiesExport" in item:
            for one in item["summarizedActivitiesExport"]:
                days.exercise(user, *_activity(one, clock))
        elif "sleepEndTimestampGMT" in item:
            for hours in parsing.figures(item, _ASLEEP).values():
                # Files overlap, and hold a night again.
                night = (_waking(item, clock), hours)
                key = str(item.get("sleepStartTimestampGMT"))
                nights[key] = max(night, nights.get(key, night))
        elif not item.keys().isdisjoint(_TOTALS) and item.get("includesWellnessData") is not False:
            resting = item.get("restingHeartRate") or item.get("currentDayRestingHeartRate")
            rest = {"resting_heart_rate": parsing.number(resting) or 0.0}
            figures = parsing.figures(item, _DAILY)
            days.state(user, parsing.day(_text(item["calendarDate"])), figures | rest)

    def read(member: Member) -> None:
        parsing.take_each(member, parsing.items(member, quarantine), take, quarantine)

    each(members, read, quarantine)
    for day, hours in nights.values():
        days.add(user, day, "sleep_hours", hours, NAME)


def _activity(item: dict[str, Any], clock: Clock) -> tuple[date, str | None, float]:
    # What is called local counts the milliseconds as if the clock at home were UTC.
    local, gmt = (parsing.number(item.get(name)) for name in ("startTimeLocal", "startTimeGmt"))
    if local is None and gmt is None:
        raise ValueError("an activity has no start")
    seconds = clock.at_home(int((gmt or 0) / 1000)) if local is None else int(local / 1000)
    length = parsing.number(item.get("duration")) or 0.0
    return plausible(day_of(seconds)), activity(_text(item.get("activityType"))), length


def _waking(item: dict[str, Any], clock: Clock) -> date:
    told = item.get("calendarDate")
    if told is not None:
        return parsing.day(_text(told))
    end = datetime.fromisoformat(_text(item["sleepEndTimestampGMT"]))
    return plausible(clock.day(wall(end)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{parsing.shown(value)} is not text")
    return value
