"""The population that the synthetic cohort is sampled from: activities, personas and devices.

Constants that were measured name their source. The others are assumptions, chosen so that users
differ in plausible ways.
"""

from dataclasses import dataclass

import numpy as np

from fitness_assets.record.workouts import KNOWN

ACTIVITIES = ("walking", "running", "cycling", "swimming", "yoga", "gym_workout", "hiking")

#: Energy cost in METs (multiples of the resting rate), in the order of ACTIVITIES: codes 17190,
#: 12050, 01015, 18240, 02150, 02062 and 17080 of the 2011 Compendium of Physical Activities
#: (Ainsworth et al., Med Sci Sports Exerc 43:1575).
METS = np.array([3.5, 9.8, 7.5, 5.8, 2.5, 5.0, 6.0])
#: Steps per minute that a wrist device counts, in the order of ACTIVITIES. Walking at a moderate
#: pace is 100 or more (Tudor-Locke et al., Br J Sports Med 52:776, 2018). The others are assumed.
CADENCE = np.array([105.0, 160.0, 15.0, 10.0, 12.0, 35.0, 95.0])
#: Which of ACTIVITIES are on foot: their distance is that of their steps.
ON_FOOT = np.array([True, True, False, False, False, False, True])
#: Kilometres per hour of the others, in the order of ACTIVITIES; NaN without a distance. Assumed.
SPEED = np.array([np.nan, np.nan, 18.0, 2.0, np.nan, np.nan, np.nan])


@dataclass(frozen=True)
class Persona:
    """A group of users with similar habits.

    Attributes
    ----------
    name : str
    share : float
        Fraction of the population.
    base_steps : float
        Median steps of a day without those of exercise. Below 5,000 counts as sedentary and 10,000
        as active (Tudor-Locke and Bassett, Sports Med 34:1, 2004).
    exercise : tuple of float
        Probability of exercise on a weekday, and on a day of the weekend.
    exercise_minutes : float
        Median duration of exercise.
    habits : tuple of float
        Relative weight of each of ACTIVITIES.
    fitness : float
        Beats per minute by which the resting heart rate is below that of an untrained person.
    sleep_hours : float
        Mean hours asleep.
    """

    name: str
    share: float
    base_steps: float
    exercise: tuple[float, float]
    exercise_minutes: float
    habits: tuple[float, ...]
    fitness: float
    sleep_hours: float


PERSONAS = (
    Persona("desk_worker", 0.30, 3_600, (0.20, 0.30), 30, (6, 0.3, 0.5, 0.3, 1, 0.5, 0.5), 0, 6.6),
    Persona("walker", 0.25, 7_800, (0.65, 0.70), 50, (8, 0.2, 0.5, 0.3, 1, 0.2, 2), 4, 7.2),
    Persona("runner", 0.15, 6_200, (0.70, 0.80), 55, (1, 8, 1, 0.5, 1, 1, 0.5), 12, 7.5),
    Persona("gym_regular", 0.15, 5_200, (0.75, 0.50), 65, (1, 1, 1, 1, 2, 8, 0.3), 8, 7.0),
    Persona("weekender", 0.15, 4_600, (0.15, 0.90), 120, (1, 1, 4, 0.5, 0.2, 0.2, 6), 6, 7.6),
)


@dataclass(frozen=True)
class Device:
    """A type of device and its measurement errors.

    Attributes
    ----------
    name : str
    share : float
        Fraction of the population.
    heart_rate, sleep : bool
        Whether the device measures them.
    counted_share : float
        Median fraction of the steps that the device counts.
    sync_probability : float
        Probability of a sync per day. Pending days are delivered with the next sync.
    sleep_in_minutes, distance_in_metres : float
        Probability per day that the value is delivered in this unit instead of the canonical one.
    """

    name: str
    share: float
    heart_rate: bool
    sleep: bool
    counted_share: float
    sync_probability: float
    sleep_in_minutes: float = 0.0
    distance_in_metres: float = 0.0


#: The phone misses 12 % of the steps because it is not always carried (Amagasa et al., JMIR mHealth
#: uHealth 7:e10418, 2019). A hip clip measures neither heart rate nor sleep. Shares are assumed.
DEVICES = (
    Device("watch", 0.60, True, True, 1.0, 0.98, sleep_in_minutes=0.002),
    Device("band", 0.28, True, True, 0.95, 0.95, distance_in_metres=0.003),
    Device("clip", 0.06, False, False, 1.02, 0.60),
    Device("phone", 0.06, False, False, 0.88, 0.99),
)


@dataclass(frozen=True)
class Sensors:
    """What a device measures in addition.

    Attributes
    ----------
    name : str
    share : float
        Fraction of the users with a device that measures sleep.
    columns : tuple of str
        The optional columns that it measures.
    workouts : tuple of str
        What it knows of a workout, of `record.workouts.KNOWN`; empty if it records none.
    """

    name: str
    share: float
    columns: tuple[str, ...]
    workouts: tuple[str, ...] = ()


_STAGES = ("sleep_deep", "sleep_light", "sleep_rem", "sleep_awake")
_SPAN = ("sleep_start", "sleep_end")
_INTENSITY = ("light_minutes", "moderate_minutes", "vigorous_minutes")

#: As devices on the market: a ring knows the night, and a sports watch the training; Apple's watch
#: has another measure of variability. Shares are assumed, and small: each of these columns takes
#: about as much space as one that everybody has, and times take four times as much.
SENSORS = (
    Sensors("none", 0.935, ()),
    Sensors("ring", 0.02, (*_STAGES, *_SPAN, "hrv_rmssd", "spo2", "respiration_rate")),
    Sensors("sports_watch", 0.02, ("hrv_rmssd", "vo2_max", "floors", *_INTENSITY), KNOWN),
    Sensors(
        "smart_watch",
        0.015,
        (*_STAGES, *_SPAN, "hrv_sdnn", "spo2", "respiration_rate", "vo2_max", "floors"),
        ("activity", "calories_burned", "heart_rate_avg", "heart_rate_max"),
    ),
    Sensors("simple_band", 0.01, _INTENSITY, ("calories_burned", "heart_rate_avg")),
)


@dataclass(frozen=True)
class App:
    """An app of a phone that records workouts in addition to the device.

    Attributes
    ----------
    name : str
    share : float
        Fraction of the users whose device records workouts.
    recorded : float
        Probability that it is started for a workout.
    workouts : tuple of str
        What it knows of a workout.
    """

    name: str
    share: float
    recorded: float
    workouts: tuple[str, ...]


#: Assumed.
APP = App("phone_app", 0.4, 0.85, ("activity", "distance_km", "calories_burned"))
