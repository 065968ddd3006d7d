"""Fitbit in a Google Takeout: JSON of minutes and days, and the newer CSV beside it.

What a file holds is known by its name, since steps, distance and calories look the same. Stamps
without an offset are by UTC or by the clock at home, as each stream is known for; both are
declared, and what calories say is checked against steps.
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

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, plausible
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.local_time import Clock, day_of, wall
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "takeout"
TITLE = "Fitbit in a Google Takeout"
PADDED = True

#: Streams by UTC; those not named here are by the clock at home.
BY_UTC = ("steps", "distance", "heart_rate", "exercise")
_UTC = ZoneInfo("UTC")

#: The file's own name for what has none in the old export.
_OLD = "Global Export Data"
_DAY_MINUTES = 1440
_DAY_SECONDS = 86_400
_HOUR = 3600

_BPM = "beats per minute"
# (stream and column of the newer CSV, metric, what one of the newer is in ours, and of the old).
_AMOUNTS = (
    ("steps", "steps", 1.0, 1.0),
    ("distance", "distance_km", 0.001, 0.00001),
    ("calories", "total_kcal", 1.0, 1.0),
)
_MINUTES = {
    "sedentary_minutes": "sedentary_minutes",
    "moderately_active_minutes": "active_minutes",
    "very_active_minutes": "active_minutes",
}
_JSON = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|resting_heart_rate|sleep|exercise"
    r"|sedentary_minutes|moderately_active_minutes|very_active_minutes)"
    r"-[\d-]+( ?\(\d+\))?\.json$"
)
_CSV = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|daily_resting_heart_rate|UserSleeps)"
    r"(_[\d-]+)?( ?\(\d+\))?\.csv$"
)
_CLAIMS = (
    re.compile(rb'"dateTime"\s*:\s*"\d\d/\d\d/\d\d \d\d:'),
    re.compile(rb'"logId"\s*:.{0,200}"(dateOfSleep|activityName)"\s*:', re.DOTALL),
)
_HEADERS = ({"timestamp", "data source"}, {"sleep_id", "minutes_asleep", "sleep_end"})
_OLD_HOUR, _NEW_HOUR = len("03/02/21 10"), len("2026-05-02T08")
_UNKNOWN = -1.0

# Hours in common below which two streams are not compared, and by how much the correlation of
# another clock must be higher to doubt the declared one.
_ENOUGH_HOURS = 72
_CLEARLY = 0.1


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"["):
        return any(claim.search(head) for claim in _CLAIMS)
    names = set(parsing.header(head))
    return any(header <= names for header in _HEADERS)


def expects(name: str) -> bool:
    """Whether a file of this name should have been."""
    return _stream(name) is not None


def gather(
    members: Sequence[Member], days: DayAggregator, told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`, one stream after the other."""
    reader = _Reader(told, days, quarantine)
    by_stream: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_stream[_stream(member.name) or ""].append(member)
    hours: dict[str, dict[int, float]] = {}
    for stream, metric, factor, old_factor in _AMOUNTS:
        minutes = _Minutes()
        read = partial(reader.amounts, minutes, stream, factor, old_factor)
        each(by_stream[stream], read, quarantine)
        clock = reader.clock(stream)
        totals: dict[tuple[str, int], float] = defaultdict(float)
        hours[stream] = defaultdict(float)
        for source, instant, amount in minutes.known():
            totals[source, clock.at_home(instant) // _DAY_SECONDS] += amount
            hours[stream][instant // _HOUR * _HOUR] += amount
        for (source, day), total in totals.items():
            days.add(reader.user, day_of(day * _DAY_SECONDS), metric, total, source)
    each(by_stream["heart_rate"], reader.heart_rate, quarantine)
    each(by_stream["resting_heart_rate"], reader.resting, quarantine)
    each(by_stream["sleep"], reader.sleep, quarantine)
    each(by_stream["exercise"], reader.exercise, quarantine)
    for stream in _MINUTES:
        each(by_stream[stream], partial(reader.minutes, stream), quarantine)
    reader.close()
    doubt = _doubt(hours["steps"], hours["calories"], reader.clock("calories"))
    if doubt:
        quarantine(by_stream["calories"][0].name, "the clock of calories", doubt)


def _stream(name: str) -> str | None:
    found = _JSON.search(name) or _CSV.search(name)
    if found is None:
        return None
    return {"daily_resting_heart_rate": "resting_heart_rate", "UserSleeps": "sleep"}.get(
        found[1], found[1]
    )


class _Minutes:
    """Amounts by source and minute. A minute that is delivered again counts once, by the larger."""

    def __init__(self) -> None:
        # A day of one source takes 12 kB, and so ten years 42 MB.
        self._days: dict[tuple[str, int], array[float]] = {}

    def add(self, instants: Mapping[tuple[str, int], float]) -> None:
        """The amounts of one file, by source and the instant of their stamp."""
        minutes: dict[tuple[str, int], float] = defaultdict(float)
        for (source, instant), amount in instants.items():
            minutes[source, instant // 60] += amount
        for (source, minute), amount in minutes.items():
            key = (source, minute // _DAY_MINUTES)
            if key not in self._days:
                self._days[key] = array("d", [_UNKNOWN]) * _DAY_MINUTES
            index = minute % _DAY_MINUTES
            self._days[key][index] = max(amount, self._days[key][index])

    def known(self) -> Iterator[tuple[str, int, float]]:
        """Source, the instant at which the minute begins, and amount."""
        for (source, day), minutes in sorted(self._days.items()):
            for index, amount in enumerate(minutes):
                if amount != _UNKNOWN:
                    yield source, day * _DAY_SECONDS + index * 60, amount


class _Reader:
    """Reads one person's members."""

    def __init__(self, told: ImportOptions, days: DayAggregator, quarantine: Quarantine) -> None:
        self.user = told.person(TITLE)
        self._told = told
        self._days = days
        self._quarantine = quarantine
        self._nights: dict[tuple[str, str], tuple[date, float]] = {}
        self._active: dict[tuple[str, date], float] = {}

    def clock(self, stream: str) -> Clock:
        known = _UTC if stream in BY_UTC else self._told.zone
        return Clock(self._told.zones.get(stream, known), self._told.zone)

    def amounts(
        self, minutes: _Minutes, stream: str, factor: float, old_factor: float, member: Member
    ) -> None:
        clock = self.clock(stream)
        instants: dict[tuple[str, int], float] = {}

        def take(item: dict[str, Any]) -> None:
            source, stamp, value = _reading(item, stream)
            amount = parsing.number(value)
            key = (source, _instant(stamp, clock))
            if key in instants:
                # The hour that a clock shows twice; where there is none, the same again.
                key = (source, _instant(stamp, clock, again=True))
            if amount is not None:
                amount *= old_factor if source == _OLD else factor
                instants[key] = max(amount, instants.get(key, 0.0))

        self._each(member, take)
        minutes.add(instants)

    def heart_rate(self, member: Member) -> None:
        clock = self.clock("heart_rate")
        hours: dict[tuple[str, int], tuple[float, int]] = {}

        def take(item: dict[str, Any]) -> None:
            source, stamp, value = _reading(item, _BPM)
            # A confidence of nought is the device's word for a guess.
            if isinstance(value, dict):
                value = value["bpm"] if value.get("confidence") != 0 else None
            rate = parsing.number(value)
            if rate:
                key = (source, clock.at_home(_instant(stamp, clock)) // _HOUR)
                total, count = hours.get(key, (0.0, 0))
                hours[key] = (total + rate, count + 1)

        self._each(member, take)
        for (source, hour), (total, count) in hours.items():
            self._days.pulse(self.user, day_of(hour * _HOUR), hour % 24, source, total, count)

    def resting(self, member: Member) -> None:
        """A day's stamp is of the day at home even where it says UTC."""

        def take(item: dict[str, Any]) -> None:
            _, stamp, value = _reading(item, _BPM)
            rate = parsing.number(value["value"] if isinstance(value, dict) else value)
            if rate:
                self._days.state(self.user, _day(stamp), {"resting_heart_rate": rate})

        self._each(member, take)

    def minutes(self, stream: str, member: Member) -> None:
        def take(item: dict[str, Any]) -> None:
            minutes, key = parsing.number(item["value"]), (stream, _day(item["dateTime"]))
            self._active[key] = max(minutes or 0.0, self._active.get(key, 0.0))

        self._each(member, take)

    def sleep(self, member: Member) -> None:
        """Logs by id: where exports overlap the same night is in both."""

        def take(log: dict[str, Any]) -> None:
            if "sleep_id" in log:
                key = (log.get("data_source", ""), log["sleep_id"])
                night = (self._waking(log), parsing.number(log["minutes_asleep"]) or 0.0)
            else:
                key = (_OLD, str(log["logId"]))
                day = _day(log.get("dateOfSleep") or log.get("endTime"))
                night = (day, parsing.number(log["minutesAsleep"]) or 0.0)
            self._nights[key] = max(night, self._nights.get(key, night))

        self._each(member, take)

    def exercise(self, member: Member) -> None:
        clock = self.clock("exercise")

        def take(log: dict[str, Any]) -> None:
            day = clock.day(_instant(log["startTime"], clock))
            length = parsing.number(log.get("activeDuration", log.get("duration"))) or 0.0
            self._days.exercise(self.user, day, activity(str(log["activityName"])), length)

        self._each(member, take)

    def close(self) -> None:
        """Hand over what several members tell of together."""
        for (source, _), (day, minutes) in self._nights.items():
            self._days.add(self.user, day, "sleep_hours", minutes / 60, source)
        for (stream, day), minutes in self._active.items():
            self._days.add(self.user, day, _MINUTES[stream], minutes, _OLD)

    def _each(self, member: Member, take: Callable[[dict[str, Any]], None]) -> None:
        parsing.take_each(member, parsing.items(member, self._quarantine), take, self._quarantine)

    def _waking(self, log: dict[str, Any]) -> date:
        end = datetime.fromisoformat(log["sleep_end"])
        plausible(end.date())
        if end.tzinfo is None:
            end = end.replace(tzinfo=_UTC)
        offset = log.get("end_utc_offset", "")
        there = datetime.fromisoformat(f"2000-01-01T00:00{offset}").tzinfo
        return end.astimezone(there or self._told.zone).date()


def _reading(item: dict[str, Any], column: str) -> tuple[str, Any, Any]:
    """Source, stamp and value of a reading, old or new."""
    if "timestamp" in item:
        return item.get("data source", ""), item["timestamp"], item[column]
    return _OLD, item["dateTime"], item["value"]


def _instant(stamp: Any, clock: Clock, *, again: bool = False) -> int:
    """The instant of a stamp: ``03/02/21 10:00:05`` or ``2026-05-02T08:00:01.5Z``."""
    if not isinstance(stamp, str):
        raise TypeError(f"{parsing.shown(stamp)} is not a stamp")
    # There are millions, so that nothing is told of one that another has told before.
    end = _OLD_HOUR if stamp[2:3] == "/" else _NEW_HOUR
    try:
        begin, by_utc = _hour(stamp[:end], stamp[end + 6 :].lstrip(".0123456789"))
        shown = begin + _within_hour(stamp[end : end + 6])
    except ValueError as error:
        raise ValueError(f"{parsing.shown(stamp)} is not a stamp") from error
    return shown if by_utc else clock.instant(shown, again=again)


@lru_cache(maxsize=_HOUR)
def _within_hour(shown: str) -> int:
    """The seconds of ``:07:05``."""
    if len(shown) != len(":07:05"):
        raise ValueError(f"{shown} is not a minute and a second")
    found = time.fromisoformat(f"00{shown}")
    return found.minute * 60 + found.second


@lru_cache(maxsize=1 << 16)
def _hour(shown: str, offset: str) -> tuple[int, bool]:
    """Seconds since 1970 to the begin of an hour, and whether by UTC or as the clock shows."""
    if "/" in shown:
        found = datetime.combine(parsing.day(shown, "mdy"), time(int(shown[-2:])))
    else:
        found = datetime.fromisoformat(f"{shown}:00:00{offset}")
    plausible(found.date())
    return wall(found.astimezone(_UTC) if found.tzinfo else found), found.tzinfo is not None


def _day(stamp: Any) -> date:
    """The day that a stamp shows."""
    if not isinstance(stamp, str):
        raise TypeError(f"{parsing.shown(stamp)} is not a date")
    return parsing.day(stamp, "mdy" if "/" in stamp else "ymd")


def _doubt(steps: Mapping[int, float], calories: Mapping[int, float], declared: Clock) -> str:
    """What speaks for another clock of the calories than the declared; empty if nothing does.

    People burn more in the hours in which they walk.
    """
    home = declared.home
    other = Clock(home if str(declared.written) == "UTC" else _UTC, home)
    written = Clock(_UTC, declared.written)
    as_other = {
        other.instant(written.at_home(hour)) // _HOUR * _HOUR: kcal
        for hour, kcal in calories.items()
    }
    fits = []
    for hours in (calories, as_other):
        both = steps.keys() & hours.keys()
        if len(both) < _ENOUGH_HOURS:
            return ""
        try:
            fits.append(correlation([steps[h] for h in both], [hours[h] for h in both]))
        except StatisticsError:
            return ""
    if fits[1] - fits[0] < _CLEARLY:
        return ""
    return (
        f"by {declared.written} their hours correlate with the steps at {fits[0]:.2f}, "
        f"by {other.written} at {fits[1]:.2f}: declare the zone of calories"
    )
