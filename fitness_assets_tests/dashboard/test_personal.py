"""What is told of one user's days, and what is handed to them."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from dashboard import charts, page, personal
from dashboard.units import IMPERIAL, Units, called


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


def test_a_streak_ends_where_a_goal_is_missed_or_nothing_is_known() -> None:
    assert personal.streaks(days([9, 9, 1, 9, 9, 9, None, 9]), "steps", 5) == (6, 3, 1)
    assert personal.streaks(days([9, 9, 1]), "steps", 5) == (2, 2, 0)
    gap = days([9, 9, 9]).drop(index=1)
    assert personal.streaks(gap, "steps", 5) == (2, 1, 1), "a day without a record ends it too"


def test_a_week_is_compared_with_the_28_days_before_it() -> None:
    month = days([1_000.0] * 23 + [6_000.0] * 7)
    (last, *others) = personal.weeks(month)
    assert last == pd.Timestamp("2023-04-30")
    assert len(others) == 3
    steps, kcal = personal.changes(month, last)
    assert (steps.week, steps.usual) == (6_000, 5_000)
    assert steps.share == pytest.approx(0.2)
    assert personal.most_changed([steps, kcal]) is steps
    assert personal.most_changed([kcal]) is None
    assert personal.most_changed([]) is None


def test_no_text_of_a_download_is_a_formula() -> None:
    hostile = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "a\r=1", "plain", None]
    frame = pd.DataFrame({"user_id": hostile, "=steps": [-1.5] * len(hostile)})
    read = pd.read_csv(io.StringIO(page.harmless_csv(frame)), dtype=str)
    for name in read:
        assert not str(name).startswith(("=", "+", "-", "@", "\t", "\r"))
    texts = read["user_id"].dropna()
    assert not texts.str.startswith(("=", "+", "-", "@", "\t", "\r")).any()
    assert list(texts)[-1] == "plain"
    assert set(read.iloc[:, 1]) == {"-1.5"}, "a number is a number"


def test_units_convert_there_and_names_say_so() -> None:
    units = Units(IMPERIAL)
    frame = pd.DataFrame({"distance_km": [10.0], "steps": [3]})
    assert units.of(frame).iloc[0].tolist() == pytest.approx([6.21371, 3])
    assert units.text("weight_kg", 100) == "220.5 lb"
    assert Units().title("distance_km") == "Distance (km)"
    assert units.title("steps") == "Steps"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("heart_rate_avg", "Mean heart rate"),
        ("calories_burned_mean_28d", "Usual energy (28 days)"),
        ("steps_above_usual", "Steps above usual"),
    ],
)
def test_inputs_of_a_model_are_called_as_people_would(name: str, label: str) -> None:
    assert called(name) == label


def test_a_calendar_puts_each_day_into_its_week() -> None:
    drawn = charts.heat(days([1.0] * 30), "steps", Units()).to_dict()
    (rows,) = drawn["datasets"].values()
    # The first of April 2023 was a Saturday.
    assert [(row["week"], row["weekday"]) for row in rows[:3]] == [
        (0, "Sat"),
        (0, "Sun"),
        (1, "Mon"),
    ]
