"""One user's workouts in a period, and the training load of its days."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from fitness_assets.history.training_load import WINDOWS, daily_load, workout_load

#: Months whose workouts are read, the first month of the period included. Days of earlier months
#: weigh next to nothing in the mean of six weeks.
LOAD_MONTHS = 4
# A smaller difference, as a share, is not named.
_NOTABLE = 0.1


@dataclass(frozen=True)
class Training:
    """What a user did in a period.

    Attributes
    ----------
    workouts : DataFrame
        The workouts of the period, the newest first, with ``load``, the training impulse of each.
    load : DataFrame
        By ``date``, the days of the period with ``load`` and `WINDOWS`; empty if no workout has a
        heart rate.
    """

    workouts: pd.DataFrame
    load: pd.DataFrame


def training(workouts: pd.DataFrame, days: pd.DataFrame, first: date, last: date) -> Training:
    """The training of a user from `first` to `last`.

    Parameters
    ----------
    workouts : DataFrame
        With ``date``, the local day, ``start``, the time of day as 18:05, and the columns of
        `record.workouts`; of the period and of `LOAD_MONTHS` - 1 months before it.
    days : DataFrame
        Days of the user with ``resting_heart_rate``, ``age`` and ``sex``.
    first, last : date
        The first day of the period, and the last one that has passed.
    """
    age, sex = _last_known(days, "age"), _last_known(days, "sex")
    load = workout_load(workouts, days, age=None if age is None else float(age), sex=sex)
    dates = pd.to_datetime(workouts["date"])
    by_day = daily_load(dates, load, last)
    begin, end = pd.Timestamp(first), pd.Timestamp(last)
    own = workouts.assign(load=load)[(dates >= begin) & (dates <= end)]
    shown = by_day[by_day.index >= begin]
    return Training(
        own.sort_values(["date", "start"], ascending=False, ignore_index=True),
        shown.reset_index(names="date"),
    )


def load_sentence(load: pd.DataFrame) -> str | None:
    """How the load of the last week compares with that of six weeks; None before these are over."""
    week, weeks = (load[name].iloc[-1] if len(load) else None for name in WINDOWS)
    if week is None or weeks is None or pd.isna(week) or pd.isna(weeks) or not weeks:
        return None
    share = week / weeks - 1
    if abs(share) < _NOTABLE:
        return "You train as much as in the six weeks before."
    return f"You train {'more' if share > 0 else 'less'} than in the six weeks before."


def _last_known(days: pd.DataFrame, name: str) -> Any:
    known = days[name].dropna() if name in days else pd.Series(dtype=object)
    return None if known.empty else known.iloc[-1]
