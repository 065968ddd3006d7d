"""Fitbit in a Google Takeout: the old JSON of minutes and days, and the newer CSV next to it.

The file name says which stream a file holds, since steps, distance and calories look the same.
Timestamps without an offset are in UTC or in local time, depending on the stream. Both zones can
be declared, and the zone of calories is checked against steps.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache, partial
from statistics import StatisticsError, correlation
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.local_time import Clock, date_of, local_seconds
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format

#: Streams in UTC; the others are in local time.
UTC_STREAMS = ("steps", "distance", "heart_rate", "exercise")
_UTC = ZoneInfo("UTC")

#: The source of readings in the old export, which names none.
_OLD_SOURCE = "Global Export Data"
_MINUTES_PER_DAY = 1440
_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3600

_HEART_RATE_COLUMN = "beats per minute"
# (stream, which is also the column of the newer CSV; metric; factor of the newer CSV; factor of
# the old JSON).
_AMOUNTS = (
    ("steps", "steps", 1.0, 1.0),
    ("distance", "distance_km", 0.001, 0.00001),
    ("calories", "total_kcal", 1.0, 1.0),
)
# Streams of daily minutes, with their metrics.
_DAILY_MINUTES = {
    "sedentary_minutes": "sedentary_minutes",
    "moderately_active_minutes": "active_minutes",
    "very_active_minutes": "active_minutes",
}
_JSON_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|resting_heart_rate|sleep|exercise"
    r"|sedentary_minutes|moderately_active_minutes|very_active_minutes)"
    r"-[\d-]+( ?\(\d+\))?\.json$"
)
_CSV_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|daily_resting_heart_rate|UserSleeps)"
    r"(_[\d-]+)?( ?\(\d+\))?\.csv$"
)
# Streams whose newer files have another name.
_NEWER_NAMES = {"daily_resting_heart_rate": "resting_heart_rate", "UserSleeps": "sleep"}
_JSON_HEADERS = (
    re.compile(rb'"dateTime"\s*:\s*"\d\d/\d\d/\d\d \d\d:'),
    re.compile(rb'"logId"\s*:.{0,200}"(dateOfSleep|activityName)"\s*:', re.DOTALL),
)
_CSV_HEADERS = ({"timestamp", "data source"}, {"sleep_id", "minutes_asleep", "sleep_end"})
_OLD_HOUR_LENGTH, _NEW_HOUR_LENGTH = len("03/02/21 10"), len("2026-05-02T08")
_UNKNOWN = -1.0

# Two streams are compared if they have this many hours in common, and the declared zone is doubted
# if the correlation in the other zone is higher by this much.
_MIN_COMMON_HOURS = 72
_MIN_CORRELATION_GAIN = 0.1


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON list with Fitbit's timestamps or logs, or a header of its CSV."""
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"["):
        return any(header.search(head) for header in _JSON_HEADERS)
    names = set(parsing.csv_header(head))
    return any(header <= names for header in _CSV_HEADERS)


def matches_name(name: str) -> bool:
    """Whether `name` is that of a stream that is read."""
    return _stream_of(name) is not None


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`, read one stream after the other."""
    days = DayAggregator(FORMAT.name, options.source_order)
    streams = _Streams(options, days, quarantine)
    by_stream: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_stream[_stream_of(member.name) or ""].append(member)
    # By stream and the instant of an hour, the amount of all sources.
    hourly: dict[str, dict[int, float]] = {}
    for stream, metric, factor, old_factor in _AMOUNTS:
        minutes = _MinuteAmounts()
        read_member = partial(streams.read_amounts, minutes, stream, factor, old_factor)
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
    read_each(by_stream["exercise"], streams.read_workouts, quarantine)
    for stream in _DAILY_MINUTES:
        read_each(by_stream[stream], partial(streams.read_daily_minutes, stream), quarantine)
    streams.add_totals()
    doubt = _doubt_zone(hourly["steps"], hourly["calories"], streams.clock("calories"))
    if doubt:
        quarantine(by_stream["calories"][0].name, "time zone of calories", doubt)
    # The old export fills the future days of its last file with zeros.
    return days.record_batches(quarantine, options.delivered, drop_trailing_empty_days=True)


def _stream_of(name: str) -> str | None:
    match = _JSON_NAME.search(name) or _CSV_NAME.search(name)
    return None if match is None else _NEWER_NAMES.get(match[1], match[1])


class _MinuteAmounts:
    """Amounts by source and minute. Of a minute delivered again, the larger amount is kept."""

    def __init__(self) -> None:
        # A day of one source takes 12 kB, so ten years take 42 MB.
        self._days: dict[tuple[str, int], array[float]] = {}

    def add(self, amounts: Mapping[tuple[str, int], float]) -> None:
        """Add the amounts of one file, by source and instant."""
        minutes: dict[tuple[str, int], float] = defaultdict(float)
        for (source, instant), amount in amounts.items():
            minutes[source, instant // 60] += amount
        for (source, minute), amount in minutes.items():
            key = (source, minute // _MINUTES_PER_DAY)
            if key not in self._days:
                self._days[key] = array("d", [_UNKNOWN]) * _MINUTES_PER_DAY
            index = minute % _MINUTES_PER_DAY
            self._days[key][index] = max(amount, self._days[key][index])

    def known(self) -> Iterator[tuple[str, int, float]]:
        """The source, the instant at which the minute begins, and the amount."""
        for (source, day), minutes in sorted(self._days.items()):
            for index, amount in enumerate(minutes):
                if amount != _UNKNOWN:
                    yield source, day * _DAY_SECONDS + index * 60, amount


class _Streams:
    """Reads the files of one user, stream by stream."""

    def __init__(self, options: ImportOptions, days: DayAggregator, quarantine: Quarantine) -> None:
        self.user = options.required_user(FORMAT.title)
        self._options = options
        self._days = days
        self._quarantine = quarantine
        # By source and id, the day of waking and the minutes asleep.
        self._nights: dict[tuple[str, str], tuple[date, float]] = {}
        self._daily_minutes: dict[tuple[str, date], float] = {}

    def clock(self, stream: str) -> Clock:
        """The clock of a stream's timestamps: the declared zone, else the format's default."""
        default = _UTC if stream in UTC_STREAMS else self._options.zone_or_utc
        return Clock(self._options.zones.get(stream, default), self._options.zone_or_utc)

    def read_amounts(
        self, minutes: _MinuteAmounts, stream: str, factor: float, old_factor: float, member: Member
    ) -> None:
        clock = self.clock(stream)
        amounts: dict[tuple[str, int], float] = {}

        def process(item: dict[str, Any]) -> None:
            source, stamp, value = _reading(item, stream)
            amount = parsing.parse_amount(value)
            key = (source, _instant(stamp, clock))
            if key in amounts:
                # The second of an hour that the clock shows twice; in other hours this is the
                # same instant, delivered again.
                key = (source, _instant(stamp, clock, fold=True))
            if amount is not None:
                amount *= old_factor if source == _OLD_SOURCE else factor
                amounts[key] = max(amount, amounts.get(key, 0.0))

        self._process_each(member, process)
        minutes.add(amounts)

    def read_heart_rates(self, member: Member) -> None:
        clock = self.clock("heart_rate")
        # By source and hour, the sum and the number of readings.
        hours: dict[tuple[str, int], tuple[float, int]] = {}

        def process(item: dict[str, Any]) -> None:
            source, stamp, value = _reading(item, _HEART_RATE_COLUMN)
            # The device marks a guess with a confidence of 0.
            if isinstance(value, dict):
                value = value["bpm"] if value.get("confidence") != 0 else None
            rate = parsing.parse_amount(value)
            if rate:
                key = (source, clock.to_local(_instant(stamp, clock)) // _HOUR_SECONDS)
                total, count = hours.get(key, (0.0, 0))
                hours[key] = (total + rate, count + 1)

        self._process_each(member, process)
        for (source, hour), (total, count) in hours.items():
            day = date_of(hour * _HOUR_SECONDS)
            self._days.add_heart_rates(self.user, day, hour % 24, source, total, count)

    def read_resting_heart_rates(self, member: Member) -> None:
        """The timestamp of a daily value shows the local day, even where it says UTC."""

        def process(item: dict[str, Any]) -> None:
            _, stamp, value = _reading(item, _HEART_RATE_COLUMN)
            rate = parsing.parse_amount(value["value"] if isinstance(value, dict) else value)
            if rate:
                values = {"resting_heart_rate": rate}
                self._days.add_daily_values(self.user, _parse_day(stamp), values)

        self._process_each(member, process)

    def read_daily_minutes(self, stream: str, member: Member) -> None:
        def process(item: dict[str, Any]) -> None:
            minutes = parsing.parse_amount(item["value"]) or 0.0
            key = (stream, _parse_day(item["dateTime"]))
            self._daily_minutes[key] = max(minutes, self._daily_minutes.get(key, 0.0))

        self._process_each(member, process)

    def read_sleep(self, member: Member) -> None:
        """Nights are kept by id, since overlapping exports hold the same night twice."""

        def process(log: dict[str, Any]) -> None:
            if "sleep_id" in log:
                key = (log.get("data_source", ""), log["sleep_id"])
                minutes = parsing.parse_amount(log["minutes_asleep"])
                night = (self._day_of_waking(log), minutes or 0.0)
            else:
                key = (_OLD_SOURCE, str(log["logId"]))
                day = _parse_day(log.get("dateOfSleep") or log.get("endTime"))
                night = (day, parsing.parse_amount(log["minutesAsleep"]) or 0.0)
            self._nights[key] = max(night, self._nights.get(key, night))

        self._process_each(member, process)

    def read_workouts(self, member: Member) -> None:
        clock = self.clock("exercise")

        def process(log: dict[str, Any]) -> None:
            day = clock.local_date(_instant(log["startTime"], clock))
            length = parsing.parse_amount(log.get("activeDuration", log.get("duration"))) or 0.0
            self._days.add_workout(self.user, day, activity(str(log["activityName"])), length)

        self._process_each(member, process)

    def add_totals(self) -> None:
        """Add nights and daily minutes, which come from several files."""
        for (source, _), (day, minutes) in self._nights.items():
            self._days.add_amount(self.user, day, "sleep_hours", minutes / 60, source)
        for (stream, day), minutes in self._daily_minutes.items():
            metric = _DAILY_MINUTES[stream]
            self._days.add_amount(self.user, day, metric, minutes, _OLD_SOURCE)

    def _process_each(self, member: Member, process: Callable[[dict[str, Any]], None]) -> None:
        records = parsing.records(member, self._quarantine)
        parsing.process_each(member, records, process, self._quarantine)

    def _day_of_waking(self, log: dict[str, Any]) -> date:
        end = datetime.fromisoformat(log["sleep_end"])
        check_day(end.date())
        if end.tzinfo is None:
            end = end.replace(tzinfo=_UTC)
        offset = log.get("end_utc_offset", "")
        zone = datetime.fromisoformat(f"2000-01-01T00:00{offset}").tzinfo
        return end.astimezone(zone or self._options.zone_or_utc).date()


def _reading(item: dict[str, Any], column: str) -> tuple[str, Any, Any]:
    """Source, timestamp and value of a reading of the newer CSV or the old JSON."""
    if "timestamp" in item:
        return item.get("data source", ""), item["timestamp"], item[column]
    return _OLD_SOURCE, item["dateTime"], item["value"]


def _instant(stamp: Any, clock: Clock, *, fold: bool = False) -> int:
    """The instant of a timestamp: ``03/02/21 10:00:05`` or ``2026-05-02T08:00:01.5Z``."""
    if not isinstance(stamp, str):
        raise TypeError(f"{parsing.shorten(stamp)} is not a timestamp")
    # There are millions of timestamps: hours, and seconds within an hour, are cached apart.
    end = _OLD_HOUR_LENGTH if stamp[2:3] == "/" else _NEW_HOUR_LENGTH
    try:
        hour, is_utc = _parse_hour(stamp[:end], stamp[end + 6 :].lstrip(".0123456789"))
        seconds = hour + _parse_minute(stamp[end : end + 6])
    except ValueError as error:
        raise ValueError(f"{parsing.shorten(stamp)} is not a timestamp") from error
    return seconds if is_utc else clock.instant(seconds, fold=fold)


@lru_cache(maxsize=_HOUR_SECONDS)
def _parse_minute(text: str) -> int:
    """The seconds of ``:07:05``."""
    if len(text) != len(":07:05"):
        raise ValueError(f"{text} is not a minute and a second")
    parsed = time.fromisoformat(f"00{text}")
    return parsed.minute * 60 + parsed.second


@lru_cache(maxsize=1 << 16)
def _parse_hour(text: str, offset: str) -> tuple[int, bool]:
    """Seconds since 1970 at the start of an hour, and whether they are in UTC or as shown."""
    if "/" in text:
        parsed = datetime.combine(parsing.parse_day(text, "mdy"), time(int(text[-2:])))
    else:
        parsed = datetime.fromisoformat(f"{text}:00:00{offset}")
    check_day(parsed.date())
    is_utc = parsed.tzinfo is not None
    return local_seconds(parsed.astimezone(_UTC) if is_utc else parsed), is_utc


def _parse_day(stamp: Any) -> date:
    """The day that a timestamp shows."""
    if not isinstance(stamp, str):
        raise TypeError(f"{parsing.shorten(stamp)} is not a date")
    return parsing.parse_day(stamp, "mdy" if "/" in stamp else "ymd")


def _doubt_zone(steps: Mapping[int, float], calories: Mapping[int, float], declared: Clock) -> str:
    """Why calories seem to be in another zone than declared; empty if they do not.

    Users burn more in the hours in which they walk, so hourly calories correlate with hourly steps
    in the right zone.
    """
    user_zone = declared.user_zone
    other = Clock(user_zone if str(declared.recorded_zone) == "UTC" else _UTC, user_zone)
    as_recorded = Clock(_UTC, declared.recorded_zone)
    in_other_zone = {
        other.instant(as_recorded.to_local(hour)) // _HOUR_SECONDS * _HOUR_SECONDS: kcal
        for hour, kcal in calories.items()
    }
    correlations = []
    for hours in (calories, in_other_zone):
        common = steps.keys() & hours.keys()
        if len(common) < _MIN_COMMON_HOURS:
            return ""
        try:
            correlations.append(correlation([steps[h] for h in common], [hours[h] for h in common]))
        except StatisticsError:
            return ""
    if correlations[1] - correlations[0] < _MIN_CORRELATION_GAIN:
        return ""
    return (
        f"hourly calories correlate with hourly steps at {correlations[0]:.2f} in "
        f"{declared.recorded_zone} and at {correlations[1]:.2f} in {other.recorded_zone}: declare "
        f"the zone of calories (--zone calories={other.recorded_zone})"
    )


FORMAT = Format(
    name="takeout",
    title="Fitbit in a Google Takeout",
    priority=40,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="JSON list with `dateTime` as 03/02/21 10:00:00, or with `logId` and "
    "`dateOfSleep` or `activityName`; CSV with `timestamp` and `data source`, or with `sleep_id`, "
    "`minutes_asleep` and `sleep_end`. The file name says which stream it is.",
    dates="Month first in JSON, ISO 8601 in CSV. Without an offset: steps, distance, heart rates "
    "and exercise in UTC, the others in the zone of `--timezone`; `--zone STREAM=ZONE` declares "
    "another. Future days, which the export fills with zeros, are left out.",
    units="JSON: cm, kcal, minutes and milliseconds. CSV: m, kcal and minutes.",
    columns={
        "steps": "`steps`, merged by quarter of an hour",
        "distance_km": "`distance`, merged by quarter of an hour",
        "calories_burned": "`calories`, merged by quarter of an hour",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`heart_rate`: mean of the hourly means, without guesses",
        "resting_heart_rate": "`resting_heart_rate` or `daily_resting_heart_rate`",
        "sleep_hours": "`minutesAsleep` or `minutes_asleep`, on the day of waking",
        "active_minutes": "`moderately_active_minutes` + `very_active_minutes`",
        "sedentary_minutes": "`sedentary_minutes`",
        "activity_type": "`activityName` of the longest exercise",
    },
)
