"""How the people of the synthetic cohort live: who they are, and what each of their days holds.

Where a number was measured its source is named. The others (how the personas live, and how much
days vary) are assumptions: they make people who differ as people do, and are not measured.
"""

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import ndtri

from fitness_assets import months

ACTIVITIES = ("walking", "running", "cycling", "swimming", "yoga", "gym_workout", "hiking")

#: Energy cost in METs (multiples of resting), in the order of ACTIVITIES: codes 17190, 12050,
#: 01015, 18240, 02150, 02062 and 17080 of the 2011 Compendium of Physical Activities (Ainsworth et
#: al., Med Sci Sports Exerc 43:1575).
METS = np.array([3.5, 9.8, 7.5, 5.8, 2.5, 5.0, 6.0])
#: Steps per minute of the activity, as a device at the wrist counts them. Walking at a moderate
#: pace is 100 and more (Tudor-Locke et al., Br J Sports Med 52:776, 2018); what the wrist makes of
#: the others is assumed.
CADENCE = np.array([105.0, 160.0, 15.0, 10.0, 12.0, 35.0, 95.0])


@dataclass(frozen=True)
class Persona:
    """A way of living that several people share.

    Attributes
    ----------
    share : float
        Part of the population.
    base_steps : float
        Median steps of a day apart from exercise. Below 5,000 is a sedentary life and 10,000 an
        active one (Tudor-Locke and Bassett, Sports Med 34:1, 2004).
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


@dataclass(frozen=True)
class Device:
    """A kind of device, and what it does to the readings.

    Attributes
    ----------
    share : float
        Part of the population.
    heart_rate, sleep : bool
        Whether it measures them.
    counts : float
        Share of the steps that it counts, at the median.
    synced : float
        Chance that it is synced on a day; what waits is delivered with the next sync.
    sleep_in_minutes, distance_in_metres : float
        Chance of a day on which a value is delivered in that unit instead of its own.
    """

    name: str
    share: float
    heart_rate: bool
    sleep: bool
    counts: float
    synced: float
    sleep_in_minutes: float = 0.0
    distance_in_metres: float = 0.0


#: The phone misses 12 % of the steps, since it is not always carried (Amagasa et al., JMIR mHealth
#: uHealth 7:e10418, 2019); a clip at the hip knows neither pulse nor sleep. Shares are assumed.
DEVICES = (
    Device("watch", 0.60, True, True, 1.0, 0.98, sleep_in_minutes=0.002),
    Device("band", 0.28, True, True, 0.95, 0.95, distance_in_metres=0.003),
    Device("clip", 0.06, False, False, 1.02, 0.60),
    Device("phone", 0.06, False, False, 0.88, 0.99),
)

# Length of a walking step as a share of body height: 0.413 of women and 0.415 of men, as
# pedometers estimate it from Hatano (ICHPER J 29:4, 1993).
_STEP_LENGTH = 0.414
_CM_PER_KM = 100_000

_WEEKEND = (5, 6)
_MALE_SHARE = 0.5

# Between people of one persona, on the scale of logarithms where amounts are meant.
_PEOPLE_STEPS, _PEOPLE_MINUTES, _PEOPLE_EXERCISE, _PEOPLE_HABITS = 0.25, 0.2, 0.25, 0.5
# Devices of one kind differ by a few per cent: within 3 % of the true count about half of the time
# (Feehan et al., JMIR mHealth uHealth 6:e10527, 2018).
_PEOPLE_COUNTS = 0.03
# Late types sleep less than early ones on working days and more on free ones (Wittmann et al.,
# Chronobiol Int 23:497, 2006). Hours by which one standard deviation of chronotype moves a night;
# over a week it comes to nothing.
_LATE_ON_WORKDAYS, _LATE_ON_WEEKENDS = -0.12, 0.3

# Between days of one person; on the scale of logarithms where amounts are meant.
DAYS_STEPS, DAYS_MINUTES, DAYS_CADENCE, DAYS_CALORIES = 0.30, 0.35, 0.08, 0.03
_DAYS_SLEEP, _DAYS_RESTING, DAYS_HEART_RATE, DAYS_SEDENTARY = 0.75, 1.5, 1.5, 20.0
_LONGEST_EXERCISE = 300
#: Everyday walking counts as active in part: a minute for so many steps. Assumed.
STEPS_PER_ACTIVE_MINUTE = 400


class Draws:
    """Chance, as named streams of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, what: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draws in (0, 1) of a stream of their own, the same for a user however many there are."""
        digest = hashlib.blake2b(f"{self._seed} {what}".encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest)))
        # One draw a value, users first, so that more users only lengthen the stream.
        values = generator.random(shape)
        return np.clip(values, 1e-12, 1 - 1e-12, out=values)

    def normal(self, what: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draws of the standard normal distribution, in the same way."""
        values = self.uniform(what, shape)
        ndtri(values, out=values)
        return values


@dataclass(frozen=True)
class People:
    """Traits, one row a user. They stay the same from month to month.

    Attributes
    ----------
    persona, device : ndarray of int
        Index into PERSONAS, and into DEVICES.
    chronotype : ndarray
        In standard deviations, late types above 0.
    steps_counted : ndarray
        Share of the steps that this device counts.
    exercise : ndarray of shape (users, 2)
        Chance of exercise on a weekday, and on a day of the weekend.
    habits : ndarray of shape (users, activities)
        Chance of each of ACTIVITIES when exercising.
    """

    user_id: np.ndarray
    persona: np.ndarray
    device: np.ndarray
    chronotype: np.ndarray
    steps_counted: np.ndarray
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

    @property
    def stride_km(self) -> np.ndarray:
        """Length of a step."""
        length: np.ndarray = self.height_cm * _STEP_LENGTH / _CM_PER_KM
        return length

    def of_device(self, attribute: str) -> np.ndarray:
        """An attribute of each user's device."""
        values: np.ndarray = np.array([getattr(each, attribute) for each in DEVICES])[self.device]
        return values


def people(users: int, draws: Draws) -> People:
    """The first so many people of the cohort."""

    def uniform(what: str) -> np.ndarray:
        return draws.uniform(f"person {what}", (users,))

    def normal(what: str) -> np.ndarray:
        return draws.normal(f"person {what}", (users,))

    def kind(what: str, kinds: tuple[Persona, ...] | tuple[Device, ...]) -> np.ndarray:
        shares = np.cumsum([each.share for each in kinds])[:-1]
        return np.asarray(np.searchsorted(shares, uniform(what)))

    persona = kind("persona", PERSONAS)
    device = kind("device", DEVICES)

    def of_persona(attribute: str) -> np.ndarray:
        values: np.ndarray = np.array([getattr(each, attribute) for each in PERSONAS])[persona]
        return values

    male = uniform("sex") < _MALE_SHARE
    # Adults who wear trackers: 46 years with a deviation of 14, a body mass index of 28, and 65.5
    # beats at rest with a deviation of 7.7 (Quer et al., PLoS ONE 15:e0227709, 2020). These here
    # are somewhat younger and leaner. Heights as in Europe (NCD-RisC, eLife 5:e13410, 2016).
    age = np.clip(np.round(41 + 13 * normal("age")), 18, 85)
    height = np.where(male, 178, 165) + 7 * normal("height")
    body_mass_index = np.clip(27 - 0.3 * of_persona("fitness") + 3.2 * normal("bmi"), 17, 45)
    resting = np.clip(67 - of_persona("fitness") + 4.5 * normal("rest"), 40, 95)
    habits = of_persona("habits") * np.exp(
        _PEOPLE_HABITS * draws.normal("person habits", (users, len(ACTIVITIES)))
    )
    likelier = np.exp(_PEOPLE_EXERCISE * normal("exercise"))[:, None]
    counts = np.array([each.counts for each in DEVICES])[device]
    return People(
        user_id=np.array([f"u{i + 1:07d}" for i in range(users)]),
        persona=persona,
        device=device,
        chronotype=normal("chronotype"),
        steps_counted=counts * np.exp(_PEOPLE_COUNTS * normal("steps counted")),
        male=male,
        age=age,
        height_cm=np.round(height, 0),
        weight_kg=np.round(body_mass_index * (height / 100) ** 2, 1),
        resting_heart_rate=resting,
        base_steps=of_persona("base_steps") * np.exp(_PEOPLE_STEPS * normal("steps")),
        exercise=np.clip(of_persona("exercise") * likelier, 0, 0.95),
        minutes=of_persona("minutes") * np.exp(_PEOPLE_MINUTES * normal("minutes")),
        habits=habits / habits.sum(axis=1, keepdims=True),
        sleep=of_persona("sleep") + 0.5 * normal("sleep"),
    )


@dataclass(frozen=True)
class Days:
    """What happened, each an array of shape (users, days), exact and complete.

    Attributes
    ----------
    usual_steps : ndarray
        Median of ``everyday`` for this person at this time of the year.
    everyday : ndarray
        Steps apart from exercise.
    exercises : ndarray of bool
    activity : ndarray of int
        Index into ACTIVITIES.
    minutes : ndarray
        Of exercise, 0 without.
    calories_expected : ndarray
        kcal that follow from the person and what they did; ``calories`` vary about them.
    """

    usual_steps: np.ndarray
    everyday: np.ndarray
    exercises: np.ndarray
    activity: np.ndarray
    minutes: np.ndarray
    steps: np.ndarray
    calories_expected: np.ndarray
    calories: np.ndarray
    resting: np.ndarray
    heart_rate: np.ndarray
    sleep: np.ndarray
    active_minutes: np.ndarray
    sedentary_minutes: np.ndarray


def live(who: People, month: str, draws: Draws) -> Days:
    """The days of `month`."""
    days = months.days(month)
    shape = (len(who.user_id), len(days))

    def uniform(what: str) -> np.ndarray:
        return draws.uniform(f"{what} {month}", shape)

    def normal(what: str) -> np.ndarray:
        return draws.normal(f"{what} {month}", shape)

    weekend = np.array([day.weekday() in _WEEKEND for day in days])
    # People walk most in summer and least in winter (Tudor-Locke et al., Med Sci Sports Exerc
    # 36:1567, 2004). By how much is assumed.
    season = np.array(
        [1 + 0.12 * np.cos(2 * np.pi * (_day_of_year(d) - 172) / 365.25) for d in days]
    )

    exercises = uniform("exercises") < np.where(weekend, who.exercise[:, 1:], who.exercise[:, :1])
    # Without exercise the day's main activity is walking about.
    preference = uniform("activity")[..., None] > who.habits.cumsum(axis=1)[:, None, :-1]
    activity = np.where(exercises, preference.sum(axis=2), 0)
    minutes = exercises * who.minutes[:, None] * np.exp(DAYS_MINUTES * normal("minutes"))
    minutes = np.minimum(minutes, _LONGEST_EXERCISE)

    usual = who.base_steps[:, None] * season
    everyday = usual * np.exp(DAYS_STEPS * normal("everyday steps"))
    steps = everyday + minutes * CADENCE[activity] * np.exp(DAYS_CADENCE * normal("cadence"))

    resting = who.resting_heart_rate[:, None] + _DAYS_RESTING * normal("resting heart rate")
    each = slice(None), None
    expected = energy(who, each, everyday, minutes, METS[activity])
    heart_rate = mean_heart_rate(who.age[:, None], resting, load(everyday, minutes, METS[activity]))

    late = np.where(weekend, _LATE_ON_WEEKENDS, _LATE_ON_WORKDAYS) * who.chronotype[:, None]
    sleep = who.sleep[:, None] + 0.5 * weekend + late + _DAYS_SLEEP * normal("sleep")
    sleep = np.clip(sleep, 2.5, 12.0)
    active = minutes + everyday / STEPS_PER_ACTIVE_MINUTE
    sitting = idle(everyday, active, sleep) + DAYS_SEDENTARY * normal("sedentary")
    return Days(
        usual_steps=usual,
        everyday=everyday,
        exercises=exercises,
        activity=activity,
        minutes=minutes,
        steps=steps,
        calories_expected=expected * np.exp(DAYS_CALORIES**2 / 2),
        calories=expected * np.exp(DAYS_CALORIES * normal("calories")),
        resting=resting,
        heart_rate=heart_rate + DAYS_HEART_RATE * normal("heart rate"),
        sleep=sleep,
        active_minutes=active,
        sedentary_minutes=np.clip(sitting, 120, None),
    )


Which = tuple[slice, None] | np.ndarray


def energy(
    who: People, which: Which, everyday: np.ndarray, minutes: np.ndarray, mets: np.ndarray | float
) -> np.ndarray:
    """Median kcal of such days of the users that `which` picks.

    Basal rate by Mifflin-St Jeor (Am J Clin Nutr 51:241, 1990), with a tenth for digestion
    (Westerterp, Nutr Metab 1:5, 2004) and a twentieth for sitting up and standing, which is
    assumed; everyday walking at the net cost of 0.1 ml of oxygen per kg and metre (ACSM's
    Guidelines for Exercise Testing and Prescription), which is 0.5 kcal per kg and km; exercise by
    METs above rest, 1 kcal per kg and hour.
    """
    weight = who.weight_kg[which]
    basal = (
        10 * weight
        + 6.25 * who.height_cm[which]
        - 5 * who.age[which]
        + np.where(who.male, 5, -161)[which]
    )
    walked = 0.5 * weight * everyday * who.stride_km[which]
    kcal: np.ndarray = basal * 1.15 + walked + (mets - 1) * weight * minutes / 60
    return kcal


def load(everyday: np.ndarray, minutes: np.ndarray, mets: np.ndarray | float) -> np.ndarray:
    """Share of the heart rate's reserve that the mean of a waking day takes.

    Exercise takes what it takes of the oxygen's reserve (Swain and Leutholtz, Med Sci Sports Exerc
    29:410, 1997), of which 12 METs are the whole. That being up takes 16 %, and 8,000 everyday
    steps 2 %, is assumed.
    """
    waking = 960.0
    effort = np.clip((mets - 1) / 11, 0, 0.85)
    share: np.ndarray = 0.16 + 0.8 * effort * minutes / waking + 0.02 * (everyday / 8_000)
    return share


def mean_heart_rate(age: np.ndarray, resting: np.ndarray, load: np.ndarray) -> np.ndarray:
    """Beats per minute over the waking day.

    The most a heart does is 208 - 0.7 age (Tanaka et al., J Am Coll Cardiol 37:153, 2001).
    """
    beats: np.ndarray = resting + (208 - 0.7 * age - resting) * load
    return beats


def idle(everyday: np.ndarray, active: np.ndarray, sleep: np.ndarray) -> np.ndarray:
    """Minutes that are left for sitting; 45 everyday steps take one, which is assumed."""
    left: np.ndarray = 1440 - 60 * sleep - active - everyday / 45
    return left


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday
