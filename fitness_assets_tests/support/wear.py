"""Days on which a device was worn and not worn."""

from typing import Any

#: Values of records, by name: "worn", "not worn", or "energy" for a day of energy alone, which does
#: not count as worn but is kept.
DAYS_OF_WEAR: dict[str, dict[str, Any]] = {
    "worn, active": {"steps": 9000, "calories_burned": 2500.0},
    "worn, steps without energy": {"steps": 9000},
    "worn, for an hour": {"steps": 12, "sedentary_minutes": 1428, "calories_burned": 1500.0},
    "worn, quiet with heart rate": {"steps": 0, "heart_rate_avg": 55.0, "calories_burned": 1600.0},
    "worn, quiet and wholly sedentary": {
        "steps": 0,
        "sedentary_minutes": 1440,
        "heart_rate_avg": 55.0,
    },
    "worn, in bed": {"steps": 0, "sedentary_minutes": 700, "calories_burned": 1500.0},
    "worn, at night": {"steps": 0, "sleep_hours": 7.5, "calories_burned": 1500.0},
    "worn, sleep only": {"sleep_hours": 7.5},
    "worn, resting heart rate only": {"resting_heart_rate": 60.0},
    "worn, wheelchair": {"steps": 0, "distance_km": 2.5},
    "worn, strength training": {"steps": 0, "active_minutes": 40, "sedentary_minutes": 1400},
    "worn, active energy": {
        "steps": 0,
        "calories_burned": 320.0,
        "calories_kind": "active",
    },
    "not worn": {
        "steps": 0,
        "distance_km": 0.0,
        "calories_burned": 1347.0,
        "calories_kind": "total",
        "active_minutes": 0,
        "sedentary_minutes": 1440,
    },
    "not worn, without minutes": {"steps": 0, "calories_burned": 1347.0},
    "not worn, without steps": {"sedentary_minutes": 1440, "calories_burned": 1347.0},
    "not worn, a night entered by hand": {
        "steps": 0,
        "sedentary_minutes": 1440,
        "sleep_hours": 8.0,
        "resting_heart_rate": 60.0,
    },
    "not worn, no active energy": {
        "steps": 0,
        "calories_burned": 0.0,
        "calories_kind": "active",
    },
    "not worn, weighed": {"weight_kg": 70.0},
    "not worn, nothing known": {},
    "energy alone": {"calories_burned": 1347.0, "calories_kind": "total"},
}
