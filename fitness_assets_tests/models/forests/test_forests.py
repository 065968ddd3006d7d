"""The forests learn what is there, and say so where nothing is."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import backtest, evaluation, gates
from fitness_assets.models.datasets import HOLD_OUT, held_out, some_users, split_by_user, validation
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.forests.pipelines import packed, packed_bytes
from fitness_assets.models.prediction import asked, estimate_calories, recognise

APRIL = pd.Timestamp("2023-04-01")
BUDGET = 50_000


def month(users: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """A worn April of `users` who differ by chance alone, with all that the forests read."""
    generator = np.random.default_rng(seed)
    days = pd.date_range(APRIL, periods=30)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{i}" for i in range(users)], len(days)),
            "date": np.tile(days, users),
        }
    )
    rows = len(frame)
    return frame.reindex(columns=backtest.COLUMNS).assign(
        worn=True,
        day_of_week=frame["date"].dt.weekday + 1,
        steps=generator.normal(8_000, 1_000, rows),
        calories_burned=generator.normal(2_000, 100, rows),
        heart_rate_avg=generator.normal(80, 3, rows),
        sleep_hours=generator.normal(7, 1, rows),
        activity_type=generator.choice(["running", "walking", "yoga"], rows),
    )


def told_apart_by_heart_rate() -> pd.DataFrame:
    days = month()
    rates = {"running": 150.0, "walking": 100.0, "yoga": 70.0}
    return days.assign(heart_rate_avg=days["activity_type"].map(rates))


def burnt_by_activity(users: int = 150) -> pd.DataFrame:
    """kcal that follow from the activity and the steps."""
    days = month(users)
    burnt = days["activity_type"].map({"running": 900, "walking": 300, "yoga": 100})
    return days.assign(calories_burned=burnt + days["steps"] / 10)


def burnt_by_person(users: int) -> pd.DataFrame:
    """kcal that are a person's own, with what each day's steps add; and the person's past mean."""
    days = month(users)
    own = 1_400 + 1_200 * np.random.default_rng(1).random(users)
    kcal = np.repeat(own, 30) + days["steps"] / 20
    return days.assign(
        calories_burned=kcal,
        calories_burned_mean_28d=kcal.groupby(days["user_id"]).transform("mean").to_numpy(),
        steps_mean_28d=8_000.0,
        activity_type=None,
    )


def failed(name: str, metrics: dict[str, Any], before: dict[str, Any] | None = None) -> list[str]:
    """Names of the gates that these metrics do not pass."""
    sizes = {"bytes": 1, "memory_bytes": 1}
    verdicts = gates.examine(name, metrics | sizes, before, 1, 1)
    return [verdict.name for verdict in verdicts if not verdict.passed]


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


@pytest.mark.parametrize(("users", "folds"), [(60, 3), (300, 1)])
def test_choices_are_made_on_training_users_kept_aside(users: int, folds: int) -> None:
    train = split_by_user(month(users), ["steps"]).train
    splits = list(validation(train))
    assert len(splits) == folds
    for split in splits:
        assert not set(split.train["user_id"]) & set(split.test["user_id"])
        assert not held_out(split.test["user_id"]).any(), "the test set stays unseen"
    if folds > 1:
        assert sum(len(split.test) for split in splits) == len(train)


def test_some_users_come_with_all_their_days() -> None:
    days = month(40)
    some = some_users(days, 300)
    assert some.groupby("user_id").size().eq(30).all()
    assert 300 <= len(some) < 360
    others = days[days["user_id"] != some["user_id"].iloc[-1]]
    assert set(some["user_id"]) - set(some_users(others, 300)["user_id"]) == {
        some["user_id"].iloc[-1]
    }


def test_noise_is_not_released() -> None:
    for name, learner in backtest.FORESTS.items():
        _, metrics = learner.learn(month(), BUDGET)
        assert "better_than_baseline" in failed(name, metrics), name
    assert metrics["r2"] < 0.01


def test_an_activity_that_shows_is_recognised() -> None:
    model, metrics = activity.learn(told_apart_by_heart_rate(), BUDGET)
    assert metrics["accuracy"] == 1
    assert metrics["baseline_accuracy"] < 0.5
    assert failed("activity_classifier", metrics) == []
    day = {"steps": 8_000.0, "calories_burned": 2_000.0, "heart_rate_avg": 150.0}
    answer = recognise(model, metrics, day)
    assert next(iter(answer.probabilities)) == "running"
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.extrapolated == []
    odd = recognise(model, metrics, day | {"steps": 9e5, "heart_rate_avg": 1.0})
    assert odd.extrapolated == ["steps", "heart_rate_avg"]


def test_a_past_that_tells_is_used_and_never_the_day_itself() -> None:
    days = month()
    favourite = pd.Series(["running", "walking", "yoga"] * 40).repeat(30).to_numpy()
    keeps = np.random.default_rng(2).random(len(days)) < 0.8
    days["activity_type"] = np.where(keeps, favourite, days["activity_type"])
    _, metrics = activity.learn(days, BUDGET)
    assert metrics["accuracy"] > 0.75
    assert next(iter(metrics["importances"])).startswith(activity.PAST)
    _, without = activity.learn(days.assign(user_id=[f"x{i}" for i in range(len(days))]), BUDGET)
    assert without["accuracy"] < 0.45, "people of one day have no past"

    rows = activity.frame(days.sample(frac=1, random_state=0))
    first = rows.groupby("user_id").head(1)
    assert first["past_running"].isna().all()
    third = rows.groupby("user_id").nth(2)
    two = rows.groupby("user_id").head(2)
    ran = two["activity_type"].eq("running").groupby(two["user_id"]).mean()
    assert third["past_running"].to_numpy() == pytest.approx(ran[third["user_id"]].to_numpy())


def test_energy_is_told_without_the_fraction_that_would_give_its_origin_away() -> None:
    days = month()
    per_step = days["activity_type"].map({"running": 0.21, "walking": 0.13, "yoga": 0.07})
    whole = np.random.default_rng(3).integers(1_000, 3_000, len(days))
    artefact = days.assign(calories_burned=whole + (days["steps"] * per_step) % 1)
    _, metrics = activity.learn(artefact, BUDGET)
    assert metrics["accuracy"] < 0.4


def test_calories_that_follow_from_the_day_are_estimated() -> None:
    model, metrics = calories.learn(burnt_by_activity(), BUDGET)
    assert metrics["r2"] > 0.95
    assert metrics["baseline_r2"] == pytest.approx(0, abs=0.05)
    assert failed("calorie_regressor", metrics) == []
    usual = {"steps": 8_000.0, "heart_rate_avg": 80.0, "sleep_hours": 7.0}
    estimates = {
        name: estimate_calories(model, metrics, usual | {"activity_type": name})
        for name in metrics["categories"]["activity_type"]
    }
    kcal = {name: estimate.kcal for name, estimate in estimates.items()}
    assert kcal["running"] > kcal["walking"] + 300 > kcal["yoga"] + 300
    assert all(e.low < e.kcal < e.high for e in estimates.values())
    with pytest.raises(ValueError, match="'Running' is not a activity_type this model knows"):
        estimate_calories(model, metrics, usual | {"activity_type": "Running"})


def test_a_person_is_told_by_their_past_where_few_teach() -> None:
    model, metrics = calories.learn(burnt_by_person(60), BUDGET)
    assert metrics["r2"] > 0.95
    assert calories.OFFSET in metrics["features"]
    shown = ["steps", "heart_rate_avg", "sleep_hours", "steps_mean_28d", calories.OFFSET]
    assert asked(metrics) == shown
    day = {"steps": 8_000.0, "heart_rate_avg": 80.0, "sleep_hours": 7.0, "steps_mean_28d": 8_000.0}
    small, large = (
        estimate_calories(model, metrics, day | {calories.OFFSET: usual}).kcal
        for usual in (1_900.0, 2_900.0)
    )
    assert large - small == pytest.approx(1_000, abs=150)


def test_who_has_no_past_is_told_by_what_else_is_known() -> None:
    days = burnt_by_person(100)
    days["calories_burned"] += 0.1 * (days["steps"] - 8_000)
    model, metrics = calories.learn(days, BUDGET)
    assert calories.OFFSET in metrics["features"]
    assert len(packed(model)) == 2
    day = {"heart_rate_avg": 80.0, "sleep_hours": 7.0}
    few, many = (
        estimate_calories(model, metrics, day | {"steps": steps}) for steps in (6_500.0, 9_500.0)
    )
    assert many.kcal - few.kcal == pytest.approx(300, abs=100)
    known = estimate_calories(model, metrics, day | {"steps": 8_000.0, calories.OFFSET: 2_400.0})
    assert few.high - few.low > 3 * (known.high - known.low), "people differ in what they burn"
    test = split_by_user(calories.frame(days), [calories.TARGET]).test
    rows = calories.forgotten(test[metrics["features"]])
    told, truth = model.predict(rows), test[calories.TARGET].to_numpy()
    assert metrics["without_past"]["mae"] == pytest.approx(np.abs(told - truth).mean())
    held = evaluation.coverage(truth, *calories.bounds(metrics, rows, told))
    assert held == pytest.approx(evaluation.COVERAGE, abs=0.08), "of 20 people"


def test_one_person_with_a_past_teaches_no_less_than_none() -> None:
    days = burnt_by_person(40)
    days.loc[days["user_id"] != "u0", calories.OFFSET] = np.nan
    model, metrics = calories.learn(days, BUDGET)
    assert np.isfinite(model.predict(calories.frame(days)[metrics["features"]])).all()
    days[[name for name in calories.COLUMNS if name.startswith("steps")]] = np.nan
    days[["heart_rate_avg", "sleep_hours", "activity_type", "day_of_week"]] = np.nan
    past = burnt_by_person(40)[calories.OFFSET]
    model, metrics = calories.learn(days.assign(**{calories.OFFSET: past}), BUDGET)
    assert metrics["features"] == [calories.OFFSET], "and nothing to tell those by who have none"
    assert "without_past" not in metrics


def test_scores_are_of_the_model_that_is_returned() -> None:
    days = burnt_by_activity(100)
    model, metrics = calories.learn(days, BUDGET)
    test = split_by_user(calories.frame(days), [calories.TARGET]).test
    error = np.abs(model.predict(test[metrics["features"]]) - test[calories.TARGET]).mean()
    assert metrics["mae"] == pytest.approx(error)
    assert metrics["heldout_rows"] == len(test)
    low, high = evaluation.interval(metrics["interval"], model.predict(test[metrics["features"]]))
    inside = test[calories.TARGET].between(low, high).mean()
    assert metrics["coverage"] == pytest.approx(inside)
    assert sum(part["rows"] for part in metrics["by_activity"]) == len(test)


def test_an_activity_of_one_day_is_not_scored_by_itself() -> None:
    days = burnt_by_activity()
    model, metrics = calories.learn(days, BUDGET)
    tested = days.index[held_out(days["user_id"])]
    days.loc[tested[0], "activity_type"] = "hiking"
    told = backtest.score("calorie_regressor", model, metrics, days, APRIL.date())
    assert told["rows"] == len(tested)
    assert {part["slice"] for part in told["by_activity"]} == {"running", "walking", "yoga"}
    json.dumps(told, allow_nan=False)


def test_the_smallest_that_is_about_as_good_is_chosen_within_the_budget() -> None:
    days = burnt_by_activity()
    model, metrics = calories.learn(days, BUDGET)
    best = max(trial["score"] for trial in metrics["trials"])
    (chosen,) = (trial for trial in metrics["trials"] if trial["chosen"])
    assert chosen["score"] >= best - calories.TOLERANCE
    tight, scores = calories.learn(days, chosen["bytes"] - 1)
    assert packed_bytes(tight) < packed_bytes(model) or scores["r2"] < best


def test_an_interval_holds_as_many_days_as_it_says() -> None:
    generator = np.random.default_rng(0)
    predicted = generator.uniform(1_000, 3_000, 8_000)
    # Errors grow with what is predicted.
    truth = predicted + generator.normal(0, predicted / 10)
    calibrated = evaluation.calibrate(truth[:4_000], predicted[:4_000])
    low, high = evaluation.interval(calibrated, predicted[4_000:])
    held = evaluation.coverage(truth[4_000:], low, high)
    assert held == pytest.approx(evaluation.COVERAGE, abs=0.02)
    width = high - low
    small, large = predicted[4_000:] < 1_500, predicted[4_000:] > 2_500
    assert width[large].mean() > 1.5 * width[small].mean()


def test_a_gate_says_what_it_stopped() -> None:
    metrics = {"gain": 0.5, "gain_low": 0.4, "heldout_users": 9, "r2": 0.5}
    assert failed("calorie_regressor", metrics) == []
    assert failed("calorie_regressor", metrics | {"gain_low": -0.1}) == ["better_than_baseline"]
    assert failed("calorie_regressor", metrics, {"r2": 0.54}) == []
    assert failed("calorie_regressor", metrics, {"r2": 0.56}) == ["no_worse_than_before"]
    (verdict,) = gates.examine("segment_model", {"bytes": 2, "memory_bytes": 1}, None, 1, 1)
    assert not verdict.passed
    assert verdict.message == "2 of 1 bytes on disk, 1 of 1 in memory"


def test_a_label_that_nobody_has_may_be_predicted() -> None:
    truth, predicted = np.array(["a", "a", "b", "b"]), np.array(["a", "c", "b", "b"])
    assert evaluation.balanced_accuracy(truth, predicted) == 0.75
    shares = np.array([[0.9, 0.1, 0], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    told = evaluation.classification(truth.astype(object), shares, ["a", "b", "c"])
    assert told["balanced_accuracy"] == 0.75


def test_luck_on_few_people_is_no_gain() -> None:
    users = pd.Series(["a", "b", "c", "d", "e", "f"])
    loss = np.array([1.0, 9.0, 11.0, 9.0, 12.0, 9.5])
    told = evaluation.gain(users, loss, np.full(6, 10.0))
    assert told["gain"] > 0.1
    assert told["gain_low"] < 0


def test_a_month_that_came_later_is_scored_with_its_own_past() -> None:
    april = burnt_by_activity()
    may = april.assign(date=april["date"] + pd.Timedelta(days=30))
    for name, learner in backtest.FORESTS.items():
        model, metrics = learner.learn(april, BUDGET)
        both = pd.concat([april, may], ignore_index=True)
        told = backtest.score(name, model, metrics, both, may["date"].min().date())
        test = split_by_user(may, [learner.TARGET]).test
        assert told["rows"] == len(test), name
    assert told["r2"] == pytest.approx(metrics["r2"], abs=1e-6), "May is April once more"
    assert "needs 5 users" in backtest.score(name, model, metrics, april[:60], APRIL)["reason"]


def test_what_cannot_be_learned_says_why() -> None:
    few = month(4)
    with pytest.raises(NotLearnedError, match="needs 5 users"):
        calories.learn(few, BUDGET)
    with pytest.raises(NotLearnedError, match="activity_type; there are 0 and 0"):
        activity.learn(month(50).assign(activity_type=None), BUDGET)
    with pytest.raises(NotLearnedError, match="every day to learn from is yoga"):
        activity.learn(month(50).assign(activity_type="yoga"), BUDGET)
