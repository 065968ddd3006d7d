"""FIT files of Garmin and other devices: monitoring, sleep, activities and weights.

The messages and their scales are those of Garmin's FIT profile. Counters of monitoring begin at
local midnight, one for each type of activity: the day has the last of each type, added over the
types. All values are derived from readings, so a daily summary of Garmin takes precedence.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.fit_messages import (
    EPOCH,
    FIRST_DATE,
    MAGIC,
    MAGIC_AT,
    Message,
    messages,
)
from fitness_assets.sources.exports.local_time import utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.sleep import Interval, State, columns_of, nights
from fitness_assets.sources.exports.user_days import UserDays

_DAY_SECONDS = 86_400
_MAX_OFFSET = 18 * 3600
_LAST_LEVEL_SECONDS = 60
# Steps are counted on foot; in other types of activity a cycle is a turn or a stroke.
_ON_FOOT = {"walking": 0, "running": 1}
# Units of the raw values.
_PER_KM, _PER_KG, _PER_RMSSD_MS = 100_000, 100, 128
_PER_RESPIRATION, _PER_VO2_MAX, _PER_METRE_OF_CYCLE = 100, 10, 5000
_MS_PER_MINUTE = 60_000
# Weight of a scale that is still measuring.
_MEASURING = 0xFFFE
_LEVELS = {
    1: State.AWAKE,
    2: State.LIGHT,
    3: State.DEEP,
    4: State.REM,
}
# Readings of wellness files: by message, the field, the metric and the number of parts of a unit.
_READINGS = {
    "hrv_status_summary": ("last_night_average", "hrv_rmssd", _PER_RMSSD_MS),
    "respiration_rate": ("respiration_rate", "respiration_rate", _PER_RESPIRATION),
    "spo2_data": ("reading_spo2", "spo2", 1),
}
_MAX_SPO2 = 100
# Fields of a session, with the columns of a workout and the factors to their units.
_WORKOUT = (
    ("total_timer_time", "minutes", 1 / 60_000),
    ("total_distance", "distance_km", 1 / _PER_KM),
    ("total_calories", "calories_burned", 1.0),
    ("avg_heart_rate", "heart_rate_avg", 1.0),
    ("max_heart_rate", "heart_rate_max", 1.0),
)
# Sports whose name does not say the activity, which the sub-sport does.
_BY_SUB_SPORT = {"training", "fitness_equipment", "generic"}

#: Serial number of the device, local day, type of activity and counter.
_Counter = tuple[int, date, str, str]


def matches_header(head: bytes) -> bool:
    """Whether `head` is that of a FIT file."""
    return head[MAGIC_AT:].startswith(MAGIC)


def matches_name(name: str) -> bool:
    """Whether `name` ends as FIT files do."""
    return name.lower().endswith(".fit")


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    reader = _Reader(UserDays(FORMAT.name, FORMAT.title, options), quarantine)
    read_each(members, reader.read, quarantine)
    reader.add_totals()
    return reader.days.record_batches(quarantine)


class _Reader:
    """Reads the files of one user."""

    def __init__(self, days: UserDays, quarantine: Quarantine) -> None:
        self.days = days
        self._quarantine = quarantine
        self._counters: dict[_Counter, float] = {}
        # By day, the kcal a day at rest, and the seconds of the day that were monitored.
        self._resting: dict[date, float] = {}
        self._monitored: dict[date, float] = {}
        self._intervals: set[Interval] = set()
        self._handlers: dict[str, Callable[[_File, Message], Iterable[str]]] = {
            "file_id": _File.identify,
            "session": _File.add_session,
            "activity": _File.end_activity,
            "sleep_level": _File.add_level,
            "monitoring_info": self._monitoring_info,
            "monitoring": self._monitoring,
            "monitoring_hr_data": self._resting_heart_rate,
            "max_met_data": self._oxygen_uptake,
            "weight_scale": self._weight,
            **dict.fromkeys(_READINGS, self._night_reading),
        }

    def read(self, member: Member) -> None:
        """Read one file. What precedes damage is used, and the damage is quarantined."""
        file = _File()
        try:
            for message in messages(member, self._handlers.keys()):
                try:
                    member.usage.add(self._handlers[message.name](file, message))
                except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                    place = f"{message.name}, message {message.number}"
                    self._quarantine(member.name, place, str(error))
        finally:
            self._add_sessions(member, file)
            self._add_levels(member, file)

    def add_totals(self) -> None:
        """Add what several files give: counters, energy at rest and nights."""
        totals: dict[tuple[int, date, str], float] = defaultdict(float)
        for (device, day, _, metric), value in self._counters.items():
            totals[device, day, metric] += value
        for (device, day, metric), value in totals.items():
            self.days.add_amount(day, metric, value, str(device))
        for day, kcal in self._resting.items():
            share = self._monitored.get(day, 0.0) / _DAY_SECONDS
            self.days.add_amount(day, "basal_kcal", kcal * share)
        for day, night in nights(self._intervals):
            self.days.add_night(day, night)

    def _resting_heart_rate(self, file: "_File", message: Message) -> Iterable[str]:
        raw = message.raw
        rate = raw.get("current_day_resting_heart_rate", raw.get("resting_heart_rate"))
        # The value of a day is written until midnight, which belongs to the day that ends.
        return self._reading(file, raw["timestamp"] - 1, "resting_heart_rate", rate)

    def _oxygen_uptake(self, file: "_File", message: Message) -> Iterable[str]:
        if "vo2_max" not in message.raw:
            return ()
        value = message.raw["vo2_max"] / _PER_VO2_MAX
        return self._reading(file, message.raw["update_time"], "vo2_max", value)

    def _night_reading(self, file: "_File", message: Message) -> Iterable[str]:
        field, metric, parts = _READINGS[message.name]
        value = message.raw[field] / parts if field in message.raw else None
        if metric == "spo2" and value is not None and value > _MAX_SPO2:
            value = None
        return self._reading(file, message.raw["timestamp"], metric, value)

    def _monitoring_info(self, file: "_File", message: Message) -> Iterable[str]:
        raw = message.raw
        timestamp = raw["timestamp"]
        file.timestamp = timestamp
        if "local_timestamp" in raw:
            offset = raw["local_timestamp"] - timestamp
            file.offset = offset if abs(offset) <= _MAX_OFFSET else None
        file.metres_per_cycle = [
            each / _PER_METRE_OF_CYCLE for each in message.several.get("cycles_to_distance", ())
        ]
        kcal = raw.get("resting_metabolic_rate")
        if not kcal:
            return ()
        day = self._local(file, timestamp).date()
        self._resting[day] = max(kcal, self._resting.get(day, 0.0))
        return ("basal_kcal",)

    def _monitoring(self, file: "_File", message: Message) -> Iterable[str]:
        raw = message.raw
        if "timestamp" in raw:
            file.timestamp = raw["timestamp"]
        elif "timestamp_16" in raw and file.timestamp is not None:
            # The low 16 bits of the time, which roll over every 18.2 hours.
            file.timestamp += (raw["timestamp_16"] - file.timestamp) & 0xFFFF
        if file.timestamp is None:
            raise ValueError("no message before it has a time")
        # Counters of a day are written until midnight, which belongs to the day that ends.
        before = self._local(file, file.timestamp - 1)
        day = before.date()
        seconds = (before - datetime.combine(day, datetime.min.time())).total_seconds() + 1
        self._monitored[day] = max(seconds, self._monitored.get(day, 0.0))
        metrics = list(self._count(file, message, day))
        rate = raw.get("heart_rate")
        if rate:
            local = self._local(file, file.timestamp)
            self.days.add_heart_rate(local, rate, str(file.device))
            metrics.append("heart_rate_avg")
        return metrics

    def _count(self, file: "_File", message: Message, day: date) -> Iterator[str]:
        """Keep the counters of a message, and yield their metrics."""
        raw, kind = message.raw, message.names.get("activity_type", "")
        values: dict[str, float] = {}
        if kind in _ON_FOOT:
            half_cycles = raw.get("cycles")
            place = _ON_FOOT[kind]
            if half_cycles is not None:
                values["steps"] = half_cycles
                if place < len(file.metres_per_cycle):
                    metres = half_cycles / 2 * file.metres_per_cycle[place]
                    values["distance_km"] = metres / 1000
            if "active_time" in raw:
                values["active_minutes"] = raw["active_time"] / _MS_PER_MINUTE
        if "distance" in raw:
            values["distance_km"] = raw["distance"] / _PER_KM
        if "active_calories" in raw:
            values["active_kcal"] = raw["active_calories"]
        for metric, value in values.items():
            key = (file.device, day, kind, metric)
            self._counters[key] = max(value, self._counters.get(key, 0.0))
            yield metric

    def _weight(self, file: "_File", message: Message) -> Iterable[str]:
        raw = message.raw
        weight = raw.get("weight")
        if weight is None or weight >= _MEASURING:
            return ()
        self.days.add_last(self._local(file, raw["timestamp"]), "weight_kg", weight / _PER_KG)
        return ("weight_kg",)

    def _reading(
        self, file: "_File", timestamp: int, metric: str, value: float | None
    ) -> Iterable[str]:
        if not value:
            return ()
        self.days.add_reading(self._local(file, timestamp).date(), metric, value, str(file.device))
        return (metric,)

    def _add_sessions(self, member: Member, file: "_File") -> None:
        """Add the sessions, whose local time the activity after them gives."""
        for message in file.sessions:
            try:
                local = self._local_start(file, message.raw)
                values = {
                    column: message.raw[field] * factor
                    for field, column, factor in _WORKOUT
                    if field in message.raw
                }
                # A smaller time counts from when the device started.
                seconds = message.raw["start_time"]
                workout = Workout(
                    start=utc(EPOCH + seconds)
                    if seconds >= FIRST_DATE
                    else self.days.instant_of(local),
                    local_start=local,
                    activity=_activity(message),
                    **{"minutes": 0.0, **values},
                )
                member.usage.add(self.days.add_workout(workout))
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                self._quarantine(member.name, f"session, message {message.number}", str(error))

    def _local_start(self, file: "_File", raw: Mapping[str, int]) -> datetime:
        """The local start of a session, also if its times count from when the device started."""
        start = raw["start_time"]
        end, local_end = file.local_end
        if end is not None and local_end is not None and local_end >= FIRST_DATE:
            return self.days.local(EPOCH + local_end - (end - start), 0)
        return self._local(file, start)

    def _add_levels(self, member: Member, file: "_File") -> None:
        """Add the levels of sleep: each lasts until the next one."""
        levels = sorted(set(file.levels))
        ends = [start for start, _ in levels[1:]]
        for (start, level), end in zip(
            levels, [*ends, *(start + _LAST_LEVEL_SECONDS for start, _ in levels[-1:])], strict=True
        ):
            state = _LEVELS.get(level)
            if state is None:
                continue
            try:
                local = self._local(file, end)
            except ValueError as error:
                self._quarantine(member.name, "sleep_level", str(error))
                continue
            instant = EPOCH + end
            offset = local.replace(tzinfo=UTC).timestamp() - instant
            self._intervals.add(Interval(EPOCH + start, instant, state, local.date(), offset))

    def _local(self, file: "_File", timestamp: int) -> datetime:
        """A timestamp on the user's clock: by the offset of the file, else in the zone."""
        if timestamp < FIRST_DATE:
            raise ValueError(f"its time is {timestamp} seconds after the start of the device")
        return self.days.local(EPOCH + timestamp, file.offset)


class _File:
    """What is known from the messages of one file so far.

    Attributes
    ----------
    device : int
        Serial number.
    offset : int or None
        Seconds that local time is ahead of UTC.
    timestamp : int or None
        The last time of monitoring.
    metres_per_cycle : list of float
        Of walking and running.
    sessions : list of Message
    local_end : tuple
        The end of the activity, and the same on the user's clock.
    levels : list of tuple
        Times and levels of sleep.
    """

    def __init__(self) -> None:
        self.device = 0
        self.offset: int | None = None
        self.timestamp: int | None = None
        self.metres_per_cycle: list[float] = []
        self.sessions: list[Message] = []
        self.local_end: tuple[int | None, int | None] = (None, None)
        self.levels: list[tuple[int, int]] = []

    def identify(self, message: Message) -> Iterable[str]:
        """Read which device wrote the file."""
        self.device = message.raw.get("serial_number", 0)
        return ()

    def add_session(self, message: Message) -> Iterable[str]:
        """Keep a session until the activity after it gives its local time."""
        self.sessions.append(message)
        return ()

    def end_activity(self, message: Message) -> Iterable[str]:
        """Read the end of the activity."""
        self.local_end = (message.raw.get("timestamp"), message.raw.get("local_timestamp"))
        return ()

    def add_level(self, message: Message) -> Iterable[str]:
        """Keep a level of sleep."""
        self.levels.append((int(message.raw["timestamp"]), message.raw["sleep_level"]))
        state = _LEVELS.get(message.raw["sleep_level"])
        return () if state is None else columns_of(state)


def _activity(message: Message) -> str | None:
    sport = message.names.get("sport", "")
    sub_sport = message.names.get("sub_sport", "")
    if sport in _BY_SUB_SPORT:
        is_known = sub_sport and sub_sport != "generic"
        return activity(sub_sport) if is_known else (sport == "training" and "gym_workout") or None
    return activity(sport)


FORMAT = Format(
    name="garmin_fit",
    title="FIT files of Garmin and other devices",
    priority=170,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="bytes 8 to 11 are `.FIT`.",
    dates="Seconds since 1989-12-31 in UTC. The offset of monitoring and of an activity is that "
    "of its `local_timestamp`; without it, and for sleep and weights, the day is that of "
    "`--timezone`.",
    units="The scales of the FIT profile. A file that is cut off is used up to the damage. Values "
    "of a daily summary of Garmin's data export take precedence.",
    columns={
        "steps": "`monitoring.cycles` of walking and running",
        "distance_km": "`monitoring.distance`, else `cycles` by `cycles_to_distance`",
        "calories_burned": "`monitoring.active_calories` + the share of `resting_metabolic_rate`",
        "calories_kind": "`total`, or `active` without `resting_metabolic_rate`",
        "heart_rate_avg": "`monitoring.heart_rate`: mean of the hourly means",
        "resting_heart_rate": "`monitoring_hr_data`",
        "sleep_hours": "`sleep_level`, on the day of waking",
        "active_minutes": "`monitoring.active_time` of walking and running",
        "activity_type": "`sport` of the longest session, or its `sub_sport`",
        "weight_kg": "`weight_scale.weight`: the last of the day",
        "sleep_deep": "`sleep_level` deep",
        "sleep_light": "`sleep_level` light",
        "sleep_rem": "`sleep_level` rem",
        "sleep_awake": "`sleep_level` awake",
        "sleep_start": "start of the longest night",
        "sleep_end": "end of the longest night",
        "hrv_rmssd": "`hrv_status_summary.last_night_average`",
        "spo2": "`spo2_data`: mean of the day",
        "respiration_rate": "`respiration_rate`: mean of the day",
        "vo2_max": "`max_met_data`",
    },
    workouts={
        "activity": "`session.sport` or its `sub_sport`",
        "minutes": "`session.total_timer_time`",
        "distance_km": "`session.total_distance`",
        "calories_burned": "`session.total_calories`",
        "heart_rate_avg": "`session.avg_heart_rate`",
        "heart_rate_max": "`session.max_heart_rate`",
    },
)
