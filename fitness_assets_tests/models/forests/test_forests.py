"""Forests: training, evaluation, gates, prediction and backtest on small generated data."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import backtest, evaluation, gates
from fitness_assets.models.datasets import (
    HOLD_OUT,
    held_out,
    sample_users,
    split_by_user,
    validation_splits,
)
from fitness_assets.models.forest_metrics import (
    ClassifierMetrics,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.forests.pipelines import packed, packed_bytes
from fitness_assets.models.prediction import form_features, predict_activity, predict_calories
from fitness_assets.models.registry import BY_NAME, MODELS
from fitness_assets.models.reports import Metrics, ModelHeadline
from fitness_assets.storage import documents

APRIL = pd.Timestamp("2023-04-01")
BUDGET = 50_000


def month(users: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """A worn April of `users` that differ by chance only, with the columns that forests read."""
    generator = np.random.default_rng(seed)
    days = pd.date_range(APRIL, periods=30)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{i}" for i in range(users)], len(days)),
            "date": np.tile(days, users),
        }
    )
    rows = len(frame)
    return frame.reindex(columns=backtest.columns()).assign(
        worn=True,
        day_of_week=frame["date"].dt.weekday + 1,
        steps=generator.normal(8_000, 1_000, rows),
        calories_burned=generator.normal(2_000, 100, rows),
        heart_rate_avg=generator.normal(80, 3, rows),
        sleep_hours=generator.normal(7, 1, rows),
        activity_type=generator.choice(["running", "walking", "yoga"], rows),
    )


def activity_by_heart_rate() -> pd.DataFrame:
    days = month()
    rates = {"running": 150.0, "walking": 100.0, "yoga": 70.0}
    return days.assign(heart_rate_avg=days["activity_type"].map(rates))


def kcal_by_activity(users: int = 150) -> pd.DataFrame:
    """kcal that follow from the activity and the steps."""
    days = month(users)
    kcal = days["activity_type"].map({"running": 900, "walking": 300, "yoga": 100})
    return days.assign(calories_burned=kcal + days["steps"] / 10)


def kcal_by_user(users: int) -> pd.DataFrame:
    """kcal of a level that differs by user, plus a share of the steps, with the user's mean."""
    days = month(users)
    own = 1_400 + 1_200 * np.random.default_rng(1).random(users)
    kcal = np.repeat(own, 30) + days["steps"] / 20
    return days.assign(
        calories_burned=kcal,
        calories_burned_mean_28d=kcal.groupby(days["user_id"]).transform("mean").to_numpy(),
        steps_mean_28d=8_000.0,
        activity_type=None,
    )


def failed(
    metrics: ClassifierMetrics | RegressorMetrics, before: dict[str, float] | None = None
) -> list[str]:
    """Names of the gates that fail."""
    name = "activity_classifier" if isinstance(metrics, ClassifierMetrics) else "calorie_regressor"
    return failed_gates(name, metrics.summary(), before)


def failed_gates(
    name: str, scores: dict[str, int | float], before: dict[str, float] | None = None
) -> list[str]:
    spec = BY_NAME[name]
    results = gates.run_gates(spec, headline(scores), 1, 1)
    if before is not None:
        assert spec.compared
        results.append(
            gates.no_worse_than_before(spec.compared, headline(scores), headline(before))
        )
    return [result.name for result in results if not result.passed]


def headline(scores: Mapping[str, int | float], size: int = 1) -> ModelHeadline:
    return ModelHeadline(
        learned=True, released=True, bytes=size, memory_bytes=1, scores=dict(scores)
    )


def test_a_user_is_on_the_same_side_of_the_split_in_any_cohort() -> None:
    users = pd.Series([f"u{i}" for i in range(5_000)])
    sides = held_out(users)
    assert sides.mean() == pytest.approx(1 / HOLD_OUT, abs=0.02)
    assert held_out(users[::-7]).equals(sides[::-7])


def test_no_user_is_on_both_sides_and_unusable_rows_are_on_none() -> None:
    days = month(120)
    days.loc[days.index[::3], "worn"] = False
    days.loc[days.index[1::3], "activity_type"] = None
    split = split_by_user(days, ["activity_type"])
    assert not set(split.train["user_id"]) & set(split.test["user_id"])
    rows = pd.concat([split.train, split.test])
    assert rows["worn"].all()
    assert rows["activity_type"].notna().all()
    assert len(rows) == len(days) // 3


@pytest.mark.parametrize(("users", "folds"), [(120, 3), (300, 1)])
def test_validation_splits_are_of_training_users(users: int, folds: int) -> None:
    train = split_by_user(month(users), ["steps"]).train
    splits = list(validation_splits(train))
    assert len(splits) == folds
    for split in splits:
        assert not set(split.train["user_id"]) & set(split.test["user_id"])
        assert not held_out(split.test["user_id"]).any(), "the test set is not used"
    if folds > 1:
        assert sum(len(split.test) for split in splits) == len(train)


@pytest.mark.parametrize("rows_of_a_user", [100, 3_000])
def test_users_that_share_a_fold_of_the_hash_are_split_too(rows_of_a_user: int) -> None:
    """A validation split needs users on both sides, whatever the hashes of their ids."""
    for users in (["a", "b"], ["b", "c"], [f"u{i}" for i in range(12)]):
        days = pd.DataFrame({"user_id": np.repeat(users, rows_of_a_user)})
        splits = list(validation_splits(days))
        assert splits
        for split in splits:
            assert not set(split.train["user_id"]) & set(split.test["user_id"])
            assert len(split.train)
            assert len(split.test)


@pytest.mark.parametrize("few", [False, True])
def test_a_single_training_user_is_not_learned_from(few: bool) -> None:
    days = month(1)
    with pytest.raises(NotLearnedError, match="needs 2 training users"):
        calories.select(calories.frame(days), BUDGET, 1, few=few)


def test_sampled_users_have_all_their_days() -> None:
    days = month(40)
    sample = sample_users(days, 300)
    assert sample.groupby("user_id").size().eq(30).all()
    assert 300 <= len(sample) < 360
    others = days[days["user_id"] != sample["user_id"].iloc[-1]]
    assert set(sample["user_id"]) - set(sample_users(others, 300)["user_id"]) == {
        sample["user_id"].iloc[-1]
    }


def test_a_model_of_noise_fails_the_baseline_gate() -> None:
    _, classifier = activity.train(month(), BUDGET)
    assert "better_than_baseline" in failed(classifier)
    _, regressor = calories.train(month(), BUDGET)
    assert "better_than_baseline" in failed(regressor)
    assert regressor.evaluation.scores.r2 < 0.01


def test_an_activity_that_depends_on_the_features_is_predicted() -> None:
    model, metrics = activity.train(activity_by_heart_rate(), BUDGET)
    assert metrics.evaluation.scores.accuracy == 1
    assert metrics.evaluation.baseline.accuracy < 0.5
    assert failed(metrics) == []
    day = {"steps": 8_000.0, "calories_burned": 2_000.0, "heart_rate_avg": 150.0}
    prediction = predict_activity(model, metrics, day)
    assert next(iter(prediction.probabilities)) == "running"
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.out_of_range == []
    extreme = predict_activity(model, metrics, day | {"steps": 9e5, "heart_rate_avg": 1.0})
    assert extreme.out_of_range == ["steps", "heart_rate_avg"]


def test_history_features_are_used_and_exclude_the_day_itself() -> None:
    days = month()
    favourite = pd.Series(["running", "walking", "yoga"] * 40).repeat(30).to_numpy()
    keeps = np.random.default_rng(2).random(len(days)) < 0.8
    days["activity_type"] = np.where(keeps, favourite, days["activity_type"])
    _, metrics = activity.train(days, BUDGET)
    assert metrics.evaluation.scores.accuracy > 0.75
    assert next(iter(metrics.importances)).startswith(activity.PAST)
    _, without = activity.train(days.assign(user_id=[f"x{i}" for i in range(len(days))]), BUDGET)
    assert without.evaluation.scores.accuracy < 0.45, "users of one day have no history"

    rows = activity.frame(days.sample(frac=1, random_state=0))
    first = rows.groupby("user_id").head(1)
    assert first["past_running"].isna().all()
    third = rows.groupby("user_id").nth(2)
    two = rows.groupby("user_id").head(2)
    ran = two["activity_type"].eq("running").groupby(two["user_id"]).mean()
    assert third["past_running"].to_numpy() == pytest.approx(ran[third["user_id"]].to_numpy())


def test_the_fraction_of_the_energy_does_not_leak_the_activity() -> None:
    days = month()
    per_step = days["activity_type"].map({"running": 0.21, "walking": 0.13, "yoga": 0.07})
    whole = np.random.default_rng(3).integers(1_000, 3_000, len(days))
    artefact = days.assign(calories_burned=whole + (days["steps"] * per_step) % 1)
    _, metrics = activity.train(artefact, BUDGET)
    assert metrics.evaluation.scores.accuracy < 0.4


def test_calories_that_depend_on_the_features_are_predicted() -> None:
    model, metrics = calories.train(kcal_by_activity(), BUDGET)
    assert metrics.evaluation.scores.r2 > 0.95
    assert metrics.evaluation.baseline.r2 == pytest.approx(0, abs=0.05)
    assert failed(metrics) == []
    usual = {"steps": 8_000.0, "heart_rate_avg": 80.0, "sleep_hours": 7.0}
    predictions = {
        name: predict_calories(model, metrics, usual | {"activity_type": name})
        for name in metrics.inputs.categories["activity_type"]
    }
    kcal = {name: each.kcal for name, each in predictions.items()}
    assert kcal["running"] > kcal["walking"] + 300 > kcal["yoga"] + 300
    assert all(e.low < e.kcal < e.high for e in predictions.values())
    with pytest.raises(ValueError, match="'Running' is not a activity_type this model knows"):
        predict_calories(model, metrics, usual | {"activity_type": "Running"})


def test_few_users_suffice_to_use_the_offset() -> None:
    model, metrics = calories.train(kcal_by_user(60), BUDGET)
    assert metrics.evaluation.scores.r2 > 0.95
    assert calories.OFFSET in metrics.inputs.features
    asked = ["steps", "heart_rate_avg", "sleep_hours", "steps_mean_28d", calories.OFFSET]
    assert form_features(metrics.inputs) == asked
    day = {"steps": 8_000.0, "heart_rate_avg": 80.0, "sleep_hours": 7.0, "steps_mean_28d": 8_000.0}
    small, large = (
        predict_calories(model, metrics, day | {calories.OFFSET: usual}).kcal
        for usual in (1_900.0, 2_900.0)
    )
    assert large - small == pytest.approx(1_000, abs=150)


def test_rows_without_history_use_the_cold_start_model() -> None:
    days = kcal_by_user(100)
    days["calories_burned"] += 0.1 * (days["steps"] - 8_000)  # 0.15 kcal a step in all
    model, metrics = calories.train(days, BUDGET)
    assert calories.OFFSET in metrics.inputs.features
    assert metrics.line_alone, "a forest adds nothing to a sum"
    assert packed(model) == ()
    day = {"heart_rate_avg": 80.0, "sleep_hours": 7.0}
    few, many = (
        predict_calories(model, metrics, day | {"steps": steps}) for steps in (6_500.0, 9_500.0)
    )
    assert many.kcal - few.kcal == pytest.approx(450, abs=100)
    known = predict_calories(model, metrics, day | {"steps": 8_000.0, calories.OFFSET: 2_400.0})
    assert few.high - few.low > 3 * (known.high - known.low), "users differ in their energy"
    test = split_by_user(calories.frame(days), [calories.TARGET]).test
    rows = calories.mask_history(test[metrics.inputs.features])
    predicted, truth = model.predict(rows), test[calories.TARGET].to_numpy()
    assert metrics.cold_start is not None
    assert metrics.cold_start.scores.mae == pytest.approx(np.abs(predicted - truth).mean())
    held = evaluation.coverage(truth, *calories.bounds(metrics, rows, predicted))
    assert held == pytest.approx(evaluation.COVERAGE, abs=0.08), "of 20 users"


def test_a_single_user_with_history_or_only_history_can_be_trained_on() -> None:
    days = kcal_by_user(40)
    days.loc[days["user_id"] != "u0", calories.OFFSET] = np.nan
    model, metrics = calories.train(days, BUDGET)
    assert np.isfinite(model.predict(calories.frame(days)[metrics.inputs.features])).all()
    days[[name for name in calories.COLUMNS if name.startswith("steps")]] = np.nan
    days[["heart_rate_avg", "sleep_hours", "activity_type", "day_of_week"]] = np.nan
    past = kcal_by_user(40)[calories.OFFSET]
    model, metrics = calories.train(days.assign(**{calories.OFFSET: past}), BUDGET)
    assert metrics.inputs.features == [calories.OFFSET], "and no features without history"
    assert metrics.cold_start is None


def test_scores_are_those_of_the_returned_model() -> None:
    days = kcal_by_activity(100)
    model, metrics = calories.train(days, BUDGET)
    test = split_by_user(calories.frame(days), [calories.TARGET]).test
    error = np.abs(model.predict(test[metrics.inputs.features]) - test[calories.TARGET]).mean()
    assert metrics.evaluation.scores.mae == pytest.approx(error)
    assert metrics.evaluation.rows == len(test)
    low, high = evaluation.interval_bounds(
        metrics.interval, model.predict(test[metrics.inputs.features])
    )
    inside = test[calories.TARGET].between(low, high).mean()
    assert metrics.evaluation.coverage == pytest.approx(inside)
    assert sum(part.rows for part in metrics.evaluation.slices["activity"]) == len(test)


def test_a_slice_of_one_row_is_not_scored() -> None:
    days = kcal_by_activity()
    model, metrics = calories.train(days, BUDGET)
    tested = days.index[held_out(days["user_id"])]
    days.loc[tested[0], "activity_type"] = "hiking"
    test = backtest.held_out_days(BY_NAME["calorie_regressor"], days, APRIL.date())
    found = calories.evaluate(model, metrics, test)
    assert found.rows == len(tested)
    assert {part.slice for part in found.slices["activity"]} == {"running", "walking", "yoga"}
    documents.encode(found)


def test_the_smallest_candidate_within_tolerance_and_budget_is_selected() -> None:
    days = kcal_by_activity()
    model, metrics = calories.train(days, BUDGET)
    best = max(trial.score for trial in metrics.trials)
    (selected,) = (trial for trial in metrics.trials if trial.selected)
    assert selected.score >= best - calories.TOLERANCE
    small, others = calories.train(days, packed_bytes(model) - 1)
    if selected.bytes == min(trial.bytes for trial in metrics.trials):
        assert packed_bytes(small) == packed_bytes(model), "all candidates are larger"
    else:
        assert packed_bytes(small) < packed_bytes(model) or others.evaluation.scores.r2 < best


@pytest.mark.parametrize("forest", [activity, calories])
def test_of_few_users_all_are_trained_on_and_all_days_are_scored(forest: Any) -> None:
    days = kcal_by_activity(12)
    metrics = forest.train(days, BUDGET)[1]
    evaluated = metrics.evaluation
    assert (evaluated.rows, evaluated.users, evaluated.repeats) == (len(days), 12, 2)
    assert metrics.train_users == 12
    assert failed(metrics) == []


def test_an_interval_has_its_nominal_coverage() -> None:
    generator = np.random.default_rng(0)
    predicted = generator.uniform(1_000, 3_000, 8_000)
    # Errors grow with the prediction.
    truth = predicted + generator.normal(0, predicted / 10)
    calibrated = evaluation.calibrate(truth[:4_000], predicted[:4_000])
    low, high = evaluation.interval_bounds(calibrated, predicted[4_000:])
    held = evaluation.coverage(truth[4_000:], low, high)
    assert held == pytest.approx(evaluation.COVERAGE, abs=0.02)
    width = high - low
    small, large = predicted[4_000:] < 1_500, predicted[4_000:] > 2_500
    assert width[large].mean() > 1.5 * width[small].mean()


def test_each_gate_fails_on_its_condition() -> None:
    gains = dict.fromkeys(["r2_gain_low", "r2_gain_high", "rmse_gain_low", "rmse_gain_high"], 0.4)
    scores = {**gains, "heldout_users": 9, "repeats": 0, "r2": 0.5}
    name = "calorie_regressor"
    assert failed_gates(name, scores) == []
    for gain in ("r2_gain_low", "rmse_gain_low"):
        assert failed_gates(name, scores | {gain: -0.1}) == ["better_than_baseline"]
    uncertain = {"r2_low": 0.4, "r2_high": 0.6}
    assert failed_gates(name, scores | uncertain, {"r2": 0.64}) == []
    assert failed_gates(name, scores | uncertain, {"r2": 0.66}) == ["no_worse_than_before"]
    assert failed_gates(name, scores, {"r2": 0.54}) == []
    assert failed_gates(name, scores, {"r2": 0.56}) == ["no_worse_than_before"]
    # Scores on very different numbers of users are not compared.
    assert failed_gates(name, scores, {"r2": 0.9, "heldout_users": 36}) == ["no_worse_than_before"]
    assert failed_gates(name, scores, {"r2": 0.9, "heldout_users": 37}) == []
    assert failed_gates(name, scores, {"r2": 0.9, "heldout_users": 2}) == []
    (result,) = gates.run_gates(BY_NAME["segment_model"], headline({}, size=2), 1, 1)
    assert not result.passed
    expected = "larger than its budget: 2 bytes of 1 byte on disk, 1 byte of 1 byte in memory"
    assert result.message == expected


def test_a_failed_gate_says_in_plain_words_what_is_wrong_before_it_names_a_measure() -> None:
    names = ("r2", "rmse", "accuracy", "log_loss", "week_r2", "week_rmse")
    gains = {f"{name}_gain_{bound}": -0.25 for name in names for bound in ("low", "high")}
    scores = {**gains, "heldout_users": 9, "heldout_rows": 40, "repeats": 0}
    for spec in filter(lambda spec: spec.compared, MODELS):
        assert spec.compared
        scores |= {spec.compared.score: 0.1}
        before = headline({**scores, spec.compared.score: 0.9})
        results = [
            gates.better_than_baseline(spec.compared, headline(scores)),
            gates.no_worse_than_before(spec.compared, headline(scores), before),
            gates.within_budget(headline(scores, size=2), 1, 1),
        ]
        if spec.personal:
            own = replace(headline(scores), scope="personal")
            results.append(gates.better_than_baseline(spec.compared, own))
        for result in results:
            assert not result.passed
            plain, colon, measured = gates.failure(result).partition(": ")
            assert colon
            assert not re.search(r"r2|R²|rmse|squared|log|F1|_|\d[.]", plain), plain
            assert "-" not in measured
    assert "R² by \N{MINUS SIGN}0.250 to" in results[0].message


def test_a_predicted_label_may_be_missing_from_the_truth() -> None:
    truth, predicted = np.array(["a", "a", "b", "b"]), np.array(["a", "c", "b", "b"])
    assert evaluation.balanced_accuracy(truth, predicted) == 0.75
    shares = np.array([[0.9, 0.1, 0], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    scores = evaluation.classification(truth.astype(object), shares, ["a", "b", "c"])
    assert scores.balanced_accuracy == 0.75


def test_a_gain_by_chance_on_few_users_has_a_negative_lower_bound() -> None:
    users = pd.Series(["a", "b", "c", "d", "e", "f"])
    truth = np.array([1.0, -9.0, 11.0, -9.0, 12.0, -9.5])
    predicted = np.array([0.0, 0.0, 0.0, -9.0, -3.0, 0.0])
    found = evaluation.regression_intervals(users, truth, predicted, np.zeros(6))
    assert found["r2_gain"].low < 0 < found["r2_gain"].high
    assert found["rmse_gain"].low < 0 < found["rmse_gain"].high
    assert found["r2"].low < evaluation.regression(truth, predicted).r2 < found["r2"].high


def test_a_backtest_uses_the_history_before_the_month() -> None:
    april = kcal_by_activity()
    may = april.assign(date=april["date"] + pd.Timedelta(days=30))
    trained: list[tuple[str, Any, Metrics]] = [
        ("activity_classifier", *activity.train(april, BUDGET)),
        ("calorie_regressor", *calories.train(april, BUDGET)),
    ]
    both = pd.concat([april, may], ignore_index=True)
    for name, model, metrics in trained:
        spec = BY_NAME[name]
        test = backtest.held_out_days(spec, both, may["date"].min().date())
        found = spec.forest().evaluate(model, metrics, test, 5)
        assert found.rows == len(split_by_user(may, [spec.target]).test), name
    assert isinstance(found, RegressorEvaluation)
    assert isinstance(metrics, RegressorMetrics)
    expected = pytest.approx(metrics.evaluation.scores.r2, abs=1e-6)
    assert found.scores.r2 == expected, "May has the rows of April"
    with pytest.raises(NotLearnedError, match="needs 10 users"):
        backtest.held_out_days(spec, april[:60], APRIL.date())
    with pytest.raises(NotLearnedError, match="needs 1000 users"):
        backtest.held_out_days(spec, both, APRIL.date(), people=1_000)


def test_every_module_of_the_registry_provides_what_it_must() -> None:
    for spec in MODELS:
        implementation = spec.implementation()
        assert {"user_id", "date", "worn"} <= set(implementation.COLUMNS)
        assert callable(implementation.train_month)
        if spec.compared:
            assert spec.target == spec.forest().TARGET
            assert spec.target in implementation.COLUMNS
            assert callable(spec.forest().evaluate)
            assert callable(spec.forest().frame)
        assert set(spec.dependencies) < set(BY_NAME)


def test_training_on_insufficient_data_says_why() -> None:
    few = month(4)
    with pytest.raises(NotLearnedError, match="needs 10 users"):
        calories.train(few, BUDGET)
    with pytest.raises(NotLearnedError, match="activity labels; there are 0"):
        activity.train(month(50).assign(activity_type=None), BUDGET)
    with pytest.raises(NotLearnedError, match="every training day is yoga"):
        activity.train(month(50).assign(activity_type="yoga"), BUDGET)
