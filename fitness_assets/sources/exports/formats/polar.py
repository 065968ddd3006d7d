"""Polar: the JSON of the account's export, and the JSON of the AccessLink API.

The keys of a file say of which kind it is, which the API writes with ``_`` or ``-``. Times are
local. The state of an account's hypnogram lasts until the next one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import with_offset
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.user_days import UserDays, night_of
from fitness_assets.sources.exports.written_times import parse_stamp
from fitness_assets.text import shorten

_HEADER = re.compile(
    rb'"(?:exportVersion|deviceDays|sleepResult|ownIndex|distance[_-]from[_-]steps'
    rb"|active[_-]duration|nightly[_-]recharge[_-]status|sleep[_-]charge"
    rb'|detailed[_-]sport[_-]info)"\s*:'
)
_ACCOUNT_HEADER = re.compile(rb'"(?:summary|exercises|deviceDays|sleepResult|ownIndex)"\s*:')
_DURATION = re.compile(r"PT(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?")
_ACCOUNT_DAY = (("stepCount", "steps", 1.0), ("calories", "total_kcal", 1.0))
_API_DAY = (
    ("steps", "steps", 1.0),
    ("distance_from_steps", "distance_km", 0.001),
    ("calories", "total_kcal", 1.0),
    ("active_calories", "active_kcal", 1.0),
)
_API_STAGES = tuple(
    (f"{stage}_sleep", f"sleep_{stage}", 1 / 60) for stage in ("light", "deep", "rem")
)
_RECHARGE = (
    ("heart_rate_variability_avg", "hrv_rmssd", 1.0),
    ("breathing_rate_avg", "respiration_rate", 1.0),
)
_BODY = (("height, cm", "height_cm", 1.0), ("weight, kg", "weight_kg", 1.0))
# Of the account's export in two versions, and of AccessLink: a file has the keys of one.
_WORKOUT = (
    ("distanceMeters", "distance_km", 0.001),
    ("distance", "distance_km", 0.001),
    ("calories", "calories_burned", 1.0),
    ("kiloCalories", "calories_burned", 1.0),
    ("averageHeartRate", "heart_rate_avg", 1.0),
    ("maximumHeartRate", "heart_rate_max", 1.0),
)
_RATES = (("average", "heart_rate_avg", 1.0), ("maximum", "heart_rate_max", 1.0))
_OFFSETS = ("timezoneOffsetMinutes", "timeZoneOffset", "start_time_utc_offset")
_MAX_OFFSET_MINUTES = 18 * 60
# Both light stages are one column.
_STATES = {
    "WAKE": "sleep_awake",
    "REM": "sleep_rem",
    "NONREM3": "sleep_deep",
    **dict.fromkeys(("NONREM1", "NONREM2"), "sleep_light"),
}
# Numbers of `sport.id`, from public readers of the export.
_SPORTS = {
    "1": "running",
    "2": "cycling",
    "3": "walking",
    "5": "gym_workout",
    "11": "hiking",
    "15": "gym_workout",
    "17": "running",
    "18": "cycling",
    "23": "swimming",
}


def matches_header(head: bytes) -> bool:
    """Whether `head` is JSON with keys of Polar."""
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if not text.startswith((b"{", b"[")) or not _HEADER.search(head):
        return False
    return b'"exportVersion"' not in head or bool(_ACCOUNT_HEADER.search(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Objects of other kinds are ignored."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options))

    def read_member(member: Member) -> None:
        document = parsing.load_json(member)
        items = document if isinstance(document, list) else [document]
        placed = (
            (f"record {index}", item)
            for index, item in enumerate(items, start=1)
            if isinstance(item, dict)
        )
        if not any(isinstance(item, dict) for item in items):
            raise SourceError(f"{member.name} holds no objects")
        parsing.process_each(member, placed, reader.process, quarantine)

    read_each(members, read_member, quarantine)
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the objects of one user."""

    def __init__(self, days: UserDays) -> None:
        self.days = days
        # By a key of a kind of objects, what reads them. Sessions have keys of other kinds too.
        self._kinds: dict[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
            "summary": self._account_day,
            "deviceDays": self._heart_rates,
            "sleepResult": self._account_sleep,
            "ownIndex": self._oxygen_uptake,
            "sport": self._workout,
            "sleep_start_time": self._api_sleep,
            "heart_rate_variability_avg": self._recharge,
            "steps": self._api_day,
        }

    def process(self, item: Mapping[str, Any]) -> Iterable[str]:
        """Read one object, of the kind that its keys say."""
        plain = {str(key).replace("-", "_"): value for key, value in item.items()}
        kind = next((key for key in self._kinds if key in plain), None)
        return () if kind is None else self._kinds[kind](plain)

    def _account_day(self, item: Mapping[str, Any]) -> Iterable[str]:
        day = parsing.parse_day(_text(item["date"]))
        values = parsing.convert(_object(item["summary"]), _ACCOUNT_DAY)
        body = parsing.convert(_object(item.get("physicalInformation") or {}), _BODY)
        self.days.state(day, {**values, **body})
        return [*values, *body]

    def _heart_rates(self, item: Mapping[str, Any]) -> Iterable[str]:
        metrics: list[str] = []
        for device_day in parsing.objects(item["deviceDays"]):
            day = parsing.parse_day(_text(device_day["date"]))
            for sample in parsing.objects(device_day.get("samples")):
                rate = sample.get("heartRate")
                seconds = parsing.parse_amount(sample.get("secondsFromDayStart"))
                # 0 is no signal, and -1 no value.
                if isinstance(rate, int | float) and rate > 0 and seconds is not None:
                    midnight = datetime.combine(day, datetime.min.time())
                    device = str(device_day.get("deviceId", ""))
                    local = midnight + timedelta(seconds=seconds)
                    self.days.add_heart_rate(local, parsing.parse_amount(rate) or 0.0, device)
                    metrics = ["heart_rate_avg"]
        return metrics

    def _account_sleep(self, item: Mapping[str, Any]) -> Iterable[str]:
        hypnogram = _object(_object(item["sleepResult"])["hypnogram"])
        start, end = (
            self.days.local_of(_text(hypnogram[f"sleep{name}"])) for name in ("Start", "End")
        )
        day = parsing.parse_day(_text(item["night"]))
        changes = [
            (_minutes(change["offsetFromStart"]), _STATES.get(str(change["state"])))
            for change in parsing.objects(hypnogram.get("sleepStateChanges"))
        ]
        stages: dict[str, float] = {}
        length = (end - start).total_seconds() / 60
        ends = [offset for offset, _ in changes[1:]] + [length]
        for (offset, column), until in zip(changes, ends, strict=True):
            if column is not None:
                stages[column] = stages.get(column, 0.0) + max(until - offset, 0.0)
        night = night_of(start, end, stages)
        stated = _object(item.get("evaluation") or {}).get("asleepDuration")
        if stated:
            night = Night(hours=_minutes(stated) / 60, start=start, end=end, stages=night.stages)
        self.days.add_night(day, night, key=start)
        return ["sleep_hours", *SLEEP_SPAN, *stages]

    def _api_sleep(self, item: Mapping[str, Any]) -> Iterable[str]:
        start, end = (
            self.days.local_of(_text(item[f"sleep_{name}_time"])) for name in ("start", "end")
        )
        stages = parsing.convert(item, _API_STAGES)
        awake = parsing.parse_amount(item.get("total_interruption_duration"))
        if awake is not None:
            stages["sleep_awake"] = awake / 60
        other = (parsing.parse_amount(item.get("unrecognized_sleep_stage")) or 0.0) / 60
        night = night_of(start, end, {**stages, "asleep": other})
        self.days.add_night(parsing.parse_day(_text(item["date"])), night, key=start)
        return ["sleep_hours", *SLEEP_SPAN, *stages]

    def _recharge(self, item: Mapping[str, Any]) -> Iterable[str]:
        values = parsing.convert(item, _RECHARGE)
        self.days.state(parsing.parse_day(_text(item["date"])), values)
        return values

    def _api_day(self, item: Mapping[str, Any]) -> Iterable[str]:
        values = parsing.convert(item, _API_DAY)
        self.days.state(parsing.parse_day(_text(item["start_time"])), values)
        return values

    def _oxygen_uptake(self, item: Mapping[str, Any]) -> Iterable[str]:
        value = parsing.parse_amount(item["ownIndex"])
        stamp = _text(item.get("startTime") or item.get("created") or item.get("date"))
        self.days.add_reading(parsing.parse_day(stamp), "vo2_max", value or 0.0)
        return ("vo2_max",) if value else ()

    def _workout(self, item: Mapping[str, Any]) -> Iterable[str]:
        start = parse_stamp(_text(item.get("startTime") or item["start_time"]))
        milliseconds = parsing.parse_amount(item.get("durationMillis"))
        duration = item.get("duration")
        minutes = (milliseconds or 0.0) / 60_000
        if milliseconds is None and duration is not None:
            minutes = _minutes(duration)
        sport = item["sport"]
        if isinstance(sport, dict):
            name = _SPORTS.get(str(sport.get("id")))
        else:
            name = activity(_text(item.get("detailed_sport_info") or sport))
        local = start.replace(tzinfo=None)
        offset = next((item[key] for key in _OFFSETS if item.get(key) is not None), None)
        if offset is not None:
            start = with_offset(local, _offset_minutes(offset) * 60)
        elif start.tzinfo is None:
            start = self.days.instant_of(local)
        rates = item.get("heart_rate")
        return self.days.add_workout(
            Workout(
                start=start,
                local_start=local,
                activity=name,
                minutes=minutes,
                **parsing.convert_known(item, _WORKOUT)
                | parsing.convert_known(rates if isinstance(rates, dict) else {}, _RATES),
            )
        )


def _offset_minutes(value: Any) -> int:
    """Minutes ahead of UTC."""
    if not isinstance(value, int) or abs(value) > _MAX_OFFSET_MINUTES:
        raise ValueError(f"{shorten(value)} is not an offset from UTC in minutes")
    return value


def _minutes(duration: Any) -> float:
    """The minutes of an ISO 8601 duration, such as ``PT7H10M``."""
    match = _DURATION.fullmatch(_text(duration))
    if match is None:
        raise ValueError(f"{shorten(duration)} is not a duration")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 60 + minutes + seconds / 60


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shorten(value)} is not text")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{shorten(value)} is not an object")
    return value


FORMAT = Format(
    name="polar",
    title="Polar's account export and AccessLink JSON",
    priority=200,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON with `exportVersion` and `summary` or `exercises`; `deviceDays`; "
    "`sleepResult`; `ownIndex`; or keys of AccessLink, such as `distance_from_steps` or "
    "`nightly_recharge_status`.",
    dates="`date` and `night` are the local day, of sleep the day of waking. Other times are "
    "local.",
    units="m, kcal, cm, kg, and ISO 8601 durations; stages of AccessLink in seconds.",
    columns={
        "steps": "`stepCount`, `steps`",
        "distance_km": "`distance_from_steps`",
        "calories_burned": "`calories` of the day",
        "calories_kind": "`total`, or `active` if only `active_calories` is stated",
        "heart_rate_avg": "`deviceDays`: mean of the hourly means",
        "sleep_hours": "`asleepDuration`, else the stages",
        "activity_type": "`sport` of the longest session",
        "height_cm": "`height, cm`",
        "weight_kg": "`weight, kg`",
        "sleep_deep": "`NONREM3`, `deep_sleep`",
        "sleep_light": "`NONREM1` + `NONREM2`, `light_sleep`",
        "sleep_rem": "`REM`, `rem_sleep`",
        "sleep_awake": "`WAKE`, `total_interruption_duration`",
        "sleep_start": "`sleepStart`, `sleep_start_time` of the longest sleep",
        "sleep_end": "`sleepEnd`, `sleep_end_time` of the longest sleep",
        "hrv_rmssd": "`heart_rate_variability_avg`",
        "respiration_rate": "`breathing_rate_avg`",
        "vo2_max": "`ownIndex`",
    },
    workouts={
        "activity": "`sport`",
        "minutes": "`durationMillis`, `duration`",
        "distance_km": "`distanceMeters`, `distance`",
        "calories_burned": "`calories`, `kiloCalories`",
        "heart_rate_avg": "`averageHeartRate`, `heart_rate.average`",
        "heart_rate_max": "`maximumHeartRate`, `heart_rate.maximum`",
    },
)
