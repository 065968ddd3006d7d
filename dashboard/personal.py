"""Calculations on one user's days: weeks, changes and streaks. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

#: Measurements whose mean of the 28 days before each day is in the lake, and whether more of it is
#: good (1), bad (-1) or neither (0).
USUAL = {"steps": 1, "calories_burned": 0, "resting_heart_rate": -1}
_WEEK = 7
#: The days before a week whose mean is the usual value, and the fewest of them with a value.
_USUAL_DAYS, _LEAST_USUAL = 28, 7
# Smaller changes, as a share of the usual value, are not named.
_NOTABLE = 0.05


@dataclass(frozen=True)
class Change:
    """The mean of a measurement over a week, and over the 28 days before it (`usual`)."""

    name: str
    mean: float
    usual: float

    @property
    def share(self) -> float:
        """The change as a share of the usual value."""
        return self.mean / self.usual - 1


def week_compared(days: pd.DataFrame, names: Sequence[str]) -> list[Change]:
    """The means of the last seven days, and of the 28 days before them.

    Parameters
    ----------
    days : DataFrame
        ``date``, ``worn`` and the measurements `names`, of several months.
    names : sequence of str

    Returns
    -------
    list of Change
        Of the measurements that have a value in the week and at least `_LEAST_USUAL` before it.
    """
    dates = days["date"]
    worn = days[days["worn"].astype(bool)]
    end = dates.max()
    start = end - pd.Timedelta(days=_WEEK)
    week = worn[worn["date"] > start]
    before = worn[(worn["date"] <= start) & (worn["date"] > start - pd.Timedelta(days=_USUAL_DAYS))]
    changes = []
    for name in names:
        known, usual = week[name].dropna(), before[name].dropna()
        if len(known) and len(usual) >= _LEAST_USUAL:
            changes.append(Change(name, float(known.mean()), float(usual.mean())))
    return changes


def week_ends(days: pd.DataFrame) -> list[pd.Timestamp]:
    """The last days of the whole weeks counted back from the last day of `days`, latest first."""
    dates = pd.to_datetime(days["date"])
    last, first = dates.max(), dates.min()
    ends = pd.date_range(end=last, periods=max(1, (last - first).days // _WEEK + 1), freq="7D")
    return [end for end in ends[::-1] if end - pd.Timedelta(days=_WEEK - 1) >= first] or [last]


def week_changes(days: pd.DataFrame, end: pd.Timestamp) -> list[Change]:
    """Changes from the 28 days before a week to the week, of measurements that both have.

    Parameters
    ----------
    days : DataFrame
        ``date``, the measurements of `USUAL`, and each with the suffix ``_mean_28d``.
    end : Timestamp
        Last day of the week.
    """
    dates = pd.to_datetime(days["date"])
    week = days[(dates <= end) & (dates > end - pd.Timedelta(days=_WEEK))]
    changes = []
    for name in USUAL:
        # The trailing mean of the week's first day contains no day of the week.
        usual = week[f"{name}_mean_28d"].dropna()
        mean = week[name].mean()
        if len(usual) and not pd.isna(mean) and usual.iloc[0]:
            changes.append(Change(name, float(mean), float(usual.iloc[0])))
    return changes


def largest_change(changes: list[Change]) -> Change | None:
    """The largest change as a share of the usual value; None if no change reaches 5%."""
    largest = max(changes, key=lambda change: abs(change.share), default=None)
    return largest if largest and abs(largest.share) >= _NOTABLE else None


def is_better(change: Change) -> bool | None:
    """Whether a change is for the better; None if it is none, or neither good nor bad."""
    wanted = USUAL.get(change.name, 0)
    return change.mean * wanted > change.usual * wanted if wanted and change.share else None


def streaks(days: pd.DataFrame, name: str, goal: float) -> tuple[int, int, int]:
    """Days that reach `goal`, the longest streak of them, and the streak that ends the month.

    A day without a value or without a record ends a streak.
    """
    by_date = days.set_index(pd.to_datetime(days["date"]))[name]
    reached = by_date.asfreq("D").ge(goal).tolist()
    longest = current = 0
    for is_reached in reached:
        current = current + 1 if is_reached else 0
        longest = max(longest, current)
    return sum(reached), longest, current
