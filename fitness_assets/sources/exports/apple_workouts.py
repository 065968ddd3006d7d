"""The workouts of an Apple Health export, and the units of its quantities."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fitness_assets.record.activities import activity
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.stamps import StampClock

#: Factors to kcal, km, minutes and 1/min.
ENERGY = {"kcal": 1.0, "Cal": 1.0, "kJ": 1 / 4.184, "cal": 0.001, "J": 0.001 / 4.184}
LENGTH = {"km": 1.0, "m": 0.001, "mi": 1.609344, "ft": 0.0003048, "yd": 0.0009144}
TIME = {"min": 1.0, "s": 1 / 60, "hr": 60.0}
RATE = {"count/min": 1.0, "count/s": 60.0}
#: The elements of a workout that state its distance, energy and heart rate.
STATISTICS = "WorkoutStatistics"
#: Of one workout: a dozen types, of the whole and of its parts.
MAX_STATISTICS = 200

_ACTIVITY = "HKWorkoutActivityType"
_QUANTITY = "HKQuantityTypeIdentifier"
_DISTANCE = f"{_QUANTITY}Distance"

_Attributes = Mapping[str, str]


def workout_of(
    attributes: _Attributes, statistics: Sequence[_Attributes], clock: StampClock
) -> Workout:
    """The workout of an element.

    Parameters
    ----------
    attributes : mapping
        Of the element. Exports before iOS 16 have distance and energy here.
    statistics : sequence of mapping
        Of its elements `STATISTICS`. Parts of a workout may have some too: of one type, that of the
        longest time is used.
    clock : StampClock

    Raises
    ------
    KeyError
        If it has no start or type.
    ValueError
        If a value is not a number or not a timestamp.
    """
    start = clock.moment(attributes["startDate"])
    length = parsing.parse_amount(attributes.get("duration")) or 0.0
    values = {
        "distance_km": _amount(attributes, "totalDistance", "totalDistanceUnit", LENGTH),
        "calories_burned": _amount(
            attributes, "totalEnergyBurned", "totalEnergyBurnedUnit", ENERGY
        ),
    }
    whole = _of_whole(statistics, clock)
    # A triathlon has distances of several types.
    distances = [
        _amount(each, "sum", "unit", LENGTH) or 0.0
        for kind, each in whole.items()
        if kind.startswith(_DISTANCE)
    ]
    energy = whole.get(f"{_QUANTITY}ActiveEnergyBurned", {})
    rate = whole.get(f"{_QUANTITY}HeartRate", {})
    known = {
        "distance_km": sum(distances),
        "calories_burned": _amount(energy, "sum", "unit", ENERGY),
        "heart_rate_avg": _amount(rate, "average", "unit", RATE),
        "heart_rate_max": _amount(rate, "maximum", "unit", RATE),
    }
    values |= {name: value for name, value in known.items() if value}
    return Workout(
        start=datetime.fromtimestamp(start.instant, UTC),
        local_start=start.local,
        activity=activity(attributes["workoutActivityType"].removeprefix(_ACTIVITY)),
        minutes=length * TIME.get(attributes.get("durationUnit", "min"), 1.0),
        **values,
    )


def _of_whole(statistics: Sequence[_Attributes], clock: StampClock) -> dict[str, Mapping[str, Any]]:
    """The statistics by type, of several those of the longest time."""
    longest: dict[str, tuple[float, _Attributes]] = {}
    for each in statistics:
        start, end = (clock.moment(each[name]).instant for name in ("startDate", "endDate"))
        found = (end - start, each)
        known = longest.get(each["type"], found)
        longest[each["type"]] = max(found, known, key=lambda pair: pair[0])
    return {kind: each for kind, (_, each) in longest.items()}


def _amount(
    attributes: _Attributes, name: str, unit_name: str, units: Mapping[str, float]
) -> float | None:
    """An amount in the unit of its column; None if it is missing.

    Raises
    ------
    ValueError
        If it is not a number, or its unit is not known.
    """
    value = parsing.parse_amount(attributes.get(name))
    if value is None:
        return None
    unit = attributes.get(unit_name, "")
    if unit not in units:
        raise ValueError(f"a workout with {name} in {unit}: the unit is not supported")
    return value * units[unit]
