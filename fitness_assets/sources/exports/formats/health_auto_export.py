"""Health Auto Export, an iOS app: the JSON of metrics of Apple Health.

Amounts are in buckets of a minute, an hour or a day, in which Apple has merged the sources, or are
single samples. Units follow the phone. Sleep belongs to the day of its end, since the date of an
aggregated night is not reliable.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date
from functools import partial
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Interval, Night, State, columns_of, nights
from fitness_assets.sources.exports.stamps import Moment, StampClock
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.text import shorten

_HEADER = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"data"\s*:\s*\{\s*"(?:metrics|workouts)"\s*:\s*\[')
_COUNT = dict.fromkeys(("count", "steps", "flights"), 1.0)
_ENERGY = {"kcal": 1.0, "kJ": 1 / 4.184}
_LENGTH = {"km": 1.0, "m": 0.001, "mi": 1.609344}
_RATE = dict.fromkeys(("count/min", "bpm", "breaths/min"), 1.0)
_OXYGEN_UPTAKE = dict.fromkeys(("ml/(kg·min)", "mL/min·kg", "ml/kg/min", "mL/kg/min"), 1.0)
# By name, the metric and the factor from each unit. Amounts are added.
_AMOUNTS = {
    "step_count": ("steps", _COUNT),
    "walking_running_distance": ("distance_km", _LENGTH),
    "active_energy": ("active_kcal", _ENERGY),
    "basal_energy_burned": ("basal_kcal", _ENERGY),
    "apple_exercise_time": ("active_minutes", {"min": 1.0, "hr": 60.0}),
    "flights_climbed": ("floors", _COUNT),
}
# The mean of the day.
_READINGS = {
    "resting_heart_rate": ("resting_heart_rate", _RATE),
    "heart_rate_variability": ("hrv_sdnn", {"ms": 1.0}),
    "blood_oxygen_saturation": ("spo2", {"%": 1.0}),
    "respiratory_rate": ("respiration_rate", _RATE),
    "vo2_max": ("vo2_max", _OXYGEN_UPTAKE),
    "vo2max": ("vo2_max", _OXYGEN_UPTAKE),
}
# The last of the day.
_LAST = {
    "weight_body_mass": ("weight_kg", {"kg": 1.0, "lb": 0.45359237, "st": 6.35029318}),
    "height": ("height_cm", {"cm": 1.0, "m": 100.0, "in": 2.54, "ft": 30.48}),
}
# Quantities of a workout: the column, and the factor from each unit.
_WORKOUT = {
    "distance": ("distance_km", _LENGTH),
    "activeEnergyBurned": ("calories_burned", _ENERGY),
    "avgHeartRate": ("heart_rate_avg", _RATE),
    "maxHeartRate": ("heart_rate_max", _RATE),
}
_HEART_RATE, _SLEEP = "heart_rate", "sleep_analysis"
_MINUTES = {"hr": 60.0, "min": 1.0, "s": 1 / 60}
_STAGES = (("core", "sleep_light"), ("deep", "sleep_deep"), ("rem", "sleep_rem"))
_STATES = {
    "core": State.LIGHT,
    "deep": State.DEEP,
    "rem": State.REM,
    "awake": State.AWAKE,
    **dict.fromkeys(("asleep", "unspecified", "asleep unspecified"), State.ASLEEP),
    "in bed": State.IN_BED,
}
#: Readings of one amount in all files, of which each is kept once.
MAX_READINGS = 2_000_000


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON object with metrics or workouts in ``data``."""
    return bool(_HEADER.match(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. What two files hold counts once."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options), quarantine)
    read_each(members, reader.read, quarantine)
    reader.add_totals()
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the files of one user."""

    def __init__(self, days: UserDays, quarantine: Quarantine) -> None:
        self.days = days
        self._quarantine = quarantine
        # The offsets of timestamps are those of the user.
        self._clock = StampClock(None)
        # By metric, instant and source, the local day and the amount.
        self._amounts: dict[str, dict[tuple[float, str], tuple[date, float]]] = defaultdict(dict)
        self._intervals: dict[str, set[Interval]] = defaultdict(set)

    def read(self, member: Member) -> None:
        """Read one file."""
        document = parsing.load_json(member)
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise SourceError(f"{member.name} has no object data")
        for metric in parsing.objects(data.get("metrics")):
            name, units = metric.get("name"), metric.get("units")
            process = self._process(str(name), str(units))
            if process is not None:
                placed = (
                    (f"{name} {index}", item)
                    for index, item in enumerate(parsing.objects(metric.get("data")), start=1)
                )
                parsing.process_each(member, placed, process, self._quarantine)
        workouts = enumerate(parsing.objects(data.get("workouts")), start=1)
        placed = ((f"workout {index}", item) for index, item in workouts)
        parsing.process_each(member, placed, self._workout, self._quarantine)

    def add_totals(self) -> None:
        """Add what several files may hold twice: amounts, and intervals of sleep."""
        for metric, amounts in self._amounts.items():
            if all(instant % 60 == 0 for instant, _ in amounts):
                # Buckets, in which sources are merged: `source` names all of them.
                buckets: dict[tuple[float, date], float] = {}
                for (instant, _), (day, amount) in amounts.items():
                    key = (instant, day)
                    buckets[key] = max(amount, buckets.get(key, 0.0))
                for (_, day), amount in buckets.items():
                    self.days.add_amount(day, metric, amount)
            else:
                for (_, source), (day, amount) in amounts.items():
                    self.days.add_amount(day, metric, amount, source)
        for source, intervals in self._intervals.items():
            for day, night in nights(intervals):
                self.days.add_night(day, night, source)

    def _process(self, name: str, units: str) -> Callable[[dict[str, Any]], Iterable[str]] | None:
        """What reads the points of a metric; None if it is not used."""
        if name == _HEART_RATE:
            return self._heart_rate
        if name == _SLEEP:
            return partial(self._sleep, units)
        for known, read_point in (
            (_AMOUNTS, self._amount),
            (_READINGS, self._reading),
            (_LAST, self._last),
        ):
            if name in known:
                metric, factors = known[name]
                return partial(read_point, metric, factors.get(units), units)
        return None

    def _amount(
        self, metric: str, factor: float | None, units: str, item: dict[str, Any]
    ) -> Iterable[str]:
        amount = _value(item["qty"], factor, units)
        moment = self._moment(item["date"])
        amounts = self._amounts[metric]
        if len(amounts) >= MAX_READINGS:
            raise SourceError(f"{metric} has more than {MAX_READINGS:,} readings")
        key = (moment.instant, str(item.get("source", "")))
        reading = (moment.local.date(), amount)
        amounts[key] = max(reading, amounts.get(key, reading), key=lambda each: each[1])
        return (metric,)

    def _reading(
        self, metric: str, factor: float | None, units: str, item: dict[str, Any]
    ) -> Iterable[str]:
        value = _value(item["qty"], factor, units)
        if metric == "spo2" and value <= 1:
            value *= 100
        day = self._moment(item["date"]).local.date()
        self.days.add_reading(day, metric, value, str(item.get("source", "")))
        return (metric,)

    def _last(
        self, metric: str, factor: float | None, units: str, item: dict[str, Any]
    ) -> Iterable[str]:
        value = _value(item["qty"], factor, units)
        self.days.add_last(self._moment(item["date"]).local, metric, value)
        return (metric,)

    def _heart_rate(self, item: dict[str, Any]) -> Iterable[str]:
        rate = parsing.parse_amount(item["Avg"] if "Avg" in item else item["qty"])
        self.days.add_heart_rate(self._moment(item["date"]).local, rate or 0.0)
        return ("heart_rate_avg",) if rate else ()

    def _sleep(self, units: str, item: dict[str, Any]) -> Iterable[str]:
        if "startDate" in item:
            return self._interval(item)
        factor = _MINUTES.get(units)
        if factor is None:
            raise ValueError(f"sleep in {shorten(units)}, an unit that is not known")
        start, end = (self._moment(item[name]).local for name in ("sleepStart", "sleepEnd"))
        minutes = parsing.convert(item, [(key, column, factor) for key, column in _STAGES])
        staged = sum(minutes.values())
        total = (parsing.parse_amount(item.get("totalSleep")) or 0.0) * factor
        unstaged = (parsing.parse_amount(item.get("asleep")) or 0.0) * factor
        # Without stages, their zeros are missing values.
        stages = minutes if staged else {}
        awake = parsing.parse_amount(item.get("awake"))
        if staged and awake is not None:
            stages["sleep_awake"] = awake * factor
        asleep = total or staged + unstaged
        night = Night(hours=asleep / 60, start=start, end=end, stages=stages)
        self.days.add_night(end.date(), night, str(item.get("source", "")))
        return ["sleep_hours", *SLEEP_SPAN, *stages]

    def _interval(self, item: dict[str, Any]) -> Iterable[str]:
        start, end = (self._moment(item[name]) for name in ("startDate", "endDate"))
        if end.instant < start.instant:
            raise ValueError("a sleep ends before it begins")
        state = _STATES.get(str(item["value"]).lower())
        if state is None:
            raise ValueError(f"{shorten(item['value'])} is not a state of sleep")
        offset = end.local.replace(tzinfo=UTC).timestamp() - end.instant
        interval = Interval(start.instant, end.instant, state, end.local.date(), offset)
        self._intervals[str(item.get("source", ""))].add(interval)
        return columns_of(state)

    def _workout(self, item: dict[str, Any]) -> Iterable[str]:
        start, end = (self._moment(item[name]) for name in ("start", "end"))
        values = {
            column: _value(stated["qty"], units.get(str(stated.get("units"))), str(stated["units"]))
            for key, (column, units) in _WORKOUT.items()
            if isinstance(stated := item.get(key), dict)
        }
        return self.days.add_workout(
            Workout(
                start=utc(start.instant),
                local_start=start.local,
                activity=activity(str(item["name"])),
                minutes=max(end.instant - start.instant, 0.0) / 60,
                **_rates(item) | values,
            )
        )

    def _moment(self, stamp: object) -> Moment:
        if not isinstance(stamp, str):
            raise TypeError(f"{shorten(stamp)} is not a timestamp")
        return self._clock.moment(stamp)


def _rates(item: dict[str, Any]) -> dict[str, float]:
    """The heart rates of a workout, from its readings."""
    readings = parsing.objects(item.get("heartRateData"))
    means = [parsing.parse_amount(each.get("Avg")) for each in readings]
    greatest = [parsing.parse_amount(each.get("Max")) for each in readings]
    known = [rate for rate in means if rate]
    return {
        **({"heart_rate_avg": sum(known) / len(known)} if known else {}),
        **({"heart_rate_max": max(filter(None, greatest))} if any(greatest) else {}),
    }


def _value(value: object, factor: float | None, units: str) -> float:
    """A value in the unit of its metric."""
    if factor is None:
        raise ValueError(f"{shorten(units)} is not a known unit of it")
    amount = parsing.parse_amount(value)
    if amount is None:
        raise ValueError("it has no value")
    return amount * factor


FORMAT = Format(
    name="health_auto_export",
    title="Health Auto Export's JSON of Apple Health",
    priority=160,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON object that begins with `data` and in it `metrics` or `workouts`.",
    dates="Local times with their offset, as 2026-01-03 08:10:00 +0100: the day that they show. "
    "Sleep belongs to the day of `sleepEnd`.",
    units="`units` of each metric: count; km, m or mi; kcal or kJ; hr, min or s; kg, lb or st; cm, "
    "m, in or ft; count/min; ms; %. Another unit is quarantined.",
    columns={
        "steps": "`step_count`",
        "distance_km": "`walking_running_distance`",
        "calories_burned": "`active_energy` + `basal_energy_burned`, else `active_energy`",
        "calories_kind": "`total`, or `active` without `basal_energy_burned`",
        "heart_rate_avg": "`heart_rate`: mean of the hourly means",
        "resting_heart_rate": "`resting_heart_rate`: mean of the day",
        "sleep_hours": "`totalSleep`, else core, deep and REM sleep, on the day of waking",
        "active_minutes": "`apple_exercise_time`",
        "activity_type": "`name` of the longest workout",
        "height_cm": "`height`: the last of the day",
        "weight_kg": "`weight_body_mass`: the last of the day",
        "sleep_deep": "`deep`",
        "sleep_light": "`core`",
        "sleep_rem": "`rem`",
        "sleep_awake": "`awake`, if there are stages",
        "sleep_start": "`sleepStart` of the longest sleep",
        "sleep_end": "`sleepEnd` of the longest sleep",
        "hrv_sdnn": "`heart_rate_variability`: mean of the day",
        "spo2": "`blood_oxygen_saturation`: mean of the day",
        "respiration_rate": "`respiratory_rate`: mean of the day",
        "vo2_max": "`vo2_max`: mean of the day",
        "floors": "`flights_climbed`",
    },
    workouts={
        "activity": "`name`",
        "minutes": "`start` to `end`",
        "distance_km": "`distance`",
        "calories_burned": "`activeEnergyBurned`",
        "heart_rate_avg": "`avgHeartRate`, else the mean of `heartRateData`",
        "heart_rate_max": "`maxHeartRate`, else the greatest of `heartRateData`",
    },
)
