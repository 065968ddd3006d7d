"""Fitbit in a Google Takeout: the old JSON of minutes and days, and the newer CSV next to it.

The file name says which stream a file holds, since steps, distance and calories look the same.
Timestamps without an offset are in UTC or in local time, depending on the stream. Both zones can
be declared, and the zone of calories is checked against steps.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.body_weight import kg_per_unit
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.local_time import Clock, date_of, utc
from fitness_assets.sources.exports.minute_amounts import MAX_READINGS, MinuteAmounts
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.tables import Table
from fitness_assets.sources.exports.takeout_exercises import old_workout
from fitness_assets.sources.exports.takeout_files import (
    DAILY_COLUMNS,
    matches_header,
    stream_of,
)
from fitness_assets.sources.exports.takeout_sleep import Nights
from fitness_assets.sources.exports.takeout_times import (
    doubt_zone,
    local_of,
    parse_aware,
    parse_instant,
    parse_shown_day,
)

#: Streams in UTC; the others are in local time.
UTC_STREAMS = ("steps", "distance", "heart_rate", "exercise", "floors")
_UTC = ZoneInfo("UTC")

#: The source of readings in the old export, which names none.
_OLD_SOURCE = "Global Export Data"
_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3600

_HEART_RATE_COLUMN = "beats per minute"
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
# Streams of daily means, with their metrics.
_DAILY_MEANS = {
    "variability": "hrv_rmssd",
    "oxygen": "spo2",
    "respiration": "respiration_rate",
    "vo2_max": "vo2_max",
}
# Minutes of each intensity in the newer CSV, with their metrics.
_INTENSITIES = {
    "light": ("light_minutes",),
    "moderate": ("active_minutes", "moderate_minutes"),
    "very": ("active_minutes", "vigorous_minutes"),
}
# Number columns of the newer CSV.
_NUMBERS = {
    "steps": number_column("steps"),
    "distance": number_column("distance_km", 0.001),
    "calories": number_column("total_kcal"),
    _HEART_RATE_COLUMN: number_column("heart_rate_avg"),
    "weight grams": number_column("weight_kg", 0.001),
    "height millimeters": number_column("height_cm", 0.1),
    "floors": number_column("floors"),
    **{
        column: number_column(_DAILY_MEANS[stream])
        for stream, columns in DAILY_COLUMNS.items()
        for column in columns
    },
}
# Numbers of an exercise of the newer CSV, first those that the user entered.
_MANUAL_WORKOUT = (
    ("manually_logged_total_distance_mm", "distance_km", 1e-6),
    ("manually_logged_total_calories", "calories_burned", 1.0),
)
_WORKOUT = (
    ("tracker_total_distance_mm", "distance_km", 1e-6),
    ("tracker_total_calories", "calories_burned", 1.0),
    ("tracker_avg_heart_rate", "heart_rate_avg", 1.0),
    ("tracker_peak_heart_rate", "heart_rate_max", 1.0),
)
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
    for stream in _DAILY_MEANS:
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
        self._nights = Nights(options.zone_or_utc, _OLD_SOURCE)
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
            source, stamp, value = _reading(item, stream)
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
            amount *= old_factor if source == _OLD_SOURCE else factor
            amounts[key] = max(amount, amounts.get(key, 0.0))
            return (metric,)

        self._process_each(member, process)
        minutes.add(amounts)

    def read_heart_rates(self, member: Member) -> None:
        clock = self.clock("heart_rate")
        # By source and hour, the sum and the number of readings.
        hours: dict[tuple[str, int], tuple[float, int]] = {}

        def process(item: dict[str, Any]) -> Iterable[str]:
            source, stamp, value = _reading(item, _HEART_RATE_COLUMN)
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
            _, stamp, value = _reading(item, _HEART_RATE_COLUMN)
            if isinstance(value, dict):
                value, stamp = value["value"], value.get("date") or stamp
            rate = parsing.parse_amount(value)
            if not rate:
                return ()
            values = {"resting_heart_rate": rate}
            self._days.add_daily_values(self.user, self._labelled_day(stamp), values)
            return values

        self._process_each(member, process)

    def read_daily_minutes(self, stream: str, member: Member) -> None:
        def process(item: dict[str, Any]) -> Iterable[str]:
            minutes = parsing.parse_amount(item["value"]) or 0.0
            key = (stream, self._labelled_day(item["dateTime"]))
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
        logs = list(self._records(member))
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
            _, stamp, value = _reading(item, "height millimeters")
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
        metric = _DAILY_MEANS[stream]

        def process(item: dict[str, Any]) -> Iterable[str]:
            value, stamp = _daily_mean(item, DAILY_COLUMNS[stream])
            amount = parsing.parse_amount(value)
            if not amount:
                return ()
            day = self._labelled_day(stamp)
            source = item.get("data source", "")
            self._daily_means[metric, source, day] = amount
            return (metric,)

        self._process_each(member, process)

    def read_workouts(self, member: Member) -> None:
        clock = self.clock("exercise")

        def process(log: dict[str, Any]) -> Iterable[str]:
            if "exercise_start" in log:
                start, end = parse_aware(log["exercise_start"]), parse_aware(log["exercise_end"])
                local = local_of(start, (log.get("utc_offset"),), self._options.zone_or_utc)
                minutes = max((end - start).total_seconds(), 0.0) / 60
                values = parsing.convert_known(log, _MANUAL_WORKOUT)
                values |= parsing.convert_known(log, _WORKOUT)
            else:
                instant = parse_instant(log["startTime"], clock)
                start, local = utc(instant), utc(clock.to_local(instant)).replace(tzinfo=None)
                duration = log.get("activeDuration", log.get("duration"))
                minutes = (parsing.parse_amount(duration) or 0.0) / 60_000
                values = old_workout(log)
            return self._days.add_workout(
                self.user,
                Workout(
                    start=start,
                    local_start=local,
                    activity=activity(str(log.get("activityName") or log["activity_name"])),
                    minutes=minutes,
                    **values,
                ),
            )

        self._process_each(member, process)

    def add_totals(self) -> None:
        """Add what comes from several files: nights, daily minutes, active minutes and weights."""
        self._nights.add_to(self.user, self._days)
        for (metric, source, day), mean in self._daily_means.items():
            self._days.add_readings(self.user, day, metric, source, mean)
        for (stream, day), minutes in self._daily_minutes.items():
            for metric in _DAILY_MINUTES[stream]:
                self._days.add_amount(self.user, day, metric, minutes, _OLD_SOURCE)
        for (source, day, metric), active in self._active_minutes.items():
            self._days.add_amount(self.user, day, metric, float(len(active)), source)
        for day, (_, kg) in self._weights.items():
            self._days.add_daily_values(self.user, day, {"weight_kg": kg})

    def _process_each(
        self, member: Member, process: Callable[[dict[str, Any]], Iterable[str]]
    ) -> None:
        parsing.process_each(member, self._records(member), process, self._quarantine)

    def _records(self, member: Member) -> Iterator[tuple[str, dict[str, Any]]]:
        if not member.name.lower().endswith(".csv"):
            return parsing.json_records(member, self._quarantine)
        table = Table(member, self._quarantine)
        table.detect(_NUMBERS)
        return table.records()

    def _labelled_day(self, stamp: Any) -> date:
        """The day of a daily value, whose timestamp is midnight UTC or local midnight in UTC.

        Midnight UTC is a label of the local day. Another time is an instant: the local midnight
        nearest to it begins the day.
        """
        day = parse_shown_day(stamp)
        seconds = parse_instant(stamp, Clock(_UTC, _UTC)) if len(stamp) > len("2026-05-02") else 0
        if seconds % _DAY_SECONDS == 0:
            return day
        local = Clock(_UTC, self._options.zone_or_utc).to_local(seconds)
        return date_of(local + _DAY_SECONDS // 2)


def _daily_mean(item: dict[str, Any], columns: Sequence[str]) -> tuple[Any, Any]:
    """The value of a daily mean of the newer CSV or the old JSON, and its timestamp."""
    if "timestamp" in item:
        column = next((name for name in columns if name in item), columns[0])
        return item[column], item["timestamp"]
    value = item["value"]
    if isinstance(value, dict):
        value = next((each for name, each in value.items() if name.endswith("VO2Max")), None)
    return value, item["dateTime"]


def _reading(item: dict[str, Any], column: str) -> tuple[str, Any, Any]:
    """Source, timestamp and value of a reading of the newer CSV or the old JSON."""
    if "timestamp" in item:
        return item.get("data source", ""), item["timestamp"], item[column]
    return _OLD_SOURCE, item["dateTime"], item["value"]


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
