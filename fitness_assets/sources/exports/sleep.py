"""Nights from intervals of sleep."""

from collections.abc import Iterable
from datetime import date
from enum import Enum
from operator import attrgetter
from typing import NamedTuple

#: Seconds awake that separate two nights; after a shorter gap, the night continues.
NIGHT_GAP = 2 * 3600


class State(Enum):
    """What a device recorded of an interval."""

    ASLEEP = "asleep"
    AWAKE = "awake"
    IN_BED = "in bed"


class Interval(NamedTuple):
    """An interval of one source.

    Attributes
    ----------
    start, end : float
        Seconds since 1970.
    state : State
    day : date
        The local day of the end.
    """

    start: float
    end: float
    state: State
    day: date


def nights(intervals: Iterable[Interval]) -> list[tuple[date, float]]:
    """The day of waking and the hours asleep of each night of one source.

    Intervals may overlap, since some devices write a night and its stages: time counts once. Time
    awake within an interval asleep does not count, since some devices write the whole night as
    asleep and the times awake separately. Time in bed continues a night but does not count.
    """
    found: list[tuple[date, float]] = []
    night: list[Interval] = []
    end_of_night = -float("inf")
    for interval in sorted(intervals, key=attrgetter("start", "end")):
        if night and interval.start - end_of_night > NIGHT_GAP:
            found += _night(night)
            night = []
        night.append(interval)
        end_of_night = max(end_of_night, interval.end)
    return found + _night(night)


def _night(intervals: list[Interval]) -> list[tuple[date, float]]:
    """The day of waking and the hours asleep; empty if there are none."""
    asleep = [each for each in intervals if each.state is State.ASLEEP]
    awake = [each for each in intervals if each.state is State.AWAKE]
    seconds = _union_length(asleep + awake) - _union_length(awake)
    if not asleep or seconds <= 0:
        return []
    return [(max(asleep, key=attrgetter("end", "day")).day, seconds / 3600)]


def _union_length(intervals: list[Interval]) -> float:
    """The length of the union of `intervals`."""
    length = 0.0
    counted_until = -float("inf")
    for interval in sorted(intervals, key=attrgetter("start")):
        if interval.end > counted_until:
            length += interval.end - max(interval.start, counted_until)
            counted_until = interval.end
    return length
