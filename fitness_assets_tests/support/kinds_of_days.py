"""Days of one user with kinds of days, and days without that only look as if they had some."""

from collections.abc import Callable

import numpy as np
import pandas as pd

#: New columns of days of one user, given the days and a generator.
Change = Callable[[pd.DataFrame, np.random.Generator], dict[str, np.ndarray]]


def weekends(days: pd.DataFrame, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Quiet weekdays, and weekends with many steps and long sleep."""
    weekend = (days["day_of_week"] >= 6).to_numpy()
    steps = np.where(weekend, 12_000, 5_500) + generator.normal(0, 1_200, len(days))
    return {
        "steps": steps,
        "calories_burned": 1_600 + 0.05 * steps + generator.normal(0, 60, len(days)),
        "sleep_hours": np.where(weekend, 8.4, 6.6) + generator.normal(0, 0.5, len(days)),
        "active_minutes": np.where(weekend, 80, 35) + generator.normal(0, 12, len(days)),
    }


def even(days: pd.DataFrame, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """A continuum from quiet to active days, without a gap."""
    steps = generator.uniform(2_000, 14_000, len(days))
    return {
        "steps": steps,
        "calories_burned": 1_600 + 0.05 * steps + generator.normal(0, 100, len(days)),
    }


def skewed(days: pd.DataFrame, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Amounts with long tails that rise and fall together."""
    effort = generator.gamma(2, 1, len(days))
    return {
        "steps": 3_000 * effort + generator.gamma(2, 500, len(days)),
        "active_minutes": 20 * effort + generator.gamma(1, 5, len(days)),
        "calories_burned": 1_500 + 200 * effort + generator.gamma(2, 30, len(days)),
    }


def season(days: pd.DataFrame, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Steps that change slowly from month to month."""
    wave = np.sin(np.arange(len(days)) / 29)
    return {"steps": 7_000 + 3_000 * wave + generator.normal(0, 800, len(days))}


def unchanged(_days: pd.DataFrame, _generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Days as they are."""
    return {}
