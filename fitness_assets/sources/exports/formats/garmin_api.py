"""JSON pushed by Garmin's Health API: days, nights, activities and epochs of a quarter of an hour.

Each summary carries its user and its offset from UTC, which gives its local day.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import date_of, utc
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.users import UserIds

_HEADER = re.compile(rb'^(\xef\xbb\xbf)?\s*\{\s*"(dailies|sleeps|activities|epochs)"\s*:\s*\[')
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
    ("moderateIntensityDurationInSeconds", "moderate_minutes", 1 / 60),
    ("vigorousIntensityDurationInSeconds", "vigorous_minutes", 1 / 60),
    ("floorsClimbed", "floors", 1.0),
    ("averageHeartRateInBeatsPerMinute", "heart_rate_avg", 1.0),
    ("restingHeartRateInBeatsPerMinute", "resting_heart_rate", 1.0),
)
_WORKOUT = (
    ("distanceInMeters", "distance_km", 0.001),
    ("activeKilocalories", "calories_burned", 1.0),
    ("averageHeartRateInBeatsPerMinute", "heart_rate_avg", 1.0),
    ("maxHeartRateInBeatsPerMinute", "heart_rate_max", 1.0),
)
_SLEEP = (
    ("deepSleepDurationInSeconds", "sleep_hours", 1 / 3600),
    ("lightSleepDurationInSeconds", "sleep_hours", 1 / 3600),
    ("remSleepInSeconds", "sleep_hours", 1 / 3600),
)
_STAGES = (
    ("deepSleepDurationInSeconds", "sleep_deep", 1 / 60),
    ("lightSleepDurationInSeconds", "sleep_light", 1 / 60),
    ("remSleepInSeconds", "sleep_rem", 1 / 60),
    ("awakeDurationInSeconds", "sleep_awake", 1 / 60),
)
_KINDS = {"dailies", "sleeps", "activities", "epochs"}


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON object whose first key is a kind of summary."""
    return bool(_HEADER.match(head))


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`. Of a night or epoch pushed again, the longest is kept."""
    days = DayAggregator(FORMAT.name)
    # By user and summary: the length, the day and the values of a night or an epoch.
    nights: dict[tuple[str, str], tuple[float, date, Night]] = {}
    epochs: dict[tuple[str, str], tuple[float, date, dict[str, float]]] = {}

    users = UserIds(quarantine)

    def process(member: Member, kind: str, item: dict[str, Any]) -> Iterable[str]:
        user = users.read(str(item["userId"]), member.name)
        length = parsing.parse_amount(item.get("durationInSeconds")) or 0.0
        if kind == "dailies":
            calendar_date = item.get("calendarDate")
            day = _day(item) if calendar_date is None else parsing.parse_day(str(calendar_date))
            stated = parsing.convert(item, _DAILY)
            days.add_daily_values(user, day, stated)
            return stated
        if kind == "activities":
            return days.add_workout(
                user,
                Workout(
                    start=utc(item["startTimeInSeconds"]),
                    local_start=_local(item),
                    activity=activity(str(item["activityType"])),
                    minutes=length / 60,
                    **parsing.convert_known(item, _WORKOUT),
                ),
            )
        key = (user, str(item["summaryId"]))
        if kind == "sleeps":
            night = _night(item, length)
            if night is None:
                return ()
            # A night belongs to the day of waking.
            found = (length, _day(item, length), night)
            nights[key] = max(found, nights.get(key, found), key=lambda each: each[:2])
            return night.columns()
        values = parsing.convert(item, _AMOUNTS)
        epoch = (length, _day(item), values)
        epochs[key] = max(epoch, epochs.get(key, epoch), key=lambda each: each[:2])
        return values

    def read_member(member: Member) -> None:
        pushed = parsing.load_json(member)
        if not isinstance(pushed, dict):
            raise SourceError(f"{member.name} is not an object")
        for kind in pushed.keys() & _KINDS:
            summaries = pushed[kind] if isinstance(pushed[kind], list) else []
            placed = [(f"{kind} {index}", each) for index, each in enumerate(summaries, start=1)]
            parsing.process_each(member, placed, partial(process, member, kind), quarantine)

    read_each(members, read_member, quarantine)
    for (user, _), (_, day, night) in nights.items():
        days.add_night(user, day, FORMAT.name, night)
    for (user, _), (_, day, values) in epochs.items():
        for metric, amount in values.items():
            days.add_amount(user, day, metric, amount, FORMAT.name)
    return days.record_batches(quarantine, options.delivered)


def _night(item: dict[str, Any], length: float) -> Night | None:
    """The night of `length` seconds; None without any stage."""
    slept = parsing.convert(item, _SLEEP)
    if not slept:
        return None
    return Night(
        hours=slept["sleep_hours"],
        start=_local(item),
        end=_local(item, length),
        stages=parsing.convert(item, _STAGES),
    )


def _day(item: dict[str, Any], seconds_later: float = 0.0) -> date:
    """The user's local day, `seconds_later` than the start of a summary."""
    return _local(item, seconds_later).date()


def _local(item: dict[str, Any], seconds_later: float = 0.0) -> datetime:
    """The time on the user's clock, `seconds_later` than the start of a summary."""
    start, offset = item["startTimeInSeconds"], item.get("startTimeOffsetInSeconds", 0)
    seconds = int(start + offset + seconds_later)
    check_day(date_of(seconds))
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


FORMAT = Format(
    name="garmin_api",
    title="JSON pushed by Garmin's Health API",
    priority=60,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=True,
    identified_by="JSON object whose first key is `dailies`, `sleeps`, `activities` or `epochs`.",
    dates="`calendarDate`, else `startTimeInSeconds` with its offset from UTC.",
    units="m, kcal and seconds.",
    columns={
        "steps": "`steps` of the day, else the sum of epochs",
        "distance_km": "`distanceInMeters` of the day, else the sum of epochs",
        "calories_burned": "`activeKilocalories` + `bmrKilocalories`, else `activeKilocalories`",
        "calories_kind": "`total`, or `active` without `bmrKilocalories`",
        "heart_rate_avg": "`averageHeartRateInBeatsPerMinute`",
        "resting_heart_rate": "`restingHeartRateInBeatsPerMinute`",
        "sleep_hours": "deep, light and REM sleep, on the day of waking",
        "active_minutes": "`moderateIntensityDurationInSeconds` + "
        "`vigorousIntensityDurationInSeconds`",
        "activity_type": "`activityType` of the longest activity",
        "sleep_deep": "`deepSleepDurationInSeconds`",
        "sleep_light": "`lightSleepDurationInSeconds`",
        "sleep_rem": "`remSleepInSeconds`",
        "sleep_awake": "`awakeDurationInSeconds`",
        "sleep_start": "`startTimeInSeconds` of the longest sleep",
        "sleep_end": "`startTimeInSeconds` + `durationInSeconds`",
        "floors": "`floorsClimbed`",
        "moderate_minutes": "`moderateIntensityDurationInSeconds`",
        "vigorous_minutes": "`vigorousIntensityDurationInSeconds`",
    },
    workouts={
        "activity": "`activityType`",
        "minutes": "`durationInSeconds`",
        "distance_km": "`distanceInMeters`",
        "calories_burned": "`activeKilocalories`",
        "heart_rate_avg": "`averageHeartRateInBeatsPerMinute`",
        "heart_rate_max": "`maxHeartRateInBeatsPerMinute`",
    },
)
