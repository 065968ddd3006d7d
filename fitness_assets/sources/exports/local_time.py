"""The local day of a timestamp that carries no UTC offset."""

import math
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone
# Zones change their offset only at a quarter of an hour: offsets are cached per quarter.
_QUARTER_SECONDS = 900
_DAY_SECONDS = 86_400
# 2100-01-01. Later timestamps are rejected.
_END_SECONDS = 4_102_444_800


class Clock:
    """Convert timestamps written in one time zone to a user's local days.

    All times are whole seconds since 1970: a ``local`` time as a clock shows it, an ``instant``
    in UTC.

    Parameters
    ----------
    recorded_zone : tzinfo
        The zone in which the timestamps were written.
    user_zone : tzinfo
        The user's zone.
    """

    def __init__(self, recorded_zone: tzinfo, user_zone: tzinfo) -> None:
        self.recorded_zone = recorded_zone
        self.user_zone = user_zone
        self._recorded_offsets: dict[tuple[int, bool], int] = {}
        self._user_offsets: dict[int, int] = {}

    def instant(self, recorded: int, *, fold: bool = False) -> int:
        """The instant of a timestamp that shows `recorded`.

        Parameters
        ----------
        recorded : int
            Seconds since 1970, as the clock in `recorded_zone` showed them.
        fold : bool
            For an hour that the clock shows twice, whether the second one is meant (PEP 495). In
            an hour that the clock skips, the old offset is used.
        """
        key = (recorded // _QUARTER_SECONDS, fold)
        offset = self._recorded_offsets.get(key)
        if offset is None:
            quarter = _EPOCH + timedelta(seconds=key[0] * _QUARTER_SECONDS)
            offset = _seconds(quarter.replace(tzinfo=self.recorded_zone, fold=fold).utcoffset())
            self._recorded_offsets[key] = offset
        return recorded - offset

    def to_local(self, instant: int) -> int:
        """The user's local time of `instant`, in seconds since 1970."""
        quarter = instant // _QUARTER_SECONDS
        offset = self._user_offsets.get(quarter)
        if offset is None:
            _check_range(instant)
            utc = datetime.fromtimestamp(quarter * _QUARTER_SECONDS, UTC)
            offset = self._user_offsets[quarter] = _seconds(
                utc.astimezone(self.user_zone).utcoffset()
            )
        return instant + offset

    def local_date(self, instant: int) -> date:
        """The user's local day of `instant`."""
        return date_of(self.to_local(instant))


def utc(seconds: float) -> datetime:
    """An instant in seconds since 1970, without its fraction; ValueError outside 1970 to 2099."""
    _check_range(whole := math.floor(seconds))
    return datetime.fromtimestamp(whole, UTC)


def with_offset(local: datetime, seconds: float) -> datetime:
    """A time on a clock that is `seconds` ahead of UTC, as an instant."""
    return local.replace(tzinfo=timezone(timedelta(seconds=seconds)))


def local_seconds(stamp: datetime) -> int:
    """Seconds since 1970 that `stamp` shows, ignoring its offset."""
    return int((stamp.replace(tzinfo=None) - _EPOCH).total_seconds())


def date_of(seconds: int) -> date:
    """The day of `seconds` since 1970; ValueError outside 1970 to 2099."""
    _check_range(seconds)
    return date.fromordinal(_EPOCH.toordinal() + seconds // _DAY_SECONDS)


def _check_range(seconds: int) -> None:
    if not 0 <= seconds < _END_SECONDS:
        raise ValueError(f"{seconds} seconds since 1970 is not between 1970 and 2099")


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset is not None else 0
