"""Apple Health: `export.xml`, of up to several GB, which is streamed.

Records are summed by source, day and metric while they are read, and none is kept in memory.
Timestamps carry their offset: the day is the one that they show, wherever the user was.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name

_ENERGY = {"kcal": 1.0, "Cal": 1.0, "kJ": 1 / 4.184, "cal": 0.001, "J": 0.001 / 4.184}
_LENGTH = {"km": 1.0, "m": 0.001, "mi": 1.609344, "ft": 0.0003048, "yd": 0.0009144}
_TIME = {"min": 1.0, "s": 1 / 60, "hr": 60.0}
_RATE = {"count/min": 1.0, "count/s": 60.0}
_MASS = {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "st": 6.35029318, "oz": 0.028349523}
_HEIGHT = {"cm": 1.0, "m": 100.0, "in": 2.54, "ft": 30.48}
# By type, the metric and the factor from each unit.
_QUANTITIES = {
    "HKQuantityTypeIdentifierStepCount": ("steps", {"count": 1.0}),
    "HKQuantityTypeIdentifierDistanceWalkingRunning": ("distance_km", _LENGTH),
    "HKQuantityTypeIdentifierActiveEnergyBurned": ("active_kcal", _ENERGY),
    "HKQuantityTypeIdentifierBasalEnergyBurned": ("basal_kcal", _ENERGY),
    "HKQuantityTypeIdentifierAppleExerciseTime": ("active_minutes", _TIME),
    "HKQuantityTypeIdentifierHeartRate": ("heart_rate_avg", _RATE),
    "HKQuantityTypeIdentifierRestingHeartRate": ("resting_heart_rate", _RATE),
    "HKQuantityTypeIdentifierBodyMass": ("weight_kg", _MASS),
    "HKQuantityTypeIdentifierHeight": ("height_cm", _HEIGHT),
}
_SUMMED = {"steps", "distance_km", "active_kcal", "basal_kcal", "active_minutes"}
_SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
_ASLEEP = re.compile(r"HKCategoryValueSleepAnalysisAsleep(Unspecified|Core|Deep|REM)?$")
_SEXES = {"HKBiologicalSexFemale": "female", "HKBiologicalSexMale": "male"}
_WORKOUT_PREFIX = "HKWorkoutActivityType"

#: Seconds awake that separate two nights; after a shorter gap, the night continues.
NIGHT_GAP = 2 * 3600

_HEADER = re.compile(rb"<(!DOCTYPE\s+)?HealthData[\s>]")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL)
# Some phones write control characters, which XML does not allow: they are replaced by spaces.
_SPACE = 0x20
_WITHOUT_CONTROLS = bytes(
    _SPACE if byte < _SPACE and byte not in b"\t\n\r" else byte for byte in range(256)
)
_CHUNK_BYTES = 1 << 20
_MAX_ELEMENT_BYTES = 8 << 20
_MAX_DEPTH = 64
_MAX_AMOUNT = 1e6
_DAY_LENGTH, _HOUR_LENGTH = len("2016-11-14"), len("2016-11-14 07")
_HOUR = re.compile(r" ([01]\d|2[0-3])$", re.ASCII)


def matches_header(head: bytes) -> bool:
    """Whether `head` holds the root element of an export."""
    return bool(_HEADER.search(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. A damaged file is left out as a whole."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name)

    def read_member(member: Member) -> None:
        export = _Export(member.name, quarantine)
        with member.open() as file:
            export.parse(file)
        export.add_to(user, days)
        member.usage.add(*export.usage())

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine, options.delivered)


class _Sums(dict[str, float]):
    """Sums by the first `length` characters of a timestamp; ValueError for a malformed one."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __missing__(self, stamp: str) -> float:
        parsing.parse_day(stamp)
        if len(stamp) != self._length or (
            self._length == _HOUR_LENGTH and not _HOUR.match(stamp[_DAY_LENGTH:])
        ):
            raise ValueError(f"{parsing.shorten(stamp)} is not a timestamp")
        return 0.0


class _Series(NamedTuple):
    """The records of one type by one source in one unit, by day or by hour."""

    sums: _Sums
    counts: _Sums
    factor: float
    stamp_length: int
    metric: str
    source: str


class _Export:
    """The values of one `export.xml`."""

    def __init__(self, name: str, quarantine: Quarantine) -> None:
        self._name = name
        self._quarantine = quarantine
        self._parser = expat.ParserCreate("UTF-8")
        self._open_elements = 0
        # By type, source and unit; None for a unit that is not supported.
        self._series: dict[tuple[str, str | None, str | None], _Series | None] = {}
        self._sleep: dict[str, list[_Interval]] = defaultdict(list)
        self._workouts: dict[date, tuple[float, str]] = {}
        self._summaries: list[tuple[date, dict[str, float]]] = []
        self._birth_date: date | None = None
        self._sex: str | None = None
        self._exported_at: datetime | None = None
        self._handlers: dict[str, Callable[[dict[str, str]], None]] = {
            "Workout": self._add_workout,
            "ActivitySummary": self._add_summary,
            "Me": self._set_profile,
            "ExportDate": self._set_export_date,
        }

    def parse(self, file: BinaryIO) -> None:
        """Stream `file` through the parser.

        The document type declaration is removed: some phones write an invalid one, it is not
        needed, and without it no entity can expand.
        """
        parser = self._parser
        closed: list[str] = []
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = closed.append
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        bytes_fed = 0
        chunk = _DOCTYPE.sub(_newlines_of, file.read(_CHUNK_BYTES), count=1)
        try:
            while chunk:
                parser.Parse(chunk.translate(_WITHOUT_CONTROLS), False)
                bytes_fed += len(chunk)
                self._open_elements -= len(closed)
                closed.clear()
                pending_bytes = bytes_fed - parser.CurrentByteIndex
                if self._open_elements > _MAX_DEPTH or pending_bytes > _MAX_ELEMENT_BYTES:
                    line = parser.CurrentLineNumber
                    raise SourceError(
                        f"{self._name}, line {line}: an element is too long or nested too deeply"
                    )
                chunk = file.read(_CHUNK_BYTES)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise SourceError(f"{self._name} cannot be read as XML: {error}") from error

    def _refuse_doctype(self, *_: object) -> None:
        raise SourceError(f"{self._name} has a document type declaration in an unexpected place")

    def _start_element(self, element: str, attributes: dict[str, str]) -> None:
        """Add one element. Called millions of times: the first branch is kept fast."""
        self._open_elements += 1
        try:
            if element == "Record":
                kind = attributes["type"]
                if kind in _QUANTITIES:
                    key = (kind, attributes.get("sourceName"), attributes.get("unit"))
                    series = self._series[key] if key in self._series else self._new_series(key)
                    if series is not None:
                        sums, counts, factor, length, _, _ = series
                        stamp = attributes["startDate"][:length]
                        sums[stamp] += _parse_amount(attributes["value"]) * factor
                        counts[stamp] += 1
                elif kind == _SLEEP:
                    self._add_sleep(attributes)
            elif element in self._handlers:
                self._handlers[element](attributes)
        except KeyError as error:
            self._reject(f"{element} has no {error.args[0]}")
        except ValueError as error:
            self._reject(str(error))

    def add_to(self, user: str, days: DayAggregator) -> None:
        """Add all values to `days`."""
        for series in filter(None, self._series.values()):
            for stamp, total in series.sums.items():
                day, count = parsing.parse_day(stamp), series.counts[stamp]
                if series.metric in _SUMMED:
                    days.add_amount(user, day, series.metric, total, series.source)
                elif series.stamp_length == _HOUR_LENGTH:
                    hour = int(stamp[_DAY_LENGTH:])
                    days.add_heart_rates(user, day, hour, series.source, total, int(count))
                else:
                    days.add_daily_values(user, day, {series.metric: total / count})
        for source, intervals in self._sleep.items():
            for day, hours in nights(intervals):
                days.add_amount(user, day, "sleep_hours", hours, source)
        for day, values in self._summaries:
            days.add_daily_values(user, day, values)
        for day, (minutes, name) in self._workouts.items():
            days.add_workout(user, day, name, minutes)
        days.set_profile(user, self._birth_date, self._sex)
        if self._exported_at is not None:
            days.exported_at = max(self._exported_at, days.exported_at or self._exported_at)

    def usage(self) -> tuple[set[str], int]:
        """The metrics that records and other elements gave, and the number of elements."""
        metrics = {series.metric for series in self._series.values() if series is not None}
        metrics |= {"sleep_hours"} if self._sleep else set()
        metrics |= {"activity_type"} if self._workouts else set()
        metrics |= {name for _, values in self._summaries for name in values}
        count = sum(sum(each.counts.values()) for each in self._series.values() if each is not None)
        count += sum(map(len, self._sleep.values())) + len(self._workouts) + len(self._summaries)
        return metrics, int(count)

    def _reject(self, reason: str) -> None:
        self._quarantine(self._name, f"line {self._parser.CurrentLineNumber}", reason)

    def _new_series(self, key: tuple[str, str | None, str | None]) -> _Series | None:
        kind, source, unit = key
        metric, units = _QUANTITIES[kind]
        length = _HOUR_LENGTH if metric == "heart_rate_avg" else _DAY_LENGTH
        self._series[key] = None
        if unit not in units:
            raise ValueError(f"{kind} in {unit}, written by {source}: the unit is not supported")
        name = f"{self._name}/{source}"
        series = _Series(_Sums(length), _Sums(length), units[unit], length, metric, name)
        self._series[key] = series
        return series

    def _add_sleep(self, attributes: dict[str, str]) -> None:
        start, end = _parse_stamp(attributes["startDate"]), _parse_stamp(attributes["endDate"])
        if end < start:
            raise ValueError("a sleep ends before it begins")
        is_asleep = bool(_ASLEEP.match(attributes["value"]))
        interval = (start.timestamp(), end.timestamp(), is_asleep, end.date())
        self._sleep[f"{self._name}/{attributes.get('sourceName')}"].append(interval)

    def _add_workout(self, attributes: dict[str, str]) -> None:
        day = parsing.parse_day(attributes["startDate"])
        length = parsing.parse_amount(attributes.get("duration")) or 0.0
        minutes = length * _TIME.get(attributes.get("durationUnit", "min"), 1.0)
        name = activity(attributes["workoutActivityType"].removeprefix(_WORKOUT_PREFIX))
        if name is not None:
            self._workouts[day] = max((minutes, name), self._workouts.get(day, (0.0, "")))

    def _add_summary(self, attributes: dict[str, str]) -> None:
        """Add the values of the watch's rings, which are zero if it was not worn."""
        day = parsing.parse_day(attributes["dateComponents"])
        energy = parsing.parse_amount(attributes.get("activeEnergyBurned"))
        minutes = parsing.parse_amount(attributes.get("appleExerciseTime"))
        unit = attributes.get("activeEnergyBurnedUnit", "kcal")
        if unit not in _ENERGY:
            raise ValueError(f"ActivitySummary in {unit}: the unit is not supported")
        if energy:
            values = {"active_kcal": energy * _ENERGY[unit], "active_minutes": minutes or 0.0}
            self._summaries.append((day, values))

    def _set_profile(self, attributes: dict[str, str]) -> None:
        self._sex = _SEXES.get(attributes.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
        birth_date = attributes.get("HKCharacteristicTypeIdentifierDateOfBirth")
        if birth_date:
            self._birth_date = date.fromisoformat(birth_date)

    def _set_export_date(self, attributes: dict[str, str]) -> None:
        self._exported_at = _parse_stamp(attributes["value"])


#: Start and end in seconds since 1970, whether the user was asleep, and the day that the end shows.
_Interval = tuple[float, float, bool, date]


def nights(intervals: Iterable[_Interval]) -> list[tuple[date, float]]:
    """The day of waking and the hours asleep of each night.

    Intervals may overlap, since some devices write a night and its stages: time counts once. Time
    in bed continues a night but does not count.
    """
    found: list[tuple[date, float]] = []
    end_of_night = -float("inf")
    counted_until = end_of_night
    for start, end, is_asleep, day in sorted(intervals):
        if start - end_of_night > NIGHT_GAP:
            found.append((day, 0.0))
            counted_until = start
        end_of_night = max(end_of_night, end)
        if is_asleep and end > counted_until:
            # The latest end of sleep so far in this night: its day is the day of waking.
            hours = (end - max(start, counted_until)) / 3600
            found[-1] = (day, found[-1][1] + hours)
            counted_until = end
    return [(day, hours) for day, hours in found if hours]


def _parse_amount(value: str) -> float:
    """A faster `parsing.parse_amount`, for values that are plain numbers."""
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < _MAX_AMOUNT:
        raise ValueError(f"{parsing.shorten(value)} is not an amount")
    return amount


def _newlines_of(match: re.Match[bytes]) -> bytes:
    """The line breaks of a match, so that line numbers stay those of the file."""
    return b"\n" * match[0].count(b"\n")


def _parse_stamp(text: str) -> datetime:
    """A timestamp as phones write it: ``2016-11-14 07:25:44 -0700``."""
    parsing.parse_day(text)
    stamp = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", "", 1))
    if stamp.tzinfo is None:
        raise ValueError(f"{parsing.shorten(text)} has no offset from UTC")
    return stamp


FORMAT = Format(
    name="apple_health",
    title="Apple Health's export.xml",
    priority=10,
    matches_header=matches_header,
    # File names are translated to the phone's language.
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="XML whose root element is `HealthData`.",
    dates="Timestamps with their offset, as 2016-11-14 07:25:44 -0700: the day that they show.",
    units="The unit of each record: kcal, Cal, kJ, cal or J; km, m, mi, ft or yd; min, s or hr; "
    "count/min or count/s; kg, g, lb, st or oz; cm, m, in or ft.",
    columns={
        "steps": "`StepCount`",
        "distance_km": "`DistanceWalkingRunning`",
        "calories_burned": "`ActiveEnergyBurned` + `BasalEnergyBurned`, else active energy alone, "
        "of records or of `ActivitySummary`",
        "calories_kind": "`total`, or `active` without `BasalEnergyBurned`",
        "heart_rate_avg": "`HeartRate`: mean of the hourly means",
        "resting_heart_rate": "`RestingHeartRate`",
        "sleep_hours": "`SleepAnalysis`, on the day of waking",
        "active_minutes": "`AppleExerciseTime`, of `ActivitySummary` or of records",
        "activity_type": "`workoutActivityType` of the longest workout",
        "age": "`DateOfBirth`",
        "sex": "`BiologicalSex`",
        "height_cm": "`Height`",
        "weight_kg": "`BodyMass`",
        "ingested_at": "`ExportDate`",
    },
)
