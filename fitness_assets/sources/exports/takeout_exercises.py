"""The exercises of a Google Takeout's Fitbit files, in the newer CSV and the old JSON."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.local_time import Clock, utc
from fitness_assets.sources.exports.takeout_times import local_of, parse_aware, parse_instant

_KM_PER_UNIT = {
    **dict.fromkeys(("Kilometer", "Kilometers"), 1.0),
    **dict.fromkeys(("Mile", "Miles"), 1.609344),
    **dict.fromkeys(("Meter", "Meters"), 0.001),
}
# Numbers of the old JSON.
_OLD = (
    ("calories", "calories_burned", 1.0),
    ("averageHeartRate", "heart_rate_avg", 1.0),
)

# Numbers of an exercise of the newer CSV, first those that the user entered.
_MANUAL_WORKOUT = (
    ("manually_logged_total_distance_mm", "distance_km", 1e-6),
    ("manually_logged_total_calories", "calories_burned", 1.0),
)
_WORKOUT = (
    ("tracker_total_distance_mm", "distance_km", 1e-6),
    ("tracker_total_calories", "calories_burned", 1.0),
    ("tracker_avg_heart_rate", "heart_rate_avg", 1.0),
    ("tracker_peak_heart_rate", "heart_rate_max", 1.0),
)


def workout_of(log: Mapping[str, Any], clock: Clock, zone: ZoneInfo) -> Workout:
    """The workout of an exercise.

    Parameters
    ----------
    log : mapping
        A row of the newer CSV or an object of the old JSON.
    clock : Clock
        Of the times in the old JSON.
    zone : ZoneInfo
        Of the user.

    Raises
    ------
    KeyError
        If its time or its activity is missing.
    ValueError
        If a value is not a time or not a number.
    """
    if "exercise_start" in log:
        start, end = parse_aware(log["exercise_start"]), parse_aware(log["exercise_end"])
        local = local_of(start, (log.get("utc_offset"),), zone)
        minutes = max((end - start).total_seconds(), 0.0) / 60
        values = parsing.convert_known(log, _MANUAL_WORKOUT) | parsing.convert_known(log, _WORKOUT)
    else:
        instant = parse_instant(log["startTime"], clock)
        start, local = utc(instant), utc(clock.to_local(instant)).replace(tzinfo=None)
        duration = log.get("activeDuration", log.get("duration"))
        minutes = (parsing.parse_amount(duration) or 0.0) / 60_000
        values = _old_numbers(log)
    return Workout(
        start=start,
        local_start=local,
        activity=activity(str(log.get("activityName") or log["activity_name"])),
        minutes=minutes,
        **values,
    )


def _old_numbers(log: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a log by column of a workout; a distance in an unknown unit is left out."""
    factor = _KM_PER_UNIT.get(str(log.get("distanceUnit")))
    distance = () if factor is None else (("distance", "distance_km", factor),)
    return parsing.convert_known(log, (*_OLD, *distance))
