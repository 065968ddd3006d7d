"""Workouts of the synthetic cohort: the exercise of a day, as the devices of some users record it.

The device of a user records the exercise of each day on which it is worn. Some users start an app
of their phone as well, which knows other values, starts later and does not count pauses. Both rows
are one workout, and the truth has it once. Constants that were measured name their source. The
others are assumptions.

The streams of random numbers have names of their own, as those of `sensors`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fitness_assets import months
from fitness_assets.history.training_load import max_heart_rate
from fitness_assets.record.workouts import KNOWN, NUMBERS, SCHEMA
from fitness_assets.sources.cohort.behaviour import WEEKEND, CohortUsers, UserDays
from fitness_assets.sources.cohort.population import (
    ACTIVITIES,
    APP,
    METS,
    ON_FOOT,
    SENSORS,
    SPEED,
)
from fitness_assets.sources.cohort.random_streams import RandomStreams
from fitness_assets.sources.cohort.sensors import SensedDays

# Hours at which people begin on working days, before or after work, and on days of the weekend.
_MORNING, _EVENING, _MORNING_SHARE, _WEEKEND_HOUR = 7.0, 17.5, 0.3, 10.0
_CHRONOTYPE_HOURS, _DAY_SD_HOUR = 0.5, 0.8
# Nobody begins within so many hours of waking, and most end before midnight.
_AFTER_WAKING, _LATEST_END = 0.25, 23.5
# Clocks are so many hours ahead of UTC, as in Western Europe.
_ZONES = 3

# The mean heart rate varies by so many beats between workouts. The greatest one is so much of what
# is left to the greatest possible above the mean.
_SD_HEART_RATE, _LEAST_PEAK, _MORE_PEAK = 4.0, 0.15, 0.3

# Distances by satellite are off by 3.2 % to 6.1 % on average (Gilgen-Ammann et al., JMIR mHealth
# uHealth 8:e17118, 2020), which is 0.8 standard deviations.
_SD_DISTANCE = 0.05
# Heart rates are off by 2 % to 6 %, and the energy of any device by at least 27 % (Shcherbina et
# al., J Pers Med 7:3, 2017; medians). The error of the energy is that of the device and the user;
# its size is below the published one, since the days of the cohort have no such error.
_SD_MEASURED_HEART_RATE, _SD_ENERGY = 0.02, 0.15
# Devices begin and end up to so many minutes off, and an app is started so much later, but by no
# more than a share of the workout. It does not count pauses, which are a share of it too.
_MINUTES_OFF, _APP_LATER, _MOST_OFF, _PAUSES = 1.0, 2.0, 0.1, 0.15
_HOUR, _SECOND = 3_600_000_000, 1_000_000  # in microseconds

#: One row per workout; the columns of `record.workouts` without ``source`` and ``ingested_at``.
_TRUE = pa.schema([field for field in SCHEMA if field.name not in {"source", "ingested_at"}])


@dataclass(frozen=True)
class TrueWorkouts:
    """The exercise of the users whose devices record workouts, as arrays of shape (workouts,).

    Attributes
    ----------
    month : str
    user_id : ndarray of str
    user, day : ndarray of int
        Index of the user, and of the day of the month.
    recorder : ndarray of int
        Position of the user among those whose devices record workouts.
    sensors : ndarray of int
        Index into SENSORS of the user.
    zone : ndarray
        Microseconds by which the user's clock is ahead of UTC.
    local_start : ndarray of int
        Microseconds, on the user's clock.
    activity : ndarray of int
        Index into ACTIVITIES.
    values : mapping of str to ndarray
        ``minutes`` and the numbers of `record.workouts.KNOWN`; NaN where there is none.
    has_app : ndarray of bool
        Whether the user uses the app.
    """

    month: str
    user_id: np.ndarray
    user: np.ndarray
    day: np.ndarray
    recorder: np.ndarray
    sensors: np.ndarray
    zone: np.ndarray
    local_start: np.ndarray
    activity: np.ndarray
    values: Mapping[str, np.ndarray]
    has_app: np.ndarray

    def table(self) -> pa.Table:
        """One row per workout, by user and day, whether it was recorded or not."""
        return _rows(self, self.values, KNOWN)


def recorders(sensors: np.ndarray) -> np.ndarray:
    """The positions of the users who record workouts, by the index into SENSORS of each user."""
    return np.flatnonzero(np.array([bool(each.workouts) for each in SENSORS])[sensors])


def simulate(
    users: CohortUsers, days: UserDays, sensed: SensedDays, month: str, streams: RandomStreams
) -> TrueWorkouts:
    """Simulate when the exercise of `days` took place, and what a perfect device would measure.

    Parameters
    ----------
    users : CohortUsers
    days : UserDays
    sensed : SensedDays
        Of the same days.
    month : str
    streams : RandomStreams
    """
    index = recorders(sensed.sensors)
    shape = (len(index), days.steps.shape[1])

    def normal(name: str) -> np.ndarray:
        return streams.normal(f"workouts {name} {month}", shape)

    def of_user(name: str) -> np.ndarray:
        return streams.uniform(f"person workouts {name}", (len(index),))

    dates = months.days(month)
    weekend = np.array([each.weekday() in WEEKEND for each in dates])
    usual = np.where(of_user("hour") < _MORNING_SHARE, _MORNING, _EVENING)[:, None]
    hour = np.where(weekend, _WEEKEND_HOUR, usual) + _DAY_SD_HOUR * normal("hour")
    hour = hour + _CHRONOTYPE_HOURS * users.chronotype[index][:, None]
    midnight = np.array(dates, "datetime64[us]").astype(np.int64)
    minutes = days.exercise_minutes[index]
    waking = sensed.columns["sleep_end"][np.searchsorted(sensed.users, index)] - midnight
    hour = np.maximum(np.minimum(hour, _LATEST_END - minutes / 60), waking / _HOUR + _AFTER_WAKING)

    at = np.nonzero(days.has_exercise[index])
    recorder, day = at
    user = index[recorder]
    activity, minutes = days.activity[user, day], minutes[at]
    effort = np.clip((METS[activity] - 1) / 11, 0, 0.85)
    resting, greatest = days.resting_heart_rate[user, day], max_heart_rate(users.age[user])
    mean = resting + (greatest - resting) * effort + _SD_HEART_RATE * normal("heart rate")[at]
    mean = np.clip(mean, resting, greatest)
    peak = _LEAST_PEAK + _MORE_PEAK * streams.uniform(f"workouts peak {month}", shape)[at]
    walked = (days.steps - days.everyday_steps)[user, day] * users.step_length_km[user]
    values = {
        "minutes": minutes,
        "distance_km": np.where(ON_FOOT[activity], walked, SPEED[activity] * minutes / 60),
        # A MET is 1 kcal per kg and hour.
        "calories_burned": METS[activity] * users.weight_kg[user] * minutes / 60,
        "heart_rate_avg": mean,
        "heart_rate_max": mean + peak * (greatest - mean),
    }
    return TrueWorkouts(
        month=month,
        user_id=users.user_id[user],
        user=user,
        day=day,
        recorder=recorder,
        sensors=sensed.sensors[user],
        zone=np.floor(_ZONES * of_user("zone")).astype(np.int64)[recorder] * _HOUR,
        local_start=midnight[day] + _microseconds(60 * hour[at]),
        activity=activity,
        values=values,
        has_app=(of_user("app") < APP.share)[recorder],
    )


def recorded(
    true: TrueWorkouts, worn: np.ndarray, delivered: np.ndarray, streams: RandomStreams
) -> Iterator[pa.RecordBatch]:
    """What the devices and the app recorded of the workouts `true`.

    Parameters
    ----------
    true : TrueWorkouts
    worn : ndarray of bool, shape (users, days)
        Whether the device was worn.
    delivered : ndarray of int, shape (users, days)
        When the device delivers the days, in microseconds. The app delivers at the end of a
        workout.
    streams : RandomStreams

    Yields
    ------
    RecordBatch
        With the schema of `record.workouts`.
    """
    at = (true.recorder, true.day)
    shape = (true.recorder.max(initial=-1) + 1, worn.shape[1])

    def uniform(name: str) -> np.ndarray:
        values: np.ndarray = streams.uniform(f"workouts {name} {true.month}", shape)[at]
        return values

    def normal(name: str) -> np.ndarray:
        values: np.ndarray = streams.normal(f"workouts {name} {true.month}", shape)[at]
        return values

    def measured(name: str) -> dict[str, np.ndarray]:
        """The workouts as the recorder `name` measures them, with an error in its start."""
        energy = streams.normal(f"person workouts {name} energy", shape[:1])[true.recorder]
        most = np.minimum(_MINUTES_OFF, _MOST_OFF * true.values["minutes"])
        start, end = (most * (2 * uniform(f"{name} {of}") - 1) for of in ("start", "end"))
        beats = np.exp(_SD_MEASURED_HEART_RATE * normal(f"{name} heart rate"))
        return {
            "start": start,
            "minutes": true.values["minutes"] + end - start,
            "distance_km": true.values["distance_km"]
            * np.exp(_SD_DISTANCE * normal(f"{name} distance")),
            "calories_burned": true.values["calories_burned"] * np.exp(_SD_ENERGY * energy),
            "heart_rate_avg": true.values["heart_rate_avg"] * beats,
            "heart_rate_max": true.values["heart_rate_max"] * beats,
        }

    is_worn, when = worn[true.user, true.day], delivered[true.user, true.day]
    for number in np.unique(true.sensors):
        each = SENSORS[number]
        rows = _rows(true, measured(each.name), each.workouts)
        yield from _delivered(rows, each.name, when, is_worn & (true.sensors == number))
    values = measured(APP.name)
    length = values["minutes"]
    later = np.minimum(_APP_LATER, _MOST_OFF * length) * uniform("app later")
    values["start"] = values["start"] + later
    values["minutes"] = (length - later) * (1 - _PAUSES * uniform("app pauses"))
    rows = _rows(true, values, APP.workouts)
    ends = rows["start"].cast(pa.int64()).to_numpy() + _microseconds(length)
    started = true.has_app & (uniform("app started") < APP.recorded)
    yield from _delivered(rows, APP.name, ends, started)


def _rows(true: TrueWorkouts, values: Mapping[str, np.ndarray], known: Collection[str]) -> pa.Table:
    """Rows of the columns `known`; ``start`` of `values` is minutes after the true start."""
    local = true.local_start + _microseconds(values.get("start", np.zeros(len(true.user))))
    columns = {
        "user_id": pa.array(true.user_id),
        "start": pa.array(local - true.zone),
        "local_start": pa.array(local),
        "activity": pa.array(ACTIVITIES).take(pa.array(true.activity)),
        "minutes": pa.array(np.round(values["minutes"], 1)),
    } | {
        name: pa.array(np.round(values[name], NUMBERS[name].decimals), from_pandas=True)
        for name in KNOWN
        if name in NUMBERS
    }
    kept = {"user_id", "start", "local_start", "minutes", *known}
    arrays = [
        (columns[field.name] if field.name in kept else pa.nulls(len(local))).cast(field.type)
        for field in _TRUE
    ]
    return pa.table(arrays, schema=_TRUE)


def _delivered(
    rows: pa.Table, source: str, when: np.ndarray, kept: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """Those of `rows` that are `kept`, of `source`, delivered at `when` in microseconds."""
    columns = [pa.repeat(source, len(rows)), pa.array(when)]
    for column, name in zip(columns, ("source", "ingested_at"), strict=True):
        field = SCHEMA.field(name)
        rows = rows.append_column(field, column.cast(field.type))
    yield from rows.filter(pa.array(kept)).to_batches()


def _microseconds(minutes: np.ndarray) -> np.ndarray:
    """`minutes`, rounded to whole seconds."""
    rounded: np.ndarray = np.round(60 * minutes).astype(np.int64) * _SECOND
    return rounded
