"""Worn days of few users over several months, with the columns that personal models read."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.forests import calories
from fitness_assets.models.reports import ModelHeadline
from fitness_assets.models.segments import segmentation

#: The first day of the window.
FIRST = pd.Timestamp("2023-01-01")

#: kcal of each day, given the steps, the dates and a generator.
Kcal = Callable[[np.ndarray, pd.DatetimeIndex, np.random.Generator], np.ndarray]


def noise(
    steps: np.ndarray, _dates: pd.DatetimeIndex, generator: np.random.Generator
) -> np.ndarray:
    """kcal that are independent of everything."""
    return generator.normal(2_100, 150, len(steps))


def by_steps(
    steps: np.ndarray, _dates: pd.DatetimeIndex, generator: np.random.Generator
) -> np.ndarray:
    """kcal that rise with the steps."""
    return 1_600 + 0.05 * steps + generator.normal(0, 60, len(steps))


def window(
    users: int = 1, *, months: int = 6, kcal: Kcal = noise, seed: int = 0, first: int = 0
) -> pd.DataFrame:
    """Days of `users` in the months from `FIRST`, with trailing means of the days before."""
    return pd.concat(
        [_days(f"u{first + user}", months, kcal, 100 * seed + user) for user in range(users)],
        ignore_index=True,
    )


def with_means(days: pd.DataFrame) -> pd.DataFrame:
    """Days of one user, one row a date, with the trailing means of the days before."""
    means = {
        f"{name}_mean_{length}d": days[name].shift().rolling(length, min_periods=1).mean()
        for name in ("steps", "calories_burned")
        for length in (7, 28)
    }
    return days.assign(**means)


def _days(user: str, months: int, kcal: Kcal, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    dates = pd.date_range(FIRST, FIRST + pd.DateOffset(months=months), inclusive="left")
    steps = generator.normal(8_000, 2_500, len(dates)).clip(500)
    columns = dict.fromkeys([*calories.COLUMNS, *segmentation.COLUMNS])
    days = pd.DataFrame({"user_id": user, "date": dates}).reindex(columns=list(columns))
    return with_means(
        days.assign(
            worn=True,
            day_of_week=dates.weekday + 1,
            steps=steps,
            distance_km=steps * 0.0007 + generator.normal(0, 0.1, len(dates)),
            active_minutes=generator.normal(50, 12, len(dates)).clip(0),
            heart_rate_avg=generator.normal(75, 4, len(dates)),
            resting_heart_rate=generator.normal(58, 2, len(dates)),
            sleep_hours=generator.normal(7, 0.8, len(dates)),
            calories_burned=kcal(steps, dates, generator),
        )
    )


def headline(metrics: RegressorMetrics) -> ModelHeadline:
    """What the manifest of a personal regressor with these metrics says."""
    return ModelHeadline(
        learned=True,
        released=True,
        bytes=1,
        memory_bytes=1,
        scores=metrics.summary(),
        scope="personal",
    )
