"""Withings: a CSV file for each kind of measurement.

Files of days have the columns ``date`` and ``value``, and their name says the metric. Headers and
units follow the account. Timestamps of the tracker carry an offset that is not that of the user:
they are instants, and the zone is declared or that of the user's activities.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import SLEEP_SPAN
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.tables import Table, csv_header
from fitness_assets.sources.exports.unknown_files import LAYOUT_CAN_DESCRIBE
from fitness_assets.sources.exports.user_days import UserDays, night_of
from fitness_assets.sources.exports.written_times import parse_shown, parse_stamp
from fitness_assets.text import shorten

_DAILY_HEADER, _TRACKER_HEADER = ["date", "value"], ["start", "duration", "value"]
_OTHER_HEADER = ["type", "date", "value"]
# By the file of a metric, the metric and the factor to its unit.
_DAILY = {
    "aggregates_steps": ("steps", 1.0),
    "aggregates_distance": ("distance_km", 0.001),
    "aggregates_calories_earned": ("active_kcal", 1.0),
    "aggregates_calories_passive": ("basal_kcal", 1.0),
}
_TRACKER = {
    "raw_tracker_steps": ("steps", 1.0),
    "raw_tracker_distance": ("distance_km", 0.001),
    "raw_tracker_hr": ("heart_rate_avg", 1.0),
    "raw_hr_hr": ("heart_rate_avg", 1.0),
}
_OTHER = {"VO2MAX": "vo2_max"}
# Names of columns in English and German.
_FROM, _TO = ("from", "von"), ("to", "bis")
_STAGES = {
    **dict.fromkeys(("light (s)", "leicht (s)"), "sleep_light"),
    **dict.fromkeys(("deep (s)", "tief (s)"), "sleep_deep"),
    "rem (s)": "sleep_rem",
    **dict.fromkeys(("awake (s)", "wach (s)"), "sleep_awake"),
}
_HEART_RATES = ("average heart rate", "durchschnittliche herzfrequenz")
_WEIGHT = re.compile(r"(?:weight|gewicht) \((kg|lb|st)\)")
_HEIGHT = re.compile(r"(?:height|größe) \((in|m|cm)\)")
_KG = {"kg": 1.0, "lb": 0.45359237, "st": 6.35029318}
_CM = {"m": 100.0, "cm": 1.0, "in": 2.54}
_FEET = re.compile(r"(\d)'\s*(\d{1,2}(?:\.\d+)?)(?:''|\")?")
# The duration without pauses.
_WORKOUT = (
    ("effduration", "minutes", 1 / 60),
    ("distance", "distance_km", 0.001),
    ("calories", "calories_burned", 1.0),
    ("hr_average", "heart_rate_avg", 1.0),
    ("hr_max", "heart_rate_max", 1.0),
)
_ACTIVITY_COLUMNS = {"from", "to", "timezone", "activity type", "data"}
_NAME = re.compile(r"(?:aggregates|raw_tracker|raw_hr)_[a-z_-]+\.csv$")
_MAX_ELEMENTS = 100_000


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header of sleep, weight, height, activities or the tracker."""
    header = [name.lower() for name in csv_header(head)]
    names = set(header)
    return (
        header == _TRACKER_HEADER
        or len(names & _STAGES.keys()) == len(set(_STAGES.values()))
        or names >= _ACTIVITY_COLUMNS
        or ("date" in names and any(map(_WEIGHT.fullmatch, names)))
        or (len(names) <= 3 and "date" in names and any(map(_HEIGHT.fullmatch, names)))  # noqa: PLR2004 - date, height and comments
    )


def matches_file(name: str, head: bytes) -> bool:
    """Whether a file of two or three columns has a name of Withings."""
    header = csv_header(head)
    stem = _stem(name)
    return (header == _DAILY_HEADER and stem.startswith("aggregates_")) or (
        header == _OTHER_HEADER and stem == "other"
    )


def matches_name(name: str) -> bool:
    """Whether `name` is that of a file of days or of the tracker."""
    return bool(_NAME.search(name))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    if options.zone is None:
        options = replace(options, zone=_zone_of_activities(members))
    reader = _Reader(options, quarantine)
    read_each(members, reader.read, quarantine)
    return reader.days.record_batches(quarantine)


def _zone_of_activities(members: Sequence[Member]) -> ZoneInfo | None:
    """The zone of most activities, if there are any."""
    zones: Counter[str] = Counter()
    for member in members:
        try:
            table = Table(member, lambda *_: None)
            if {name.lower() for name in table.names} >= _ACTIVITY_COLUMNS:
                zones.update(row["Timezone"] for _, row in table.records() if row.get("Timezone"))
        except SourceError:
            # Reading the file reports it.
            continue
    for name, _ in zones.most_common():
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            continue
    return None


class _Reader:
    """Reads the files of one user."""

    def __init__(self, options: ImportOptions, quarantine: Quarantine) -> None:
        self.days = UserDays(FORMAT.name, FORMAT.title, options)
        self._has_zone = options.zone is not None
        self._quarantine = quarantine

    def read(self, member: Member) -> None:
        """Read one file, of the kind that its columns say."""
        table = Table(member, self._quarantine)
        names = {name.lower(): name for name in table.names}
        if list(names) == _DAILY_HEADER:
            self._read_daily(member, table)
        elif list(names) == _TRACKER_HEADER:
            self._read_tracker(member, table)
        elif list(names) == _OTHER_HEADER:
            self._read_other(member, table)
        elif names.keys() & _STAGES.keys():
            self._read_sleep(member, table, names)
        elif names.keys() >= _ACTIVITY_COLUMNS:
            self._read_activities(member, table, names)
        else:
            self._read_body(member, table, names)

    def _read_daily(self, member: Member, table: Table) -> None:
        if _stem(member.name) not in _DAILY:
            return
        metric, factor = _DAILY[_stem(member.name)]
        order = table.detect({"value": number_column(metric, factor)}, "date")

        def process(row: dict[str, str]) -> Iterable[str]:
            values = parsing.convert(row, [("value", metric, factor)])
            self.days.state(parsing.parse_day(row["date"], order), values)
            return values

        parsing.process_each(member, table.records(), process, self._quarantine)

    def _read_tracker(self, member: Member, table: Table) -> None:
        if _stem(member.name) not in _TRACKER:
            return
        metric, factor = _TRACKER[_stem(member.name)]
        if not self._has_zone:
            raise SourceError(
                f"{member.name} has offsets that are not those of the user, and no file names the "
                "zone: declare --timezone"
            )

        def process(row: dict[str, str]) -> Iterable[str]:
            start = parse_stamp(row["start"]).timestamp()
            values, lengths = _elements(row["value"]), _elements(row["duration"])
            if len(values) != len(lengths):
                raise ValueError(f"{len(values)} values for {len(lengths)} durations")
            for value, length in zip(values, lengths, strict=True):
                local = self.days.local(start)
                if metric == "heart_rate_avg":
                    self.days.add_heart_rate(local, value)
                else:
                    self.days.add_amount(local.date(), metric, value * factor)
                start += length
            return (metric,) if values else ()

        parsing.process_each(member, table.records(), process, self._quarantine)

    def _read_other(self, member: Member, table: Table) -> None:
        order = table.detect({"value": number_column("vo2_max")}, "date")

        def process(row: dict[str, str]) -> Iterable[str]:
            metric = _OTHER.get(row["type"].strip())
            value = parsing.parse_amount(row["value"]) if metric else None
            if metric is None or value is None:
                return ()
            self.days.state(parsing.parse_day(row["date"], order), {metric: value})
            return (metric,)

        parsing.process_each(member, table.records(), process, self._quarantine)

    def _read_sleep(self, member: Member, table: Table, names: dict[str, str]) -> None:
        start_name, end_name = _one_of(_FROM, names, member), _one_of(_TO, names, member)
        stages = [(name, _STAGES[low], 1 / 60) for low, name in names.items() if low in _STAGES]
        rate_name = next((names[each] for each in _HEART_RATES if each in names), None)
        table.detect({name: number_column("sleep_hours", 1 / 3600) for name, _, _ in stages})

        def process(row: dict[str, str]) -> Iterable[str]:
            start, end = (self.days.local_of(row[name]) for name in (start_name, end_name))
            night = night_of(start, end, parsing.convert(row, stages))
            self.days.add_night(end.date(), night)
            rate = parsing.parse_amount(row[rate_name]) if rate_name else None
            self.days.add_reading(end.date(), "resting_heart_rate", rate or 0.0)
            columns = ["sleep_hours", *SLEEP_SPAN, *night.stages]
            return [*columns, "resting_heart_rate"] if rate else columns

        parsing.process_each(member, table.records(), process, self._quarantine)

    def _read_activities(self, member: Member, table: Table, names: dict[str, str]) -> None:
        def process(row: dict[str, str]) -> Iterable[str]:
            start, end = (self.days.local_of(row[names[name]]) for name in ("from", "to"))
            length = max(end - start, timedelta(0)).total_seconds() / 60
            # Instants of timestamps with an offset; others are in UTC.
            instant = parse_stamp(row[names["from"]])
            return self.days.add_workout(
                Workout(
                    start=instant if instant.tzinfo else instant.replace(tzinfo=UTC),
                    local_start=start,
                    activity=activity(row[names["activity type"]]),
                    **{"minutes": length, **_numbers(row[names["data"]])},
                )
            )

        parsing.process_each(member, table.records(), process, self._quarantine)

    def _read_body(self, member: Member, table: Table, names: dict[str, str]) -> None:
        """Read weights or heights, in the unit that their column names."""
        for pattern, metric, units in (
            (_WEIGHT, "weight_kg", _KG),
            (_HEIGHT, "height_cm", _CM),
        ):
            for low, name in names.items():
                if match := pattern.fullmatch(low):
                    self._read_unit(member, table, (names["date"], name, metric, units[match[1]]))
                    return
        raise SourceError(
            f"{member.name} has columns in another language, or of another kind "
            f"({', '.join(names)}): {LAYOUT_CAN_DESCRIBE}"
        )

    def _read_unit(
        self, member: Member, table: Table, columns: tuple[str, str, str, float]
    ) -> None:
        date_name, name, metric, factor = columns
        order = table.detect({name: number_column(metric, factor)}, date_name)

        def process(row: dict[str, str]) -> Iterable[str]:
            feet = _FEET.fullmatch(row[name].strip())
            value = int(feet[1]) * 12 + float(feet[2]) if feet else parsing.parse_amount(row[name])
            if not value:
                return ()
            text = row[date_name]
            local = parse_shown(text if ":" in text else f"{text} 00:00", order)
            self.days.add_last(local, metric, value * factor)
            return (metric,)

        parsing.process_each(member, table.records(), process, self._quarantine)


def _numbers(text: str) -> dict[str, float]:
    """The numbers of an activity, from the JSON of its cell; empty if there is none."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shorten(text)} is not JSON") from error
    return parsing.convert_known(found, _WORKOUT) if isinstance(found, dict) else {}


def _elements(text: str) -> list[float]:
    """The numbers of a list in a cell.

    Raises
    ------
    ValueError
        If it is none, or too long.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shorten(text)} is not a list") from error
    if not isinstance(found, list) or len(found) > _MAX_ELEMENTS:
        raise ValueError(f"{shorten(text)} is not a list of numbers")
    return [parsing.parse_amount(each) or 0.0 for each in found]


def _one_of(known: Sequence[str], names: dict[str, str], member: Member) -> str:
    for each in known:
        if each in names:
            return names[each]
    raise SourceError(
        f"{member.name} has no column {known[0]}; if its columns are in another language, "
        f"{LAYOUT_CAN_DESCRIBE}"
    )


def _stem(name: str) -> str:
    """The name of a file, without its folders and its suffix."""
    return name.rpartition("/")[2].rpartition(".")[0].lower().replace("calories-", "calories_")


FORMAT = Format(
    name="withings",
    title="Withings' data export",
    priority=140,
    matches_header=matches_header,
    matches_name=matches_name,
    matches_file=matches_file,
    read=read,
    has_user_ids=False,
    identified_by="CSV with `light (s)`, `deep (s)`, `rem (s)` and `awake (s)`; `Weight (kg)` or "
    "`Weight (lb)`; `Height (…)`; `Timezone` and `Activity type`; or `start,duration,value`; in "
    "English or German. Files with `date,value` by their name too: `aggregates_steps.csv`.",
    dates="`date` is the local day, and `from` and `to` carry the local offset. Timestamps of "
    "`raw_tracker_*.csv` carry another offset: they are assigned to the day of `--timezone`, else "
    "of the zone of most activities.",
    units="m, kcal, seconds; weight and height as the column names say.",
    columns={
        "steps": "`aggregates_steps.csv`, else `raw_tracker_steps.csv`",
        "distance_km": "`aggregates_distance.csv`, else `raw_tracker_distance.csv`",
        "calories_burned": "`aggregates_calories_earned.csv` + `aggregates_calories_passive.csv`",
        "calories_kind": "`total`, or `active` without `aggregates_calories_passive.csv`",
        "heart_rate_avg": "`raw_tracker_hr.csv` or `raw_hr_hr.csv`: mean of the hourly means",
        "resting_heart_rate": "`Average heart rate` of the night",
        "sleep_hours": "light, deep and REM sleep, on the day of waking",
        "activity_type": "`Activity type` of the longest activity",
        "height_cm": "`Height (…)`: the last of the day",
        "weight_kg": "`Weight (…)`: the last of the day",
        "sleep_deep": "`deep (s)`",
        "sleep_light": "`light (s)`",
        "sleep_rem": "`rem (s)`",
        "sleep_awake": "`awake (s)`",
        "sleep_start": "`from` of the longest sleep",
        "sleep_end": "`to` of the longest sleep",
        "vo2_max": "`VO2MAX` of `other.csv`",
    },
    workouts={
        "activity": "`Activity type`",
        "minutes": "`effduration`, else `from` to `to`",
        "distance_km": "`distance` of `Data`",
        "calories_burned": "`calories` of `Data`",
        "heart_rate_avg": "`hr_average` of `Data`",
        "heart_rate_max": "`hr_max` of `Data`",
    },
)
