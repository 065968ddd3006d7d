"""Health Connect: the SQLite database that an Android phone exports.

The names of tables and columns, and the numbers of stages and exercises, are those of Android's own
source, schema versions 9 and 10. A record belongs to the local day of its start, sleep to that of
its end. Several apps write the same steps: those of one app are used, and never a sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sessions import Sessions
from fitness_assets.sources.exports.sqlite import MAGIC, Database, TableReader, open_database
from fitness_assets.sources.exports.user_days import UserDays, night_of
from fitness_assets.sources.exports.workouts import WORKOUTS

_TABLES = (b"steps_record_table", b"application_info_table")
_APP = "app_info_id"
_INTERVAL = ("start_time",)
_INTERVAL_OPTIONAL = ("start_zone_offset", _APP)
# Energy is stored in calories, and power in watts.
_KCAL_PER_CAL = 0.001
_KCAL_A_DAY_PER_WATT = 86_400 / 4184
# Amounts by time: the table, the column, the metric and the factor to its unit.
_AMOUNTS = (
    ("steps_record_table", "count", "steps", 1.0),
    ("distance_record_table", "distance", "distance_km", 0.001),
    ("floors_climbed_record_table", "floors", "floors", 1.0),
    ("total_calories_burned_record_table", "energy", "total_kcal", _KCAL_PER_CAL),
    ("active_calories_burned_record_table", "energy", "active_kcal", _KCAL_PER_CAL),
)
# What is added up during a workout.
_OF_WORKOUT = frozenset({"distance_km", "total_kcal", "active_kcal"})
# Readings, of which the day has the mean.
_READINGS = (
    ("basal_metabolic_rate_record_table", "basal_metabolic_rate", "basal_kcal"),
    ("resting_heart_rate_record_table", "beats_per_minute", "resting_heart_rate"),
    (
        "heart_rate_variability_rmssd_record_table",
        "heart_rate_variability_millis",
        "hrv_rmssd",
    ),
    ("oxygen_saturation_record_table", "percentage", "spo2"),
    ("respiratory_rate_record_table", "rate", "respiration_rate"),
    ("vo2_max_record_table", "vo2_milliliters_per_minute_kilogram", "vo2_max"),
)
# Measurements, of which the day has the last: grams and metres.
_LAST = (
    ("weight_record_table", "weight", "weight_kg", 0.001),
    ("height_record_table", "height", "height_cm", 100.0),
)
# Awake, asleep, out of bed, light, deep, REM, awake in bed.
_STAGES = {
    **dict.fromkeys((1, 3, 7), "sleep_awake"),
    2: "asleep",
    4: "sleep_light",
    5: "sleep_deep",
    6: "sleep_rem",
}
_ACTIVITIES = {
    4: "cycling",
    21: "hiking",
    33: "running",
    34: "running",
    45: "gym_workout",
    49: "swimming",
    53: "walking",
    57: "yoga",
}

_Row = dict[str, Any]


def matches_header(head: bytes) -> bool:
    """Whether `head` is that of a database with the tables of Health Connect."""
    return head.startswith(MAGIC) and all(table in head for table in _TABLES)


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    days = UserDays(FORMAT.name, FORMAT.title, options)

    def read_member(member: Member) -> None:
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
        self._apps: dict[object, str] = {}
        self._sessions = Sessions()

    def read(self) -> None:
        """Read all tables; one that cannot be read is quarantined."""
        self._each("application_info_table", self._app, ("row_id", "package_name"))
        # Before what was measured during them.
        self._each(
            "exercise_session_record_table",
            self._exercise,
            ("start_time", "end_time", "exercise_type"),
            ("start_zone_offset", _APP),
        )
        self._sessions.close()
        for table, column, metric, factor in _AMOUNTS:
            process = partial(self._amount, column, metric, factor)
            optional = ("end_time", *_INTERVAL_OPTIONAL)
            self._each(table, process, (*_INTERVAL, column), optional)
        for table, column, metric in _READINGS:
            factor = _KCAL_A_DAY_PER_WATT if metric == "basal_kcal" else 1.0
            process = partial(self._reading, column, metric, factor)
            self._each(table, process, ("time", column), ("zone_offset", _APP))
        for table, column, metric, factor in _LAST:
            process = partial(self._last, column, metric, factor)
            self._each(table, process, ("time", column), ("zone_offset", _APP))
        self._read_heart_rates()
        self._read_sleep()
        for workout, values in self._sessions.workouts():
            self._days.add_workout(
                replace(
                    workout,
                    distance_km=values.get("distance_km"),
                    calories_burned=values.get("total_kcal") or values.get("active_kcal"),
                    heart_rate_avg=values.get("heart_rate_avg"),
                    heart_rate_max=values.get("heart_rate_max"),
                )
            )

    def _app(self, row: _Row) -> Iterable[str]:
        self._apps[row["row_id"]] = str(row["package_name"])
        return ()

    def _source(self, row: _Row) -> str:
        return self._apps.get(row[_APP], "")

    def _local(self, milliseconds: object, offset: object) -> datetime:
        """A time of a row on the user's clock."""
        instant = parsing.parse_amount(milliseconds)
        if instant is None:
            raise ValueError("it has no time")
        return self._days.local(instant / 1000, None if offset is None else int(str(offset)))

    def _amount(self, column: str, metric: str, factor: float, row: _Row) -> Iterable[str]:
        amount = parsing.parse_amount(row[column])
        if amount is None:
            return ()
        local = self._local(row["start_time"], row["start_zone_offset"])
        source = self._source(row)
        self._days.add_amount(local.date(), metric, amount * factor, source)
        if metric in _OF_WORKOUT and row["end_time"] is not None:
            start, end = (
                (parsing.parse_amount(row[f"{name}_time"]) or 0.0) / 1000
                for name in ("start", "end")
            )
            self._sessions.add_amount(source, (start, end), metric, amount * factor)
        return (metric,)

    def _reading(self, column: str, metric: str, factor: float, row: _Row) -> Iterable[str]:
        value = parsing.parse_amount(row[column])
        if not value:
            return ()
        day = self._local(row["time"], row["zone_offset"]).date()
        self._days.add_reading(day, metric, value * factor, self._source(row))
        return (metric,)

    def _last(self, column: str, metric: str, factor: float, row: _Row) -> Iterable[str]:
        value = parsing.parse_amount(row[column])
        if not value:
            return ()
        self._days.add_last(self._local(row["time"], row["zone_offset"]), metric, value * factor)
        return (metric,)

    def _read_heart_rates(self) -> None:
        """Read the readings of all series; the offset and the app are those of the series."""
        series: dict[object, tuple[object, str]] = {}

        def add_series(row: _Row) -> Iterable[str]:
            series[row["row_id"]] = (row["start_zone_offset"], self._source(row))
            return ()

        def add_reading(row: _Row) -> Iterable[str]:
            rate = parsing.parse_amount(row["beats_per_minute"])
            offset, source = series.get(row["parent_key"], (None, ""))
            local = self._local(row["epoch_millis"], offset)
            self._days.add_heart_rate(local, rate or 0.0, source)
            if rate:
                instant = (parsing.parse_amount(row["epoch_millis"]) or 0.0) / 1000
                self._sessions.add_heart_rate(source, instant, rate)
            return ("heart_rate_avg",) if rate else ()

        self._each("heart_rate_record_table", add_series, ("row_id",), _INTERVAL_OPTIONAL)
        columns = ("parent_key", "beats_per_minute", "epoch_millis")
        self._each("heart_rate_record_series_table", add_reading, columns)

    def _read_sleep(self) -> None:
        """Read the sessions of sleep, each with the minutes of its stages."""
        stages: dict[object, dict[str, float]] = defaultdict(dict)

        def add_stage(row: _Row) -> Iterable[str]:
            start, end = (
                parsing.parse_amount(row[f"stage_{name}_time"]) or 0.0 for name in ("start", "end")
            )
            stage = _STAGES.get(row["stage_type"])
            if stage and end > start:
                minutes = stages[row["parent_key"]]
                minutes[stage] = minutes.get(stage, 0.0) + (end - start) / 60_000
            return ()

        def add_session(row: _Row) -> Iterable[str]:
            start_offset = row["start_zone_offset"]
            end_offset = row["end_zone_offset"]
            start = self._local(row["start_time"], start_offset)
            end = self._local(row["end_time"], start_offset if end_offset is None else end_offset)
            night = night_of(start, end, stages.get(row["row_id"], {}))
            self._days.add_night(end.date(), night, self._source(row))
            return ("sleep_hours", *SLEEP_SPAN, *night.stages)

        self._each(
            "sleep_stages_table",
            add_stage,
            ("parent_key", "stage_start_time", "stage_end_time", "stage_type"),
        )
        self._each(
            "sleep_session_record_table",
            add_session,
            ("row_id", "start_time", "end_time"),
            ("start_zone_offset", "end_zone_offset", _APP),
        )

    def _exercise(self, row: _Row) -> Iterable[str]:
        local = self._local(row["start_time"], row["start_zone_offset"])
        start, end = (parsing.parse_amount(row[f"{name}_time"]) or 0.0 for name in ("start", "end"))
        workout = Workout(
            start=utc(start / 1000),
            local_start=local,
            activity=_ACTIVITIES.get(row["exercise_type"]),
            minutes=max(end - start, 0.0) / 60_000,
        )
        check_day(local.date())
        self._sessions.add(self._source(row), workout, end / 1000)
        return (WORKOUTS, *(["activity_type"] if workout.activity else []))


FORMAT = Format(
    name="health_connect",
    title="Health Connect's database (Android)",
    priority=150,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="SQLite database with the tables `steps_record_table` and "
    "`application_info_table`.",
    dates="Milliseconds since 1970 in UTC, with an offset in seconds that gives the local time; "
    "without it, `--timezone` does. A record that crosses midnight belongs to the day of its "
    "start, sleep to that of its end.",
    units="m, calories (a thousandth of a kcal), g, m of height, W and milliseconds. Of several "
    "apps, the first in `sources.toml` is used for a day, else the one with the most.",
    columns={
        "steps": "`steps_record_table`",
        "distance_km": "`distance_record_table`",
        "calories_burned": "`total_calories_burned_record_table`, else active and basal energy, "
        "else active energy",
        "calories_kind": "`total`, or `active` if only active energy is stated",
        "heart_rate_avg": "`heart_rate_record_series_table`: mean of the hourly means",
        "resting_heart_rate": "`resting_heart_rate_record_table`: mean of the day",
        "sleep_hours": "`sleep_stages_table` without time awake, else the whole session",
        "activity_type": "`exercise_type` of the longest session",
        "height_cm": "`height_record_table`: the last of the day",
        "weight_kg": "`weight_record_table`: the last of the day",
        "sleep_deep": "stage 5",
        "sleep_light": "stage 4",
        "sleep_rem": "stage 6",
        "sleep_awake": "stages 1, 3 and 7",
        "sleep_start": "start of the longest session",
        "sleep_end": "end of the longest session",
        "hrv_rmssd": "`heart_rate_variability_rmssd_record_table`: mean of the day",
        "spo2": "`oxygen_saturation_record_table`: mean of the day",
        "respiration_rate": "`respiratory_rate_record_table`: mean of the day",
        "vo2_max": "`vo2_max_record_table`: mean of the day",
        "floors": "`floors_climbed_record_table`",
    },
    workouts={
        "activity": "`exercise_type`",
        "minutes": "start to end of the session",
        "distance_km": "`distance_record_table` of the same app during the session",
        "calories_burned": "total, else active energy of the same app during the session",
        "heart_rate_avg": "heart rates of the same app during the session",
        "heart_rate_max": "the greatest of them",
    },
)
