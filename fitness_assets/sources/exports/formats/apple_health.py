"""Apple Health: `export.xml`, of up to several GB, which is streamed.

Records are summed by source and time of day while they are read, and none is kept in memory. All
timestamps of an export carry the offset that the phone had when it was exported, so they are
instants: their days are those of the user's time zone.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import MAX_SOURCES, DayAggregator
from fitness_assets.sources.exports.apple_quantities import (
    DAY_MINUTES,
    INTERVAL_BYTES,
    QUANTITIES,
    SUMMARY_BYTES,
    WORKOUT_BYTES,
    Budget,
    Series,
)
from fitness_assets.sources.exports.apple_workouts import (
    ENERGY,
    MAX_STATISTICS,
    STATISTICS,
    workout_of,
)
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import QUARTER_MINUTES
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Interval, State, nights
from fitness_assets.sources.exports.stamps import StampClock
from fitness_assets.sources.exports.xml_stream import Element, XmlStream, encoding_of
from fitness_assets.text import shorten

if TYPE_CHECKING:
    from fitness_assets.record.workouts import Workout

_SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
_SLEEP_PREFIX = "HKCategoryValueSleepAnalysis"
_SLEEP_STATES = {
    "Asleep": State.ASLEEP,
    "AsleepUnspecified": State.ASLEEP,
    "AsleepCore": State.LIGHT,
    "AsleepDeep": State.DEEP,
    "AsleepREM": State.REM,
    "Awake": State.AWAKE,
}
_SEXES = {"HKBiologicalSexFemale": "female", "HKBiologicalSexMale": "male"}

_HEADER = re.compile(rb"<(!DOCTYPE\s+)?HealthData[\s>]")
_ROOT = "HealthData"
# Elements directly below the root, at which reading can continue after a malformed one.
_TOP_ELEMENTS = (
    "ExportDate",
    "Me",
    "Record",
    "Correlation",
    "Workout",
    "ActivitySummary",
    "ClinicalRecord",
    "Audiogram",
    "VisionPrescription",
)
_METADATA, _ZONE_KEY = "MetadataEntry", "HKTimeZone"
_DEVICE_NAME = re.compile(r"name:([^,>]+)")
_MAX_AMOUNT = 1e6
# Combinations of type, source and unit that are not read.
_MAX_UNREAD = 10_000
#: Time zones of one export.
MAX_ZONES = 64
# Hours that a time zone of few records keeps, instead of those of 15 years.
_ZONE_HOURS = 1 << 13


def matches_header(head: bytes) -> bool:
    """Whether `head` holds the root element of an export."""
    encoding = encoding_of(head)
    if encoding != "utf-8":
        head = head.decode(encoding, "replace").encode()
    return bool(_HEADER.search(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. A malformed element costs that element only."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name, options.source_order)
    clock = StampClock(options.zone)

    def read_member(member: Member) -> None:
        export = _Export(member.name, clock, quarantine)
        with member.open() as file:
            export.read(file)
        export.add_to(user, days)
        member.usage.add(*export.usage())

    read_each(members, read_member, quarantine)
    if clock.relied_on_offset:
        quarantine(
            members[0].name,
            "time zone",
            "no time zone is declared, so days are those of the phone's offset at the time of the "
            "export; declare it with --timezone or FITNESS_TIMEZONE",
        )
    return days.record_batches(quarantine, options.delivered)


class _Export:
    """The values of one `export.xml`."""

    def __init__(self, name: str, clock: StampClock, quarantine: Quarantine) -> None:
        self._name = name
        self._default_clock = clock
        self._quarantine = quarantine
        self._stream = XmlStream(name, _ROOT, _TOP_ELEMENTS, self._reject_line)
        # The last element of an earlier batch, and its line.
        self._carried: Element | None = None
        self._carried_line = 0
        # By name of a time zone; that of the import for a name that is not known.
        self._clocks: dict[str, StampClock] = {}
        # By type, source and unit; None for a type or unit that is not supported.
        self._series: dict[tuple[str, str | None, str | None], Series | None] = {}
        self._sources: set[str | None] = set()
        self._budget = Budget()
        self._sleep: dict[str, list[Interval]] = defaultdict(list)
        self._night_columns: set[str] = set()
        self._workout_columns: set[str] = set()
        self._workouts: list[Workout] = []
        # Of the workout that is read.
        self._statistics: list[dict[str, str]] = []
        self._summaries: list[tuple[date, dict[str, float]]] = []
        self._birth_date: date | None = None
        self._sex: str | None = None
        self._exported_at: datetime | None = None
        self._add: dict[str, Callable[[dict[str, str], StampClock], None]] = {
            "Record": self._add_record,
            "Workout": self._add_workout,
            "ActivitySummary": self._add_summary,
            "Me": self._set_profile,
            "ExportDate": self._set_export_date,
        }

    def read(self, file: BinaryIO) -> None:
        """Read the elements of `file`.

        An element is added when the next one begins, since its time zone follows in a child.
        """
        pending: Element | None = None
        zone_name = None
        add = self._add
        for elements in self._stream.read(file):
            for each in elements:
                name, attributes, _ = each
                if name in add:
                    if pending is not None:
                        self._add_element(pending, zone_name)
                    pending, zone_name = each, None
                elif name == _METADATA:
                    if attributes.get("key") == _ZONE_KEY:
                        zone_name = attributes.get("value")
                elif name == STATISTICS:
                    is_kept = len(self._statistics) < MAX_STATISTICS
                    if pending is not None and pending[0] == "Workout" and is_kept:
                        self._statistics.append(attributes)
                elif name in _TOP_ELEMENTS and pending is not None:
                    # Its metadata are not those of the element before it.
                    self._add_element(pending, zone_name)
                    pending = None
            if pending is not None and pending is not self._carried:
                # Its place is of this batch, and it is added in a later one.
                self._carried, self._carried_line = pending, self._stream.line(pending[2])
        if pending is not None:
            self._add_element(pending, zone_name)

    def add_to(self, user: str, days: DayAggregator) -> None:
        """Add all values to `days`."""
        for series in filter(None, self._series.values()):
            series.add_to(user, days)
        for source, intervals in self._sleep.items():
            for day, night in nights(intervals):
                days.add_night(user, day, source, night)
                self._night_columns |= night.columns()
        for day, values in self._summaries:
            days.add_daily_values(user, day, values)
        for workout in self._workouts:
            self._workout_columns |= set(days.add_workout(user, workout))
        days.set_profile(user, self._birth_date, self._sex)
        if self._exported_at is not None:
            days.exported_at = max(self._exported_at, days.exported_at or self._exported_at)

    def usage(self) -> tuple[set[str], int]:
        """The metrics that records and other elements gave, and the number of elements."""
        metrics = {series.metric for series in self._series.values() if series is not None}
        metrics |= self._night_columns | self._workout_columns
        metrics |= {name for _, values in self._summaries for name in values}
        count = sum(series.count for series in self._series.values() if series is not None)
        count += sum(map(len, self._sleep.values())) + len(self._workouts) + len(self._summaries)
        return metrics, count

    def _add_element(self, element: Element, zone_name: str | None) -> None:
        name, attributes, _ = element
        clock = self._default_clock
        if zone_name is not None:
            clock = self._clocks.get(zone_name) or self._new_clock(zone_name, element)
        try:
            self._add[name](attributes, clock)
        except KeyError as error:
            self._reject(element, f"{name} has no {error.args[0]}")
        except ValueError as error:
            self._reject(element, str(error))

    def _reject(self, element: Element, reason: str) -> None:
        is_carried = element is self._carried
        self._reject_line(
            self._carried_line if is_carried else self._stream.line(element[2]), reason
        )

    def _reject_line(self, line: int, reason: str) -> None:
        self._quarantine(self._name, f"line {line}", reason)

    def _new_clock(self, zone_name: str, element: Element) -> StampClock:
        if len(self._clocks) >= MAX_ZONES:
            self._reject(element, f"more than {MAX_ZONES} time zones: that of the import is used")
            return self._default_clock
        try:
            clock = StampClock(ZoneInfo(zone_name), _ZONE_HOURS)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            reason = f"{shorten(zone_name)} is not a time zone that is known"
            self._reject(element, reason)
            clock = self._default_clock
        self._clocks[zone_name] = clock
        return clock

    def _add_record(self, attributes: dict[str, str], clock: StampClock) -> None:
        """Add one record. Called millions of times, so it calls few functions."""
        key = (attributes["type"], attributes.get("sourceName"), attributes.get("unit"))
        series = self._series[key] if key in self._series else self._new_series(key, attributes)
        if series is None:
            if key[0] == _SLEEP:
                self._add_sleep(attributes, clock)
            return
        start = attributes["startDate"]
        minute = clock.local_minute(start)
        value = attributes["value"]
        try:
            amount = float(value)
        except ValueError:
            amount = -1.0
        if not 0 <= amount < _MAX_AMOUNT:
            raise ValueError(f"{shorten(value)} is not an amount")
        amount *= series.factor
        series.count += 1
        if not series.is_summed:
            mean = series.means[minute // series.width]
            mean[0] += amount
            mean[1] += 1
            return
        amounts = series.amounts[minute // DAY_MINUTES]
        end = attributes.get("endDate", start)
        if end[:16] == start[:16]:
            # Within a minute, and so within a quarter of an hour.
            amounts.quarters[minute % DAY_MINUTES // QUARTER_MINUTES] += amount
        else:
            minutes = clock.local_minute(end) - minute
            amounts.add(minute % DAY_MINUTES, minutes, amount)

    def _new_series(
        self, key: tuple[str, str | None, str | None], attributes: dict[str, str]
    ) -> Series | None:
        kind, source, unit = key
        if len(self._series) < _MAX_UNREAD:
            self._series[key] = None
        if kind not in QUANTITIES:
            return None
        metric, units = QUANTITIES[kind]
        if unit not in units:
            raise ValueError(f"{kind} in {unit}, written by {source}: the unit is not supported")
        device = _DEVICE_NAME.search(attributes.get("device", ""))
        name = f"{source} {device[1] if device else ''}"
        sources = self._sources
        if source not in sources and len(sources) >= MAX_SOURCES:
            raise ValueError(f"records of more than {MAX_SOURCES:,} sources")
        sources.add(source)
        series = Series(metric, units[unit], f"{self._name}/{source}", name, self._budget)
        self._series[key] = series
        return series

    def _add_sleep(self, attributes: dict[str, str], clock: StampClock) -> None:
        start, end = clock.moment(attributes["startDate"]), clock.moment(attributes["endDate"])
        if end.instant < start.instant:
            raise ValueError("a sleep ends before it begins")
        value = attributes["value"].removeprefix(_SLEEP_PREFIX)
        state = _SLEEP_STATES.get(value, State.IN_BED)
        offset = end.local.replace(tzinfo=UTC).timestamp() - end.instant
        interval = Interval(start.instant, end.instant, state, end.local.date(), offset)
        self._budget.take(INTERVAL_BYTES)
        self._sleep[f"{self._name}/{attributes.get('sourceName')}"].append(interval)

    def _add_workout(self, attributes: dict[str, str], clock: StampClock) -> None:
        statistics, self._statistics = self._statistics, []
        self._budget.take(WORKOUT_BYTES)
        self._workouts.append(workout_of(attributes, statistics, clock))

    def _add_summary(self, attributes: dict[str, str], _clock: StampClock) -> None:
        """Add the values of the watch's rings, which are zero if it was not worn."""
        day = parsing.parse_day(attributes["dateComponents"])
        energy = parsing.parse_amount(attributes.get("activeEnergyBurned"))
        minutes = parsing.parse_amount(attributes.get("appleExerciseTime"))
        unit = attributes.get("activeEnergyBurnedUnit", "kcal")
        if unit not in ENERGY:
            raise ValueError(f"ActivitySummary in {unit}: the unit is not supported")
        if energy:
            self._budget.take(SUMMARY_BYTES)
            values = {"active_kcal": energy * ENERGY[unit], "active_minutes": minutes or 0.0}
            self._summaries.append((day, values))

    def _set_profile(self, attributes: dict[str, str], _clock: StampClock) -> None:
        self._sex = _SEXES.get(attributes.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
        birth_date = attributes.get("HKCharacteristicTypeIdentifierDateOfBirth")
        if birth_date:
            self._birth_date = date.fromisoformat(birth_date)

    def _set_export_date(self, attributes: dict[str, str], clock: StampClock) -> None:
        instant = clock.moment(attributes["value"]).instant
        self._exported_at = datetime.fromtimestamp(instant, UTC)


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
    dates="Timestamps as 2016-11-14 07:25:44 -0700, with the offset that the phone had when it was "
    "exported. Days are those of the record's `HKTimeZone`, else of `--timezone`, else of the "
    "offset.",
    units="The unit of each record: kcal, Cal, kJ, cal or J; km, m, mi, ft or yd; min, s or hr; "
    "count/min or count/s; kg, g, lb, st or oz; cm, m, in or ft; ms or s; mL/min·kg. Oxygen is a "
    "fraction or %.",
    columns={
        "steps": "`StepCount`, merged by quarter of an hour",
        "distance_km": "`DistanceWalkingRunning`, merged by quarter of an hour",
        "calories_burned": "`ActiveEnergyBurned` + `BasalEnergyBurned`, else active energy alone, "
        "of records or of `ActivitySummary`",
        "calories_kind": "`total`, or `active` without `BasalEnergyBurned`",
        "heart_rate_avg": "`HeartRate`: mean of the hourly means",
        "resting_heart_rate": "`RestingHeartRate`",
        "sleep_hours": "`SleepAnalysis` asleep and not awake, on the day of waking",
        "active_minutes": "`AppleExerciseTime`, of `ActivitySummary` or of records",
        "activity_type": "`workoutActivityType` of the longest workout",
        "age": "`DateOfBirth`",
        "sex": "`BiologicalSex`",
        "height_cm": "`Height`",
        "weight_kg": "`BodyMass`",
        "ingested_at": "`ExportDate`",
        "sleep_deep": "`AsleepDeep`",
        "sleep_light": "`AsleepCore`",
        "sleep_rem": "`AsleepREM`",
        "sleep_awake": "`Awake` between the first and the last sleep, if there are stages",
        "sleep_start": "start of the first sleep of the longest night",
        "sleep_end": "end of the last sleep of the longest night",
        "hrv_sdnn": "`HeartRateVariabilitySDNN`: mean of the day",
        "spo2": "`OxygenSaturation`: mean of the day",
        "respiration_rate": "`RespiratoryRate`: mean of the day",
        "vo2_max": "`VO2Max`: mean of the day",
        "floors": "`FlightsClimbed`, merged by quarter of an hour",
    },
    workouts={
        "activity": "`workoutActivityType`",
        "minutes": "`duration`",
        "distance_km": "`WorkoutStatistics` of distances, else `totalDistance`",
        "calories_burned": "`WorkoutStatistics` of active energy, else `totalEnergyBurned`",
        "heart_rate_avg": "`average` of the heart rate in `WorkoutStatistics`",
        "heart_rate_max": "its `maximum`",
    },
)
