"""Timestamps such as ``2016-11-14 07:25:44 -0700``, converted to the user's local time."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.text import shorten

_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d{1,2}):(\d\d):(\d\d)"
    # Newer systems write a narrow unbreakable space before AM and PM.
    r"(?:[\s\u00a0\u202f]?([ap])\.?m\.?)?"
    r"(?: ?([+-])(\d\d):?(\d\d))?",
    re.ASCII | re.IGNORECASE,
)
_MINUTES = {f"{minute:02}": minute for minute in range(60)}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MINUTES = 1440
_HOUR_SECONDS = 3600
# Hours that are kept: 15 years of them take 20 MB.
_CACHED_HOURS = 1 << 17
_STAMP_LENGTHS = {len("2016-11-14 07:25:44"), len("2016-11-14 07:25:44 -0700")}


class Moment(NamedTuple):
    """What a timestamp says.

    Attributes
    ----------
    instant : float
        Seconds since 1970 in UTC.
    local : datetime
        The user's local time, without a zone.
    """

    instant: float
    local: datetime


class StampClock:
    """Converts timestamps to the local time of one zone.

    A timestamp without an offset is local time.

    Parameters
    ----------
    zone : tzinfo or None
        The user's zone. None if it is not known: local time is then the time that a timestamp
        shows.
    cached_hours : int
        Number of hours that are kept converted.

    Attributes
    ----------
    relied_on_offset : bool
        Whether the offset of any timestamp was taken for that of the user.
    """

    def __init__(self, zone: tzinfo | None, cached_hours: int = _CACHED_HOURS) -> None:
        self.relied_on_offset = False
        self._cached_hours = cached_hours
        self._zone = zone
        # By the hour and the offset as they are written, the local minute at which it starts.
        self._hours: dict[str, int] = {}

    def local_minute(self, stamp: str) -> int:
        """Minutes from 1970-01-01 00:00 to the local time of `stamp`.

        Raises
        ------
        ValueError
            If it is not a timestamp.
        """
        try:
            return self._hours[stamp[:13] + stamp[19:]] + _MINUTES[stamp[14:16]]
        except KeyError:
            return self._new_minute(stamp)

    def _new_minute(self, stamp: str) -> int:
        """The local minute of `stamp`, whose hour is kept."""
        instant, local = self.moment(stamp)
        minute = _MINUTES.get(stamp[14:16])
        if len(stamp) in _STAMP_LENGTHS and minute is not None:
            start = instant - instant % _HOUR_SECONDS
            is_steady = self._zone is None or (
                datetime.fromtimestamp(start - _HOUR_SECONDS, self._zone).utcoffset()
                == datetime.fromtimestamp(start + 2 * _HOUR_SECONDS, self._zone).utcoffset()
            )
            # Not of an hour in which, or next to which, the zone's offset changes.
            if is_steady:
                if len(self._hours) >= self._cached_hours:
                    self._hours.clear()
                self._hours[stamp[:13] + stamp[19:]] = _minutes(local) - minute
        return _minutes(local)

    def moment(self, stamp: str) -> Moment:
        """What `stamp` says; ValueError if it is not a timestamp."""
        match = _STAMP.fullmatch(stamp.strip())
        shown = None if match is None else _shown(match)
        if match is None or shown is None:
            raise ValueError(f"{shorten(stamp)} is not a timestamp")
        check_day(shown.date())
        if match[6] is None:
            return Moment(shown.replace(tzinfo=self._zone or UTC).timestamp(), shown)
        offset = timedelta(hours=int(match[7]), minutes=int(match[8]))
        aware = shown.replace(tzinfo=timezone(-offset if match[6] == "-" else offset))
        if self._zone is None:
            self.relied_on_offset = True
            return Moment(aware.timestamp(), shown)
        return Moment(aware.timestamp(), aware.astimezone(self._zone).replace(tzinfo=None))


def day_of(minute: int) -> date:
    """The day of a local minute since 1970."""
    return date.fromordinal(_EPOCH_ORDINAL + minute // _DAY_MINUTES)


def _shown(match: re.Match[str]) -> datetime | None:
    """The date and time that a timestamp shows; None if there is no such time."""
    hour = int(match[2])
    if match[5] is not None:
        hour = hour % 12 + 12 * (match[5].lower() == "p")
    try:
        clock_time = time(hour, int(match[3]), int(match[4]))
        return datetime.combine(date.fromisoformat(match[1]), clock_time)
    except ValueError:
        return None


def _minutes(local: datetime) -> int:
    return (local.toordinal() - _EPOCH_ORDINAL) * _DAY_MINUTES + local.hour * 60 + local.minute
