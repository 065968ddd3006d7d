"""Gadgetbridge: the SQLite database that the Android app exports.

There is a table for each vendor, and most of them are empty. Times are instants in UTC, in seconds
or milliseconds, and no zone is stored. Two devices that count the same steps are not added: a day
has the device with the most. Names and addresses of devices are not read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Interval, Night, State, nights
from fitness_assets.sources.exports.sqlite import MAGIC, Database, TableReader, open_database
from fitness_assets.sources.exports.user_days import UserDays

_TABLES = (b"BASE_ACTIVITY_SUMMARY", b"DEVICE")
# A later number of seconds would be after the year 5000: it is in milliseconds.
_FIRST_MILLISECONDS = 1e11
# Tables with a row a minute.
_MINUTES = (
    *("MI_BAND_ACTIVITY_SAMPLE", "HUAMI_EXTENDED_ACTIVITY_SAMPLE", "XIAOMI_ACTIVITY_SAMPLE"),
    "GARMIN_ACTIVITY_SAMPLE",
)
_MIN_HEART_RATE, _MAX_HEART_RATE = 10, 250
_HUAMI = "HUAMI_EXTENDED_ACTIVITY_SAMPLE"
# Raw kinds of that table.
_NOT_WORN, _ASLEEP = frozenset({115, 118}), 120
# Readings: by table, the columns that may hold the value, and the metric.
_READINGS = (
    ("HUAMI_SPO2_SAMPLE", "spo2", "spo2"),
    ("HUAMI_HEART_RATE_RESTING_SAMPLE", "heart_rate", "resting_heart_rate"),
    ("HUAMI_SLEEP_RESPIRATORY_RATE_SAMPLE", "rate", "respiration_rate"),
    ("GARMIN_HRV_SUMMARY_SAMPLE", "last_night_average", "hrv_rmssd"),
)
_XIAOMI_SLEEP = (
    ("deep_sleep_duration", "sleep_deep", 1.0),
    ("light_sleep_duration", "sleep_light", 1.0),
    ("rem_sleep_duration", "sleep_rem", 1.0),
    ("awake_duration", "sleep_awake", 1.0),
)
_XIAOMI_DAY = (
    ("steps", "steps", 1.0),
    ("hr_resting", "resting_heart_rate", 1.0),
    ("hr_avg", "heart_rate_avg", 1.0),
    ("spo2_avg", "spo2", 1.0),
)
# Bits of Gadgetbridge's `ActivityKind`.
_ACTIVITIES = {
    0x10: "running",
    0x20: "walking",
    0x40: "swimming",
    0x80: "cycling",
    0x100: "running",
    0x400: "swimming",
    0x800: "cycling",
    0x1000: "elliptical",
    0x4000: "yoga",
}

_Row = dict[str, Any]


def matches_header(head: bytes) -> bool:
    """Whether `head` is that of a database with the tables of Gadgetbridge."""
    return head.startswith(MAGIC) and all(table in head for table in _TABLES)


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    days = UserDays(FORMAT.name, FORMAT.title, options)

    def read_member(member: Member) -> None:
        if options.zone is None:
            member.usage.notes.append("times are in UTC, and no time zone is declared")
        with open_database(member) as database:
            _Reader(days, member, database, quarantine).read()

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine)


class _Reader:
    """Reads one database."""

    def __init__(
        self, days: UserDays, member: Member, database: Database, quarantine: Quarantine
    ) -> None:
        self._days = days
        self._each = TableReader(database, member, quarantine).process
        self._asleep: dict[str, list[Interval]] = defaultdict(list)

    def read(self) -> None:
        """Read all tables; one that cannot be read is quarantined."""
        for table in _MINUTES:
            self._each(
                table,
                partial(self._minute, table),
                ("timestamp", "device_id", "steps"),
                ("heart_rate", "raw_kind", "spo2", "distance_cm", "active_calories"),
            )
        for table, column, metric in _READINGS:
            process = partial(self._reading, column, metric)
            self._each(table, process, ("timestamp", column), ("device_id",))
        self._each(
            "XIAOMI_SLEEP_TIME_SAMPLE",
            self._sleep,
            ("timestamp", "wakeup_time", "total_duration"),
            ("device_id", *(column for column, _, _ in _XIAOMI_SLEEP)),
        )
        self._each(
            "XIAOMI_DAILY_SUMMARY_SAMPLE",
            self._day,
            ("timestamp",),
            tuple(column for column, _, _ in _XIAOMI_DAY),
        )
        self._each(
            "BASE_ACTIVITY_SUMMARY", self._workout, ("start_time", "end_time", "activity_kind")
        )
        for device, intervals in self._asleep.items():
            for day, night in nights(intervals):
                self._days.add_night(day, night, device)

    def _minute(self, table: str, row: _Row) -> Iterable[str]:
        kind = row["raw_kind"]
        if table == _HUAMI and kind in _NOT_WORN:
            return ()
        instant = _instant(row["timestamp"])
        local, device = self._days.local(instant), str(row["device_id"])
        values = parsing.convert(
            row,
            [
                ("distance_cm", "distance_km", 1e-5),
                ("active_calories", "active_kcal", 1.0),
            ],
        )
        steps = _positive(row["steps"])
        if steps is not None:
            values["steps"] = steps
        for metric, amount in values.items():
            self._days.add_amount(local.date(), metric, amount, device)
        metrics = list(values)
        rate = _positive(row["heart_rate"])
        if rate is not None and _MIN_HEART_RATE <= rate <= _MAX_HEART_RATE:
            self._days.add_heart_rate(local, rate, device)
            metrics.append("heart_rate_avg")
        oxygen = _positive(row["spo2"])
        if oxygen:
            self._days.add_reading(local.date(), "spo2", oxygen, device)
            metrics.append("spo2")
        if table == _HUAMI and kind == _ASLEEP:
            end = self._days.local(instant + 60)
            offset = end.replace(tzinfo=UTC).timestamp() - (instant + 60)
            self._asleep[device].append(
                Interval(instant, instant + 60, State.ASLEEP, end.date(), offset)
            )
            metrics += ["sleep_hours", *SLEEP_SPAN]
        return metrics

    def _reading(self, column: str, metric: str, row: _Row) -> Iterable[str]:
        value = _positive(row[column])
        if not value:
            return ()
        day = self._local(row["timestamp"]).date()
        self._days.add_reading(day, metric, value, str(row["device_id"]))
        return (metric,)

    def _sleep(self, row: _Row) -> Iterable[str]:
        asleep = _positive(row["total_duration"])
        if not asleep:
            return ()
        start, end = self._local(row["timestamp"]), self._local(row["wakeup_time"])
        stages = parsing.convert(row, _XIAOMI_SLEEP)
        night = Night(hours=asleep / 60, start=start, end=end, stages=stages)
        # A night that is delivered again has the same start.
        self._days.add_night(end.date(), night, str(row["device_id"]), start)
        return ["sleep_hours", *SLEEP_SPAN, *stages]

    def _day(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, _XIAOMI_DAY)
        self._days.state(self._local(row["timestamp"]).date(), values)
        return values

    def _workout(self, row: _Row) -> Iterable[str]:
        start, end = _instant(row["start_time"]), _instant(row["end_time"])
        return self._days.add_workout(
            Workout(
                start=utc(start),
                local_start=self._days.local(start),
                activity=_ACTIVITIES.get(row["activity_kind"]),
                minutes=max(end - start, 0.0) / 60,
            )
        )

    def _local(self, stamp: object) -> datetime:
        return self._days.local(_instant(stamp))


def _instant(stamp: object) -> float:
    """Seconds since 1970 of a timestamp in seconds or milliseconds."""
    value = parsing.parse_amount(stamp)
    if value is None:
        raise ValueError("it has no time")
    return value / 1000 if value >= _FIRST_MILLISECONDS else value


def _positive(value: object) -> float | None:
    """An amount; None for a missing or a negative one, which marks a missing value."""
    if isinstance(value, int | float) and value < 0:
        return None
    return parsing.parse_amount(value)


FORMAT = Format(
    name="gadgetbridge",
    title="Gadgetbridge's database",
    priority=190,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="SQLite database with the tables `DEVICE` and `BASE_ACTIVITY_SUMMARY`.",
    dates="Seconds or milliseconds since 1970 in UTC, by their size; the day is that of "
    "`--timezone`. Sleep belongs to the day of waking.",
    units="minutes, cm and kcal. Heart rates outside of 10 to 250 are missing values. Of several "
    "devices, a day has the one with the most.",
    columns={
        "steps": "`STEPS` of `*_ACTIVITY_SAMPLE`, `XIAOMI_DAILY_SUMMARY_SAMPLE`",
        "distance_km": "`GARMIN_ACTIVITY_SAMPLE`",
        "calories_burned": "`ACTIVE_CALORIES` of `GARMIN_ACTIVITY_SAMPLE`",
        "calories_kind": "always `active`",
        "heart_rate_avg": "`HEART_RATE`: mean of the hourly means",
        "resting_heart_rate": "`HUAMI_HEART_RATE_RESTING_SAMPLE`, `XIAOMI_DAILY_SUMMARY_SAMPLE`",
        "sleep_hours": "`XIAOMI_SLEEP_TIME_SAMPLE`; minutes of kind 120 of "
        "`HUAMI_EXTENDED_ACTIVITY_SAMPLE`",
        "activity_type": "`ACTIVITY_KIND` of the longest activity",
        "sleep_deep": "`DEEP_SLEEP_DURATION`",
        "sleep_light": "`LIGHT_SLEEP_DURATION`",
        "sleep_rem": "`REM_SLEEP_DURATION`",
        "sleep_awake": "`AWAKE_DURATION`",
        "sleep_start": "start of the longest sleep",
        "sleep_end": "end of the longest sleep",
        "hrv_rmssd": "`GARMIN_HRV_SUMMARY_SAMPLE`",
        "spo2": "`SPO2` of samples: mean of the day",
        "respiration_rate": "`HUAMI_SLEEP_RESPIRATORY_RATE_SAMPLE`: mean of the day",
    },
    workouts={
        "activity": "`ACTIVITY_KIND`",
        "minutes": "`START_TIME` to `END_TIME`",
    },
)
