"""Huawei Health: JSON lists of days of sport, of samples and of workouts.

The same reading comes under several keys and versions, and rows of a phone and of a watch overlap:
readings count once by their time, and amounts are those of the device with the most. Rows of other
people on a scale are not read, and neither are tracks.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Interval, State, columns_of, nights
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.sources.exports.written_times import parse_offset
from fitness_assets.text import shorten

_HEADER = re.compile(rb'"(?:sportDataUserData|samplePoints|motionPathData)"\s*:|"HW_EXT_TRACK')
_AMOUNTS = (
    ("steps", "steps", 1.0),
    ("distance", "distance_km", 0.001),
    # In calories, a thousandth of a kcal.
    ("calorie", "active_kcal", 0.001),
    ("floor", "floors", 1.0),
)
_WORKOUT = (
    ("totalTime", "minutes", 1 / 60_000),
    ("totalDistance", "distance_km", 0.001),
    ("totalCalories", "calories_burned", 0.001),
)
# The attribute of a workout is a track, which is not read, and then a summary.
_SUMMARY = "HW_EXT_TRACK_SIMPLIFY@is"
_RATES = {
    "heart_rate_avg": re.compile(r'"avgHeartRate"\s*:\s*(\d{1,3})\b'),
    "heart_rate_max": re.compile(r'"maxHeartRate"\s*:\s*(\d{1,3})\b'),
}
_HEART_RATE = "heart_rate_avg"
# Metrics by key; a reading is written under several of them.
_KEYS = {
    "DATA_POINT_DYNAMIC_HEARTRATE": _HEART_RATE,
    "DYNAMIC_HEART_RATE": _HEART_RATE,
    "DATA_POINT_REST_HEARTRATE": "resting_heart_rate",
    "DATA_POINT_NEW_REST_HEARTRATE": "resting_heart_rate",
    "NEW_REST": "resting_heart_rate",
    "BLOOD_OXYGEN_SATURATION": "spo2",
}
_WEIGHT = "WEIGHT_BODYFAT_BROAD"
_SLEEP_STATES = {
    "PROFESSIONAL_SLEEP_SHALLOW": State.LIGHT,
    "PROFESSIONAL_SLEEP_DEEP": State.DEEP,
    "PROFESSIONAL_SLEEP_DREAM": State.REM,
    "PROFESSIONAL_SLEEP_WAKE": State.AWAKE,
    # Naps have no stages.
    "PROFESSIONAL_SLEEP_NOON": State.ASLEEP,
}
# Numbers of `sportType`, from public readers of the export.
_ACTIVITIES = {
    2: "hiking",
    3: "cycling",
    4: "running",
    5: "walking",
    101: "running",
    102: "swimming",
    103: "cycling",
    104: "swimming",
}

_Item = dict[str, Any]


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON list with keys of Huawei."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"[") and bool(_HEADER.search(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Objects of other kinds are ignored."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options))

    def read_member(member: Member) -> None:
        records = parsing.json_records(member, quarantine)
        parsing.process_each(member, records, reader.process, quarantine)

    read_each(members, read_member, quarantine)
    reader.add_totals()
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the objects of one user."""

    def __init__(self, days: UserDays) -> None:
        self.days = days
        self._seen: set[tuple[object, ...]] = set()
        # By metric and instant, the version, the local time, the value and the device.
        self._readings: dict[tuple[str, float], tuple[float, datetime, float, str]] = {}
        self._intervals: dict[str, set[Interval]] = defaultdict(set)

    def process(self, item: _Item) -> Iterable[str]:
        """Read one object, of the kind that its keys say."""
        if "sportDataUserData" in item:
            return self._sport_day(item)
        if "samplePoints" in item:
            return self._samples(item)
        if "motionPathData" in item:
            paths = parsing.objects(item["motionPathData"])
            return [metric for path in paths for metric in self._workout({**item, **path})]
        if "sportType" in item and "startTime" in item:
            return self._workout(item)
        return ()

    def add_totals(self) -> None:
        """Add the readings and the nights, which several records hold."""
        for (metric, _), (_, local, value, device) in self._readings.items():
            if metric == _HEART_RATE:
                self.days.add_heart_rate(local, value, device)
            else:
                self.days.add_reading(local.date(), metric, value, device)
        for device, intervals in self._intervals.items():
            for day, night in nights(intervals):
                self.days.add_night(day, night, device)

    def _sport_day(self, item: _Item) -> Iterable[str]:
        digits = str(item["recordDay"])
        day = parsing.parse_day(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
        metrics: set[str] = set()
        for row in parsing.objects(item["sportDataUserData"]):
            device = str(row.get("deviceCode", ""))
            key = (digits, device, str(row.get("dataId")), str(row.get("startTime")))
            if key in self._seen:
                continue
            self._seen.add(key)
            for info in parsing.objects(row.get("sportBasicInfos")):
                for metric, amount in parsing.convert(info, _AMOUNTS).items():
                    if metric == "floors" and not amount:
                        # Devices without a barometer write 0.
                        continue
                    self.days.add_amount(day, metric, amount, device)
                    metrics.add(metric)
        return metrics

    def _samples(self, item: _Item) -> Iterable[str]:
        if item.get("subUser"):
            return ()
        metrics: set[str] = set()
        for point in parsing.objects(item["samplePoints"]):
            metrics |= set(self._sample(item, point))
        return metrics

    def _sample(self, item: _Item, point: _Item) -> Iterable[str]:
        key, device = str(point["key"]), str(item.get("deviceCode", ""))
        start = _seconds(point.get("startTime", item.get("startTime")))
        if key in _SLEEP_STATES:
            end = _seconds(point.get("endTime", item.get("endTime")))
            if end < start:
                raise ValueError("a stage of sleep ends before it begins")
            local = self._local(item, end)
            offset = local.replace(tzinfo=UTC).timestamp() - int(end)
            interval = Interval(start, end, _SLEEP_STATES[key], local.date(), offset)
            self._intervals[device].add(interval)
            return columns_of(_SLEEP_STATES[key])
        if key == _WEIGHT:
            weight = parsing.parse_amount(_parsed(point["value"]).get("bodyWeight"))
            self.days.add_last(self._local(item, start), "weight_kg", weight or 0.0)
            return ("weight_kg",) if weight else ()
        if key not in _KEYS:
            return ()
        metric = _KEYS[key]
        value = parsing.parse_amount(point["value"])
        if not value:
            return ()
        version = parsing.parse_amount(item.get("version")) or 0.0
        reading = (version, self._local(item, start), value, device)
        known = self._readings.get((metric, start), reading)
        self._readings[metric, start] = max(reading, known)
        return (metric,)

    def _workout(self, item: _Item) -> Iterable[str]:
        start = _seconds(item["startTime"])
        return self.days.add_workout(
            Workout(
                local_start=self._local(item, start),
                start=utc(start),
                activity=_ACTIVITIES.get(item["sportType"]),
                **{"minutes": 0.0, **parsing.convert_known(item, _WORKOUT)}
                | _rates(str(item.get("attribute") or "")),
            )
        )

    def _local(self, item: _Item, instant: float) -> datetime:
        """A time on the user's clock: by the offset of its record, else in the declared zone."""
        return self.days.local(instant, parse_offset(str(item.get("timeZone") or "")))


def _seconds(milliseconds: object) -> float:
    """Seconds since 1970 of a time in milliseconds."""
    value = parsing.parse_amount(milliseconds)
    if value is None:
        raise ValueError("it has no time")
    return value / 1000


def _rates(attribute: str) -> dict[str, float]:
    """The heart rates of a workout, from the text of its attribute."""
    _, _, summary = attribute.partition(_SUMMARY)
    matches = {column: pattern.search(summary) for column, pattern in _RATES.items()}
    return {column: float(match[1]) for column, match in matches.items() if match}


def _parsed(text: object) -> _Item:
    try:
        value = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shorten(text)} is not JSON") from error
    if not isinstance(value, dict):
        raise TypeError(f"{shorten(text)} is not an object")
    return value


FORMAT = Format(
    name="huawei",
    title="Huawei Health's data export",
    priority=230,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON list with `sportDataUserData`, `samplePoints`, `motionPathData` or an "
    "attribute that begins with `HW_EXT_TRACK`.",
    dates="`recordDay` is the local day. Milliseconds since 1970 with `timeZone` as +0100; without "
    "it, `--timezone` is used. Sleep belongs to the day of waking.",
    units="m, kg, milliseconds, and calories (a thousandth of a kcal).",
    columns={
        "steps": "`steps` of the device with the most",
        "distance_km": "`distance` of the device with the most",
        "calories_burned": "`calorie` of the device with the most",
        "calories_kind": "always `active`",
        "heart_rate_avg": "`DATA_POINT_DYNAMIC_HEARTRATE`: mean of the hourly means",
        "resting_heart_rate": "`DATA_POINT_REST_HEARTRATE`: mean of the day",
        "sleep_hours": "`PROFESSIONAL_SLEEP_…` without time awake, on the day of waking",
        "activity_type": "`sportType` of the longest workout",
        "weight_kg": "`WEIGHT_BODYFAT_BROAD`: the last of the day",
        "sleep_deep": "`PROFESSIONAL_SLEEP_DEEP`",
        "sleep_light": "`PROFESSIONAL_SLEEP_SHALLOW`",
        "sleep_rem": "`PROFESSIONAL_SLEEP_DREAM`",
        "sleep_awake": "`PROFESSIONAL_SLEEP_WAKE`",
        "sleep_start": "start of the longest sleep",
        "sleep_end": "end of the longest sleep",
        "spo2": "`BLOOD_OXYGEN_SATURATION`: mean of the day",
        "floors": "`floor` of the device with the most",
    },
    workouts={
        "activity": "`sportType`",
        "minutes": "`totalTime`",
        "distance_km": "`totalDistance`",
        "calories_burned": "`totalCalories`",
        "heart_rate_avg": "`avgHeartRate` of the attribute",
        "heart_rate_max": "`maxHeartRate` of the attribute",
    },
)
