"""One user's workouts up to a month, and the training load of its days."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from fitness_assets import months
from fitness_assets.history.training_load import WINDOWS, daily_load, workout_load

# A smaller difference, as a share, is not named.
_NOTABLE = 0.1


@dataclass(frozen=True)
class Training:
    """What a user did in a month.

    Attributes
    ----------
    workouts : DataFrame
        The workouts of the month, the newest first, with ``load``, the training impulse of each.
    load : DataFrame
        By ``date``, the days of the month with ``load`` and `WINDOWS`; empty if no workout has a
        heart rate.
    """

    workouts: pd.DataFrame
    load: pd.DataFrame


def training(workouts: pd.DataFrame, days: pd.DataFrame, month: str, last: date) -> Training:
    """The training of a user in `month`.

    Parameters
    ----------
    workouts : DataFrame
        The table of a release, of the month and of those before it.
    days : DataFrame
        Days of the user with ``resting_heart_rate``, ``age`` and ``sex``.
    month : str
    last : date
        The last day of the month that has passed.
    """
    age, sex = _last_known(days, "age"), _last_known(days, "sex")
    load = workout_load(workouts, days, age=None if age is None else float(age), sex=sex)
    dates = pd.to_datetime(workouts["date"])
    by_day = daily_load(dates, load, last)
    first = pd.Timestamp(months.start(month))
    own = workouts.assign(load=load)[dates >= first]
    shown = by_day[by_day.index >= first]
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
