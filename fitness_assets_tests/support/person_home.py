"""A home with releases of one person over years, published without running the pipeline."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from fitness_assets.record.raw import NUMBERS, TRAITS
from fitness_assets.release import tables
from fitness_assets_tests.support.people_bundles import publish_month

USER = "p0123456789abcdef0123"


def days_of_life(first: str, last: str, seed: int = 1) -> pd.DataFrame:
    """Days of one person: from 3 May 2022 about 1,900 steps a day more, and a summer rhythm.

    Every fortieth day the device was not worn. Sleep is longest in 2021.
    """
    dates = pd.date_range(first, last)
    draws = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * (dates.dayofyear.to_numpy() - 100) / 365.25)
    steps = 7_500 + 1_200 * season + 1_900 * np.asarray(dates >= pd.Timestamp("2022-05-03"))
    steps = np.round(steps + draws.normal(0, 1_500, len(dates))).clip(500)
    values: dict[str, object] = dict.fromkeys((*NUMBERS, *TRAITS), np.nan)
    values |= {
        "steps": steps,
        "distance_km": np.round(steps * 0.00075, 2),
        "calories_burned": np.round(1_600 + 0.05 * steps + draws.normal(0, 60, len(dates))),
        "heart_rate_avg": np.round(70 + draws.normal(0, 3, len(dates)), 1),
        "resting_heart_rate": np.round(58 - 2 * season + draws.normal(0, 1.5, len(dates)), 1),
        "sleep_hours": np.round(
            7 + 0.4 * np.asarray(dates.year == 2021) + draws.normal(0, 0.7, len(dates)), 1
        ),
        "active_minutes": np.round(steps / 150),
        "weight_kg": np.round(75 - 0.003 * np.arange(len(dates)), 1),
        "sex": "female",
        "age": 41.0,
    }
    days = pd.DataFrame({"user_id": USER, "date": dates.date, **values})
    days["worn"] = np.arange(len(dates)) % 40 != 39
    days.loc[~days["worn"], ["steps", "sleep_hours", "resting_heart_rate"]] = np.nan
    days["activity_type"] = "walking"
    days["day_of_week"] = dates.dayofweek + 1
    days["quality_flags"] = pd.Series([[]] * len(days), dtype=object)
    for name in tables.COLUMNS:
        measured, mean, window = name.partition("_mean_")
        if mean:
            size = f"{window.removesuffix('d')}D"
            by_date = pd.Series(days[measured].to_numpy(dtype=float), dates)
            days[name] = by_date.rolling(size, closed="left").mean().to_numpy()
    return days[[*tables.COLUMNS]]


def publish_person(home: Path, days: pd.DataFrame, partial_until: date | None = None) -> list[str]:
    """Publish the bundles of each month of `days`; return the months.

    Parameters
    ----------
    home : Path
    days : DataFrame
        As `days_of_life` returns.
    partial_until : date, optional
        The last day so far of the last month.
    """
    by_month = dict(list(days.groupby(pd.to_datetime(days["date"]).dt.strftime("%Y-%m"))))
    months = sorted(by_month)
    for month in months:
        until = partial_until if month == months[-1] else None
        publish_month(home, month, by_month[month].reset_index(drop=True), until)
    return months
