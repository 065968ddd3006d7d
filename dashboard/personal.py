"""What is told of one user's days: pure functions."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

#: Numbers whose mean of the 28 days before each day the lake keeps, and whether more of it is good
#: ("normal"), bad ("inverse") or neither ("off").
USUAL: dict[str, Literal["normal", "inverse", "off"]] = {
    "steps": "normal",
    "calories_burned": "off",
    "resting_heart_rate": "inverse",
}
_WEEK = 7
# Changes of less than this share of the usual are not worth telling.
_NOTABLE = 0.05


@dataclass(frozen=True)
class Change:
    """A week's mean of a number, and what was usual in the 28 days before it."""

    name: str
    week: float
    usual: float

    @property
    def share(self) -> float:
        """The change as a share of the usual."""
        return self.week / self.usual - 1


def weeks(days: pd.DataFrame) -> list[pd.Timestamp]:
    """The last days of the whole weeks that end with the last day of `days`, latest first."""
    dates = pd.to_datetime(days["date"])
    last, first = dates.max(), dates.min()
    ends = pd.date_range(end=last, periods=max(1, (last - first).days // _WEEK + 1), freq="7D")
    return [end for end in ends[::-1] if end - pd.Timedelta(days=_WEEK - 1) >= first] or [last]


def changes(days: pd.DataFrame, end: pd.Timestamp) -> list[Change]:
    """The week that ends with `end` beside the 28 days before it, of the numbers known in both.

    Parameters
    ----------
    days : DataFrame
        ``date``, the numbers of `USUAL`, and each with ``_mean_28d``.
    end : Timestamp
    """
    dates = pd.to_datetime(days["date"])
    week = days[(dates <= end) & (dates > end - pd.Timedelta(days=_WEEK))]
    told = []
    for name in USUAL:
        # The mean before its first day holds none of the week.
        usual = week[f"{name}_mean_28d"].dropna()
        mean = week[name].mean()
        if len(usual) and not pd.isna(mean) and usual.iloc[0]:
            told.append(Change(name, float(mean), float(usual.iloc[0])))
    return told


def most_changed(told: list[Change]) -> Change | None:
    """The change that is the largest share of the usual; None where none is notable."""
    largest = max(told, key=lambda change: abs(change.share), default=None)
    return largest if largest and abs(largest.share) >= _NOTABLE else None


def streaks(days: pd.DataFrame, name: str, goal: float) -> tuple[int, int, int]:
    """Days that reach `goal`, the longest run of them, and the run that lasts until the last day.

    A day without a reading, and one without a record, ends a run.
    """
    by_date = days.set_index(pd.to_datetime(days["date"]))[name]
    reached = by_date.asfreq("D").ge(goal).tolist()
    longest = run = 0
    for each in reached:
        run = run + 1 if each else 0
        longest = max(longest, run)
    return sum(reached), longest, run
