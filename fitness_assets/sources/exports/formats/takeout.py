"""Fitbit in a Google Takeout: the old JSON of minutes and days, and the newer CSV next to it.

The file name says which stream a file holds, since steps, distance and calories look the same.
Timestamps without an offset are in UTC or in local time, depending on the stream. Both zones can
be declared, and the zone of calories is checked against steps.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.body_weight import kg_per_unit
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.local_time import Clock, date_of
from fitness_assets.sources.exports.minute_amounts import MAX_READINGS, MinuteAmounts
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.takeout_exercises import workout_of
from fitness_assets.sources.exports.takeout_files import (
    DAILY_COLUMNS,
    matches_header,
    stream_of,
)
from fitness_assets.sources.exports.takeout_records import (
    DAILY_MEANS,
    HEART_RATE_COLUMN,
    OLD_SOURCE,
    daily_mean,
    reading,
    records,
)
from fitness_assets.sources.exports.takeout_sleep import Nights
from fitness_assets.sources.exports.takeout_times import (
    doubt_zone,
    labelled_day,
    parse_instant,
)

if TYPE_CHECKING:
    from datetime import date

#: Streams in UTC; the others are in local time.
UTC_STREAMS = ("steps", "distance", "heart_rate", "exercise", "floors")
_UTC = ZoneInfo("UTC")

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3600

# (stream, which is also the column of the newer CSV; metric; factor of the newer CSV; factor of
# the old JSON).
_AMOUNTS = (
    ("steps", "steps", 1.0, 1.0),
    ("distance", "distance_km", 0.001, 0.00001),
    ("calories", "total_kcal", 1.0, 1.0),
    ("floors", "floors", 1.0, 1.0),
)
# Streams of daily minutes, with their metrics.
_DAILY_MINUTES = {
    "sedentary_minutes": ("sedentary_minutes",),
    "lightly_active_minutes": ("light_minutes",),
    "moderately_active_minutes": ("active_minutes", "moderate_minutes"),
    "very_active_minutes": ("active_minutes", "vigorous_minutes"),
}
# Minutes of each intensity in the newer CSV, with their metrics.
_INTENSITIES = {
    "light": ("light_minutes",),
    "moderate": ("active_minutes", "moderate_minutes"),
    "very": ("active_minutes", "vigorous_minutes"),
}
# The old JSON states no unit: pounds and millimeters are written.
_KG_PER_POUND = 0.45359237
_MIN_HEIGHT_MM, _MAX_HEIGHT_MM = 500.0, 2600.0


def matches_name(name: str) -> bool:
    """Whether `name` is that of a stream that is read."""
    return stream_of(name) is not None


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`, read one stream after the other."""
    days = DayAggregator(FORMAT.name, options.source_order)
    streams = _Streams(options, days, quarantine)
    by_stream: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_stream[_stream(member) or ""].append(member)
    # By stream and the instant of an hour, the amount of all sources.
    hourly: dict[str, dict[int, float]] = {}
    for amount_kind in _AMOUNTS:
        stream, metric, _, _ = amount_kind
        minutes = MinuteAmounts()
        read_member = partial(streams.read_amounts, minutes, amount_kind)
        read_each(by_stream[stream], read_member, quarantine)
        clock = streams.clock(stream)
        daily: dict[tuple[str, int], DayAmounts] = defaultdict(DayAmounts)
        hourly[stream] = defaultdict(float)
        for source, instant, amount in minutes.known():
            day, second = divmod(clock.to_local(instant), _DAY_SECONDS)
            daily[source, day].add(second // 60, 1, amount)
            hourly[stream][instant // _HOUR_SECONDS * _HOUR_SECONDS] += amount
        for (source, day), amounts in daily.items():
            days.add_amounts(streams.user, date_of(day * _DAY_SECONDS), metric, amounts, source)
    read_each(by_stream["heart_rate"], streams.read_heart_rates, quarantine)
    read_each(by_stream["resting_heart_rate"], streams.read_resting_heart_rates, quarantine)
    read_each(by_stream["sleep"], streams.read_sleep, quarantine)
    read_each(by_stream["sleep_stages"], streams.read_sleep_stages, quarantine)
    for stream in DAILY_MEANS:
        read_each(by_stream[stream], partial(streams.read_daily_means, stream), quarantine)
    read_each(by_stream["exercise"], streams.read_workouts, quarantine)
    read_each(by_stream["active_minutes"], streams.read_active_minutes, quarantine)
    read_each(by_stream["weight"], streams.read_weights, quarantine)
    read_each(by_stream["height"], streams.read_heights, quarantine)
    for stream in _DAILY_MINUTES:
        read_each(by_stream[stream], partial(streams.read_daily_minutes, stream), quarantine)
    streams.add_totals()
    doubt = doubt_zone(hourly["steps"], hourly["calories"], streams.clock("calories"))
    if doubt:
        quarantine(by_stream["calories"][0].name, "time zone of calories", doubt)
    # The old export fills the future days of its last file with zeros.
    return days.record_batches(quarantine, options.delivered, drop_trailing_empty_days=True)


def _stream(member: Member) -> str | None:
    try:
        return stream_of(member.name, member.head())
    except SourceError:
        return stream_of(member.name)


class _Streams:
    """Reads the files of one user, stream by stream."""

    def __init__(self, options: ImportOptions, days: DayAggregator, quarantine: Quarantine) -> None:
        self.user = options.required_user(FORMAT.title)
        self._options = options
        self._days = days
        self._quarantine = quarantine
        self._nights = Nights(options.zone_or_utc, OLD_SOURCE)
        # By metric and source. An overlapping export delivers the same mean again.
        self._daily_means: dict[tuple[str, str, date], float] = {}
        self._daily_minutes: dict[tuple[str, date], float] = {}
        # By source, day and metric, the minutes of the newer export that were active.
        self._active_minutes: dict[tuple[str, date, str], set[int]] = defaultdict(set)
        # The last of the day, with its instant.
        self._weights: dict[date, tuple[int, float]] = {}

    def clock(self, stream: str) -> Clock:
        """The clock of a stream's timestamps: the declared zone, else the format's default."""
        default = _UTC if stream in UTC_STREAMS else self._options.zone_or_utc
        return Clock(self._options.zones.get(stream, default), self._options.zone_or_utc)

    def read_amounts(
        self,
        minutes: MinuteAmounts,
        amount_kind: tuple[str, str, float, float],
        member: Member,
    ) -> None:
        """Read amounts, one a minute or more often, of the stream that `amount_kind` describes."""
        stream, metric, factor, old_factor = amount_kind
        clock = self.clock(stream)
        amounts: dict[tuple[str, int], float] = {}

        def process(item: dict[str, Any]) -> Iterable[str]:
            source, stamp, value = reading(item, stream)
            amount = parsing.parse_amount(value)
            key = (source, parse_instant(stamp, clock))
            if key in amounts:
                # The second of an hour that the clock shows twice; in other hours this is the
                # same instant, delivered again.
                key = (source, parse_instant(stamp, clock, fold=True))
            if amount is None:
                return ()
            if len(amounts) >= MAX_READINGS:
                raise SourceError(f"{member.name} has more than {MAX_READINGS:,} readings")
            amount *= old_factor if source == OLD_SOURCE else factor
            amounts[key] = max(amount, amounts.get(key, 0.0))
            return (metric,)

        self._process_each(member, process)
        minutes.add(amounts)

    def read_heart_rates(self, member: Member) -> None:
        clock = self.clock("heart_rate")
        # By source and hour, the sum and the number of readings.
        hours: dict[tuple[str, int], tuple[float, int]] = {}

        def process(item: dict[str, Any]) -> Iterable[str]:
            source, stamp, value = reading(item, HEART_RATE_COLUMN)
            # The device marks a guess with a confidence of 0.
            if isinstance(value, dict):
                value = value["bpm"] if value.get("confidence") != 0 else None
            rate = parsing.parse_amount(value)
            if not rate:
                return ()
            key = (source, clock.to_local(parse_instant(stamp, clock)) // _HOUR_SECONDS)
            total, count = hours.get(key, (0.0, 0))
            hours[key] = (total + rate, count + 1)
            return ("heart_rate_avg",)

        self._process_each(member, process)
        for (source, hour), (total, count) in hours.items():
            day = date_of(hour * _HOUR_SECONDS)
            self._days.add_heart_rates(self.user, day, hour % 24, source, total, count)

    def read_resting_heart_rates(self, member: Member) -> None:
        def process(item: dict[str, Any]) -> Iterable[str]:
            _, stamp, value = reading(item, HEART_RATE_COLUMN)
            if isinstance(value, dict):
                value, stamp = value["value"], value.get("date") or stamp
            rate = parsing.parse_amount(value)
            if not rate:
                return ()
            values = {"resting_heart_rate": rate}
            self._days.add_daily_values(
                self.user, labelled_day(stamp, self._options.zone_or_utc), values
            )
            return values

        self._process_each(member, process)

    def read_daily_minutes(self, stream: str, member: Member) -> None:
        def process(item: dict[str, Any]) -> Iterable[str]:
            minutes = parsing.parse_amount(item["value"]) or 0.0
            key = (stream, labelled_day(item["dateTime"], self._options.zone_or_utc))
            self._daily_minutes[key] = max(minutes, self._daily_minutes.get(key, 0.0))
            return _DAILY_MINUTES[stream]

        self._process_each(member, process)

    def read_active_minutes(self, member: Member) -> None:
        clock = self.clock("steps")

        def process(item: dict[str, Any]) -> Iterable[str]:
            local = clock.to_local(parse_instant(item["timestamp"], clock))
            source, day = item.get("data source", ""), date_of(local)
            found = set()
            for name, metrics in _INTENSITIES.items():
                is_active = parsing.parse_amount(item[name])
                for metric in metrics:
                    minutes = self._active_minutes[source, day, metric]
                    found.add(metric)
                    if is_active:
                        minutes.add(local // 60)
            return found

        self._process_each(member, process)

    def read_weights(self, member: Member) -> None:
        clock = self.clock("steps")
        if member.size > parsing.MAX_JSON_BYTES:
            raise SourceError(f"{member.name} is {member.size:,} bytes, too many for weights")
        logs = list(records(member, self._quarantine))
        amounts = parsing.amounts((log for _, log in logs), "weight", "bmi")
        old_factor = kg_per_unit(amounts) or _KG_PER_POUND

        def process(log: dict[str, Any]) -> Iterable[str]:
            if "timestamp" in log:
                kg = (parsing.parse_amount(log["weight grams"]) or 0.0) / 1000
                seconds = clock.to_local(parse_instant(log["timestamp"], clock))
            else:
                kg = (parsing.parse_amount(log["weight"]) or 0.0) * old_factor
                stamp = f"{log['date']} {log.get('time') or '00:00:00'}"
                # Written in local time.
                seconds = parse_instant(stamp, Clock(_UTC, _UTC))
            day = date_of(seconds)
            if kg:
                self._weights[day] = max((seconds, kg), self._weights.get(day, (0, 0.0)))
            return ("weight_kg",) if kg else ()

        parsing.process_each(member, logs, process, self._quarantine)

    def read_heights(self, member: Member) -> None:
        clock = self.clock("steps")

        def process(item: dict[str, Any]) -> Iterable[str]:
            _, stamp, value = reading(item, "height millimeters")
            millimeters = parsing.parse_amount(value)
            if not millimeters:
                return ()
            if not _MIN_HEIGHT_MM <= millimeters <= _MAX_HEIGHT_MM:
                raise ValueError(f"a height of {millimeters:g} is not in millimeters")
            values = {"height_cm": millimeters / 10}
            day = clock.local_date(parse_instant(stamp, clock))
            self._days.add_daily_values(self.user, day, values)
            return values

        self._process_each(member, process)

    def read_sleep(self, member: Member) -> None:
        self._process_each(member, self._nights.add_log)

    def read_sleep_stages(self, member: Member) -> None:
        self._process_each(member, self._nights.add_stage)

    def read_daily_means(self, stream: str, member: Member) -> None:
        metric = DAILY_MEANS[stream]

        def process(item: dict[str, Any]) -> Iterable[str]:
            value, stamp = daily_mean(item, DAILY_COLUMNS[stream])
            amount = parsing.parse_amount(value)
            if not amount:
                return ()
            day = labelled_day(stamp, self._options.zone_or_utc)
            source = item.get("data source", "")
            self._daily_means[metric, source, day] = amount
            return (metric,)

        self._process_each(member, process)

    def read_workouts(self, member: Member) -> None:
        clock = self.clock("exercise")

        def process(log: dict[str, Any]) -> Iterable[str]:
            workout = workout_of(log, clock, self._options.zone_or_utc)
            return self._days.add_workout(self.user, workout)

        self._process_each(member, process)

    def add_totals(self) -> None:
        """Add what comes from several files: nights, daily minutes, active minutes and weights."""
        self._nights.add_to(self.user, self._days)
        for (metric, source, day), mean in self._daily_means.items():
            self._days.add_readings(self.user, day, metric, source, mean)
        for (stream, day), minutes in self._daily_minutes.items():
            for metric in _DAILY_MINUTES[stream]:
                self._days.add_amount(self.user, day, metric, minutes, OLD_SOURCE)
        for (source, day, metric), active in self._active_minutes.items():
            self._days.add_amount(self.user, day, metric, float(len(active)), source)
        for day, (_, kg) in self._weights.items():
            self._days.add_daily_values(self.user, day, {"weight_kg": kg})

    def _process_each(
        self, member: Member, process: Callable[[dict[str, Any]], Iterable[str]]
    ) -> None:
        parsing.process_each(member, records(member, self._quarantine), process, self._quarantine)


FORMAT = Format(
    name="takeout",
    title="Fitbit in a Google Takeout",
    priority=40,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON list with `dateTime` as 03/02/21 10:00:00, or with `logId` and "
    "`dateOfSleep`, `activityName` or `bmi`; CSV that begins with `timestamp` and has `data "
    "source` or a known value column, or has `sleep_id`, `minutes_asleep` and `sleep_end`, or "
    "`exercise_id`, `exercise_start` and `activity_name`. The file name, else the header, says "
    "which stream it is.",
    dates="Month first in JSON, ISO 8601 in CSV. Without an offset: steps, distance, heart rates "
    "and exercise in UTC, the others in the zone of `--timezone`; `--zone STREAM=ZONE` declares "
    "another. An offset of +00:00 of nights and exercise is a placeholder: the zone is used. A "
    "daily value at midnight UTC belongs to the day shown, at another time to the day that begins "
    "then in the zone. Future days, which the export fills with zeros, are left out.",
    units="JSON: cm, kcal, minutes, milliseconds and pounds, or the unit that the body mass index "
    "gives. CSV: m, kcal, minutes, g and mm.",
    columns={
        "steps": "`steps`, merged by quarter of an hour",
        "distance_km": "`distance`, merged by quarter of an hour",
        "calories_burned": "`calories`, merged by quarter of an hour",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`heart_rate`: mean of the hourly means, without guesses",
        "resting_heart_rate": "`resting_heart_rate` or `daily_resting_heart_rate`",
        "sleep_hours": "`minutesAsleep` or `minutes_asleep` of the newest algorithm, on the day of "
        "waking",
        "active_minutes": "`moderately_active_minutes` + `very_active_minutes`, or `moderate` and "
        "`very` of `active_minutes`",
        "sedentary_minutes": "`sedentary_minutes`",
        "activity_type": "`activityName` or `activity_name` of the longest exercise",
        "height_cm": "`height`",
        "weight_kg": "`weight`: the last of the day",
        "sleep_deep": "`deep` of `levels`, or `DEEP` of `UserSleepStages`",
        "sleep_light": "`light` of `levels`, or `LIGHT` of `UserSleepStages`",
        "sleep_rem": "`rem` of `levels`, or `REM` of `UserSleepStages`",
        "sleep_awake": "`wake` of `levels`, or `AWAKE` of `UserSleepStages`",
        "sleep_start": "`startTime` or `sleep_start` of the longest sleep",
        "sleep_end": "`endTime` or `sleep_end` of the longest sleep",
        "hrv_rmssd": "`average heart rate variability milliseconds` of a day, or `rmssd` of the "
        "daily summary",
        "spo2": "`average percentage` or `average_value` of a day",
        "respiration_rate": "`breaths per minute` of a day",
        "vo2_max": "`demographic vo2max` and `run VO2 max`, or `demographicVO2Max` and "
        "`runVO2Max`: mean of the day",
        "floors": "`floors`, merged by quarter of an hour",
        "light_minutes": "`lightly_active_minutes`, or `light` of `active_minutes`",
        "moderate_minutes": "`moderately_active_minutes`, or `moderate` of `active_minutes`",
        "vigorous_minutes": "`very_active_minutes`, or `very` of `active_minutes`",
    },
    workouts={
        "activity": "`activityName`, `activity_name`",
        "minutes": "`activeDuration`, or `exercise_start` to `exercise_end`",
        "distance_km": "`distance`, `tracker_total_distance_mm`",
        "calories_burned": "`calories`, `tracker_total_calories`",
        "heart_rate_avg": "`averageHeartRate`, `tracker_avg_heart_rate`",
        "heart_rate_max": "`tracker_peak_heart_rate`",
    },
)
