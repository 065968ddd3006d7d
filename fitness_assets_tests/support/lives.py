"""Synthetic days of one user over years, with planted changes, and their months in a lake.

`life` gives a user's days. Plant what a test looks for by changing its columns before `as_days`
makes records of them.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from fitness_assets import months
from fitness_assets.history.schema import MEASURES
from fitness_assets.record import daily
from fitness_assets.storage.lake import DailyInfo, describe
from fitness_assets.storage.rows import part, write_rows
from fitness_assets.workspace import Workspace

# Mean, standard deviation of days, and effect of a weekend of each measure.
_USUAL: Mapping[str, tuple[float, float, float]] = {
    "steps": (8_000, 2_200, 900),
    "calories_burned": (2_300, 180, 60),
    "heart_rate_avg": (74, 4, 1),
    "resting_heart_rate": (58, 1.8, 0),
    "sleep_hours": (7.1, 0.8, 0.6),
    "active_minutes": (45, 16, 10),
    "sedentary_minutes": (700, 70, -40),
}


def noise(draws: np.random.Generator, length: int, phi: float) -> np.ndarray:
    """A stationary AR(1) process with mean 0 and standard deviation 1."""
    steps = draws.standard_normal(length) * np.sqrt(1 - phi**2)
    found = np.empty(length)
    value = draws.standard_normal()
    for day in range(length):
        value = phi * value + steps[day]
        found[day] = value
    return found


def life(first: date, last: date, seed: int, phi: float = 0.3, gaps: float = 0.05) -> pd.DataFrame:
    """The days of a user whose measures are independent of each other.

    Parameters
    ----------
    first, last : date
    seed : int
    phi : float
        Autocorrelation of each measure from day to day.
    gaps : float
        Share of days that are not worn; half of them in stretches of five days.

    Returns
    -------
    DataFrame
        Indexed by date: the measures of a day, ``weight_kg``, ``worn`` and ``source``.
    """
    draws = np.random.default_rng(seed)
    dates = pd.date_range(first, last)
    days = pd.DataFrame(index=dates)
    weekend = (dates.dayofweek >= 5).astype(float)
    for name, (mean, spread, effect) in _USUAL.items():
        days[name] = mean + spread * noise(draws, len(dates), phi) + effect * weekend
    days["distance_km"] = days["steps"] * 0.00075
    days["weight_kg"] = 74.0
    worn = draws.random(len(dates)) >= gaps / 2
    for start in draws.integers(0, len(dates), round(gaps / 2 * len(dates) / 5)):
        worn[start : start + 5] = False
    days["worn"] = worn
    days["source"] = "tidy"
    return days


#: What `planted_life` contains.
HABIT_BEGINS = date(2022, 5, 3)
DEVICE_BEGINS = date(2023, 2, 10)


def planted_life(seed: int = 1) -> pd.DataFrame:
    """Three years, from 2021 to 2023, of a user with three things to find.

    From `HABIT_BEGINS` the user takes 3,500 steps a day more. From `DEVICE_BEGINS` another device
    reads the resting heart rate 3 bpm lower. The day after each hour of sleep above the usual the
    resting heart rate is 1 bpm lower.
    """
    days = life(date(2021, 1, 1), date(2023, 12, 31), seed)
    days.loc[days.index >= pd.Timestamp(HABIT_BEGINS), "steps"] += 3_500
    days["distance_km"] = days["steps"] * 0.00075
    new_device = days.index >= pd.Timestamp(DEVICE_BEGINS)
    days.loc[new_device, "resting_heart_rate"] -= 3
    days.loc[new_device, "source"] = "garmin"
    more_sleep = days["sleep_hours"] - days["sleep_hours"].mean()
    days["resting_heart_rate"] -= more_sleep.shift(1).fillna(0)
    return days


def as_days(lives: Mapping[str, pd.DataFrame]) -> pa.Table:
    """Records of `daily_activity` of users, by id and date; other columns are null."""
    parts = []
    for user, days in sorted(lives.items()):
        values = days.copy()
        movement = [name for name in MEASURES if name != "weight_kg"]
        values.loc[~values["worn"], movement] = np.nan
        for name in ("steps", "active_minutes", "sedentary_minutes"):
            values[name] = values[name].round().clip(lower=0)
        columns = {
            field.name: pa.array(values[field.name], from_pandas=True).cast(field.type)
            if field.name in values
            else pa.nulls(len(values), field.type)
            for field in daily.SCHEMA
        }
        columns["user_id"] = pa.array([user] * len(values))
        columns["date"] = pa.array(pd.DatetimeIndex(values.index).date, pa.date32())
        columns["calories_kind"] = pa.array(["total"] * len(values))
        parts.append(pa.table(columns, schema=daily.SCHEMA))
    return pa.concat_tables(parts)


def publish_days(workspace: Workspace, days: pa.Table, partial_until: date | None = None) -> None:
    """Publish records as the months of `daily_activity`, without Spark.

    Parameters
    ----------
    workspace : Workspace
    days : Table
    partial_until : date, optional
        The last day of the last month, if that month is partial.
    """
    dates = days["date"].to_numpy()
    for month in _months_of(days):
        first, end = np.datetime64(months.start(month)), np.datetime64(months.end(month))
        rows = days.filter(pa.array((dates >= first) & (dates < end)))
        with workspace.daily.writer(month) as writer:
            write_rows(writer.staging / part(0), rows.to_batches(), rows.schema)
            found = describe(writer.staging)
            info = DailyInfo(rows=found.rows, columns=found.columns, distributions={})
            if partial_until is not None and months.key(partial_until) == month:
                info = msgspec.structs.replace(info, partial_until=partial_until)
            writer.publish(info, {})


def _months_of(days: pa.Table) -> Iterable[str]:
    first, last = days["date"].to_pandas().min(), days["date"].to_pandas().max()
    return months.between(months.key(first), months.key(last))
