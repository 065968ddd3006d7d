"""Nights from intervals of sleep, and the sleep of a day from the nights of several sources."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from operator import attrgetter, itemgetter
from typing import NamedTuple

from fitness_assets.record.raw import SLEEP_SPAN

#: Seconds awake that separate two nights; after a shorter gap, the night continues.
NIGHT_GAP = 2 * 3600

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone
#: The columns of the stages, without the time awake.
_ASLEEP_STAGES = ("sleep_deep", "sleep_light", "sleep_rem")
_AWAKE = "sleep_awake"


@dataclass(frozen=True, kw_only=True)
class Night:
    """A night, or a nap, of one source.

    Attributes
    ----------
    hours : float
        Hours asleep.
    start, end : datetime or None
        On the user's local clock, without a zone.
    stages : mapping
        Minutes by column: ``sleep_deep``, ``sleep_light``, ``sleep_rem`` and ``sleep_awake``.
    """

    hours: float
    start: datetime | None = None
    end: datetime | None = None
    stages: Mapping[str, float] = field(default_factory=dict)

    def columns(self) -> set[str]:
        """The columns of the record to which the night gives values."""
        found = {"sleep_hours", *(SLEEP_SPAN if self.start and self.end else ())}
        return found | without_empty_stages(self.stages).keys()


class State(Enum):
    """What a device recorded of an interval."""

    ASLEEP = "asleep"
    DEEP = "deep"
    LIGHT = "light"
    REM = "REM"
    AWAKE = "awake"
    IN_BED = "in bed"


_STAGE_COLUMNS = {
    State.DEEP: "sleep_deep",
    State.LIGHT: "sleep_light",
    State.REM: "sleep_rem",
}
_ASLEEP = {State.ASLEEP, *_STAGE_COLUMNS}
#: The column of the record that counts the minutes of a state; other states have none.
COLUMN_OF_STATE = {**_STAGE_COLUMNS, State.AWAKE: _AWAKE}


def columns_of(state: State) -> set[str]:
    """The columns of the record to which an interval in `state` can give values."""
    column = COLUMN_OF_STATE.get(state)
    return {"sleep_hours", *SLEEP_SPAN, *([column] if column else [])}


class Interval(NamedTuple):
    """An interval of one source.

    Attributes
    ----------
    start, end : float
        Seconds since 1970.
    state : State
    day : date
        The local day of the end.
    offset : float
        Seconds that local time is ahead of UTC.
    """

    start: float
    end: float
    state: State
    day: date
    offset: float = 0.0

    def local(self, instant: float) -> datetime:
        """`instant` on the local clock, to the second."""
        return _EPOCH + timedelta(seconds=round(instant + self.offset))


def nights(intervals: Iterable[Interval]) -> list[tuple[date, Night]]:
    """The day of waking and each night of one source.

    Intervals may overlap, since some devices write a night and its stages: time counts once. Time
    awake within an interval asleep does not count, since some devices write the whole night as
    asleep and the times awake separately. Time in bed continues a night but does not count.
    """
    found: list[tuple[date, Night]] = []
    night: list[Interval] = []
    end_of_night = -float("inf")
    for interval in sorted(intervals, key=attrgetter("start", "end")):
        if night and interval.start - end_of_night > NIGHT_GAP:
            found += _night(night)
            night = []
        night.append(interval)
        end_of_night = max(end_of_night, interval.end)
    return found + _night(night)


def combined(by_source: Mapping[str, Sequence[Night]]) -> dict[str, float]:
    """The hours of sleep and the stages of a day, from its nights by source."""
    longest = _longest_first(by_source)
    if not longest:
        return {}
    values = {"sleep_hours": _hours(longest[0])}
    for found in longest:
        stages: dict[str, float] = {}
        for night in found:
            for column, minutes in night.stages.items():
                stages[column] = stages.get(column, 0.0) + minutes
        if any(stages.get(column) for column in _ASLEEP_STAGES):
            return values | stages
    return values


def span(by_source: Mapping[str, Sequence[Night]]) -> dict[str, datetime]:
    """The start and the end of the longest night of a day, from its nights by source."""
    for found in _longest_first(by_source):
        known = [night for night in found if night.start and night.end]
        if known:
            night = max(known, key=attrgetter("hours", "start", "end"))
            if night.start and night.end:
                return {"sleep_start": night.start, "sleep_end": night.end}
    return {}


def without_empty_stages(values: Mapping[str, float]) -> dict[str, float]:
    """`values` without the stages of a night if none of them has a minute of sleep.

    Some exports write zeros for stages that were not measured.
    """
    if any(values.get(column) for column in _ASLEEP_STAGES):
        return dict(values)
    return {name: value for name, value in values.items() if name not in {*_ASLEEP_STAGES, _AWAKE}}


def _longest_first(by_source: Mapping[str, Sequence[Night]]) -> list[Sequence[Night]]:
    """The nights of each source that was asleep, the longest sleep first."""
    asleep = [
        (-_hours(found), source, found) for source, found in by_source.items() if _hours(found) > 0
    ]
    return [found for *_, found in sorted(asleep, key=itemgetter(0, 1))]


def _hours(found: Sequence[Night]) -> float:
    return sum(night.hours for night in found)


def _night(intervals: list[Interval]) -> list[tuple[date, Night]]:
    """The day of waking and the night; empty if there is no sleep."""
    asleep = [each for each in intervals if each.state in _ASLEEP]
    awake = [each for each in intervals if each.state is State.AWAKE]
    seconds = _union_length(asleep + awake) - _union_length(awake)
    if not asleep or seconds <= 0:
        return []
    first = min(asleep, key=attrgetter("start"))
    last = max(asleep, key=attrgetter("end", "day"))
    stages = {
        column: _union_length(found) / 60
        for state, column in _STAGE_COLUMNS.items()
        if (found := [each for each in asleep if each.state is state])
    }
    if stages:
        within = [
            each._replace(start=max(each.start, first.start), end=min(each.end, last.end))
            for each in awake
            if each.start < last.end and each.end > first.start
        ]
        stages[_AWAKE] = _union_length(within) / 60
    night = Night(
        hours=seconds / 3600,
        start=first.local(first.start),
        end=last.local(last.end),
        stages=stages,
    )
    return [(last.day, night)]


def _union_length(intervals: list[Interval]) -> float:
    """The length of the union of `intervals`."""
    length = 0.0
    counted_until = -float("inf")
    for interval in sorted(intervals, key=attrgetter("start")):
        if interval.end > counted_until:
            length += interval.end - max(interval.start, counted_until)
            counted_until = interval.end
    return length
