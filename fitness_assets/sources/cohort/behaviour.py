"""The behaviour model of the synthetic cohort: traits of users, and what they do on each day.

Constants that were measured name their source. The others, such as the variation between days, are
assumptions.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from fitness_assets import months
from fitness_assets.history.training_load import max_heart_rate
from fitness_assets.sources.cohort.population import (
    ACTIVITIES,
    CADENCE,
    DEVICES,
    METS,
    PERSONAS,
    Device,
    Persona,
)
from fitness_assets.sources.cohort.random_streams import RandomStreams

# Step length as a fraction of body height: 0.413 for women and 0.415 for men in pedometers, after
# Hatano (ICHPER J 29:4, 1993).
_STEP_LENGTH = 0.414
_CM_PER_KM = 100_000

#: As `date.weekday` counts.
WEEKEND = (5, 6)
_MALE_SHARE = 0.5

# Standard deviations between users of one persona; of the logarithm for amounts.
_USER_SD_STEPS, _USER_SD_MINUTES, _USER_SD_EXERCISE, _USER_SD_HABITS = 0.25, 0.2, 0.25, 0.5
# Devices of one type differ by a few per cent: about half of the counts are within 3 % of the true
# number (Feehan et al., JMIR mHealth uHealth 6:e10527, 2018).
_USER_SD_COUNTED = 0.03
# Late chronotypes sleep less than early ones on working days and more on free days (Wittmann et
# al., Chronobiol Int 23:497, 2006). Hours of sleep per standard deviation of chronotype; the sum
# over a week is 0.
_LATE_ON_WORKDAYS, _LATE_ON_WEEKENDS = -0.12, 0.3

# Standard deviations between days of one user; of the logarithm for amounts.
DAY_SD_STEPS, DAY_SD_MINUTES, DAY_SD_CADENCE, DAY_SD_CALORIES = 0.30, 0.35, 0.08, 0.03
_DAY_SD_SLEEP, _DAY_SD_RESTING, DAY_SD_HEART_RATE, DAY_SD_SEDENTARY = 0.75, 1.5, 1.5, 20.0
_MAX_EXERCISE_MINUTES = 300
#: This many everyday steps count as one active minute. Assumed.
STEPS_PER_ACTIVE_MINUTE = 400


@dataclass(frozen=True)
class CohortUsers:
    """Traits of the users, as arrays of shape (users,). They are the same in every month.

    Attributes
    ----------
    user_id : ndarray of str
    persona, device : ndarray of int
        Index into PERSONAS, and into DEVICES.
    chronotype : ndarray
        In standard deviations; late chronotypes are positive.
    counted_share : ndarray
        Fraction of the steps that the user's device counts.
    male : ndarray of bool
    age : ndarray
        Years.
    height_cm, weight_kg : ndarray
    resting_heart_rate : ndarray
        Beats per minute.
    base_steps : ndarray
        Median steps of a day without those of exercise.
    exercise : ndarray of shape (users, 2)
        Probability of exercise on a weekday, and on a day of the weekend.
    exercise_minutes : ndarray
        Median duration of exercise.
    habits : ndarray of shape (users, activities)
        Probability of each of ACTIVITIES on a day with exercise.
    sleep_hours : ndarray
        Mean hours asleep.
    """

    user_id: np.ndarray
    persona: np.ndarray
    device: np.ndarray
    chronotype: np.ndarray
    counted_share: np.ndarray
    male: np.ndarray
    age: np.ndarray
    height_cm: np.ndarray
    weight_kg: np.ndarray
    resting_heart_rate: np.ndarray
    base_steps: np.ndarray
    exercise: np.ndarray
    exercise_minutes: np.ndarray
    habits: np.ndarray
    sleep_hours: np.ndarray

    @property
    def step_length_km(self) -> np.ndarray:
        """Length of one step."""
        length: np.ndarray = self.height_cm * _STEP_LENGTH / _CM_PER_KM
        return length

    def device_attribute(self, name: str) -> np.ndarray:
        """The attribute `name` of each user's device."""
        values: np.ndarray = np.array([getattr(each, name) for each in DEVICES])[self.device]
        return values


def sample_users(count: int, streams: RandomStreams) -> CohortUsers:
    """Sample the first `count` users of the cohort."""

    def uniform(name: str) -> np.ndarray:
        return streams.uniform(f"person {name}", (count,))

    def normal(name: str) -> np.ndarray:
        return streams.normal(f"person {name}", (count,))

    def choose(name: str, kinds: tuple[Persona, ...] | tuple[Device, ...]) -> np.ndarray:
        shares = np.cumsum([each.share for each in kinds])[:-1]
        return np.asarray(np.searchsorted(shares, uniform(name)))

    persona = choose("persona", PERSONAS)
    device = choose("device", DEVICES)

    def persona_attribute(name: str) -> np.ndarray:
        values: np.ndarray = np.array([getattr(each, name) for each in PERSONAS])[persona]
        return values

    male = uniform("sex") < _MALE_SHARE
    # Adults who wear trackers: age 46 (SD 14) years, body mass index 28, resting heart rate 65.5
    # (SD 7.7) beats per minute (Quer et al., PLoS ONE 15:e0227709, 2020). The cohort is somewhat
    # younger and leaner. Heights as in Europe (NCD-RisC, eLife 5:e13410, 2016).
    age = np.clip(np.round(41 + 13 * normal("age")), 18, 85)
    height = np.where(male, 178, 165) + 7 * normal("height")
    body_mass_index = np.clip(27 - 0.3 * persona_attribute("fitness") + 3.2 * normal("bmi"), 17, 45)
    resting = np.clip(67 - persona_attribute("fitness") + 4.5 * normal("rest"), 40, 95)
    habits = persona_attribute("habits") * np.exp(
        _USER_SD_HABITS * streams.normal("person habits", (count, len(ACTIVITIES)))
    )
    exercise_factor = np.exp(_USER_SD_EXERCISE * normal("exercise"))[:, None]
    counted = np.array([each.counted_share for each in DEVICES])[device]
    minutes = persona_attribute("exercise_minutes") * np.exp(_USER_SD_MINUTES * normal("minutes"))
    return CohortUsers(
        user_id=np.array([f"u{i + 1:07d}" for i in range(count)]),
        persona=persona,
        device=device,
        chronotype=normal("chronotype"),
        counted_share=counted * np.exp(_USER_SD_COUNTED * normal("steps counted")),
        male=male,
        age=age,
        height_cm=np.round(height, 0),
        weight_kg=np.round(body_mass_index * (height / 100) ** 2, 1),
        resting_heart_rate=resting,
        base_steps=persona_attribute("base_steps") * np.exp(_USER_SD_STEPS * normal("steps")),
        exercise=np.clip(persona_attribute("exercise") * exercise_factor, 0, 0.95),
        exercise_minutes=minutes,
        habits=habits / habits.sum(axis=1, keepdims=True),
        sleep_hours=persona_attribute("sleep_hours") + 0.5 * normal("sleep"),
    )


@dataclass(frozen=True)
class UserDays:
    """What happened on each day, as exact and complete arrays of shape (users, days).

    Attributes
    ----------
    median_everyday_steps : ndarray
        Median of `everyday_steps` of the user in this season.
    everyday_steps : ndarray
        Steps without those of exercise.
    has_exercise : ndarray of bool
    activity : ndarray of int
        Index into ACTIVITIES.
    exercise_minutes : ndarray
        Duration of exercise; 0 on days without.
    steps : ndarray
        Everyday steps and those of exercise.
    expected_calories : ndarray
        Expected kcal given the user's traits and the day's behaviour.
    calories : ndarray
        kcal; they vary around `expected_calories` at random.
    resting_heart_rate, heart_rate : ndarray
        Beats per minute.
    sleep_hours, active_minutes, sedentary_minutes : ndarray
    """

    median_everyday_steps: np.ndarray
    everyday_steps: np.ndarray
    has_exercise: np.ndarray
    activity: np.ndarray
    exercise_minutes: np.ndarray
    steps: np.ndarray
    expected_calories: np.ndarray
    calories: np.ndarray
    resting_heart_rate: np.ndarray
    heart_rate: np.ndarray
    sleep_hours: np.ndarray
    active_minutes: np.ndarray
    sedentary_minutes: np.ndarray


def simulate_month(users: CohortUsers, month: str, streams: RandomStreams) -> UserDays:
    """Simulate the days of `month`."""
    days = months.days(month)
    shape = (len(users.user_id), len(days))

    def uniform(name: str) -> np.ndarray:
        return streams.uniform(f"{name} {month}", shape)

    def normal(name: str) -> np.ndarray:
        return streams.normal(f"{name} {month}", shape)

    weekend = np.array([day.weekday() in WEEKEND for day in days])
    # People walk most in summer and least in winter (Tudor-Locke et al., Med Sci Sports Exerc
    # 36:1567, 2004). The amplitude is assumed.
    season = np.array(
        [1 + 0.12 * np.cos(2 * np.pi * (_day_of_year(d) - 172) / 365.25) for d in days]
    )

    has_exercise = uniform("exercises") < np.where(
        weekend, users.exercise[:, 1:], users.exercise[:, :1]
    )
    # The main activity of a day without exercise is walking.
    preference = uniform("activity")[..., None] > users.habits.cumsum(axis=1)[:, None, :-1]
    activity = np.where(has_exercise, preference.sum(axis=2), 0)
    minutes = (
        has_exercise * users.exercise_minutes[:, None] * np.exp(DAY_SD_MINUTES * normal("minutes"))
    )
    minutes = np.minimum(minutes, _MAX_EXERCISE_MINUTES)

    median = users.base_steps[:, None] * season
    everyday = median * np.exp(DAY_SD_STEPS * normal("everyday steps"))
    steps = everyday + minutes * CADENCE[activity] * np.exp(DAY_SD_CADENCE * normal("cadence"))

    resting = users.resting_heart_rate[:, None] + _DAY_SD_RESTING * normal("resting heart rate")
    expected = energy_expenditure(users, (slice(None), None), everyday, minutes, METS[activity])
    load = heart_rate_load(everyday, minutes, METS[activity])
    heart_rate = mean_heart_rate(users.age[:, None], resting, load)

    late = np.where(weekend, _LATE_ON_WEEKENDS, _LATE_ON_WORKDAYS) * users.chronotype[:, None]
    sleep = users.sleep_hours[:, None] + 0.5 * weekend + late + _DAY_SD_SLEEP * normal("sleep")
    sleep = np.clip(sleep, 2.5, 12.0)
    active = minutes + everyday / STEPS_PER_ACTIVE_MINUTE
    sedentary = expected_sedentary_minutes(everyday, active, sleep)
    sedentary = sedentary + DAY_SD_SEDENTARY * normal("sedentary")
    return UserDays(
        median_everyday_steps=median,
        everyday_steps=everyday,
        has_exercise=has_exercise,
        activity=activity,
        exercise_minutes=minutes,
        steps=steps,
        expected_calories=expected * np.exp(DAY_SD_CALORIES**2 / 2),
        calories=expected * np.exp(DAY_SD_CALORIES * normal("calories")),
        resting_heart_rate=resting,
        heart_rate=heart_rate + DAY_SD_HEART_RATE * normal("heart rate"),
        sleep_hours=sleep,
        active_minutes=active,
        sedentary_minutes=np.clip(sedentary, 120, None),
    )


#: Selects users from an array of shape (users,): ``(slice(None), None)`` makes it a column.
UserIndex = tuple[slice, None] | np.ndarray


def energy_expenditure(
    users: CohortUsers,
    index: UserIndex,
    everyday_steps: np.ndarray,
    minutes: np.ndarray,
    mets: np.ndarray | float,
) -> np.ndarray:
    """Median kcal of a day.

    Sum of three parts. Basal rate by Mifflin-St Jeor (Am J Clin Nutr 51:241, 1990), plus a tenth
    for digestion (Westerterp, Nutr Metab 1:5, 2004) and a twentieth for sitting up and standing,
    which is assumed. Everyday walking at the net cost of 0.1 ml of oxygen per kg and metre (ACSM's
    Guidelines for Exercise Testing and Prescription), which is 0.5 kcal per kg and km. Exercise by
    METs above rest, 1 kcal per kg and hour.

    Parameters
    ----------
    users : CohortUsers
    index : UserIndex
        The users to whom the days belong.
    everyday_steps, minutes : ndarray
        Steps without exercise, and duration of exercise.
    mets : ndarray or float
        Energy cost of the exercise.
    """
    weight = users.weight_kg[index]
    basal = (
        10 * weight
        + 6.25 * users.height_cm[index]
        - 5 * users.age[index]
        + np.where(users.male, 5, -161)[index]
    )
    walking = 0.5 * weight * everyday_steps * users.step_length_km[index]
    kcal: np.ndarray = basal * 1.15 + walking + (mets - 1) * weight * minutes / 60
    return kcal


def heart_rate_load(
    everyday_steps: np.ndarray, minutes: np.ndarray, mets: np.ndarray | float
) -> np.ndarray:
    """Mean fraction of the heart rate reserve that is used over the waking day.

    Exercise uses the same fraction of the heart rate reserve as of the oxygen uptake reserve (Swain
    and Leutholtz, Med Sci Sports Exerc 29:410, 1997), which is 12 METs in full. 16 % for being
    awake and 2 % per 8,000 everyday steps are assumed.
    """
    waking = 960.0
    effort = np.clip((mets - 1) / 11, 0, 0.85)
    share: np.ndarray = 0.16 + 0.8 * effort * minutes / waking + 0.02 * (everyday_steps / 8_000)
    return share


def mean_heart_rate(age: np.ndarray, resting: np.ndarray, load: np.ndarray) -> np.ndarray:
    """Mean beats per minute over the waking day, for a `load` as of `heart_rate_load`."""
    beats: np.ndarray = resting + (max_heart_rate(age) - resting) * load
    return beats


def expected_sedentary_minutes(
    everyday_steps: np.ndarray, active_minutes: np.ndarray, sleep_hours: np.ndarray
) -> np.ndarray:
    """Minutes of the day without sleep, activity and walking; 45 steps take a minute (assumed)."""
    left: np.ndarray = 1440 - 60 * sleep_hours - active_minutes - everyday_steps / 45
    return left


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday
