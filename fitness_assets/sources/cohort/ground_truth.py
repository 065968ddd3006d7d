"""What is true of the synthetic cohort, and how much of it can be known.

None of this is in the records that the cohort delivers. It is what tests and benchmarks hold
models and the ETL against.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fitness_assets.sources.cohort import behaviour
from fitness_assets.sources.cohort.behaviour import ACTIVITIES, DEVICES, PERSONAS, Days, People

# Points of the integral over how fast somebody stepped (Gauss-Hermite).
_POINTS = 15


@dataclass(frozen=True)
class Truth:
    """One month of the cohort as it was.

    Attributes
    ----------
    people : Table
        A row a user: ``user_id``, the names of their ``persona`` and ``device``, and their traits.
    days : Table
        A row a user and day, in the columns of the canonical record: what a perfect device that is
        never taken off would deliver. ``ingested_at`` is null.
    best : Table
        A row for each of `days`, with the best that anybody could say:

        ``calories_burned``
            The expected kcal of what was done. What the day's kcal differ from it by is chance, and
            no feature explains it.
        ``activity_type``
            The likeliest activity, told from a perfect device by someone who knows the person's
            traits. No model is right more often, other than by luck.
        ``activity_chance``
            The probability that it is right.
    """

    people: pa.Table
    days: pa.Table
    best: pa.Table

    @classmethod
    def of(cls, people: People, days: Days, clean: pa.Table) -> "Truth":
        """Of what the generator knows; `clean` are the perfect records."""
        likeliest, chance = _recognised(people, days)
        best = pa.table(
            {
                "user_id": clean["user_id"],
                "date": clean["date"],
                "calories_burned": days.calories_expected.ravel(),
                "activity_type": np.array(ACTIVITIES)[likeliest.ravel()],
                "activity_chance": chance.ravel(),
            }
        )
        return cls(_traits(people), clean, best)


def _traits(people: People) -> pa.Table:
    return pa.table(
        {
            "user_id": people.user_id,
            "persona": np.array([each.name for each in PERSONAS])[people.persona],
            "device": np.array([each.name for each in DEVICES])[people.device],
            "chronotype": people.chronotype,
            "steps_counted": people.steps_counted,
            "resting_heart_rate": people.resting_heart_rate,
            "base_steps": people.base_steps,
            "exercise_weekday": people.exercise[:, 0],
            "exercise_weekend": people.exercise[:, 1],
            "minutes": people.minutes,
            "sleep": people.sleep,
            **{f"habit_{name}": people.habits[:, i] for i, name in enumerate(ACTIVITIES)},
        }
    )


def _recognised(people: People, days: Days) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest activity of each day given steps, active and sitting minutes, kcal and pulse.

    A day without exercise is known by its active minutes: they are those of its steps. For one with
    exercise Bayes' rule weighs the person's habits by how likely each activity makes the readings.
    Everyday steps and minutes of exercise are not read but follow from steps and active minutes
    once the cadence is given, so that one integral is left, over the cadence. That exercise ends
    at 300 minutes is left out of account.

    Returns
    -------
    ndarray of int, ndarray
        Index into ACTIVITIES and its probability, each of shape (users, days).
    """
    at = np.nonzero(days.exercises)
    shares = np.stack([_likelihood(people, days, at, i) for i in range(len(ACTIVITIES))], axis=1)
    shares *= people.habits[at[0]]
    likeliest, chance = np.zeros(days.steps.shape, int), np.ones(days.steps.shape)
    likeliest[at] = shares.argmax(axis=1)
    chance[at] = shares.max(axis=1) / shares.sum(axis=1)
    return likeliest, chance


def _likelihood(
    people: People, days: Days, at: tuple[np.ndarray, ...], activity: int
) -> np.ndarray:
    """How likely the readings of the days `at` are under an activity, up to a factor of the day."""
    who, mets = at[0], behaviour.METS[activity]
    steps, active, resting = days.steps[at], days.active_minutes[at], days.resting[at]
    total = np.zeros(len(who))
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
    for point, weight in zip(points, weights, strict=True):
        cadence = behaviour.CADENCE[activity] * np.exp(behaviour.DAYS_CADENCE * point)
        # steps = everyday + cadence * minutes, and active = minutes + everyday / 400
        slope = 1 - cadence / behaviour.STEPS_PER_ACTIVE_MINUTE
        everyday = (steps - cadence * active) / slope
        minutes = active - everyday / behaviour.STEPS_PER_ACTIVE_MINUTE
        possible = (everyday > 0) & (minutes > 0)
        everyday, minutes = np.maximum(everyday, 1e-3), np.maximum(minutes, 1e-3)
        kcal = behaviour.energy(people, who, everyday, minutes, mets)
        load = behaviour.load(everyday, minutes, mets)
        pulse = behaviour.mean_heart_rate(people.age[who], resting, load)
        idle = behaviour.idle(everyday, active, days.sleep[at])
        log = (
            _normal(np.log(everyday / days.usual_steps[at]), behaviour.DAYS_STEPS)
            + _normal(np.log(minutes / people.minutes[who]), behaviour.DAYS_MINUTES)
            + _normal(np.log(days.calories[at] / kcal), behaviour.DAYS_CALORIES)
            + _normal(days.heart_rate[at] - pulse, behaviour.DAYS_HEART_RATE)
            + _normal(days.sedentary_minutes[at] - idle, behaviour.DAYS_SEDENTARY)
            - np.log(everyday * minutes * abs(slope))
        )
        total += weight * np.where(possible, np.exp(log), 0)
    # Where no activity is possible at any point, the person's habits are all that is left.
    return total + np.finfo(float).tiny


def _normal(deviation: np.ndarray, spread: float) -> np.ndarray:
    """The log density, up to a constant."""
    logs: np.ndarray = -0.5 * (deviation / spread) ** 2
    return logs
