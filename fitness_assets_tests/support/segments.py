"""Days of users in groups, and the segments of them, for tests of several modules."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.models.segments import segmentation

APRIL, MAY = pd.Timestamp("2023-04-01"), pd.Timestamp("2023-05-01")

Learned = tuple[Pipeline, pd.DataFrame, SegmentMetrics]


def telemetry(users: int, *, groups: int = 1, days: int = 30, seed: int = 0) -> pd.DataFrame:
    """Worn days from April on of `users` who differ by chance, or also by group."""
    generator = np.random.default_rng(seed)
    dates = pd.date_range(APRIL, periods=days)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{i}" for i in range(users)], days),
            "date": np.tile(dates, users),
        }
    )
    group = np.repeat(np.arange(users) % groups, days)
    rows = len(frame)
    steps = generator.normal(6_000, 1_000, rows) + 4_000 * group
    resting = generator.normal(64, 3, rows) - 6 * group
    return frame.assign(
        worn=True,
        day_of_week=frame["date"].dt.weekday + 1,
        steps=steps,
        calories_burned=1_600 + 0.04 * steps + generator.normal(0, 20, rows),
        heart_rate_avg=resting + generator.normal(20, 3, rows),
        resting_heart_rate=resting,
        sleep_hours=generator.normal(7, 1, rows),
        active_minutes=generator.normal(30, 5, rows) + 20 * group,
        sedentary_minutes=generator.normal(700, 30, rows),
    )


@cache
def learned(users: int, groups: int = 1, days: int = 30, seed: int = 0) -> Learned:
    """The segments of `telemetry`, cached."""
    frame = telemetry(users, groups=groups, days=days, seed=seed)
    return segmentation.learn(frame, frame["date"].max().to_period("M").to_timestamp())
