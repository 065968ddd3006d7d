"""The ground truth of the synthetic cohort, and the best predictions that are possible.

The records that the cohort delivers do not contain it. Tests and benchmarks compare models and the
ETL with it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fitness_assets.record.raw import FULL_SCHEMA, SLEEP_SPAN
from fitness_assets.sources.cohort import behaviour
from fitness_assets.sources.cohort.behaviour import CohortUsers, UserDays
from fitness_assets.sources.cohort.population import (
    ACTIVITIES,
    CADENCE,
    DEVICES,
    METS,
    PERSONAS,
    SENSORS,
)
from fitness_assets.sources.cohort.sensors import SensedDays
from fitness_assets.sources.cohort.workouts import TrueWorkouts

# Points of the Gauss-Hermite quadrature over the cadence.
_POINTS = 15


@dataclass(frozen=True)
class GroundTruth:
    """The ground truth of one month.

    Attributes
    ----------
    users : Table
        One row per user: ``user_id``, the names of ``persona`` and ``device``, and the traits.
    days : Table
        One row per user and day, in the columns of the canonical record: what a perfect device
        would deliver that is always worn. ``ingested_at`` is null.
    best : Table
        For each row of `days`, the best possible prediction:

        ``calories_burned``
            The expected kcal. The rest of the day's kcal is random and no feature explains it.
        ``activity_type``
            The most probable activity, given the readings of a perfect device and the user's
            traits (the Bayes classifier). No model has a higher expected accuracy.
        ``activity_probability``
            The probability of that activity.
    sensed : Table
        One row per user with additional sensors and day: ``user_id``, ``date``, the optional
        columns of the record as perfect sensors measure them, whichever the user has, and what the
        variability follows: ``load_ratio``, the training load of the day before as a multiple of
        the user's usual one, and ``sleep_deviation``, the hours slept longer than the user's mean.
        `sensors.LOAD_EFFECT` and `sensors.SLEEP_EFFECT` are the sizes.
    workouts : Table
        One row per exercise of the users whose devices record workouts, in the columns of
        `record.workouts` without ``source`` and ``ingested_at``, as a perfect device would measure
        it. A workout that no device recorded is in it too.
    """

    users: pa.Table
    days: pa.Table
    best: pa.Table
    sensed: pa.Table
    workouts: pa.Table


def ground_truth(
    users: CohortUsers,
    days: UserDays,
    records: pa.Table,
    sensed: SensedDays,
    exercise: TrueWorkouts,
) -> GroundTruth:
    """Build the ground truth of a simulated month.

    Parameters
    ----------
    users : CohortUsers
    days : UserDays
    records : Table
        The records of a perfect device.
    sensed : SensedDays
    exercise : TrueWorkouts
    """
    activity, probability = _most_probable_activity(users, days)
    best = pa.table(
        {
            "user_id": records["user_id"],
            "date": records["date"],
            "calories_burned": days.expected_calories.ravel(),
            "activity_type": np.array(ACTIVITIES)[activity.ravel()],
            "activity_probability": probability.ravel(),
        }
    )
    traits = _traits(users).append_column(
        "sensors", pa.array(np.array([each.name for each in SENSORS])[sensed.sensors])
    )
    return GroundTruth(traits, records, best, _sensed(users, records, sensed), exercise.table())


def _sensed(users: CohortUsers, records: pa.Table, sensed: SensedDays) -> pa.Table:
    count = sensed.load_ratio.shape[1]
    rows = (sensed.users[:, None] * count + np.arange(count)).ravel()
    columns = {
        name: pa.array(values.ravel()).cast(pa.int64()).cast(FULL_SCHEMA.field(name).type)
        if name in SLEEP_SPAN
        else pa.array(values.ravel()).cast(FULL_SCHEMA.field(name).type)
        for name, values in sensed.columns.items()
    }
    return pa.table(
        {
            "user_id": np.repeat(users.user_id[sensed.users], count),
            "date": records["date"].take(rows),
            "load_ratio": sensed.load_ratio.ravel(),
            "sleep_deviation": sensed.sleep_deviation.ravel(),
            **columns,
        }
    )


def _traits(users: CohortUsers) -> pa.Table:
    return pa.table(
        {
            "user_id": users.user_id,
            "persona": np.array([each.name for each in PERSONAS])[users.persona],
            "device": np.array([each.name for each in DEVICES])[users.device],
            "chronotype": users.chronotype,
            "counted_share": users.counted_share,
            "resting_heart_rate": users.resting_heart_rate,
            "base_steps": users.base_steps,
            "exercise_weekday": users.exercise[:, 0],
            "exercise_weekend": users.exercise[:, 1],
            "exercise_minutes": users.exercise_minutes,
            "sleep_hours": users.sleep_hours,
            **{f"habit_{name}": users.habits[:, i] for i, name in enumerate(ACTIVITIES)},
        }
    )


def _most_probable_activity(users: CohortUsers, days: UserDays) -> tuple[np.ndarray, np.ndarray]:
    """The most probable activity given steps, active and sedentary minutes, kcal and heart rate.

    A day without exercise can be recognized with certainty: its active minutes follow from its
    steps. For a day with exercise, Bayes' rule combines the user's habits with the likelihood of
    the readings under each activity. Everyday steps and minutes of exercise are not observed, but
    follow from steps and active minutes once the cadence is given, so that one integral over the
    cadence remains. The limit of 300 minutes of exercise is ignored.

    Returns
    -------
    ndarray of int, ndarray
        Index into ACTIVITIES and its probability, each of shape (users, days).
    """
    index = np.nonzero(days.has_exercise)
    joint = np.stack([_likelihood(users, days, index, i) for i in range(len(ACTIVITIES))], axis=1)
    joint *= users.habits[index[0]]
    activity, probability = np.zeros(days.steps.shape, int), np.ones(days.steps.shape)
    activity[index] = joint.argmax(axis=1)
    probability[index] = joint.max(axis=1) / joint.sum(axis=1)
    return activity, probability


def _likelihood(
    users: CohortUsers, days: UserDays, index: tuple[np.ndarray, ...], activity: int
) -> np.ndarray:
    """Likelihood of the readings of the days at `index` under `activity`, up to a factor a day."""
    user, mets = index[0], METS[activity]
    steps, active = days.steps[index], days.active_minutes[index]
    total = np.zeros(len(user))
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
    for point, weight in zip(points, weights, strict=True):
        cadence = CADENCE[activity] * np.exp(behaviour.DAY_SD_CADENCE * point)
        # Solve steps = everyday + cadence * minutes and active = minutes + everyday / 400.
        slope = 1 - cadence / behaviour.STEPS_PER_ACTIVE_MINUTE
        everyday = (steps - cadence * active) / slope
        minutes = active - everyday / behaviour.STEPS_PER_ACTIVE_MINUTE
        possible = (everyday > 0) & (minutes > 0)
        everyday, minutes = np.maximum(everyday, 1e-3), np.maximum(minutes, 1e-3)
        kcal = behaviour.energy_expenditure(users, user, everyday, minutes, mets)
        load = behaviour.heart_rate_load(everyday, minutes, mets)
        resting = days.resting_heart_rate[index]
        heart_rate = behaviour.mean_heart_rate(users.age[user], resting, load)
        sleep = days.sleep_hours[index]
        sedentary = behaviour.expected_sedentary_minutes(everyday, active, sleep)
        log_density = (
            _gaussian_log_density(
                np.log(everyday / days.median_everyday_steps[index]), behaviour.DAY_SD_STEPS
            )
            + _gaussian_log_density(
                np.log(minutes / users.exercise_minutes[user]), behaviour.DAY_SD_MINUTES
            )
            + _gaussian_log_density(np.log(days.calories[index] / kcal), behaviour.DAY_SD_CALORIES)
            + _gaussian_log_density(
                days.heart_rate[index] - heart_rate, behaviour.DAY_SD_HEART_RATE
            )
            + _gaussian_log_density(
                days.sedentary_minutes[index] - sedentary, behaviour.DAY_SD_SEDENTARY
            )
            - np.log(everyday * minutes * abs(slope))
        )
        total += weight * np.where(possible, np.exp(log_density), 0)
    # Where no activity is possible at any point, only the user's habits decide.
    return total + np.finfo(float).tiny


def _gaussian_log_density(deviation: np.ndarray, sd: float) -> np.ndarray:
    """Logarithm of the normal density, up to a constant."""
    logs: np.ndarray = -0.5 * (deviation / sd) ** 2
    return logs
