"""The canonical names of activities, and the names that devices give to them."""

import re

_ALIASES = {
    "walking": "walk, outdoor_walk, indoor_walk, outdoor_walking, "
    "casual_walking, speed_walking, treadmill_walking, indoor_walking",
    "running": "run, outdoor_run, indoor_run, treadmill_run, outdoor_running, "
    "jogging, treadmill, treadmill_running, street_running, track_running, "
    "trail_running, trail_run, indoor_running, virtual_run",
    "cycling": "bike, biking, outdoor_cycling, outdoor_cycle, indoor_cycle, indoor_bike, "
    "outdoor_bike, road_biking, mountain_biking, indoor_cycling, "
    "stationary_biking, spinning, virtual_ride, hand_cycling, gravel_cycling, ride, gravel_ride, "
    "mountain_bike_ride, e_bike_ride, e_mountain_bike_ride",
    "swimming": "swim, lap_swimming, open_water_swimming, pool_swimming",
    "yoga": "power_yoga",
    "gym_workout": "workout, weights, weightlifting, strength_training, core_training, "
    "traditional_strength_training, functional_strength_training, cross_training, "
    "circuit_training, high_intensity_interval_training, hiit, indoor_cardio, weight_training, "
    "weight_training_workout, crossfit",
    "hiking": "hike",
}
_CANONICAL = {
    alias: canonical for canonical, aliases in _ALIASES.items() for alias in aliases.split(", ")
}


def activity(name: str) -> str | None:
    """Return the canonical name of an activity.

    Parameters
    ----------
    name : str
        The name in a source: in any case, with words separated by anything or in camel case. Of a
        list in brackets, such as ``['Walk', 'Bike']``, the first is the main activity.

    Returns
    -------
    str or None
        In lower snake case; unchanged otherwise if no alias is known. None for a blank name.
    """
    if name.startswith("["):
        name, *_ = name.strip("[]").split(",")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    snake = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    return _CANONICAL.get(snake, snake) or None
