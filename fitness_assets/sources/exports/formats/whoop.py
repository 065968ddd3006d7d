"""WHOOP: cycles, sleeps and workouts as CSV, and the heart rates of the export of personal data.

A cycle runs from the start of one sleep to that of the next one, and belongs to the day on which
the user woke up. Times are local; `Cycle timezone` gives the instant of a workout.

The export of personal data (https://privacy.whoop.com) has other files. Of those, `Health/metrics…`
with the heart rate and the movement of each second or so are read.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import with_offset
from fitness_assets.sources.exports.number_style import NumberColumn, number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.user_days import UserDays
from fitness_assets.sources.exports.written_times import parse_offset, parse_shown

_START, _END, _ZONE = "Cycle start time", "Cycle end time", "Cycle timezone"
_ONSET, _WAKE = "Sleep onset", "Wake onset"
_DAILY = (
    # WHOOP writes kilocalories in a column that is named "cal".
    ("Energy burned (cal)", "total_kcal", 1.0),
    ("Average HR (bpm)", "heart_rate_avg", 1.0),
    ("Resting heart rate (bpm)", "resting_heart_rate", 1.0),
    ("Heart rate variability (ms)", "hrv_rmssd", 1.0),
    ("Blood oxygen %", "spo2", 1.0),
    ("Respiratory rate (rpm)", "respiration_rate", 1.0),
)
_ASLEEP = "Asleep duration (min)"
_STAGES = (
    ("Light sleep duration (min)", "sleep_light", 1.0),
    ("Deep (SWS) duration (min)", "sleep_deep", 1.0),
    ("REM duration (min)", "sleep_rem", 1.0),
    ("Awake duration (min)", "sleep_awake", 1.0),
)
_INSTANT, _HEART_RATE = "ts", "hr"
_METRICS = {_INSTANT, _HEART_RATE, "accel_x", "accel_y", "accel_z", "skin_temp"}
_WORKOUT = (
    ("Duration (min)", "minutes", 1.0),
    ("Distance (meters)", "distance_km", 0.001),
    ("Energy burned (cal)", "calories_burned", 1.0),
    ("Average HR (bpm)", "heart_rate_avg", 1.0),
    ("Max HR (bpm)", "heart_rate_max", 1.0),
)
_STRAIN = NumberColumn(is_count=False, maximum=21)
_NUMBERS = {
    **{name: number_column(metric) for name, metric, _ in _DAILY},
    "Distance (meters)": number_column("distance_km", 0.001),
    "Day Strain": _STRAIN,
    "Activity Strain": _STRAIN,
}


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header that begins with the times of a cycle, or has heart rates."""
    names = csv_header(head)
    return names[:3] == [_START, _END, _ZONE] or set(names) >= _METRICS


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. The journal is not used."""
    days = UserDays(FORMAT.name, FORMAT.title, options)

    def read_member(member: Member) -> None:
        table = Table(member, quarantine)
        if _INSTANT in table.names:
            add_heart_rate = partial(_add_heart_rate, days)
            parsing.process_each(member, table.records(), add_heart_rate, quarantine)
            return
        order = table.detect(_NUMBERS, _START)

        def process(row: dict[str, str]) -> Iterable[str]:
            if "Workout start time" in row:
                return days.add_workout(_workout(days, row, order))
            if _WAKE not in row:
                return ()
            metrics = list(_add_sleep(days, row, order))
            if "Nap" not in row:
                values = parsing.convert(row, _DAILY)
                if not row[_END].strip():
                    # The newest cycle is not over: its energy and heart rate are partial.
                    values.pop("total_kcal", None)
                    values.pop("heart_rate_avg", None)
                if values:
                    days.state(_day_of_cycle(row, order), values)
                metrics += values
            return metrics

        parsing.process_each(member, table.records(), process, quarantine)

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine)


def _add_heart_rate(days: UserDays, row: dict[str, str]) -> Iterable[str]:
    """Add the heart rate of a row of the export of personal data. 0 is none."""
    rate = parsing.parse_amount(row[_HEART_RATE])
    if not rate:
        return ()
    days.add_heart_rate(days.local_of(row[_INSTANT]), rate)
    return ("heart_rate_avg",)


def _workout(days: UserDays, row: dict[str, str], order: str) -> Workout:
    local = parse_shown(row["Workout start time"], order)
    offset = parse_offset(row[_ZONE])
    return Workout(
        start=days.instant_of(local) if offset is None else with_offset(local, offset),
        local_start=local,
        activity=activity(row["Activity name"]),
        **{"minutes": 0.0, **parsing.convert_known(row, _WORKOUT)},
    )


def _add_sleep(days: UserDays, row: dict[str, str], order: str) -> Iterable[str]:
    """Add the sleep of a row of the cycles or the sleeps, which are the same but for naps."""
    asleep = parsing.parse_amount(row[_ASLEEP])
    if not asleep or not row[_WAKE].strip():
        return ()
    start, end = parse_shown(row[_ONSET], order), parse_shown(row[_WAKE], order)
    stages = parsing.convert(row, _STAGES)
    days.add_night(end.date(), Night(hours=asleep / 60, start=start, end=end, stages=stages))
    return ("sleep_hours", *SLEEP_SPAN, *stages)


def _day_of_cycle(row: dict[str, str], order: str) -> date:
    """The day of waking; of a cycle without sleep, the day that holds most of it."""
    if row[_WAKE].strip():
        return parse_shown(row[_WAKE], order).date()
    start = parse_shown(row[_START], order)
    end = parse_shown(row[_END], order) if row[_END].strip() else start
    return check_day((start + max(end - start, timedelta(0)) / 2).date())


FORMAT = Format(
    name="whoop",
    title="WHOOP's data export",
    priority=120,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV that begins with `Cycle start time`, `Cycle end time` and `Cycle timezone`; "
    "of the export of personal data, CSV with `hr`, `accel_x`, `accel_y`, `accel_z`, `skin_temp` "
    "and `ts`.",
    dates="Local times. A cycle belongs to the day of `Wake onset`; without sleep, to the day that "
    "holds most of it. The order of dates is detected for each file. `ts` is ISO 8601, in UTC if "
    "it has no offset: its days are those of `--timezone`.",
    units="minutes, and kcal in the column `Energy burned (cal)`. Energy and mean heart rate of a "
    "cycle that is not over are left out.",
    columns={
        "calories_burned": "`Energy burned (cal)`",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`Average HR (bpm)` of the cycle, else the mean of hourly means of `hr`",
        "resting_heart_rate": "`Resting heart rate (bpm)`",
        "sleep_hours": "`Asleep duration (min)`, with naps of `sleeps.csv`, on the day of waking",
        "activity_type": "`Activity name` of the longest workout",
        "sleep_deep": "`Deep (SWS) duration (min)`",
        "sleep_light": "`Light sleep duration (min)`",
        "sleep_rem": "`REM duration (min)`",
        "sleep_awake": "`Awake duration (min)`",
        "sleep_start": "`Sleep onset` of the longest sleep",
        "sleep_end": "`Wake onset` of the longest sleep",
        "hrv_rmssd": "`Heart rate variability (ms)`",
        "spo2": "`Blood oxygen %`",
        "respiration_rate": "`Respiratory rate (rpm)`",
    },
    workouts={
        "activity": "`Activity name`",
        "minutes": "`Duration (min)`",
        "distance_km": "`Distance (meters)`",
        "calories_burned": "`Energy burned (cal)`, in kcal",
        "heart_rate_avg": "`Average HR (bpm)`",
        "heart_rate_max": "`Max HR (bpm)`",
    },
)
