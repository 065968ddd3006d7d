"""Samsung Health: the CSV files that the app writes, one for each type of data.

The first line of a file names its type, and the second one its columns, some of them with the type
before the name. Steps have a row a device and one for all devices, which alone is used.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import date_of
from fitness_assets.sources.exports.number_style import NumberColumn, number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.tables import Table
from fitness_assets.sources.exports.user_days import UserDays, night_of
from fitness_assets.sources.exports.written_times import parse_offset, parse_stamp

_TITLE = re.compile(rb"(?:\xef\xbb\xbf)?\"?com\.(samsung\.[a-z0-9_.]+)\"?[,;\t]\d+[,;\t]\d+")
_ALL_DEVICES = "-2"
_MS_PER_MINUTE = 60_000
# Precedences of the rows with steps: for all devices in the trend, then in the summary of the
# pedometer, then for one device.
_OF_TREND, _OF_SUMMARY, _OF_DEVICE = 0, 1, 2
_STAGES = {
    "40001": "sleep_awake",
    "40002": "sleep_light",
    "40003": "sleep_deep",
    "40004": "sleep_rem",
}
# Samsung Health Data SDK, `Exercise.ExerciseType`. 0 is an activity that the user defined.
_ACTIVITIES = {
    "1001": "walking",
    "1002": "running",
    "9001": "pilates",
    "9002": "yoga",
    "10007": "gym_workout",
    "11007": "cycling",
    "13001": "hiking",
    "14001": "swimming",
    "15002": "gym_workout",
    "15003": "cycling",
    "15004": "rowing",
    "15005": "running",
    "15006": "elliptical",
}
_WORKOUT = (
    ("duration", "minutes", 1 / _MS_PER_MINUTE),
    ("distance", "distance_km", 0.001),
    ("calorie", "calories_burned", 1.0),
    ("mean_heart_rate", "heart_rate_avg", 1.0),
    ("max_heart_rate", "heart_rate_max", 1.0),
)
_NUMBERS: Mapping[str, NumberColumn | None] = {
    "distance": number_column("distance_km", 0.001),
    "rest_calorie": number_column("total_kcal"),
    "active_calorie": number_column("total_kcal"),
    "tef_calorie": number_column("total_kcal"),
    "heart_rate": number_column("heart_rate_avg"),
    "weight": number_column("weight_kg"),
    "height": number_column("height_cm"),
    "vo2_max": number_column("vo2_max"),
    "mean_heart_rate": number_column("heart_rate_avg"),
    "max_heart_rate": number_column("heart_rate_max"),
    "calorie": number_column("calories_burned"),
    "floor": NumberColumn(is_count=False, maximum=1000),
}

_Row = Mapping[str, str]


def matches_header(head: bytes) -> bool:
    """Whether the first line names a type of Samsung's data."""
    return bool(_TITLE.match(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Files of other types are not used."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options), quarantine)
    read_each(members, reader.read, quarantine)
    reader.add_sleeps(quarantine)
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the files of one user."""

    def __init__(self, days: UserDays, quarantine: Quarantine) -> None:
        self.days = days
        self._quarantine = quarantine
        # By id, start, end and device of a sleep, and the minutes of its stages.
        self._sleeps: dict[str, tuple[datetime, datetime, str]] = {}
        self._stages: dict[str, dict[tuple[datetime, datetime], str]] = {}
        self._types: dict[str, Callable[[_Row], Iterable[str]]] = {
            "shealth.step_daily_trend": self._steps,
            "shealth.tracker.pedometer_day_summary": self._pedometer,
            "shealth.calories_burned.details": self._energy,
            "shealth.sleep": self._sleep,
            "health.sleep": self._sleep,
            "health.sleep_stage": self._stage,
            "shealth.tracker.heart_rate": self._heart_rate,
            "health.heart_rate": self._heart_rate,
            "health.weight": self._weight,
            "health.floors_climbed": self._floors,
            "shealth.tracker.floors_day_summary": self._floors_of_day,
            "shealth.exercise": self._exercise,
            "health.exercise": self._exercise,
        }

    def read(self, member: Member) -> None:
        """Read one file, of the type that its first line names."""
        title = _TITLE.match(member.head())
        if title is None:
            raise SourceError(f"{member.name} does not begin with a type of data of Samsung Health")
        process = self._types.get(title[1].decode().removeprefix("samsung."))
        if process is None:
            return
        table = Table(member, self._quarantine, title_lines=1)
        names = _short_names(table.names)
        table.detect({names[short]: each for short, each in _NUMBERS.items() if short in names})
        rows = (
            (place, {short: record.get(name, "") for short, name in names.items()})
            for place, record in table.records()
        )
        parsing.process_each(member, rows, process, self._quarantine)

    def add_sleeps(self, quarantine: Quarantine) -> None:
        """Add the sleeps, each with the minutes of its stages."""
        for key, (start, end, device) in self._sleeps.items():
            stages = _minutes(self._stages.pop(key, {}))
            try:
                self.days.add_night(end.date(), night_of(start, end, stages), device, key)
            except ValueError as error:
                quarantine(FORMAT.name, f"sleep {key}", str(error))
        # Stages without the file of sleeps.
        for key, intervals in self._stages.items():
            start, end = min(intervals)[0], max(each[1] for each in intervals)
            self.days.add_night(end.date(), night_of(start, end, _minutes(intervals)), "", key)

    def _steps(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, [("count", "steps", 1.0), ("distance", "distance_km", 0.001)])
        is_of_all = row["source_type"].strip() == _ALL_DEVICES
        self.days.state(_day(row), values, _OF_TREND if is_of_all else _OF_DEVICE)
        return values

    def _pedometer(self, row: _Row) -> Iterable[str]:
        columns = (
            ("step_count", "steps", 1.0),
            ("distance", "distance_km", 0.001),
            ("active_time", "active_minutes", 1 / _MS_PER_MINUTE),
        )
        values = parsing.convert(row, columns)
        is_combined = bool(row.get("source_info", "").strip())
        self.days.state(_day(row), values, _OF_SUMMARY if is_combined else _OF_DEVICE)
        return values

    def _energy(self, row: _Row) -> Iterable[str]:
        parts = [
            parsing.parse_amount(row.get(f"{part}_calorie")) for part in ("rest", "active", "tef")
        ]
        values = parsing.convert(row, [("active_time", "active_minutes", 1 / _MS_PER_MINUTE)])
        if parts[0]:
            values["total_kcal"] = sum(filter(None, parts))
        elif parts[1] is not None:
            values["active_kcal"] = parts[1]
        self.days.state(_day(row), values)
        return values

    def _sleep(self, row: _Row) -> Iterable[str]:
        start, end = self._local(row, "start_time"), self._local(row, "end_time")
        night_of(start, end, {})
        self._sleeps[row["datauuid"]] = (start, end, row.get("deviceuuid", ""))
        return ("sleep_hours", *SLEEP_SPAN)

    def _stage(self, row: _Row) -> Iterable[str]:
        start, end = self._local(row, "start_time"), self._local(row, "end_time")
        night_of(start, end, {})
        stage = _STAGES.get(row["stage"].partition(".")[0])
        if stage is None:
            raise ValueError(f"{row['stage']} is not a stage of sleep")
        self._stages.setdefault(row["sleep_id"], {})[start, end] = stage
        return ("sleep_hours", stage)

    def _heart_rate(self, row: _Row) -> Iterable[str]:
        rate = parsing.parse_amount(row["heart_rate"])
        local = self._local(row, "start_time")
        self.days.add_heart_rate(local, rate or 0.0, row.get("deviceuuid", ""))
        return ("heart_rate_avg",) if rate else ()

    def _weight(self, row: _Row) -> Iterable[str]:
        local = self._local(row, "start_time")
        values = parsing.convert(row, [("weight", "weight_kg", 1.0), ("height", "height_cm", 1.0)])
        for metric, value in values.items():
            self.days.add_last(local, metric, value)
        return values

    def _floors(self, row: _Row) -> Iterable[str]:
        day = self._local(row, "start_time").date()
        floors = parsing.parse_amount(row["floor"])
        if floors is None:
            return ()
        self.days.add_amount(day, "floors", floors, row.get("deviceuuid", ""))
        return ("floors",)

    def _floors_of_day(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, [("floor_count", "floors", 1.0)])
        self.days.state(_day(row), values)
        return values

    def _exercise(self, row: _Row) -> Iterable[str]:
        local = self._local(row, "start_time")
        start = parse_stamp(row["start_time"])
        filled = self.days.add_workout(
            Workout(
                start=start if start.tzinfo else start.replace(tzinfo=UTC),
                local_start=local,
                activity=_ACTIVITIES.get(row["exercise_type"].partition(".")[0]),
                **{"minutes": 0.0, **parsing.convert_known(row, _WORKOUT)},
            )
        )
        oxygen = parsing.parse_amount(row.get("vo2_max"))
        self.days.add_last(local, "vo2_max", oxygen or 0.0)
        return [*filled, *(["vo2_max"] if oxygen else [])]

    def _local(self, row: _Row, name: str) -> datetime:
        """A time of a row, which is in UTC, on the user's clock."""
        return self.days.local_of(row[name], parse_offset(row.get("time_offset", "")))


def _day(row: _Row) -> date:
    """The local day of a daily row: the date of midnight UTC in milliseconds, or of a text."""
    stamp = row["day_time"].strip()
    if stamp.isdigit():
        return check_day(date_of(int(stamp) // 1000))
    return parsing.parse_day(stamp)


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """The columns by their last part. One with the type before its name is preferred."""
    return {name.rpartition(".")[2]: name for name in sorted(names, key=lambda each: "." in each)}


def _minutes(intervals: Mapping[tuple[datetime, datetime], str]) -> dict[str, float]:
    """Minutes by stage."""
    minutes: dict[str, float] = {}
    for (start, end), stage in intervals.items():
        minutes[stage] = minutes.get(stage, 0.0) + (end - start).total_seconds() / 60
    return minutes


FORMAT = Format(
    name="samsung_health",
    title="Samsung Health's export",
    priority=110,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV whose first line is a type such as `com.samsung.shealth.sleep` and two "
    "numbers.",
    dates="`day_time` is the local day. `start_time` and `end_time` are in UTC, and `time_offset` "
    "gives the local time; without it, `--timezone` does.",
    units="m, kcal, kg, cm and milliseconds.",
    columns={
        "steps": "`count` of the row for all devices (`source_type` -2), else the largest row, "
        "else `step_count`",
        "distance_km": "`distance` of the same row",
        "calories_burned": "`rest_calorie` + `active_calorie` + `tef_calorie`",
        "calories_kind": "`total`, or `active` without `rest_calorie`",
        "heart_rate_avg": "`heart_rate`: mean of the hourly means",
        "sleep_hours": "light, deep and REM sleep of `sleep_stage`, else `sleep` from start to "
        "end; on the day of waking",
        "active_minutes": "`active_time` of the calories, else of the pedometer",
        "activity_type": "`exercise_type` of the longest exercise",
        "height_cm": "`height`: the last of the day",
        "weight_kg": "`weight`: the last of the day",
        "sleep_deep": "stage 40003",
        "sleep_light": "stage 40002",
        "sleep_rem": "stage 40004",
        "sleep_awake": "stage 40001",
        "sleep_start": "`start_time` of the longest sleep",
        "sleep_end": "`end_time` of the longest sleep",
        "vo2_max": "`vo2_max` of the last exercise of the day",
        "floors": "`floor_count`, else `floor` of the device with the most",
    },
    workouts={
        "activity": "`exercise_type`",
        "minutes": "`duration`",
        "distance_km": "`distance`",
        "calories_burned": "`calorie`",
        "heart_rate_avg": "`mean_heart_rate`",
        "heart_rate_max": "`max_heart_rate`",
    },
)
