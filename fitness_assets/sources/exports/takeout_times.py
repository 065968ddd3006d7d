"""The timestamps of a Google Takeout's Fitbit files."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from statistics import StatisticsError, correlation
from typing import Any
from zoneinfo import ZoneInfo

from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.local_time import Clock, date_of, local_seconds
from fitness_assets.text import shorten

_UTC = ZoneInfo("UTC")
_HOUR_SECONDS, _DAY_SECONDS = 3600, 86_400
_OLD_HOUR_LENGTH, _NEW_HOUR_LENGTH = len("03/02/21 10"), len("2026-05-02T08")

# Two streams are compared if they have this many hours in common, and the declared zone is doubted
# if the correlation in the other zone is higher by this much.
_MIN_COMMON_HOURS = 72
_MIN_CORRELATION_GAIN = 0.1


def parse_aware(stamp: str) -> datetime:
    """An ISO 8601 timestamp, in UTC if it has no offset."""
    parsed = datetime.fromisoformat(stamp)
    check_day(parsed.date())
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=_UTC)


def parse_instant(stamp: Any, clock: Clock, *, fold: bool = False) -> int:
    """The instant of a timestamp: ``03/02/21 10:00:05`` or ``2026-05-02T08:00:01.5Z``."""
    if not isinstance(stamp, str):
        raise TypeError(f"{shorten(stamp)} is not a timestamp")
    # There are millions of timestamps: hours, and seconds within an hour, are cached apart.
    end = _OLD_HOUR_LENGTH if stamp[2:3] == "/" else _NEW_HOUR_LENGTH
    try:
        hour, is_utc = _parse_hour(stamp[:end], stamp[end + 6 :].lstrip(".0123456789"))
        seconds = hour + _parse_minute(stamp[end : end + 6])
    except ValueError as error:
        raise ValueError(f"{shorten(stamp)} is not a timestamp") from error
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


def local_of(instant: datetime, offsets: Iterable[str | None], zone: ZoneInfo) -> datetime:
    """An instant on the local clock: by the first offset that is not zero, else in `zone`.

    Exports write +00:00 where the offset is not known.
    """
    for offset in offsets:
        written = datetime.fromisoformat(f"2000-01-01T00:00{offset or ''}").tzinfo
        if written is not None and written.utcoffset(None):
            return instant.astimezone(written).replace(tzinfo=None)
    return instant.astimezone(zone).replace(tzinfo=None)


def parse_shown_day(stamp: Any) -> date:
    """The day that a timestamp shows."""
    if not isinstance(stamp, str):
        raise TypeError(f"{shorten(stamp)} is not a date")
    return parsing.parse_day(stamp, "mdy" if "/" in stamp else "ymd")


def doubt_zone(steps: Mapping[int, float], calories: Mapping[int, float], declared: Clock) -> str:
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


def labelled_day(stamp: Any, zone: ZoneInfo) -> date:
    """The day of a daily value, whose timestamp is midnight UTC or local midnight in UTC.

    Midnight UTC is a label of the local day. Another time is an instant: the local midnight nearest
    to it begins the day.

    Raises
    ------
    ValueError
        If it is not a day or a timestamp.
    """
    day = parse_shown_day(stamp)
    seconds = parse_instant(stamp, Clock(_UTC, _UTC)) if len(stamp) > len("2026-05-02") else 0
    if seconds % _DAY_SECONDS == 0:
        return day
    return date_of(Clock(_UTC, zone).to_local(seconds) + _DAY_SECONDS // 2)
