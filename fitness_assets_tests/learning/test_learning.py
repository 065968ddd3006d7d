"""The models learn what is there, and say so where nothing is."""

import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import NotLearnedError
from fitness_assets.learning import activity, calories, segments
from fitness_assets.learning.datasets import HOLD_OUT, held_out, split_by_user
from fitness_assets.learning.prediction import estimate_calories, recognise
from fitness_assets.learning.verdicts import segments_verdict

APRIL = pd.Timestamp("2023-04-01")


def month(users: int = 120, *, groups: int = 1, seed: int = 0) -> pd.DataFrame:
    """A worn April of `users`, who differ by chance alone, or belong to `groups` that differ."""
    generator = np.random.default_rng(seed)
    days = pd.date_range(APRIL, periods=30)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{i}" for i in range(users)], len(days)),
            "date": np.tile(days, users),
        }
    )
    group = np.repeat(np.arange(users) % groups, len(days))
    rows = len(frame)
    return frame.assign(
        worn=True,
        day_of_week=frame["date"].dt.weekday + 1,
        steps=generator.normal(8_000, 1_000, rows) + 6_000 * group,
        calories_burned=generator.normal(2_000, 100, rows) + 400 * group,
        heart_rate_avg=generator.normal(80, 3, rows),
        resting_heart_rate=generator.normal(60, 3, rows) - 12 * group,
        sleep_hours=generator.normal(7, 1, rows),
        active_minutes=generator.normal(40, 5, rows),
        activity_type=generator.choice(["running", "walking", "yoga"], rows),
    )


def test_a_user_stays_on_one_side_whoever_else_is_there() -> None:
    users = pd.Series([f"u{i}" for i in range(5_000)])
    sides = held_out(users)
    assert sides.mean() == pytest.approx(1 / HOLD_OUT, abs=0.02)
    assert held_out(users[::-7]).equals(sides[::-7])


def test_no_user_is_on_both_sides_and_unusable_rows_are_on_none() -> None:
    days = month(50)
    days.loc[days.index[::3], "worn"] = False
    days.loc[days.index[1::3], "activity_type"] = None
    split = split_by_user(days, ["activity_type"])
    assert not set(split.train["user_id"]) & set(split.test["user_id"])
    rows = pd.concat([split.train, split.test])
    assert rows["worn"].all()
    assert rows["activity_type"].notna().all()
    assert len(rows) == len(days) // 3


def test_groups_that_are_there_are_found() -> None:
    _, table, metrics = segments.learn(month(groups=2), APRIL)
    assert metrics["stable"]
    assert metrics["segments"] == 2
    assert metrics["stability"] > 0.9
    truth = table["user_id"].str[1:].astype(int) % 2
    assert len(set(zip(truth, table["segment"], strict=True))) == 2, "one segment for each group"
    assert "2 groups that stay the same" in segments_verdict(metrics)


def test_no_groups_are_found_in_noise() -> None:
    _, _, metrics = segments.learn(month(400), APRIL)
    assert not metrics["stable"]
    assert abs(metrics["stability"]) < 0.15
    assert "No stable groups" in segments_verdict(metrics)


def test_a_measure_that_the_data_lacks_is_left_out() -> None:
    _, _, metrics = segments.learn(month(groups=2).assign(active_minutes=np.nan), APRIL)
    assert "active_minutes" not in metrics["features"]
    assert metrics["stable"]


def test_an_activity_that_shows_is_recognised_and_noise_is_not() -> None:
    noise = month()
    _, metrics = activity.learn(noise)
    assert metrics["balanced_accuracy"] == pytest.approx(1 / 3, abs=0.05)

    shows = noise.assign(
        heart_rate_avg=noise["activity_type"].map({"running": 150, "walking": 100, "yoga": 70})
    )
    model, metrics = activity.learn(shows)
    assert metrics["accuracy"] == 1
    assert metrics["baseline"]["accuracy"] < 0.5
    answer = recognise(model, metrics, steps=8_000, kcal=2_000, heart_rate=150)
    assert next(iter(answer.probabilities)) == "running"
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.extrapolated == []
    assert recognise(model, metrics, steps=9e5, kcal=2_000, heart_rate=1).extrapolated == [
        "steps",
        "heart_rate_avg",
    ]


def test_calories_that_follow_from_the_day_are_estimated() -> None:
    days = month(300)
    burnt = days["activity_type"].map({"running": 900, "walking": 300, "yoga": 100})
    days = days.assign(calories_burned=burnt + days["steps"] / 10)
    model, metrics = calories.learn(days)
    assert metrics["r2"] > 0.95
    assert metrics["baselines"]["mean"]["r2"] == pytest.approx(0, abs=0.05)
    usual = {"steps": 8_000.0, "heart_rate": 80.0, "sleep_hours": 7.0}
    estimates = {
        name: estimate_calories(model, metrics, activity_type=name, **usual).kcal
        for name in metrics["categories"]
    }
    assert estimates["running"] > estimates["walking"] + 300 > estimates["yoga"] + 300
    with pytest.raises(ValueError, match="'Running' is not an activity this model knows"):
        estimate_calories(model, metrics, activity_type="Running", **usual)


def test_scores_are_of_the_model_that_is_returned() -> None:
    days = month(200, groups=2)
    model, metrics = calories.learn(days)
    test = split_by_user(days, [calories.TARGET, calories.CATEGORY]).test
    error = np.abs(model.predict(test[calories.FEATURES]) - test[calories.TARGET]).mean()
    assert metrics["mae"] == pytest.approx(error)
    assert metrics["rows_tested"] == len(test)


def test_what_cannot_be_learned_says_why() -> None:
    few = month(4)
    with pytest.raises(NotLearnedError, match="needs 5 users"):
        calories.learn(few)
    with pytest.raises(NotLearnedError, match="activity_type; there are 0 and 0"):
        activity.learn(month(50).assign(activity_type=None))
    with pytest.raises(NotLearnedError, match="every day to learn from is yoga"):
        activity.learn(month(50).assign(activity_type="yoga"))
    with pytest.raises(NotLearnedError, match="needs 10 users"):
        segments.learn(few, APRIL)
