"""Apple Health: `export.xml`, of several GB, read as it streams by.

Records are summed by source, day and metric as they pass, and none is kept. A stamp carries its
offset, so its day is the one that it shows, wherever the person was.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "apple_health"
TITLE = "Apple Health's export.xml"
PADDED = False

_ENERGY = {"kcal": 1.0, "Cal": 1.0, "kJ": 1 / 4.184, "cal": 0.001, "J": 0.001 / 4.184}
_LENGTH = {"km": 1.0, "m": 0.001, "mi": 1.609344, "ft": 0.0003048, "yd": 0.0009144}
_TIME = {"min": 1.0, "s": 1 / 60, "hr": 60.0}
_RATE = {"count/min": 1.0, "count/s": 60.0}
_MASS = {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "st": 6.35029318, "oz": 0.028349523}
_HEIGHT = {"cm": 1.0, "m": 100.0, "in": 2.54, "ft": 30.48}
# By type, the metric and what one of each unit is.
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
_WORKOUT = "HKWorkoutActivityType"

#: Seconds awake that part two sleeps; less is a bad night.
NIGHT_GAP = 2 * 3600

_CLAIM = re.compile(rb"<(!DOCTYPE\s+)?HealthData[\s>]")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL)
# What some phones write and no XML may hold.
_SPACE = 0x20
_CONTROL = bytes(_SPACE if byte < _SPACE and byte not in b"\t\n\r" else byte for byte in range(256))
_CHUNK = 1 << 20
_LONGEST_ELEMENT = 8 << 20
_DEEPEST = 64
_MOST = 1e6
_DAY, _HOUR = len("2016-11-14"), len("2016-11-14 07")
_HOURS = re.compile(r" ([01]\d|2[0-3])$", re.ASCII)


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    return bool(_CLAIM.search(head))


def expects(_name: str) -> bool:
    """The name is translated to the phone's language."""
    return False


def gather(
    members: Sequence[Member], days: DayAggregator, told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`; of one that is cut short, nothing."""
    user = told.person(TITLE)

    def read(member: Member) -> None:
        export = _Export(member.name, quarantine)
        with member.open() as file:
            export.parse(file)
        export.pour(user, days)

    each(members, read, quarantine)


class _Amounts(dict[str, float]):
    """Sums by the first `cut` letters of a stamp; ValueError for one that tells no day or hour."""

    def __init__(self, cut: int) -> None:
        super().__init__()
        self._cut = cut

    def __missing__(self, stamp: str) -> float:
        parsing.day(stamp)
        if len(stamp) != self._cut or (self._cut == _HOUR and not _HOURS.match(stamp[_DAY:])):
            raise ValueError(f"{parsing.shown(stamp)} is not a stamp")
        return 0.0


class _Slot(NamedTuple):
    """What one source measures of one type, in one unit."""

    sums: _Amounts
    counts: _Amounts
    factor: float
    cut: int
    metric: str
    source: str


class _Export:
    """What is gathered of one export."""

    def __init__(self, name: str, quarantine: Quarantine) -> None:
        self._name = name
        self._quarantine = quarantine
        self._parser = expat.ParserCreate("UTF-8")
        self._begun = 0
        self._slots: dict[tuple[str, str | None, str | None], _Slot | None] = {}
        self._sleep: dict[str, list[_Interval]] = defaultdict(list)
        self._workouts: dict[date, tuple[float, str]] = {}
        self._summaries: list[tuple[date, dict[str, float]]] = []
        self._born: date | None = None
        self._sex: str | None = None
        self._made: datetime | None = None
        self._others: dict[str, Callable[[dict[str, str]], None]] = {
            "Workout": self._workout,
            "ActivitySummary": self._summary,
            "Me": self._me,
            "ExportDate": self._export_date,
        }

    def parse(self, file: BinaryIO) -> None:
        """Let `file` stream by.

        Its declarations are cut out: some phones write wrong ones, none are needed, and without
        them no entity can expand.
        """
        parser = self._parser
        ended: list[str] = []
        parser.StartElementHandler = self._element
        parser.EndElementHandler = ended.append
        parser.StartDoctypeDeclHandler = self._declared
        fed = depth = 0
        chunk = _DOCTYPE.sub(_lines_of, file.read(_CHUNK), count=1)
        try:
            while chunk:
                parser.Parse(chunk.translate(_CONTROL), False)
                fed += len(chunk)
                depth = self._begun - len(ended)
                self._begun = depth
                ended.clear()
                if depth > _DEEPEST or fed - parser.CurrentByteIndex > _LONGEST_ELEMENT:
                    line = parser.CurrentLineNumber
                    raise SourceError(f"{self._name}, line {line}: no phone writes this")
                chunk = file.read(_CHUNK)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise SourceError(f"{self._name} cannot be read as XML: {error}") from error

    def _declared(self, *_: object) -> None:
        raise SourceError(f"{self._name} declares a document type out of place")

    def _element(self, element: str, attributes: dict[str, str]) -> None:
        """Take one element, of which there are millions."""
        self._begun += 1
        try:
            if element == "Record":
                kind = attributes["type"]
                if kind in _QUANTITIES:
                    key = (kind, attributes.get("sourceName"), attributes.get("unit"))
                    slot = self._slots[key] if key in self._slots else self._new_slot(key)
                    if slot is not None:
                        sums, counts, factor, cut, _, _ = slot
                        stamp = attributes["startDate"][:cut]
                        sums[stamp] += _amount(attributes["value"]) * factor
                        counts[stamp] += 1
                elif kind == _SLEEP:
                    self._night(attributes)
            elif element in self._others:
                self._others[element](attributes)
        except KeyError as error:
            self._reject(f"{element} has no {error.args[0]}")
        except ValueError as error:
            self._reject(str(error))

    def pour(self, user: str, days: DayAggregator) -> None:
        """Hand everything over."""
        for slot in filter(None, self._slots.values()):
            for stamp, total in slot.sums.items():
                day, count = parsing.day(stamp), slot.counts[stamp]
                if slot.metric in _SUMMED:
                    days.add(user, day, slot.metric, total, slot.source)
                elif slot.cut == _HOUR:
                    days.pulse(user, day, int(stamp[_DAY:]), slot.source, total, int(count))
                else:
                    days.state(user, day, {slot.metric: total / count})
        for source, intervals in self._sleep.items():
            for day, hours in nights(intervals):
                days.add(user, day, "sleep_hours", hours, source)
        for day, figures in self._summaries:
            days.state(user, day, figures)
        for day, (minutes, name) in self._workouts.items():
            days.exercise(user, day, name, minutes)
        days.person(user, self._born, self._sex)
        if self._made is not None:
            days.delivered = max(self._made, days.delivered or self._made)

    def _reject(self, reason: str) -> None:
        self._quarantine(self._name, f"line {self._parser.CurrentLineNumber}", reason)

    def _new_slot(self, key: tuple[str, str | None, str | None]) -> _Slot | None:
        kind, source, unit = key
        metric, units = _QUANTITIES[kind]
        cut = _HOUR if metric == "heart_rate_avg" else _DAY
        self._slots[key] = None
        if unit not in units:
            raise ValueError(f"{kind} in {unit}, of which none is read: {source} writes it so")
        named = f"{self._name}/{source}"
        slot = _Slot(_Amounts(cut), _Amounts(cut), units[unit], cut, metric, named)
        self._slots[key] = slot
        return slot

    def _night(self, attributes: dict[str, str]) -> None:
        start, end = _stamp(attributes["startDate"]), _stamp(attributes["endDate"])
        if end < start:
            raise ValueError("a sleep ends before it begins")
        asleep = bool(_ASLEEP.match(attributes["value"]))
        interval = (start.timestamp(), end.timestamp(), asleep, end.date())
        self._sleep[f"{self._name}/{attributes.get('sourceName')}"].append(interval)

    def _workout(self, attributes: dict[str, str]) -> None:
        day = parsing.day(attributes["startDate"])
        length = parsing.number(attributes.get("duration")) or 0.0
        minutes = length * _TIME.get(attributes.get("durationUnit", "min"), 1.0)
        name = activity(attributes["workoutActivityType"].removeprefix(_WORKOUT))
        if name is not None:
            self._workouts[day] = max((minutes, name), self._workouts.get(day, (0.0, "")))

    def _summary(self, attributes: dict[str, str]) -> None:
        """What the rings of the watch show. It shows nought when it was not worn."""
        day = parsing.day(attributes["dateComponents"])
        energy = parsing.number(attributes.get("activeEnergyBurned"))
        minutes = parsing.number(attributes.get("appleExerciseTime"))
        unit = attributes.get("activeEnergyBurnedUnit", "kcal")
        if unit not in _ENERGY:
            raise ValueError(f"ActivitySummary in {unit}, of which none is read")
        if energy:
            figures = {"active_kcal": energy * _ENERGY[unit], "active_minutes": minutes or 0.0}
            self._summaries.append((day, figures))

    def _me(self, attributes: dict[str, str]) -> None:
        self._sex = _SEXES.get(attributes.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
        born = attributes.get("HKCharacteristicTypeIdentifierDateOfBirth")
        if born:
            self._born = date.fromisoformat(born)

    def _export_date(self, attributes: dict[str, str]) -> None:
        self._made = _stamp(attributes["value"])


#: Begin and end in seconds since 1970, whether asleep, and the day that the end shows.
_Interval = tuple[float, float, bool, date]


def nights(intervals: Iterable[_Interval]) -> list[tuple[date, float]]:
    """The hours asleep of each sleep, and the day of waking from it.

    Intervals overlap, since some devices write a night and its stages: time counts once. Time in
    bed holds a sleep together and does not count.
    """
    found: list[tuple[date, float]] = []
    awake_since = -float("inf")
    counted = awake_since
    for start, end, asleep, day in sorted(intervals):
        if start - awake_since > NIGHT_GAP:
            found.append((day, 0.0))
            counted = start
        awake_since = max(awake_since, end)
        if asleep and end > counted:
            # It is longer than any before it in this sleep, so this is the day of waking.
            found[-1] = (day, found[-1][1] + (end - max(start, counted)) / 3600)
            counted = end
    return [(day, hours) for day, hours in found if hours]


def _amount(value: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < _MOST:
        raise ValueError(f"{parsing.shown(value)} is not an amount")
    return amount


def _lines_of(cut: re.Match[bytes]) -> bytes:
    return b"\n" * cut[0].count(b"\n")


def _stamp(shown: str) -> datetime:
    """A stamp as phones write it: ``2016-11-14 07:25:44 -0700``."""
    parsing.day(shown)
    stamp = datetime.fromisoformat(shown.replace(" ", "T", 1).replace(" ", "", 1))
    if stamp.tzinfo is None:
        raise ValueError(f"{parsing.shown(shown)} has no offset")
    return stamp
