"""Oura: trends as CSV, a row a day, and the account's export, a CSV for each kind of data.

The user chooses the columns of trends, whose names differ by version. Durations of sleep are in
seconds; those of activity are in minutes or seconds, which their sum over a day says.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.text import shorten

_Conversions = Sequence[tuple[str, str, float]]

# Trends: columns by plain name, the metric, and the factor to its unit.
_TRENDS: _Conversions = (
    ("steps", "steps", 1.0),
    ("equivalent walking distance", "distance_km", 0.001),
    ("daily movement", "distance_km", 0.001),
    ("total burn", "total_kcal", 1.0),
    ("lowest resting heart rate", "resting_heart_rate", 1.0),
    ("average hrv", "hrv_rmssd", 1.0),
    ("respiratory rate", "respiration_rate", 1.0),
)
_TREND_SLEEP: _Conversions = (
    *((name, "asleep", 1 / 60) for name in ("total sleep duration", "total sleep time")),
    ("awake time", "sleep_awake", 1 / 60),
    *(
        (f"{stage} sleep {word}", f"sleep_{stage}", 1 / 60)
        for stage in ("deep", "light", "rem")
        for word in ("duration", "time")
    ),
)
# Columns of activity, which are in one unit.
_TREND_TIMES: Mapping[str, tuple[str, ...]] = {
    "low activity time": ("light_minutes",),
    "medium activity time": ("moderate_minutes", "active_minutes"),
    "high activity time": ("vigorous_minutes", "active_minutes"),
}
_DAY_TIMES = (*_TREND_TIMES, "inactive time", "rest time", "non-wear time")
# The minutes of a day, with a margin: the seconds of an hour are more.
_MAX_DAY_MINUTES = 1500

# The account's export, in seconds, metres and kcal.
_ACTIVITY: _Conversions = (
    ("steps", "steps", 1.0),
    ("equivalent_walking_distance", "distance_km", 0.001),
    ("total_calories", "total_kcal", 1.0),
    ("sedentary_time", "sedentary_minutes", 1 / 60),
    ("low_activity_time", "light_minutes", 1 / 60),
    ("medium_activity_time", "moderate_minutes", 1 / 60),
    ("high_activity_time", "vigorous_minutes", 1 / 60),
    ("medium_activity_time", "active_minutes", 1 / 60),
    ("high_activity_time", "active_minutes", 1 / 60),
)
_SLEEP: _Conversions = (
    ("total_sleep_duration", "asleep", 1 / 60),
    ("deep_sleep_duration", "sleep_deep", 1 / 60),
    ("light_sleep_duration", "sleep_light", 1 / 60),
    ("rem_sleep_duration", "sleep_rem", 1 / 60),
    ("awake_time", "sleep_awake", 1 / 60),
)
_NIGHT: _Conversions = (
    ("lowest_heart_rate", "resting_heart_rate", 1.0),
    ("average_hrv", "hrv_rmssd", 1.0),
    ("average_breath", "respiration_rate", 1.0),
)
_SINGLE_VALUES: _Conversions = (("spo2_percentage", "spo2", 1.0), ("vo2_max", "vo2_max", 1.0))
_NOT_SLEEP = {"deleted", "rest"}
_LONG_SLEEP = "long_sleep"
# By kind of file: columns that identify it.
_KINDS = {
    "trends": {"date", "sleep score", "readiness score"},
    "sleep": {"average_breath", "bedtime_start", "total_sleep_duration"},
    "activity": {"day", "equivalent_walking_distance", "total_calories"},
    "oxygen": {"day", "spo2_percentage"},
    "heart rate": {"timestamp", "bpm", "source"},
    "oxygen uptake": {"day", "vo2_max"},
}
_MISSING = {"", "none", "null"}
_Row = dict[str, str]


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header of trends or of a file of the account."""
    return _kind(csv_header(head)) is not None


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    days = UserDays(FORMAT.name, FORMAT.title, options)
    reader = _Reader(days)

    def read_member(member: Member) -> None:
        table = Table(member, quarantine)
        kind = _kind(table.names)
        names = {name: _plain(name) for name in table.names}
        process = reader.of_kind(kind or "")
        conversions = (*_SINGLE_VALUES, *_TRENDS, *_TREND_SLEEP, *_ACTIVITY, *_SLEEP, *_NIGHT)
        numbers = {column: number_column(metric, factor) for column, metric, factor in conversions}
        table.detect({name: numbers.get(plain) for name, plain in names.items()})
        rows = (
            (
                place,
                {
                    plain: "" if row[name].strip().lower() in _MISSING else row[name]
                    for name, plain in names.items()
                    if name in row
                },
            )
            for place, row in table.records()
        )
        parsing.process_each(member, rows, process, quarantine)

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine)


class _Reader:
    """Reads the rows of one user."""

    def __init__(self, days: UserDays) -> None:
        self._days = days

    def of_kind(self, kind: str) -> Callable[[_Row], Iterable[str]]:
        """What reads the rows of a kind of file."""
        kinds: dict[str, Callable[[_Row], Iterable[str]]] = {
            "trends": self._trends,
            "sleep": self._sleep,
            "activity": self._activity,
            "oxygen": self._oxygen,
            "heart rate": self._heart_rate,
            "oxygen uptake": self._oxygen_uptake,
        }
        return kinds.get(kind, lambda _: ())

    def _trends(self, row: _Row) -> Iterable[str]:
        day = parsing.parse_day(row["date"])
        values = parsing.convert(row, _TRENDS)
        times = {name: parsing.parse_amount(row.get(name)) for name in _DAY_TIMES}
        total = math.fsum(filter(None, times.values()))
        factor = 1.0 if total <= _MAX_DAY_MINUTES else 1 / 60
        for name, metrics in _TREND_TIMES.items():
            minutes = times[name]
            for metric in metrics if minutes is not None else ():
                values[metric] = values.get(metric, 0.0) + (minutes or 0.0) * factor
        self._days.state(day, values)
        slept = self._add_night(day, row, _TREND_SLEEP, ("bedtime start", "bedtime end"), "")
        return [*values, *slept]

    def _sleep(self, row: _Row) -> Iterable[str]:
        kind = row.get("type", _LONG_SLEEP)
        if kind in _NOT_SLEEP:
            return ()
        day = parsing.parse_day(row["day"])
        values: dict[str, float] = {}
        if kind == _LONG_SLEEP:
            values = parsing.convert(row, _NIGHT)
            self._days.state(day, values)
        slept = self._add_night(day, row, _SLEEP, ("bedtime_start", "bedtime_end"), "")
        return [*values, *slept]

    def _add_night(
        self, day: date, row: _Row, columns: _Conversions, span: tuple[str, str], source: str
    ) -> Iterable[str]:
        minutes = parsing.convert(row, columns)
        asleep = minutes.pop("asleep", 0.0)
        if not asleep:
            return ()
        start, end = (self._days.local_of(row[name]) if row.get(name) else None for name in span)
        night = Night(hours=asleep / 60, start=start, end=end, stages=minutes)
        self._days.add_night(day, night, source, None if start else day)
        return ["sleep_hours", *(SLEEP_SPAN if start and end else ()), *minutes]

    def _activity(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, _ACTIVITY)
        self._days.state(parsing.parse_day(row["day"]), values)
        return values

    def _oxygen(self, row: _Row) -> Iterable[str]:
        """Read a percentage: a number, or an object with the mean."""
        text = row["spo2_percentage"]
        value = parsing.parse_amount(_average(text) if text.startswith("{") else text)
        if not value:
            return ()
        self._days.state(parsing.parse_day(row["day"]), {"spo2": value})
        return ("spo2",)

    def _heart_rate(self, row: _Row) -> Iterable[str]:
        rate = parsing.parse_amount(row["bpm"])
        self._days.add_heart_rate(self._days.local_of(row["timestamp"]), rate or 0.0)
        return ("heart_rate_avg",) if rate else ()

    def _oxygen_uptake(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, [("vo2_max", "vo2_max", 1.0)])
        self._days.state(parsing.parse_day(row["day"]), values)
        return values


def _average(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shorten(text)} is not JSON") from error
    return found.get("average")


def _kind(names: Iterable[str]) -> str | None:
    plain = {_plain(name) for name in names}
    return next((kind for kind, columns in _KINDS.items() if columns <= plain), None)


def _plain(name: str) -> str:
    return name.strip().lower()


FORMAT = Format(
    name="oura",
    title="Oura's trends and account export",
    priority=180,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV with `date`, `Sleep Score` and `Readiness Score` (trends); with "
    "`average_breath` and `bedtime_start`, `equivalent_walking_distance` and `total_calories`, "
    "`spo2_percentage`, `vo2_max`, or `timestamp`, `bpm` and `source` (account).",
    dates="`date` and `day` are the local day, of sleep the day of waking. Other times carry their "
    "offset.",
    units="m and kcal. Sleep is in seconds; times of activity in trends are in minutes if they add "
    "up to at most a day of minutes, else in seconds.",
    columns={
        "steps": "`Steps`, `steps`",
        "distance_km": "`Equivalent Walking Distance`, `Daily Movement`",
        "calories_burned": "`Total Burn`, `total_calories`",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`bpm`: mean of the hourly means",
        "resting_heart_rate": "`Lowest Resting Heart Rate`; `lowest_heart_rate` of the long sleep",
        "sleep_hours": "`Total Sleep Duration`, `Total Sleep Time`; `total_sleep_duration` without "
        "rest and deleted sleep",
        "active_minutes": "medium and high activity time",
        "sedentary_minutes": "`sedentary_time`",
        "sleep_deep": "deep sleep",
        "sleep_light": "light sleep",
        "sleep_rem": "REM sleep",
        "sleep_awake": "`Awake Time`, `awake_time`",
        "sleep_start": "`Bedtime Start`, `bedtime_start` of the longest sleep",
        "sleep_end": "`Bedtime End`, `bedtime_end` of the longest sleep",
        "hrv_rmssd": "`Average HRV`; `average_hrv` of the long sleep",
        "spo2": "`spo2_percentage`",
        "respiration_rate": "`Respiratory Rate`; `average_breath` of the long sleep",
        "vo2_max": "`vo2_max`",
        "light_minutes": "low activity time",
        "moderate_minutes": "medium activity time",
        "vigorous_minutes": "high activity time",
    },
)
