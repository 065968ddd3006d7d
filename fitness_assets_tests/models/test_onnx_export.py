"""Models written as ONNX, run by ONNX Runtime."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline

from fitness_assets.errors import FitnessError
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.onnx_export.convert import to_onnx
from fitness_assets.models.prediction import (
    feature_rows,
    predict_activity_of_days,
    predict_calories_of_days,
)
from fitness_assets_tests.support import small_forests

Metrics = ClassifierMetrics | RegressorMetrics

REGRESSORS: dict[str, Callable[[], tuple[Pipeline, RegressorMetrics]]] = {
    "residual and offset": small_forests.regressor,
    "without history": lambda: small_forests.regressor(history=False),
    "line alone": lambda: small_forests.regressor(trees=0),
    "line alone, without history": lambda: small_forests.regressor(history=False, trees=0),
}


def run(model: Pipeline, metrics: Metrics, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The outputs of the model as ONNX, given the features of `rows`."""
    session = session_of(model, metrics)
    inputs: dict[str, Any] = {}
    for each in session.get_inputs():
        column = rows[[each.name]]
        text = each.type == "tensor(string)"
        inputs[each.name] = (column.fillna("") if text else column).to_numpy()
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def session_of(model: Pipeline, metrics: Metrics) -> onnxruntime.InferenceSession:
    built = to_onnx(model, metrics, "model", {"release": "2023-05"})
    return onnxruntime.InferenceSession(built.SerializeToString())


def edge_rows(metrics: Metrics) -> pd.DataFrame:
    """Rows with missing values, unknown categories, no history, zeros and extreme values."""
    days = small_forests.days(3_000, seed=1)
    generator = np.random.default_rng(2)
    numbers = days.select_dtypes("number").columns
    days[numbers] *= generator.choice([0, 0.1, 1, 1, 1, 10], days[numbers].shape)
    history = [name for name in map(str, days) if "_mean_" in name]
    days.loc[:999, history] = np.nan
    days.loc[1_000:1_400, "activity_type"] = "surfing"
    days.loc[1_200:1_600, "sex"] = "diverse"
    days.loc[2_999] = np.nan
    past = {f"past_{name}": generator.random(len(days)) for name in ("walking", "yoga")}
    return feature_rows(metrics.inputs, days.assign(**past))


@pytest.mark.parametrize("kind", REGRESSORS)
def test_a_regressor_predicts_the_same_as_onnx(kind: str) -> None:
    model, metrics = REGRESSORS[kind]()
    rows = edge_rows(metrics)
    expected = model.predict(rows)
    low, high = calories.bounds(metrics, rows, expected)
    found = run(model, metrics, rows)
    assert list(found) == ["calories_burned", "low", "high"]
    for values, column in zip(found.values(), (expected, low, high), strict=True):
        assert values.shape == (len(rows), 1)
        np.testing.assert_allclose(values[:, 0], column, rtol=1e-6, atol=1e-3)


def test_a_classifier_predicts_the_same_as_onnx() -> None:
    model, metrics = small_forests.classifier()
    rows = edge_rows(metrics)
    found = run(model, metrics, rows)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(rows), atol=1e-6)
    assert found["activity_type"].tolist() == model.predict(rows).tolist()
    assert set(found["activity_type"]) == set(model.classes_)


@pytest.mark.parametrize("missing", ["", "nan", "None"])
def test_a_missing_category_may_be_written_in_several_ways(missing: str) -> None:
    model, metrics = small_forests.regressor()
    rows = feature_rows(metrics.inputs, small_forests.days(5)).assign(sex=np.nan)
    expected = run(model, metrics, rows)["calories_burned"]
    found = run(model, metrics, rows.assign(sex=missing))["calories_burned"]
    np.testing.assert_array_equal(found, expected)


def test_another_estimator_is_refused() -> None:
    model, metrics = small_forests.regressor()
    other = Pipeline([*model.steps[:-1], ("estimator", DummyRegressor())])
    with pytest.raises(FitnessError, match="a DummyRegressor cannot be written as ONNX"):
        to_onnx(other, metrics, "model", {})


def test_no_rows_give_no_predictions() -> None:
    model, metrics = small_forests.regressor()
    rows = feature_rows(metrics.inputs, small_forests.days(5))[:0]
    assert run(model, metrics, rows)["high"].shape == (0, 1)


def test_the_metadata_has_what_a_reader_needs() -> None:
    model, metrics = small_forests.regressor()
    found = session_of(model, metrics).get_modelmeta().custom_metadata_map
    assert found["release"] == "2023-05"
    features = json.loads(found["features"])
    assert list(features) == metrics.inputs.features
    assert features["weight_kg"]["unit"] == "kg"
    assert features["calories_burned_mean_28d"]["unit"] == "kcal"
    assert features["sex"]["values"] == ["female", "male"]
    assert features["steps"]["median"] == metrics.inputs.ranges["steps"].median
    interval = json.loads(found["interval"])
    assert interval["edges"] == metrics.interval.edges
    assert interval["coverage"] == 0.9
    assert interval["without_history"]["low"] == [-300.0]
    of_classifier = session_of(*small_forests.classifier()).get_modelmeta().custom_metadata_map
    assert json.loads(of_classifier["classes"]) == ["running", "walking", "yoga"]


def test_an_equal_model_gives_equal_bytes() -> None:
    built = [
        to_onnx(*small_forests.classifier(), "model", {}).SerializeToString(deterministic=True)
        for _ in range(2)
    ]
    assert built[0] == built[1]


def test_predictions_of_days_are_those_of_the_pipeline() -> None:
    model, metrics = small_forests.classifier()
    days = activity.frame(small_forests.days(20).assign(date=pd.Timestamp("2023-04-01")))
    found = predict_activity_of_days(model, metrics, days)
    np.testing.assert_array_equal(found, model.predict_proba(days[metrics.inputs.features]))
    regressor, of_regressor = small_forests.regressor()
    days = calories.frame(small_forests.days(20))
    expected = regressor.predict(days[of_regressor.inputs.features])
    found = predict_calories_of_days(regressor, of_regressor, days)
    np.testing.assert_array_equal(found["expected"], expected)
