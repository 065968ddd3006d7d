"""What Garmin's Health API pushes: days, nights, activities and quarters of an hour, as JSON.

Each row carries its user and its offset from UTC, by which its day is told.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, plausible
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.local_time import day_of
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "garmin_api"
TITLE = "what Garmin's Health API pushes"
PADDED = False

_CLAIM = re.compile(rb'^(\xef\xbb\xbf)?\s*\{\s*"(dailies|sleeps|activities|epochs)"\s*:\s*\[')
_AMOUNTS = (
    ("steps", "steps", 1.0),
    ("distanceInMeters", "distance_km", 0.001),
    ("activeKilocalories", "active_kcal", 1.0),
)
_DAILY = (
    *_AMOUNTS,
    ("bmrKilocalories", "basal_kcal", 1.0),
    ("moderateIntensityDurationInSeconds", "active_minutes", 1 / 60),
    ("vigorousIntensityDurationInSeconds", "active_minutes", 1 / 60),
    ("averageHeartRateInBeatsPerMinute", "heart_rate_avg", 1.0),
    ("restingHeartRateInBeatsPerMinute", "resting_heart_rate", 1.0),
)
_ASLEEP = (
    ("deepSleepDurationInSeconds", "sleep_hours", 1 / 3600),
    ("lightSleepDurationInSeconds", "sleep_hours", 1 / 3600),
    ("remSleepInSeconds", "sleep_hours", 1 / 3600),
)
_KINDS = {"dailies", "sleeps", "activities", "epochs"}


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    return bool(_CLAIM.match(head))


def expects(_name: str) -> bool:
    """It has no names of its own."""
    return False


def gather(
    members: Sequence[Member], days: DayAggregator, _told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`. Of a night or quarter pushed again, the longest counts."""
    parts: dict[tuple[str, str], tuple[float, date, dict[str, float]]] = {}

    def take(kind: str, item: dict[str, Any]) -> None:
        user, length = str(item["userId"]), parsing.number(item.get("durationInSeconds")) or 0.0
        # JSON can spell halves of letters, which no text of ours can hold.
        user.encode()
        if kind == "dailies":
            told = item.get("calendarDate")
            day = _day(item) if told is None else parsing.day(str(told))
            days.state(user, day, parsing.figures(item, _DAILY))
        elif kind == "activities":
            days.exercise(user, _day(item), activity(str(item["activityType"])), length)
        else:
            asleep = kind == "sleeps"
            figures = parsing.figures(item, _ASLEEP if asleep else _AMOUNTS)
            part = (length, _day(item, length if asleep else 0.0), figures)
            key = (user, str(item["summaryId"]))
            parts[key] = max(part, parts.get(key, part), key=lambda one: one[:2])

    def read(member: Member) -> None:
        pushed = parsing.load(member)
        if not isinstance(pushed, dict):
            raise SourceError(f"{member.name} is not an object")
        for kind in pushed.keys() & _KINDS:
            rows = pushed[kind] if isinstance(pushed[kind], list) else []
            found = [(f"{kind} {index}", row) for index, row in enumerate(rows, start=1)]
            parsing.take_each(member, found, partial(take, kind), quarantine)

    each(members, read, quarantine)
    for (user, _), (_, day, figures) in parts.items():
        for metric, amount in figures.items():
            days.add(user, day, metric, amount, NAME)


def _day(item: dict[str, Any], after: float = 0.0) -> date:
    """The day that the person's clock showed, `after` seconds from the start."""
    start, offset = item["startTimeInSeconds"], item.get("startTimeOffsetInSeconds", 0)
    return plausible(day_of(int(start + offset + after)))
