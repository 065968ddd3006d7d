"""What some devices of the synthetic cohort measure in addition: the optional columns.

Nights have stages, and a heart-rate variability that follows training load and sleep. Constants
that were measured name their source. The others are assumptions.

The streams of random numbers have names of their own, and a row per user with additional sensors.
So the other columns do not depend on them, and neither do the values of a user on the number of
users.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fitness_assets import months
from fitness_assets.history.training_load import max_heart_rate, trimp
from fitness_assets.record.raw import FULL_SCHEMA, OPTIONAL
from fitness_assets.sources.cohort.behaviour import WEEKEND, CohortUsers, UserDays
from fitness_assets.sources.cohort.population import METS, SENSORS
from fitness_assets.sources.cohort.random_streams import RandomStreams

#: Change of the logarithm of the variability (RMSSD and SDNN) in the night after exercise of the
#: user's usual load: 4.6 % lower after training, in 9 million measurements (Altini and Plews,
#: Sensors 21:7932, 2021). It is proportional to the load, up to `MAX_LOAD_RATIO`.
LOAD_EFFECT = float(np.log1p(-0.046))
#: Change of the logarithm of RMSSD per hour slept longer than usual. Sleep deprivation lowers RMSSD
#: and does not lower SDNN significantly (Zhang et al., Front Neurol 16:1556784, 2025, 11 trials).
#: The size is assumed.
SLEEP_EFFECT = 0.03
#: Loads above so many times the usual one lower the variability no further. Assumed.
MAX_LOAD_RATIO = 3.0

# The 4.6 % are 0.36 standard deviations within a person (Altini and Plews).
_DAY_SD_VARIABILITY = -LOAD_EFFECT / 0.36
# RMSSD of healthy adults at rest is 42 (SD 15) ms, and SDNN 50 (SD 16) ms (Nunan et al., Pacing
# Clin Electrophysiol 33:1407, 2010). RMSSD is correlated by -0.35 with age and by 0.21 with
# physical activity, and not with sex (Altini and Plews).
_RMSSD, _SDNN, _USER_SD_VARIABILITY = 42.0, 50.0, 0.35
_WITH_AGE, _WITH_ACTIVITY = -0.35, 0.21
_MEAN_AGE, _SD_AGE, _MEDIAN_STEPS, _SD_LOG_STEPS = 41.0, 13.0, 5_200.0, 0.4

# Of the time asleep 20 % are deep and 19 % REM sleep, with 48 minutes awake (Boulos et al., Lancet
# Respir Med 7:533, 2019). In adults deep sleep falls by 2 % of the time asleep per decade, and the
# time awake grows by 10 minutes (Ohayon et al., Sleep 27:1255, 2004).
_DEEP, _REM, _AWAKE_MINUTES = 0.204, 0.190, 48.0
_DEEP_PER_YEAR, _AWAKE_PER_YEAR = -0.002, 1.0
_DAY_SD_DEEP, _DAY_SD_REM, _DAY_SD_AWAKE = 0.2, 0.2, 0.3
# The middle of sleep is at 3:00 on working days; it is an hour later on days of the weekend, and
# for each standard deviation of chronotype.
_MID_SLEEP, _WEEKEND_LATER, _CHRONOTYPE_HOURS, _DAY_SD_MID_SLEEP = 3.0, 1.0, 1.0, 0.4
_EARLIEST_END = 0.5

# 90 % of people breathe 11.8 to 19.2 times a minute at night (Natarajan et al., npj Digit Med
# 4:136, 2021).
_RESPIRATION, _USER_SD_RESPIRATION, _DAY_SD_RESPIRATION = 15.5, 2.25, 0.5
_OXYGEN, _USER_SD_OXYGEN, _DAY_SD_OXYGEN = 96.0, 0.8, 0.7
# VO2max is 15.3 times the greatest over the resting heart rate (Uth et al., Eur J Appl Physiol
# 91:111, 2004). A device estimates it anew each month.
_UTH, _MONTH_SD_VO2_MAX = 15.3, 0.02
_FLOORS_PER_STEP, _USER_SD_FLOORS, _DAY_SD_FLOORS = 1.2e-3, 0.4, 0.5

# Moderate activity is 3 to 6 METs and vigorous activity is more (Haskell et al., Circulation
# 116:1081, 2007). Steps per minute of everyday walking as in `expected_sedentary_minutes`.
_MODERATE, _VIGOROUS = 3.0, 6.0
_EVERYDAY_STEPS_PER_MINUTE = 45
_HOUR, _MINUTE = 3_600_000_000, 60_000_000  # in microseconds

#: The columns that are measured during sleep, and those that grow over the day.
NIGHT = (
    "sleep_deep",
    "sleep_light",
    "sleep_rem",
    "sleep_awake",
    "sleep_start",
    "sleep_end",
    "hrv_rmssd",
    "hrv_sdnn",
    "spo2",
    "respiration_rate",
)
MOVEMENT = ("floors", "light_minutes", "moderate_minutes", "vigorous_minutes")


@dataclass(frozen=True)
class SensedDays:
    """The optional columns of the users with additional sensors, as perfect sensors measure them.

    Arrays of shape (users with sensors, days), unless stated otherwise.

    Attributes
    ----------
    users : ndarray of int
        Index of the users.
    sensors : ndarray of int, shape (all users,)
        Index into SENSORS of each user.
    columns : mapping of str to ndarray
        By name of the column. Times are in microseconds, local.
    load_ratio : ndarray
        Training load of the day before, as a multiple of the load of the user's usual exercise.
        Before the first day of a month, it is the mean of the month.
    sleep_deviation : ndarray
        Hours slept longer than the user's mean.
    """

    users: np.ndarray
    sensors: np.ndarray
    columns: Mapping[str, np.ndarray]
    load_ratio: np.ndarray
    sleep_deviation: np.ndarray


def sample_sensors(users: CohortUsers, streams: RandomStreams) -> np.ndarray:
    """Index into SENSORS of each user. Only devices that measure sleep have additional sensors."""
    shares = np.cumsum([each.share for each in SENSORS])[:-1]
    sensors = np.searchsorted(shares, streams.uniform("person sensors", users.age.shape))
    return np.where(users.device_attribute("sleep"), sensors, 0)


def measured_columns(sensors: np.ndarray, name: str) -> np.ndarray:
    """Whether each of `sensors` measures the column `name`."""
    measures: np.ndarray = np.array([name in each.columns for each in SENSORS])[sensors]
    return measures


def simulate(
    users: CohortUsers, sensors: np.ndarray, days: UserDays, month: str, streams: RandomStreams
) -> SensedDays:
    """Simulate what the additional sensors measure in `month`."""
    index = np.flatnonzero(sensors)
    shape = (len(index), days.steps.shape[1])

    def normal(name: str) -> np.ndarray:
        return streams.normal(f"sensors {name} {month}", shape)

    def of_user(name: str) -> np.ndarray:
        return streams.normal(f"person sensors {name}", (len(index),))[:, None]

    def trait(values: np.ndarray) -> np.ndarray:
        column: np.ndarray = values[index][:, None]
        return column

    age, hours = trait(users.age), days.sleep_hours[index]
    greatest = max_heart_rate(age)
    load_ratio = _load_before(users, days, index)
    sleep_deviation = hours - hours.mean(axis=1, keepdims=True)

    variability = (
        _WITH_AGE * (age - _MEAN_AGE) / _SD_AGE
        + _WITH_ACTIVITY * np.log(trait(users.base_steps) / _MEDIAN_STEPS) / _SD_LOG_STEPS
        + np.sqrt(1 - _WITH_AGE**2 - _WITH_ACTIVITY**2) * of_user("variability")
    ) * _USER_SD_VARIABILITY
    variability = variability + LOAD_EFFECT * load_ratio
    noise = _DAY_SD_VARIABILITY * normal("variability")
    rmssd = _RMSSD * np.exp(variability + SLEEP_EFFECT * sleep_deviation + noise)
    sdnn = _SDNN * np.exp(variability + noise)

    floors = days.everyday_steps[index] * _FLOORS_PER_STEP
    floors = floors * np.exp(
        _USER_SD_FLOORS * of_user("floors") + _DAY_SD_FLOORS * normal("floors")
    )
    resting = trait(users.resting_heart_rate)
    estimate = np.exp(
        _MONTH_SD_VO2_MAX * streams.normal(f"sensors vo2_max {month}", (len(index), 1))
    )
    oxygen = _OXYGEN + _USER_SD_OXYGEN * of_user("oxygen") + _DAY_SD_OXYGEN * normal("oxygen")
    respiration = _RESPIRATION + _USER_SD_RESPIRATION * of_user("respiration")
    respiration = respiration + _DAY_SD_RESPIRATION * normal("respiration")
    columns = {
        **_night(users, index, hours, month, normal),
        "hrv_rmssd": np.round(np.clip(rmssd, 5, 250)),
        "hrv_sdnn": np.round(np.clip(sdnn, 5, 250)),
        "spo2": np.round(np.clip(oxygen, 88, 100)),
        "respiration_rate": np.round(np.clip(respiration, 8, 30), 1),
        "vo2_max": np.broadcast_to(
            np.round(np.clip(_UTH * greatest / resting * estimate, 15, 85)), shape
        ),
        "floors": np.round(floors),
        **_intensity(days, index),
    }
    return SensedDays(index, sensors, columns, load_ratio, sleep_deviation)


def with_sensors(
    records: pa.RecordBatch | pa.Table,
    rows: np.ndarray,
    sensed: SensedDays,
    measured: Mapping[str, np.ndarray],
) -> pa.Table:
    """`records` with the optional columns, null where no sensor measured them.

    Parameters
    ----------
    records : RecordBatch or Table
    rows : ndarray of int
        Of each record the position of its user and day, in order of users and days.
    sensed : SensedDays
    measured : mapping of str to ndarray of bool
        By name of the column, whether it was measured; of the shape of the columns of `sensed`.
    """
    found = pa.table(records) if isinstance(records, pa.Table) else pa.Table.from_batches([records])
    count = sensed.load_ratio.shape[1]
    user, day = np.divmod(rows, count)
    place = np.searchsorted(sensed.users, user)
    has_sensors = np.isin(user, sensed.users)
    at = np.flatnonzero(has_sensors)
    positions = (place[at], day[at])
    for name in OPTIONAL:
        field = FULL_SCHEMA.field(name)
        values = np.full(len(rows), np.nan)
        values[at] = np.where(measured[name][positions], sensed.columns[name][positions], np.nan)
        is_integer = pa.types.is_timestamp(field.type)
        column = pa.array(values, from_pandas=True)
        column = column.cast(pa.int64()) if is_integer else column
        found = found.append_column(field, column.cast(field.type))
    return found


def _load_before(users: CohortUsers, days: UserDays, index: np.ndarray) -> np.ndarray:
    """Training load of the day before, as a multiple of that of the user's usual exercise."""
    effort = np.clip((METS - 1) / 11, 0, 0.85)
    male = users.male[index][:, None]

    def load(minutes: np.ndarray, share: np.ndarray) -> np.ndarray:
        by_sex = [trimp(minutes, share, 0.0, 1.0, sex) for sex in ("female", "male")]
        return np.where(male, by_sex[1], by_sex[0])

    done = load(days.exercise_minutes[index], effort[days.activity[index]])
    kinds = [load(users.exercise_minutes[index][:, None], each) for each in effort]
    usual = (np.concatenate(kinds, axis=1) * users.habits[index]).sum(axis=1, keepdims=True)
    ratio = np.minimum(done / usual, MAX_LOAD_RATIO)
    before: np.ndarray = np.concatenate([ratio.mean(axis=1, keepdims=True), ratio[:, :-1]], axis=1)
    return before


def _night(
    users: CohortUsers,
    index: np.ndarray,
    hours: np.ndarray,
    month: str,
    normal: Callable[[str], np.ndarray],
) -> dict[str, np.ndarray]:
    """Stages, start and end of the nights; the stages add up to the minutes asleep."""
    age = users.age[index][:, None]
    asleep = np.round(60 * np.round(hours, 2))
    deep = np.clip(_DEEP + _DEEP_PER_YEAR * (age - _MEAN_AGE), 0.05, None)
    deep = np.round(asleep * np.minimum(deep * np.exp(_DAY_SD_DEEP * normal("deep")), 0.45))
    rem = np.round(asleep * np.minimum(_REM * np.exp(_DAY_SD_REM * normal("rem")), 0.45))
    awake = np.clip(_AWAKE_MINUTES + _AWAKE_PER_YEAR * (age - _MEAN_AGE), 5, None)
    awake = np.round(np.minimum(awake * np.exp(_DAY_SD_AWAKE * normal("awake")), 240))
    dates = months.days(month)
    weekend = np.array([each.weekday() in WEEKEND for each in dates])
    middle = _MID_SLEEP + _WEEKEND_LATER * weekend + _DAY_SD_MID_SLEEP * normal("middle of sleep")
    middle = middle + _CHRONOTYPE_HOURS * users.chronotype[index][:, None]
    # The night is credited to the day of waking.
    end = np.round(60 * np.clip(middle + (asleep + awake) / 120, _EARLIEST_END, 23))
    midnight = np.array(dates, "datetime64[us]").astype(np.int64)
    return {
        "sleep_deep": deep,
        "sleep_light": asleep - deep - rem,
        "sleep_rem": rem,
        "sleep_awake": awake,
        "sleep_start": midnight + (end - asleep - awake) * _MINUTE,
        "sleep_end": midnight + end * _MINUTE,
    }


def _intensity(days: UserDays, index: np.ndarray) -> dict[str, np.ndarray]:
    """Minutes by intensity; moderate and vigorous minutes are part of the active minutes."""
    mets, exercise = METS[days.activity[index]], np.round(days.exercise_minutes[index])
    light = np.where(mets < _MODERATE, exercise, 0)
    vigorous = np.where(mets >= _VIGOROUS, exercise, 0)
    moderate = np.maximum(np.round(days.active_minutes[index]) - light - vigorous, 0)
    walking = np.round(days.everyday_steps[index] / _EVERYDAY_STEPS_PER_MINUTE)
    return {
        "light_minutes": walking + light,
        "moderate_minutes": moderate,
        "vigorous_minutes": vigorous,
    }
