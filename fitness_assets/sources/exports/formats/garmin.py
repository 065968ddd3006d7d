"""Garmin's data export: JSON lists of days, nights and activities, distinguished by their keys."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import Clock, local_seconds, utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.text import shorten

#: Height of a floor as Garmin's devices count them: 10 feet.
METERS_PER_FLOOR = 3.048

_NAME = re.compile(
    r"(UDSFile_.*|_sleepData|summarizedActivities|MetricsMaxMetData_.*|_healthStatusData)\.json$"
)
_HEADER = re.compile(
    rb'"(totalSteps|totalKilocalories|includesWellnessData|sleepStartTimestampGMT'
    rb'|summarizedActivitiesExport|vo2MaxValue)"\s*:|"type"\s*:\s*"HRV"'
)
_OF_HUAWEI = b'"HW_EXT_TRACK'
_DAILY = (
    ("totalSteps", "steps", 1.0),
    ("totalDistanceMeters", "distance_km", 0.001),
    ("totalKilocalories", "total_kcal", 1.0),
    ("activeKilocalories", "active_kcal", 1.0),
    ("bmrKilocalories", "basal_kcal", 1.0),
    ("moderateIntensityMinutes", "active_minutes", 1.0),
    ("vigorousIntensityMinutes", "active_minutes", 1.0),
    ("moderateIntensityMinutes", "moderate_minutes", 1.0),
    ("vigorousIntensityMinutes", "vigorous_minutes", 1.0),
    ("floorsAscendedInMeters", "floors", 1 / METERS_PER_FLOOR),
)
_DAILY_KEYS = [key for key, _, _ in _DAILY]
_SLEEP = tuple(
    (f"{stage}SleepSeconds", "sleep_hours", 1 / 3600) for stage in ("deep", "light", "rem")
)
# Distances are in cm, durations in ms and energy in kJ, as public readers of the export have it.
_WORKOUT = (
    ("duration", "minutes", 1 / 60_000),
    ("distance", "distance_km", 1e-5),
    ("calories", "calories_burned", 1 / 4.184),
    ("avgHr", "heart_rate_avg", 1.0),
    ("maxHr", "heart_rate_max", 1.0),
)
_ENDS = ("Start", "End")
_STAGES = tuple(
    (f"{stage}SleepSeconds", f"sleep_{stage}", 1 / 60)
    for stage in ("deep", "light", "rem", "awake")
)
_NIGHT_READINGS = (
    ("averageRespiration", "respiration_rate", 1.0),
    ("averageSPO2", "spo2", 1.0),
)


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON list with a key of Garmin's.

    Workouts of Huawei have the key ``totalSteps`` too.
    """
    is_list = head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"[")
    return is_list and bool(_HEADER.search(head)) and _OF_HUAWEI not in head


def matches_name(name: str) -> bool:
    """Whether `name` ends as Garmin's file names do."""
    return bool(_NAME.search(name))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Objects of other kinds are ignored."""
    export = _Export(options)

    def read_member(member: Member) -> None:
        records = parsing.json_records(member, quarantine)
        parsing.process_each(member, records, export.add, quarantine)

    read_each(members, read_member, quarantine)
    return export.days().record_batches(quarantine, options.delivered)


class _Export:
    """The values of the objects of one export."""

    def __init__(self, options: ImportOptions) -> None:
        self._user = options.required_user(FORMAT.title)
        self._days = DayAggregator(FORMAT.name)
        self._clock = Clock(options.zone_or_utc, options.zone_or_utc)
        # By start: the day of waking, the night, and the means of readings of the night.
        self._nights: dict[str, tuple[date, Night, dict[str, float]]] = {}

    def days(self) -> DayAggregator:
        """All values, with the nights."""
        for day, night, readings in self._nights.values():
            self._days.add_night(self._user, day, FORMAT.name, night)
            for metric, value in readings.items():
                self._days.add_readings(self._user, day, metric, FORMAT.name, value)
        return self._days

    def add(self, item: dict[str, Any]) -> Iterable[str]:
        """Add an object, and return the metrics that it gives."""
        if "summarizedActivitiesExport" in item:
            return {
                filled
                for workout in item["summarizedActivitiesExport"]
                for filled in self._days.add_workout(self._user, _workout(workout, self._clock))
            }
        if "sleepEndTimestampGMT" in item:
            return self._add_night(item)
        if not item.keys().isdisjoint(_DAILY_KEYS):
            return () if item.get("includesWellnessData") is False else self._add_day(item)
        if "vo2MaxValue" in item:
            return self._add_reading(item, "vo2_max", item["vo2MaxValue"])
        for metric in item.get("metrics", ()):
            if metric.get("type") == "HRV":
                return self._add_reading(item, "hrv_rmssd", metric.get("value"))
        return ()

    def _add_night(self, item: dict[str, Any]) -> Iterable[str]:
        slept = parsing.convert(item, _SLEEP)
        if not slept:
            return ()
        start, end = (_local(item.get(f"sleep{each}TimestampGMT"), self._clock) for each in _ENDS)
        stages = parsing.convert(item, _STAGES)
        night = Night(hours=slept["sleep_hours"], start=start, end=end, stages=stages)
        oxygen = item.get("spo2SleepSummary")
        measured = item | oxygen if isinstance(oxygen, dict) else item
        readings = parsing.convert(measured, _NIGHT_READINGS)
        found = (_day_of_waking(item, self._clock), night, readings)
        # Files overlap, and may hold the same night twice.
        key = str(item.get("sleepStartTimestampGMT"))
        known = self._nights.get(key, found)
        longest = max(found, known, key=lambda each: (each[0], each[1].hours))
        self._nights[key] = longest
        return {*night.columns(), *(metric for metric, value in readings.items() if value)}

    def _add_day(self, item: dict[str, Any]) -> Iterable[str]:
        resting = item.get("restingHeartRate") or item.get("currentDayRestingHeartRate")
        values = parsing.convert(item, _DAILY)
        if (rate := parsing.parse_amount(resting)) is not None:
            values["resting_heart_rate"] = rate
        day = parsing.parse_day(_text(item["calendarDate"]))
        self._days.add_daily_values(self._user, day, values)
        return values

    def _add_reading(self, item: dict[str, Any], metric: str, stated: object) -> Iterable[str]:
        value = parsing.parse_amount(stated)
        if not value:
            return ()
        day = parsing.parse_day(_text(item["calendarDate"]))
        self._days.add_readings(self._user, day, metric, FORMAT.name, value)
        return (metric,)


def _workout(item: dict[str, Any], clock: Clock) -> Workout:
    # startTimeLocal is the local time written as milliseconds since 1970 in UTC.
    local, instant = (
        parsing.parse_amount(item.get(key)) for key in ("startTimeLocal", "startTimeGmt")
    )
    if local is None and instant is None:
        raise ValueError("an activity has no start")
    seconds = clock.to_local(int((instant or 0) / 1000)) if local is None else int(local / 1000)
    start = clock.instant(seconds) if instant is None else instant / 1000
    return Workout(
        start=utc(start),
        local_start=utc(seconds).replace(tzinfo=None),
        activity=activity(_text(item.get("activityType"))),
        **{"minutes": 0.0, **parsing.convert_known(item, _WORKOUT)},
    )


def _day_of_waking(item: dict[str, Any], clock: Clock) -> date:
    calendar_date = item.get("calendarDate")
    if calendar_date is not None:
        return parsing.parse_day(_text(calendar_date))
    end = datetime.fromisoformat(_text(item["sleepEndTimestampGMT"]))
    return check_day(clock.local_date(local_seconds(end)))


def _local(stamp: object, clock: Clock) -> datetime | None:
    """A timestamp in GMT on the user's clock."""
    if stamp is None:
        return None
    seconds = clock.to_local(local_seconds(datetime.fromisoformat(_text(stamp))))
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


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
    "`sleepStartTimestampGMT`, `summarizedActivitiesExport`, `vo2MaxValue`, or a `type` of `HRV`.",
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
        "sleep_deep": "`deepSleepSeconds`",
        "sleep_light": "`lightSleepSeconds`",
        "sleep_rem": "`remSleepSeconds`",
        "sleep_awake": "`awakeSleepSeconds`",
        "sleep_start": "`sleepStartTimestampGMT`",
        "sleep_end": "`sleepEndTimestampGMT`",
        "hrv_rmssd": "`value` of the metric `HRV`",
        "spo2": "`averageSPO2` of the night",
        "respiration_rate": "`averageRespiration` of the night",
        "vo2_max": "`vo2MaxValue`: mean of the day",
        "floors": "`floorsAscendedInMeters`, with 3.048 m a floor",
        "moderate_minutes": "`moderateIntensityMinutes`",
        "vigorous_minutes": "`vigorousIntensityMinutes`",
    },
    workouts={
        "activity": "`activityType`",
        "minutes": "`duration` in ms",
        "distance_km": "`distance` in cm",
        "calories_burned": "`calories` in kJ",
        "heart_rate_avg": "`avgHr`",
        "heart_rate_max": "`maxHr`",
    },
)
