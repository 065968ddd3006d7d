"""Zepp and Mi Fit: a folder with one CSV for each kind of data.

Days and times of day are local; times with ``+0000`` are in UTC. The naps of a night are JSON with
commas, not always quoted, so a row may have more values than columns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.sources.exports.written_times import parse_shown, parse_stamp

_DAY = (
    ("steps", "steps", 1.0),
    ("distance", "distance_km", 0.001),
    ("calories", "active_kcal", 1.0),
)
_NIGHT = (
    ("deepSleepTime", "sleep_deep", 1.0),
    ("shallowSleepTime", "sleep_light", 1.0),
    ("REMTime", "sleep_rem", 1.0),
    ("wakeTime", "sleep_awake", 1.0),
)
_SPORT = (
    ("sportTime(s)", "minutes", 1 / 60),
    ("distance(m)", "distance_km", 0.001),
    ("calories(kcal)", "calories_burned", 1.0),
)
_BODY = (("weight", "weight_kg", 1.0), ("height", "height_cm", 1.0))
# By kind, the columns that identify it.
_KINDS = {
    "activity": {"date", "steps", "distance", "runDistance", "calories"},
    "heart rate": {"date", "time", "heartRate"},
    "sleep": {"date", "deepSleepTime", "shallowSleepTime", "start", "stop"},
    "body": {"time", "weight", "height", "bmi", "fatRate"},
    "sport": {"type", "startTime", "sportTime(s)", "calories(kcal)"},
}
# Kinds that are recognized so that they are reported, and not used: days have their sums.
_UNUSED = (["date", "time", "steps"], ["date", "lastSyncTime", "steps"])
_ACTIVITIES = {"1": "running", "6": "walking", "8": "running", "9": "cycling"}
_MISSING = {"", "null", "-1", "-1.0"}

_Row = dict[str, str]


def matches_header(head: bytes) -> bool:
    """Whether `head` is the CSV header of a kind of file of Zepp."""
    names = csv_header(head)
    return _kind(names) is not None or names in _UNUSED


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options))

    def read_member(member: Member) -> None:
        table = Table(member, quarantine)
        process = reader.of_kind(_kind(table.names))
        if process is None:
            return
        numbers = {column: number_column(metric, factor) for column, metric, factor in
                   (*_DAY, *_BODY, *_SPORT)}  # fmt: skip
        table.detect(numbers, None)
        rows = (
            (
                place,
                {name: "" if value.strip() in _MISSING else value for name, value in row.items()},
            )
            for place, row in table.records()
        )
        parsing.process_each(member, rows, process, quarantine)

    read_each(members, read_member, quarantine)
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the rows of one user."""

    def __init__(self, days: UserDays) -> None:
        self.days = days

    def of_kind(self, kind: str | None) -> Callable[[_Row], Iterable[str]] | None:
        """What reads the rows of a kind of file; None if they are not used."""
        kinds: dict[str | None, Callable[[_Row], Iterable[str]]] = {
            "activity": self._activity,
            "heart rate": self._heart_rate,
            "sleep": self._sleep,
            "body": self._body,
            "sport": self._sport,
        }
        return kinds.get(kind)

    def _activity(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, _DAY)
        self.days.state(parsing.parse_day(row["date"]), values)
        return values

    def _heart_rate(self, row: _Row) -> Iterable[str]:
        rate = parsing.parse_amount(row["heartRate"])
        self.days.add_heart_rate(parse_shown(f"{row['date']} {row['time']}"), rate or 0.0)
        return ("heart_rate_avg",) if rate else ()

    def _sleep(self, row: _Row) -> Iterable[str]:
        stages = parsing.convert(row, _NIGHT)
        if not stages.get("sleep_rem"):
            # Devices without REM write 0, or no column.
            stages.pop("sleep_rem", None)
        asleep = sum(minutes for name, minutes in stages.items() if name != "sleep_awake")
        start, end = self._local(row["start"]), self._local(row["stop"])
        if start == end or not asleep:
            # A night that was not recorded.
            return ()
        day = parsing.parse_day(row["date"])
        night = Night(hours=asleep / 60, start=start, end=end, stages=stages)
        self.days.add_night(day, night)
        return ["sleep_hours", *SLEEP_SPAN, *stages]

    def _body(self, row: _Row) -> Iterable[str]:
        values = parsing.convert(row, _BODY)
        for metric, value in values.items():
            self.days.add_last(self._local(row["time"]), metric, value)
        return values

    def _sport(self, row: _Row) -> Iterable[str]:
        start = parse_stamp(row["startTime"])
        return self.days.add_workout(
            Workout(
                start=start if start.tzinfo else start.replace(tzinfo=UTC),
                local_start=self._local(row["startTime"]),
                activity=_ACTIVITIES.get(row["type"].strip()),
                **{"minutes": 0.0, **parsing.convert_known(row, _SPORT)},
            )
        )

    def _local(self, stamp: str) -> datetime:
        return self.days.local_of(stamp)


def _kind(names: Iterable[str]) -> str | None:
    found = set(names)
    return next((kind for kind, columns in _KINDS.items() if columns <= found), None)


FORMAT = Format(
    name="zepp",
    title="Zepp's and Mi Fit's data export",
    priority=210,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV with the columns of one kind: `date`, `steps`, `distance` and "
    "`runDistance`; `date`, `time` and `heartRate`; `deepSleepTime` and `shallowSleepTime`; "
    "`weight`, `bmi` and `fatRate`; `startTime` and `sportTime(s)`.",
    dates="`date` and `time` are local, of sleep the day of waking. `start`, `stop`, `startTime` "
    "and the time of a weight are in UTC, and assigned to `--timezone`.",
    units="m, minutes, kg, cm and seconds. Naps are left out.",
    columns={
        "steps": "`steps` of the day",
        "distance_km": "`distance` of the day",
        "calories_burned": "`calories` of the day",
        "calories_kind": "always `active`",
        "heart_rate_avg": "`heartRate`: mean of the hourly means",
        "sleep_hours": "deep, shallow and REM sleep",
        "activity_type": "`type` of the longest sport",
        "height_cm": "`height`: the last of the day",
        "weight_kg": "`weight`: the last of the day",
        "sleep_deep": "`deepSleepTime`",
        "sleep_light": "`shallowSleepTime`",
        "sleep_rem": "`REMTime`",
        "sleep_awake": "`wakeTime`",
        "sleep_start": "`start`",
        "sleep_end": "`stop`",
    },
    workouts={
        "activity": "`type`",
        "minutes": "`sportTime(s)`",
        "distance_km": "`distance(m)`",
        "calories_burned": "`calories(kcal)`",
    },
)
