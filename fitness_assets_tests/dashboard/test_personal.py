"""Calculations on one user's days, downloads, units and labels."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from dashboard import personal
from dashboard.units import feature_label
from fitness_assets.models.forests import activity
from fitness_assets.record.units import IMPERIAL, Units
from fitness_assets.storage.spreadsheet import safe_csv


def days(steps: Sequence[float | None], usual: float = 5_000) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.date_range("2023-04-01", periods=len(steps)).date,
            "steps": np.array(steps, dtype=float),
            "steps_mean_28d": usual,
            "calories_burned": 2_000.0,
            "calories_burned_mean_28d": 2_000.0,
            "resting_heart_rate": float("nan"),
            "resting_heart_rate_mean_28d": 60.0,
        }
    )


def test_a_streak_ends_at_a_missed_goal_and_at_a_missing_value() -> None:
    assert personal.streaks(days([9, 9, 1, 9, 9, 9, None, 9]), "steps", 5) == (6, 3, 1)
    assert personal.streaks(days([9, 9, 1]), "steps", 5) == (2, 2, 0)
    gap = days([9, 9, 9]).drop(index=1)
    assert personal.streaks(gap, "steps", 5) == (2, 1, 1), (
        "a day without a record ends a streak too"
    )


def test_a_week_is_compared_with_the_28_days_before_it() -> None:
    month = days([1_000.0] * 23 + [6_000.0] * 7)
    (last, *others) = personal.week_ends(month)
    assert last == pd.Timestamp("2023-04-30")
    assert len(others) == 3
    steps, kcal = personal.week_changes(month, last)
    assert (steps.mean, steps.usual) == (6_000, 5_000)
    assert steps.share == pytest.approx(0.2)
    assert personal.largest_change([steps, kcal]) is steps
    assert personal.largest_change([kcal]) is None
    assert personal.largest_change([]) is None


def test_no_text_in_a_csv_download_is_a_formula() -> None:
    hostile = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "a\r=1", "plain", None]
    frame = pd.DataFrame({"user_id": hostile, "=steps": [-1.5] * len(hostile)})
    read = pd.read_csv(io.StringIO(safe_csv(frame)), dtype=str)
    for name in read:
        assert not str(name).startswith(("=", "+", "-", "@", "\t", "\r"))
    texts = read["user_id"].dropna()
    assert not texts.str.startswith(("=", "+", "-", "@", "\t", "\r")).any()
    assert list(texts)[-1] == "plain"
    assert set(read.iloc[:, 1]) == {"-1.5"}, "numbers stay numbers"


def test_units_convert_values_and_name_the_unit() -> None:
    units = Units(IMPERIAL)
    frame = pd.DataFrame({"distance_km": [10.0], "steps": [3]})
    assert units.convert(frame).iloc[0].tolist() == pytest.approx([6.21371, 3])
    assert units.text("weight_kg", 100) == "220.5 lb"
    assert Units().title("distance_km") == "Distance (km)"
    assert units.title("steps") == "Steps"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("heart_rate_avg", "Mean heart rate"),
        ("calories_burned_mean_28d", "Usual energy (28-day mean)"),
        ("steps_above_usual", "Steps above usual"),
        (f"{activity.PAST}gym_workout", "Share of past days: gym workout"),
    ],
)
def test_features_have_plain_labels(name: str, label: str) -> None:
    assert feature_label(name) == label
