"""The names that devices give to activities, and ours."""

import re

_OURS = {
    "walking": "walk, casual_walking, speed_walking, treadmill_walking, indoor_walking",
    "running": "run, jogging, treadmill, treadmill_running, street_running, track_running, "
    "trail_running, indoor_running, virtual_run",
    "cycling": "bike, biking, outdoor_bike, road_biking, mountain_biking, indoor_cycling, "
    "stationary_biking, spinning, virtual_ride, hand_cycling, gravel_cycling",
    "swimming": "swim, lap_swimming, open_water_swimming, pool_swimming",
    "yoga": "power_yoga",
    "gym_workout": "workout, weights, weightlifting, strength_training, core_training, "
    "traditional_strength_training, functional_strength_training, cross_training, "
    "circuit_training, high_intensity_interval_training, hiit, indoor_cardio",
    "hiking": "hike",
}
_OURS_BY_NAME = {name: ours for ours, names in _OURS.items() for name in names.split(", ")}


def activity(name: str) -> str | None:
    """Our name of an activity, else the device's own in lower snake case; None for blank.

    Of several, told as a program prints a list, the first is taken for the main one.
    """
    if name.startswith("["):
        name, *_ = name.strip("[]").split(",")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    snake = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    return _OURS_BY_NAME.get(snake, snake) or None
