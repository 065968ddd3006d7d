"""The calorie regressor: predicts the kcal of a day, with an interval."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from fitness_assets.models import disclosure, evaluation
from fitness_assets.models.datasets import Split, known_features, split_by_user, without_rare
from fitness_assets.models.disclosure import SMALLEST_CELL, strip_counts
from fitness_assets.models.forest_metrics import (
    ColdStart,
    ConstantBaseline,
    Interval,
    RegressionSlice,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.leaf_people import protect_leaves
from fitness_assets.models.forests.model_selection import (
    Estimator,
    Hyperparameters,
    Selection,
    forest_budget,
    select_model,
)
from fitness_assets.models.registry import Trained

TARGET = "calories_burned"
#: The user's mean of the 28 days before. Where it is known, the difference from it is predicted.
OFFSET = "calories_burned_mean_28d"
#: Feature groups, from what a form asks for to what only a user's history provides.
GROUPS = {
    "day": ["activity_type", "steps", "heart_rate_avg", "sleep_hours"],
    "device": ["distance_km", "active_minutes", "sedentary_minutes", "resting_heart_rate"],
    "person": ["sex", "age", "height_cm", "weight_kg"],
    "history": ["steps_above_usual", "steps_mean_28d", "calories_burned_mean_7d", OFFSET],
}
#: Columns of `daily_activity` that training reads.
COLUMNS = [
    *("user_id", "date", "worn", TARGET),
    *(name for names in GROUPS.values() for name in names if name != "steps_above_usual"),
]
# Features that each split considers, at most.
_FEATURES = 8
#: R2 that may be lost for a smaller forest.
TOLERANCE = 0.001
#: Hyperparameters that are tried.
GRID = (
    Hyperparameters(10, 12, 0.001),
    Hyperparameters(10, 12, 0.0013),
    Hyperparameters(10, 10, 0.002),
    Hyperparameters(30, 10, 0.005),
)
#: Hyperparameters of the forest for rows without history.
COLD_START = Hyperparameters(10, 8, 0.005)


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from."""
    return pipelines.frame(days)


def split(days: pd.DataFrame, people: int = 1) -> Split:
    """Rows with kcal, of users to train on and of held-out users.

    Raises
    ------
    NotLearnedError
        If there are too few of either.
    """
    return split_by_user(frame(days), [TARGET], people)


def fit(
    rows: pd.DataFrame,
    features: list[str],
    hyperparameters: Hyperparameters,
    people: int = SMALLEST_CELL,
) -> Pipeline:
    """The trained pipeline, its forests packed; each leaf rests on `people` users at least."""
    history = _history(features)

    def forest(hyperparameters: Hyperparameters, rows: int, features: int) -> RandomForestRegressor:
        # Half of many features, but all of a few.
        considered = min(1.0, _FEATURES / features)
        return RandomForestRegressor(**hyperparameters.parameters(rows, considered))

    with_offset = int(rows[OFFSET].notna().sum()) if history else 0
    model = pipeline(
        features,
        forest(hyperparameters, with_offset or len(rows), len(features)),
        forest(COLD_START, len(rows), len(features) - len(history)),
    ).fit(rows[features], rows[TARGET])
    protect_leaves(model, rows[features], rows[TARGET], rows["user_id"], people)
    pipelines.pack(model)
    return model


def train_month(days: pd.DataFrame, _month: pd.Timestamp, budget: int, people: int) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    return Trained(*train(days, forest_budget(budget), people))


def train(
    days: pd.DataFrame, budget: int, people: int = SMALLEST_CELL
) -> tuple[Pipeline, RegressorMetrics]:
    """Train on the users that are not held out, and evaluate on those that are.

    Features and hyperparameters are selected on a validation split of the training users. The
    residuals there calibrate the interval.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window.
    budget : int
        Bytes that the forest may take on disk.
    people : int
        Smallest number of users of a leaf and of a category.

    Returns
    -------
    Pipeline
        Its forests packed.
    RegressorMetrics
        Compared with the mean of the training rows and with a linear model of the same features.

    Raises
    ------
    NotLearnedError
        If there are too few users with kcal.
    """
    both = split(days, people)
    both = Split(without_rare(both.train, pipelines.CATEGORIES, people), both.test)
    selection = select(both.train, budget, people)
    metrics = _metrics(both, selection, people)
    strip_counts(selection.model, people)
    return selection.model, metrics


def select(rows: pd.DataFrame, budget: int, people: int = SMALLEST_CELL) -> Selection:
    """Select features and hyperparameters on some of the users of `rows`, and train.

    Parameters
    ----------
    rows : DataFrame
        Rows of `frame`.
    budget : int
        Bytes that the forest may take on disk.
    people : int
        Smallest number of users of a leaf and of a feature.
    """
    estimator = Estimator(partial(fit, people=people), _predict, _score, TOLERANCE)
    return select_model(estimator, rows, known_features(rows, GROUPS, people), GRID, budget)


def evaluate(model: Pipeline, metrics: RegressorMetrics, test: pd.DataFrame) -> RegressorEvaluation:
    """Scores of a model on held-out users, compared with the mean of its training rows.

    Parameters
    ----------
    model : Pipeline
    metrics : RegressorMetrics
        Of the model.
    test : DataFrame
        Rows of `frame`.
    """
    rows = test[metrics.inputs.features]
    predicted = model.predict(rows)
    low, high = bounds(metrics, rows, predicted)
    return _evaluation(predicted, low, high, metrics.constant, test)


def bounds(
    metrics: RegressorMetrics, rows: pd.DataFrame, predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound around each prediction, wider for rows without history.

    Parameters
    ----------
    metrics : RegressorMetrics
    rows : DataFrame
        The features of the rows.
    predicted : ndarray of shape (n,)
    """
    cold_start = metrics.cold_start.interval if metrics.cold_start else None
    return _bounds(metrics.interval, cold_start, rows, predicted)


def mask_history(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the history features set to NaN, as for users without earlier days."""
    return rows.assign(**{name: np.nan for name in GROUPS["history"] if name in rows})


def pipeline(features: list[str], regressor: Any, cold_start: Any) -> Pipeline:
    """The untrained pipeline; `cold_start` predicts rows without history.

    It is not used if `features` have no history.
    """
    return pipelines.pipeline(features, regressor, _history(features), cold_start)


def _history(features: list[str]) -> list[str]:
    """The history features, if the offset is among them and there are any other features."""
    history = [name for name in features if name in GROUPS["history"]]
    return history if OFFSET in history and len(history) < len(features) else []


def _bounds(
    interval: Interval, cold_start: Interval | None, rows: pd.DataFrame, predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    low, high = evaluation.interval_bounds(interval, predicted)
    if cold_start is not None:
        without = rows[OFFSET].isna().to_numpy()
        low[without], high[without] = evaluation.interval_bounds(cold_start, predicted[without])
    return low, high


def _evaluation(
    predicted: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    constant: ConstantBaseline,
    test: pd.DataFrame,
) -> RegressorEvaluation:
    truth = test[TARGET].to_numpy()
    mean = np.full(len(truth), constant.mean)
    gain = evaluation.gain(test["user_id"], (truth - predicted) ** 2, (truth - mean) ** 2)

    def score(value: str, rows: np.ndarray) -> RegressionSlice:
        scores = evaluation.regression(truth[rows], predicted[rows])
        return RegressionSlice(
            slice=value,
            rows=len(rows),
            users=test["user_id"].iloc[rows].nunique(),
            r2=scores.r2,
            mae=scores.mae,
            rmse=scores.rmse,
        )

    return RegressorEvaluation(
        rows=len(test),
        users=int(test["user_id"].nunique()),
        scores=evaluation.regression(truth, predicted),
        baseline=evaluation.regression(truth, mean),
        coverage=evaluation.coverage(truth, low, high),
        baseline_coverage=float(np.mean((constant.low <= truth) & (truth <= constant.high))),
        interval_width=float(np.mean(high - low)),
        gain=gain.value,
        gain_low=gain.low,
        by_activity=evaluation.by_slice(test, "activity_type", score),
        by_segment=evaluation.by_slice(test, "segment", score),
    )


def _metrics(split: Split, selection: Selection, people: int) -> RegressorMetrics:
    rows, test, features = split.train, split.test, selection.selected.features
    model = selection.model
    truth, predicted = test[TARGET].to_numpy(), model.predict(test[features])
    linear = pipeline(features, LinearRegression(), LinearRegression())
    linear.fit(rows[features], rows[TARGET])
    outside = (1 - evaluation.COVERAGE) / 2
    least, most = disclosure.bounds(rows[TARGET], rows["user_id"], people)
    constant = ConstantBaseline(
        mean=float(rows[TARGET].mean()),
        low=max(float(rows[TARGET].quantile(outside)), least),
        high=min(float(rows[TARGET].quantile(1 - outside)), most),
    )
    calibration = selection.calibration[TARGET].to_numpy()
    interval = evaluation.calibrate(calibration, selection.predicted[:, 0])
    cold_start = None
    if _history(features):
        masked = model.predict(mask_history(test[features]))
        cold_start = ColdStart(
            scores=evaluation.regression(truth, masked),
            interval=evaluation.calibrate(calibration, selection.predicted[:, 1]),
        )
    masked_interval = cold_start.interval if cold_start else None
    low, high = _bounds(interval, masked_interval, test[features], predicted)
    return RegressorMetrics(
        train_rows=len(rows),
        train_users=int(rows["user_id"].nunique()),
        evaluation=_evaluation(predicted, low, high, constant, test),
        inputs=pipelines.inputs(rows, features, people),
        constant=constant,
        linear=evaluation.regression(truth, linear.predict(test[features])),
        interval=interval,
        cold_start=cold_start,
        trials=selection.trials(),
        importances=evaluation.importances(model, test[features], test[TARGET], "r2"),
        agreement=evaluation.agreement(truth, predicted, test["user_id"], people),
    )


def _predict(model: Pipeline, rows: pd.DataFrame) -> np.ndarray:
    """Predictions of shape (n, 2): as they are, and with the history masked."""
    features = rows[list(model.feature_names_in_)]
    return np.column_stack([model.predict(features), model.predict(mask_history(features))])


def _score(rows: pd.DataFrame, predicted: np.ndarray) -> float:
    return float(r2_score(rows[TARGET], predicted[:, 0]))
