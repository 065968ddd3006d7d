"""Which day it was where the person lives, of stamps that do not say."""

from datetime import UTC, date, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the wall has no zone
# Zones change their offset at quarters of an hour, so within one it is looked up once.
_QUARTER = 900
_DAY = 86_400
# The year 2100, by when no device has told of anything.
_END = 4_102_444_800


class Clock:
    """From stamps written by one clock to the days of a person at home.

    All times are whole seconds since 1970: ``wall`` as the stamp shows it, ``instant`` in UTC.

    Parameters
    ----------
    written : tzinfo
        The clock that the stamps were written by.
    home : tzinfo
        Where the person lives.
    """

    def __init__(self, written: tzinfo, home: tzinfo) -> None:
        self.written = written
        self.home = home
        self._written: dict[tuple[int, bool], int] = {}
        self._home: dict[int, int] = {}

    def instant(self, wall: int, *, again: bool = False) -> int:
        """The instant of a stamp; `again` for the second of two that show the same.

        A clock that is put back shows an hour twice. One that is put forward skips an hour; a
        stamp in it is taken to be by the old offset.
        """
        key = (wall // _QUARTER, again)
        offset = self._written.get(key)
        if offset is None:
            quarter = _EPOCH + timedelta(seconds=key[0] * _QUARTER)
            offset = _seconds(quarter.replace(tzinfo=self.written, fold=again).utcoffset())
            self._written[key] = offset
        return wall - offset

    def at_home(self, instant: int) -> int:
        """What the clock at home showed."""
        quarter = instant // _QUARTER
        offset = self._home.get(quarter)
        if offset is None:
            _possible(instant)
            there = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(self.home)
            offset = self._home[quarter] = _seconds(there.utcoffset())
        return instant + offset

    def day(self, instant: int) -> date:
        """The day at home."""
        return day_of(self.at_home(instant))


def wall(stamp: datetime) -> int:
    """What the stamp shows, whatever its offset."""
    return int((stamp.replace(tzinfo=None) - _EPOCH).total_seconds())


def day_of(shown: int) -> date:
    """The day that a clock shows at the second `shown`; ValueError if it is far off."""
    _possible(shown)
    return date.fromordinal(_EPOCH.toordinal() + shown // _DAY)


def _possible(seconds: int) -> None:
    if not 0 <= seconds < _END:
        raise ValueError(f"{seconds} seconds since 1970 are not a time that a device can tell of")


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset is not None else 0
