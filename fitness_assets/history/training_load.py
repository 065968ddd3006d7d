"""Training load of a person: the training impulse of each workout, and its mean over weeks."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

#: Days over which the load is averaged, by column: a week, and six weeks.
WINDOWS = {"load_7d": 7, "load_42d": 42}

#: Mean resting heart rate of 92,457 adults who wear a tracker (Quer et al., PLoS ONE 15:e0227709,
#: 2020), for a person whose own is not known.
POPULATION_RESTING_HEART_RATE = 65.5

# Weights of a minute by sex, from the rise of blood lactate with the fraction of the heart rate
# reserve.
_WOMEN, _MEN = (0.86, 1.67), (0.64, 1.92)

_Numbers = npt.NDArray[np.float64]


def max_heart_rate(age: npt.ArrayLike) -> _Numbers:
    """Greatest heart rate by age: 208 - 0.7 age (Tanaka et al., J Am Coll Cardiol 37:153, 2001)."""
    beats: _Numbers = 208 - 0.7 * np.asarray(age, float)
    return beats


def trimp(
    minutes: npt.ArrayLike,
    heart_rate: npt.ArrayLike,
    resting: npt.ArrayLike,
    greatest: npt.ArrayLike,
    sex: str | None = None,
) -> _Numbers:
    """Training impulse (TRIMP) of workouts, in arbitrary units.

    Minutes times the fraction x of the heart rate reserve times a weight: ``0.86 exp(1.67 x)`` for
    women and ``0.64 exp(1.92 x)`` for men (Banister, in MacDougall et al. (eds.), Physiological
    Testing of the High-Performance Athlete, 1991; Morton, Fitz-Clarke and Banister, J Appl Physiol
    69:1171, 1990). With another or an unknown sex, the mean of the two. The fraction is limited to
    0 to 1.

    Parameters
    ----------
    minutes : array-like
        Duration.
    heart_rate : array-like
        Mean heart rate of the workout, beats per minute; NaN if it is not known.
    resting, greatest : array-like
        Resting and greatest heart rate of the person, beats per minute.
    sex : {"female", "male"} or None

    Returns
    -------
    ndarray
        NaN where a value is not known, or the greatest heart rate is not above the resting one.
    """
    resting, greatest = np.asarray(resting, float), np.asarray(greatest, float)
    reserve = np.where(greatest > resting, greatest - resting, np.nan)
    share = np.clip((np.asarray(heart_rate, float) - resting) / reserve, 0, 1)
    known = {"female": [_WOMEN], "male": [_MEN]}.get(sex or "", [_WOMEN, _MEN])
    weights = [factor * np.exp(exponent * share) for factor, exponent in known]
    impulse: _Numbers = np.asarray(minutes, float) * share * np.mean(weights, axis=0)
    return impulse


def workout_load(
    workouts: pd.DataFrame,
    days: pd.DataFrame,
    *,
    age: float | None = None,
    sex: str | None = None,
) -> pd.Series:
    """The training impulse of each workout of one person.

    The resting heart rate is the median of the person's days, or that of the population if no day
    has one. The greatest heart rate is the largest of the one by age, if it is known, and those
    that were measured in workouts.

    Parameters
    ----------
    workouts : DataFrame
        With the columns ``minutes``, ``heart_rate_avg`` and ``heart_rate_max`` of
        `record.workouts`.
    days : DataFrame
        Days of the person, with the column ``resting_heart_rate``.
    age : float or None
        Years.
    sex : str or None
        ``female`` or ``male``.

    Returns
    -------
    Series of float
        With the index of `workouts`; NaN for a workout without a heart rate.
    """
    resting = float(days["resting_heart_rate"].astype(float).dropna().median())
    if np.isnan(resting):
        resting = POPULATION_RESTING_HEART_RATE
    measured = workouts[["heart_rate_avg", "heart_rate_max"]].to_numpy(float)
    by_age = np.nan if age is None else float(max_heart_rate(age))
    # A missing value of either does not count.
    greatest = float(np.fmax.reduce(measured, axis=None, initial=by_age))
    impulse = trimp(
        workouts["minutes"], workouts["heart_rate_avg"].astype(float), resting, greatest, sex
    )
    return pd.Series(impulse, workouts.index, float)


def daily_load(dates: pd.Series, impulse: pd.Series, until: date) -> pd.DataFrame:
    """The load of each day from the first workout to `until`.

    The mean over weeks is exponentially weighted, as Williams et al. (Br J Sports Med 51:209, 2017)
    recommend: a day weighs ``1 - 2 / (N + 1)`` times the next. Weights are divided by their sum,
    so that the first days are not biased towards 0.

    Parameters
    ----------
    dates : Series of date
        The local day of each workout.
    impulse : Series of float
        Its training impulse, NaN if it is not known. Such a workout adds nothing to its day.
    until : date

    Returns
    -------
    DataFrame
        Indexed by day, with the columns ``load``, the sum of the impulses, and those of `WINDOWS`,
        which are NaN before so many days have passed. Empty if no impulse is known.
    """
    known = impulse.notna().to_numpy()
    when = pd.DatetimeIndex(pd.to_datetime(dates))[known]
    by_day = impulse[known].groupby(when).sum().sort_index()
    if by_day.empty or by_day.index[0] > pd.Timestamp(until):
        return pd.DataFrame(columns=["load", *WINDOWS], index=pd.DatetimeIndex([]), dtype=float)
    days = pd.date_range(by_day.index[0], until, freq="D")
    load = by_day.reindex(days, fill_value=0.0)
    means = {
        name: load.ewm(span=count, min_periods=count).mean() for name, count in WINDOWS.items()
    }
    return pd.DataFrame({"load": load, **means})
