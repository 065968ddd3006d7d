"""What each input of a model adds to an estimate."""

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fitness_assets.models.contributions import (
    Explanation,
    explain_activity,
    explain_calories,
    explain_calories_of_day,
)
from fitness_assets.models.forests import activity, attribution, calories, pipelines
from fitness_assets.models.forests.candidates import Hyperparameters
from fitness_assets.models.forests.derived_inputs import DERIVED
from fitness_assets.models.prediction import feature_row, predict_activity

if TYPE_CHECKING:
    from fitness_assets.models.forest_metrics import Inputs

NUMBERS = {
    "steps": (8_000, 3_000),
    "heart_rate_avg": (80, 9),
    "sleep_hours": (7, 1),
    "distance_km": (6, 2),
    "active_minutes": (50, 20),
    "resting_heart_rate": (62, 6),
    "age": (40, 12),
    "height_cm": (172, 9),
    "weight_kg": (74, 12),
    "steps_mean_28d": (8_000, 2_000),
    "calories_burned_mean_7d": (2_300, 300),
    "calories_burned_mean_28d": (2_300, 300),
}
HISTORY = calories.GROUPS["history"]


class Metrics:
    """What of a model's metrics an explanation needs."""

    def __init__(self, features: list[str], days: pd.DataFrame) -> None:
        self.inputs: Inputs = pipelines.inputs(days, features)


@cache
def days() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {name: generator.normal(*spread, 2_000) for name, spread in NUMBERS.items()}
    )
    frame["user_id"] = np.arange(len(frame)) % 40
    frame["activity_type"] = generator.choice(["running", "walking", "yoga"], len(frame))
    frame["sex"] = generator.choice(["female", "male"], len(frame))
    each = {"running": 500.0, "walking": 200.0, "yoga": 50.0}
    frame["calories_burned"] = (
        frame["calories_burned_mean_28d"]
        + frame["activity_type"].map(each)
        + frame["steps"] * frame["weight_kg"] / 2_000
        + np.maximum(frame["heart_rate_avg"] - 85, 0) * 10
    )
    new = generator.random(len(frame)) < 0.2
    frame.loc[new, ["steps_mean_28d", *HISTORY[-2:]]] = np.nan
    missing = generator.random(len(frame)) < 0.1
    frame.loc[missing, ["sex", "weight_kg"]] = [np.nan, np.nan]
    return pipelines.frame(frame)


@cache
def regressor(trees: int = 8) -> tuple[Any, Any]:
    features = [name for names in calories.GROUPS.values() for name in names]
    features = [name for name in features if name != "sedentary_minutes"]
    encoder = calories.encoder(features).fit(days()[features])
    rows = pipelines.encode(encoder, days(), calories.TARGET)
    fitted = calories.fit(
        rows,
        pipelines.history_columns(encoder),
        Hyperparameters(trees, 8, 0.005, cold_start=True),
    )
    model = pipelines.with_estimator(encoder, fitted)
    return model, Metrics(features, days())


@cache
def classifier() -> tuple[Any, Any]:
    features = [name for names in activity.GROUPS.values() for name in names]
    features = [name for name in features if name in days()]
    encoder = pipelines.encoder(features, activity.DERIVED).fit(days()[features])
    rows = pipelines.encode(encoder, days(), activity.TARGET)
    fitted = activity.fit(rows, 0, Hyperparameters(8, 10, 0.003, weight=0.5)).calibrated(1.3)
    return pipelines.with_estimator(encoder, fitted), Metrics(features, days())


def record(number: int, without: tuple[str, ...] = ()) -> dict[str, Any]:
    row = days().dropna().iloc[number]
    names = [*NUMBERS, "sex"]
    return {name: row[name] for name in names if name not in without}


def total(found: Explanation) -> float:
    return found.typical + sum(found.added.values())


@pytest.mark.parametrize("without", [(), ("weight_kg", "sex"), tuple(HISTORY), ("steps",)])
def test_what_the_inputs_add_sums_to_the_estimate(without: tuple[str, ...]) -> None:
    for number in range(5):
        day = record(number, without) | {"activity_type": "walking"}
        model, metrics = regressor()
        found = explain_calories(model, metrics, day)
        kcal = float(model.predict(feature_row(metrics.inputs, day))[0])
        assert total(found) == pytest.approx(kcal, abs=1e-6)
        assert found.estimate == pytest.approx(kcal, abs=1e-6)
        assert {*found.added, "steps_above_usual"} == set(metrics.inputs.features)
        model, metrics = classifier()
        day = record(number, without) | {"calories_burned": 2_700.0}
        found = explain_activity(model, metrics, day)
        shown = predict_activity(model, metrics, day).probabilities
        assert total(found) == pytest.approx(shown[found.label])
        assert found.label == next(iter(shown))
        for name in without:
            assert found.added.get(name, 0) == 0, "what is missing adds nothing"


def test_what_inputs_add_to_a_probability_is_what_they_add_to_the_shares_in_the_leaves() -> None:
    """Without a calibration, and apart from smoothing, which is linear."""
    calibrated, metrics = classifier()
    plain = calibrated[-1].calibrated(1.0)
    plain.scale, plain.shift = np.ones(1), np.zeros(3)
    model = pipelines.with_estimator(calibrated[:-1], plain)
    day = record(0) | {"calories_burned": 2_700.0}
    row = feature_row(metrics.inputs, day)
    label, found = attribution.of_class(model, row)
    place = plain.classes_.tolist().index(label)
    features = model[:-1].transform(row)
    share = plain.forest.predict_proba(features)[0, place]
    rest = 0.01 * plain.frequencies[place]
    assert found.output == pytest.approx(0.99 * share + rest)
    # The line between two points has one slope, so that the quadrature is exact.
    slopes = plain.mean_gradient(place, np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8]))
    change = slopes @ np.array([-0.4, -0.2, 0.6])
    assert change == pytest.approx(0.99 * [-0.4, -0.2, 0.6][place])


def test_the_mean_gradient_gives_the_difference_of_a_calibrated_probability() -> None:
    fitted = classifier()[0][-1]
    start, end = np.array([0.9, 0.1, 0.0]), np.array([0.0, 0.2, 0.8])
    before, after = fitted.calibrate(np.stack([start, end]))
    for place in range(3):
        change = fitted.mean_gradient(place, start, end) @ (end - start)
        assert change == pytest.approx(after[place] - before[place], abs=1e-6)


def test_the_linear_part_adds_its_coefficient_times_the_difference() -> None:
    features = ["steps", "sleep_hours", "age"]
    encoder = pipelines.encoder(features, []).fit(days()[features])
    rows = pipelines.encode(encoder, days(), calories.TARGET)
    fitted = calories.fit(rows, 0, Hyperparameters(0, 0, 0.0))
    model = pipelines.with_estimator(encoder, fitted)
    row = days()[features].iloc[[5]]
    found = attribution.of_regressor(model, row)
    scale = encoder[-1].named_transformers_["numbers"][-1].scale_
    difference = (row - days()[features].median()).to_numpy()[0] / scale
    expected = np.ravel(fitted.line.coef_) * difference
    assert list(found.added.values()) == pytest.approx(expected.tolist())


def test_only_inputs_that_differ_from_the_typical_day_add_anything() -> None:
    model, metrics = regressor()
    typical: dict[str, Any] = {
        name: float(days()[name].median()) for name in metrics.inputs.features if name in NUMBERS
    }
    found = explain_calories(model, metrics, typical)
    assert not any(found.added.values())
    found = explain_calories(model, metrics, typical | {"heart_rate_avg": 110.0})
    assert [name for name, amount in found.added.items() if amount] == ["heart_rate_avg"]
    assert found.added["heart_rate_avg"] > 100, "also by way of heart rate above resting"
    # The mean over the known categories is the reference.
    each = {
        name: explain_calories(model, metrics, typical | {"activity_type": name})
        for name in metrics.inputs.categories["activity_type"]
    }
    amounts = {name: found.added["activity_type"] for name, found in each.items()}
    assert sum(amounts.values()) == pytest.approx(0, abs=1e-6)
    assert amounts["running"] > amounts["walking"] > amounts["yoga"]


def test_a_derived_input_is_divided_among_its_inputs_by_how_much_each_changes_it() -> None:
    features = ["weight_kg", "active_minutes", "steps"]
    encoder = pipelines.encoder(features, ["weight_active_minutes"]).fit(days()[features])
    rows = pipelines.encode(encoder, days(), calories.TARGET)
    fitted = calories.fit(rows, 0, Hyperparameters(0, 0, 0.0))
    fitted.line.coef_ = np.array([0.0, 0.0, 0.0, 1.0])
    model = pipelines.with_estimator(encoder, fitted)
    weight, minutes = (float(days()[name].median()) for name in features[:2])
    row = pd.DataFrame([{"weight_kg": 2 * weight, "active_minutes": minutes, "steps": 1.0}])
    added = attribution.of_regressor(model, row).added
    assert added["weight_kg"] > 0
    assert added["active_minutes"] == added["steps"] == 0
    row["active_minutes"] = 2 * minutes
    added = attribution.of_regressor(model, row).added
    assert added["weight_kg"] == pytest.approx(added["active_minutes"])
    assert set(DERIVED["weight_active_minutes"].needs) == {"weight_kg", "active_minutes"}


def test_a_day_of_the_lake_is_explained_with_and_without_history() -> None:
    model, metrics = regressor()
    for known in (True, False):
        rows = days()[days()[calories.OFFSET].notna() == known].iloc[[0]]
        found = explain_calories_of_day(model, metrics, rows)
        features = rows.reindex(columns=metrics.inputs.features)
        assert total(found) == pytest.approx(float(model.predict(features)[0]), abs=1e-6)
        assert (found.added[calories.OFFSET] != 0) == known


def test_an_explanation_takes_little_time() -> None:
    model, metrics = classifier()
    day = record(0) | {"calories_burned": 2_700.0}
    times = []
    for _ in range(5):
        started = time.process_time()
        explain_activity(model, metrics, day)
        times.append(time.process_time() - started)
    assert min(times) < 0.05
