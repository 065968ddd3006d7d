"""A synthetic cohort: people with habits, and devices with faults.

People differ by persona and as individuals, and stay themselves from month to month. A record is
what a device would deliver: days it was not worn, readings that are missing, records that are
delivered twice and slips of unit are all in it, for the ETL to deal with.

Any month is generated alone, and a user's records depend on the seed, the user and the month only:
not on how many users there are, nor on what was generated before.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from fitness_assets import months
from fitness_assets.telemetry.schema import SCHEMA, SetAside

ACTIVITIES = ("walking", "running", "cycling", "swimming", "yoga", "gym_workout", "hiking")

#: Energy cost in METs (multiples of resting), in the order of ACTIVITIES, rounded from the 2011
#: Compendium of Physical Activities (Ainsworth et al., Med Sci Sports Exerc 43:1575).
_METS = np.array([3.5, 9.8, 7.5, 6.5, 2.5, 5.0, 6.0])
#: Steps per minute of the activity, as a device at the wrist counts them.
_CADENCE = np.array([105.0, 160.0, 15.0, 10.0, 12.0, 35.0, 95.0])


@dataclass(frozen=True)
class Persona:
    """A way of living that several people share.

    Attributes
    ----------
    share : float
        Part of the population.
    base_steps : float
        Median steps of a day apart from exercise.
    exercise : tuple of float
        Chance of exercise on a weekday, and on a day of the weekend.
    minutes : float
        Median length of exercise.
    habits : tuple of float
        Relative preference for each of ACTIVITIES.
    fitness : float
        Beats per minute by which the resting heart rate lies below that of the untrained.
    sleep : float
        Mean hours asleep.
    """

    name: str
    share: float
    base_steps: float
    exercise: tuple[float, float]
    minutes: float
    habits: tuple[float, ...]
    fitness: float
    sleep: float


PERSONAS = (
    Persona("desk_worker", 0.30, 3_600, (0.20, 0.30), 30, (6, 0.3, 0.5, 0.3, 1, 0.5, 0.5), 0, 6.6),
    Persona("walker", 0.25, 7_800, (0.65, 0.70), 50, (8, 0.2, 0.5, 0.3, 1, 0.2, 2), 4, 7.2),
    Persona("runner", 0.15, 6_200, (0.70, 0.80), 55, (1, 8, 1, 0.5, 1, 1, 0.5), 12, 7.5),
    Persona("gym_regular", 0.15, 5_200, (0.75, 0.50), 65, (1, 1, 1, 1, 2, 8, 0.3), 8, 7.0),
    Persona("weekender", 0.15, 4_600, (0.15, 0.90), 120, (1, 1, 4, 0.5, 0.2, 0.2, 6), 6, 7.6),
)

#: Length of a walking step as a share of body height.
_STEP_LENGTH = 0.414
_CM_PER_KM = 100_000

_WEEKEND = (5, 6)
_MALE_SHARE = 0.5

# Chance per day of what goes wrong between a person and the platform.
_NOT_WORN = 0.04
_NO_SLEEP_READING = 0.05
_DELIVERED_TWICE = 0.01
_SLEEP_IN_MINUTES = 0.002
_ROWS_PER_BATCH = 131_072


class Cohort:
    """The synthetic source.

    Parameters
    ----------
    users : int
        Number of people. A larger cohort begins with the people of a smaller one.
    seed : int
        Another seed gives other people.
    """

    def __init__(self, users: int, seed: int) -> None:
        self._users = users
        self._seed = seed

    def check(self) -> None:
        """A cohort can always be read."""

    def version(self, month: str) -> None:
        """Not known without reading."""

    def read(
        self,
        month: str,
        set_aside: SetAside | None = None,  # noqa: ARG002 - there is no file to set aside
        /,
    ) -> Iterator[pa.RecordBatch]:
        """The records of `month`, by user and day; redeliveries come last."""
        people = self._people()
        days = months.days(month)
        shape = (self._users, len(days))

        def uniform(what: str) -> np.ndarray:
            return self._uniform(f"{what} {month}", shape)

        def normal(what: str) -> np.ndarray:
            return _normal(uniform(what))

        weekend = np.array([day.weekday() in _WEEKEND for day in days])
        # People walk more in early summer and less in midwinter.
        season = np.array(
            [1 + 0.12 * np.cos(2 * np.pi * (_day_of_year(d) - 172) / 365.25) for d in days]
        )

        chance = np.where(weekend, people.exercise[:, 1:], people.exercise[:, :1])
        exercises = uniform("exercises") < chance
        # Without exercise the day's main activity is walking about.
        preference = uniform("activity")[..., None] > people.habits.cumsum(axis=1)[:, None, :-1]
        activity = np.where(exercises, preference.sum(axis=2), 0)
        minutes = exercises * people.minutes[:, None] * np.exp(0.35 * normal("minutes"))
        minutes = np.minimum(minutes, 300)

        everyday = people.base_steps[:, None] * season * np.exp(0.30 * normal("everyday steps"))
        steps = everyday + minutes * _CADENCE[activity] * np.exp(0.08 * normal("cadence"))
        stride_km = people.height_cm[:, None] * _STEP_LENGTH / _CM_PER_KM
        distance = steps * stride_km

        # Basal rate, Mifflin-St Jeor (Am J Clin Nutr 51:241, 1990); everyday movement by net cost
        # of walking, 0.5 kcal per kg and km; exercise by METs above rest, 1 kcal per kg and hour.
        weight = people.weight_kg[:, None]
        basal = (
            10 * weight
            + 6.25 * people.height_cm[:, None]
            - 5 * people.age[:, None]
            + np.where(people.male, 5, -161)[:, None]
        )
        exercise_kcal = (_METS[activity] - 1) * weight * minutes / 60
        calories = basal * 1.15 + 0.5 * weight * everyday * stride_km + exercise_kcal
        calories *= np.exp(0.03 * normal("calories"))

        # Mean over the waking day: rest, a share of the reserve for being up, and the exercise.
        resting = people.resting_heart_rate[:, None] + 1.5 * normal("resting heart rate")
        reserve = 208 - 0.7 * people.age[:, None] - resting  # Tanaka et al., JACC 37:153, 2001
        effort = np.clip((_METS[activity] - 1) / 11, 0, 0.85)
        waking = 960.0
        load = 0.16 + 0.8 * effort * minutes / waking + 0.02 * (everyday / 8_000)
        heart_rate = resting + reserve * load + 1.5 * normal("heart rate")

        sleep = people.sleep[:, None] + 0.5 * weekend + 0.75 * normal("sleep")
        sleep = np.clip(sleep, 2.5, 12.0)
        slipped = uniform("sleep in minutes") < _SLEEP_IN_MINUTES
        no_sleep = uniform("no sleep reading") < _NO_SLEEP_READING
        brisk = np.where(exercises, minutes, 0) + everyday / 400
        sedentary = np.clip(1440 - 60 * sleep - brisk - everyday / 45, 120, None)

        worn = uniform("not worn") >= _NOT_WORN
        record = _Columns(self._users, days)
        record.add("steps", np.round(steps), worn)
        record.add("distance_km", np.round(distance, 2), worn)
        record.add("calories_burned", np.round(calories, 0), worn)
        record.add("heart_rate_avg", np.round(heart_rate, 1), worn)
        record.add("resting_heart_rate", np.round(resting, 0), worn)
        record.add("sleep_hours", np.round(sleep * np.where(slipped, 60, 1), 2), worn & ~no_sleep)
        record.add("active_minutes", np.round(brisk), worn)
        record.add("sedentary_minutes", np.round(sedentary), worn)
        record.add("activity_type", np.array(ACTIVITIES)[activity], worn)
        records = record.table(people, delivered_after=timedelta(days=1, hours=3))

        # A second, later delivery of the same day, with the same readings.
        twice = np.flatnonzero((uniform("delivered twice") < _DELIVERED_TWICE).ravel())
        later = record.table(people, delivered_after=timedelta(days=1, hours=9)).take(twice)
        yield from pa.concat_tables([records, later]).to_batches(max_chunksize=_ROWS_PER_BATCH)

    def _uniform(self, what: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draws in (0, 1) of a stream of their own, the same for a user however many there are."""
        digest = hashlib.blake2b(f"{self._seed} {what}".encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest)))
        # One draw a value, users first, so that more users only lengthen the stream.
        return np.clip(generator.random(shape), 1e-12, 1 - 1e-12)

    def _people(self) -> "_People":
        n = self._users

        def normal(what: str) -> np.ndarray:
            return _normal(self._uniform(f"person {what}", (n,)))

        shares = np.cumsum([persona.share for persona in PERSONAS])[:-1]
        persona = np.searchsorted(shares, self._uniform("person persona", (n,)))

        def of_persona(attribute: str) -> np.ndarray:
            return np.array([getattr(p, attribute) for p in PERSONAS])[persona]

        male = self._uniform("person sex", (n,)) < _MALE_SHARE
        age = np.clip(np.round(41 + 13 * normal("age")), 18, 85)
        height = np.where(male, 178, 165) + 7 * normal("height")
        body_mass_index = np.clip(27 - 0.3 * of_persona("fitness") + 3.2 * normal("bmi"), 17, 45)
        habits = of_persona("habits") * np.exp(
            0.5 * _normal(self._uniform("person habits", (n, len(ACTIVITIES))))
        )
        likelier = np.exp(0.25 * normal("exercise"))[:, None]
        return _People(
            user_id=np.array([f"u{i + 1:07d}" for i in range(n)]),
            male=male,
            age=age,
            height_cm=np.round(height, 0),
            weight_kg=np.round(body_mass_index * (height / 100) ** 2, 1),
            resting_heart_rate=np.clip(67 - of_persona("fitness") + 4.5 * normal("rest"), 40, 95),
            base_steps=of_persona("base_steps") * np.exp(0.25 * normal("steps")),
            exercise=np.clip(of_persona("exercise") * likelier, 0, 0.95),
            minutes=of_persona("minutes") * np.exp(0.2 * normal("minutes")),
            habits=habits / habits.sum(axis=1, keepdims=True),
            sleep=of_persona("sleep") + 0.5 * normal("sleep"),
        )


@dataclass(frozen=True)
class _People:
    """Traits, one row a user."""

    user_id: np.ndarray
    male: np.ndarray
    age: np.ndarray
    height_cm: np.ndarray
    weight_kg: np.ndarray
    resting_heart_rate: np.ndarray
    base_steps: np.ndarray
    exercise: np.ndarray
    minutes: np.ndarray
    habits: np.ndarray
    sleep: np.ndarray


class _Columns:
    """Readings of shape (users, days), gathered into canonical columns."""

    def __init__(self, users: int, days: list[date]) -> None:
        self._users = users
        self._days = days
        self._columns: dict[str, pa.Array] = {}

    def add(self, name: str, values: np.ndarray, present: np.ndarray) -> None:
        column = pa.array(values.ravel(), mask=~present.ravel())
        self._columns[name] = column.cast(SCHEMA.field(name).type)

    def table(self, people: _People, delivered_after: timedelta) -> pa.Table:
        rows = self._users * len(self._days)

        def each_user(values: np.ndarray) -> pa.Array:
            return pa.array(np.repeat(values, len(self._days)))

        delivered = [
            datetime.combine(d, datetime.min.time(), UTC) + delivered_after for d in self._days
        ]
        columns = self._columns | {
            "user_id": each_user(people.user_id),
            "date": pa.array(np.tile(np.array(self._days, "datetime64[D]"), self._users)),
            "calories_kind": pa.array(np.repeat("total", rows)),
            "age": each_user(people.age),
            "sex": each_user(np.where(people.male, "male", "female")),
            "height_cm": each_user(people.height_cm),
            "weight_kg": each_user(people.weight_kg),
            "source": pa.array(np.repeat("cohort", rows)),
            "ingested_at": pa.array(delivered * self._users, SCHEMA.field("ingested_at").type),
        }
        return pa.table([columns[field.name].cast(field.type) for field in SCHEMA], schema=SCHEMA)


def _normal(uniform: np.ndarray) -> np.ndarray:
    """Draws of the standard normal distribution, one for each of the uniform ones."""
    values: np.ndarray = ndtri(uniform)
    return values


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday
