"""The sums over a month's days, which are added up bucket by bucket."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fitness_assets.record.raw import MEASUREMENTS


@dataclass(frozen=True)
class Totals:
    """Sums over days, from which counts and means follow. Those of different users add up.

    Attributes
    ----------
    users : int
    by_date, by_activity : DataFrame
        By ``date`` and by ``activity_type``: ``records``, ``worn``, ``users``; and of each number
        the ``sum`` and the count of the ``known`` values, as ``steps_sum`` and ``steps_known``.
    """

    users: int
    by_date: pd.DataFrame
    by_activity: pd.DataFrame

    @classmethod
    def of(cls, days: pd.DataFrame) -> "Totals":
        """The totals of `days`, which have `tables.COLUMNS`."""
        users = days["user_id"].nunique()
        return cls(users, _sums(days, "date"), _sums(days, "activity_type"))

    def __add__(self, other: "Totals") -> "Totals":
        """The totals of both, which have no user in common."""
        return Totals(
            self.users + other.users,
            _added(self.by_date, other.by_date),
            _added(self.by_activity, other.by_activity),
        )


def _sums(days: pd.DataFrame, key: str) -> pd.DataFrame:
    groups = days.groupby(key, sort=True)
    numbers = groups[list(MEASUREMENTS)]
    counts = groups.agg(
        records=("user_id", "size"), worn=("worn", "sum"), users=("user_id", "nunique")
    )
    return counts.join([numbers.sum().add_suffix("_sum"), numbers.count().add_suffix("_known")])


def _added(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    added = one.add(other, fill_value=0)
    whole = [name for name in added if not str(name).endswith("_sum")]
    return added.astype(dict.fromkeys(whole, "int64"))


def means(sums: pd.DataFrame) -> pd.DataFrame:
    """The mean of each number over its known values, from sums as in `Totals`."""
    return pd.DataFrame(
        {
            name: sums[f"{name}_sum"] / sums[f"{name}_known"].replace(0, np.nan)
            for name in MEASUREMENTS
        }
    )
