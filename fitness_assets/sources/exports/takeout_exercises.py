"""The numbers of an exercise in the old JSON of a Google Takeout's Fitbit files."""

from collections.abc import Mapping
from typing import Any

from fitness_assets.sources.exports import parsing

_KM_PER_UNIT = {
    **dict.fromkeys(("Kilometer", "Kilometers"), 1.0),
    **dict.fromkeys(("Mile", "Miles"), 1.609344),
    **dict.fromkeys(("Meter", "Meters"), 0.001),
}
_NUMBERS = (
    ("calories", "calories_burned", 1.0),
    ("averageHeartRate", "heart_rate_avg", 1.0),
)


def old_workout(log: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a log by column of a workout; a distance in an unknown unit is left out."""
    factor = _KM_PER_UNIT.get(str(log.get("distanceUnit")))
    distance = () if factor is None else (("distance", "distance_km", factor),)
    return parsing.convert_known(log, (*_NUMBERS, *distance))
