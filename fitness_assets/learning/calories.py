"""The calorie regressor: kcal of a day from the day, the device, the person and their past."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from fitness_assets.learning import evaluation, forests
from fitness_assets.learning.datasets import Split, known, split_by_user
from fitness_assets.learning.search import Choice, Shape, Task, choose

TARGET = "calories_burned"
#: A person's own past mean, from which the deviation is learned where there is a past.
OFFSET = "calories_burned_mean_28d"
#: Features in groups, from what a form asks for to what only a history knows.
GROUPS = {
    "day": ["activity_type", "steps", "heart_rate_avg", "sleep_hours"],
    "device": ["distance_km", "active_minutes", "sedentary_minutes", "resting_heart_rate"],
    "person": ["sex", "age", "height_cm", "weight_kg"],
    "history": ["steps_above_usual", "steps_mean_28d", "calories_burned_mean_7d", OFFSET],
}
#: Columns of `daily_activity` that learning reads.
COLUMNS = [
    *("user_id", "date", "worn", TARGET),
    *(name for names in GROUPS.values() for name in names if name != "steps_above_usual"),
]
_FEATURES = 8
#: A candidate within this much R2 of the best is as good.
TOLERANCE = 0.001
#: Shapes that are tried.
SHAPES = (Shape(10, 12, 0.001), Shape(10, 10, 0.002), Shape(30, 10, 0.005))


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from."""
    return forests.frame(days)


def split(days: pd.DataFrame) -> Split:
    """Rows with kcal of the users to learn from and of those held out.

    Raises
    ------
    NotLearnedError
        If there are too few of either.
    """
    return split_by_user(frame(days), [TARGET])


def train(rows: pd.DataFrame, features: list[str], shape: Shape) -> Pipeline:
    """The trained pipeline, its forest packed."""
    # Half of many features, but all of a few.
    among = min(1.0, _FEATURES / len(features))
    regressor = RandomForestRegressor(**shape.parameters(len(rows), among))
    model = _pipeline(features, regressor).fit(rows[features], rows[TARGET])
    forests.pack(model)
    return model


def learn(days: pd.DataFrame, budget: int) -> tuple[Pipeline, dict[str, Any]]:
    """Train on the users that are not held out, and score on those that are.

    Features and shape of the forest are chosen on users kept aside among those of training. What
    the chosen candidate was off by for them calibrates the interval.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window.
    budget : int
        Bytes that the forest may take on disk.

    Returns
    -------
    Pipeline
        The model that was scored, its forest packed.
    dict
        Its metrics, beside those of the mean and of a linear model of the same features.

    Raises
    ------
    NotLearnedError
        If there are too few users with kcal.
    """
    both = split(days)
    choice = choose(
        Task(train, _predict, _score, TOLERANCE),
        both.train,
        known(both.train, GROUPS),
        SHAPES,
        budget,
    )
    return choice.model, _measure(both, choice)


def score(model: Pipeline, learned: Mapping[str, Any], test: pd.DataFrame) -> dict[str, Any]:
    """Scores of a model, beside those of the mean of the days it learned from.

    Parameters
    ----------
    model : Pipeline
    learned : mapping
        Its metrics: ``features``, ``interval`` and ``baseline``.
    test : DataFrame
        Rows of `frame`, of users that it has not seen.
    """
    truth, predicted = test[TARGET].to_numpy(), model.predict(test[learned["features"]])
    low, high = evaluation.interval(learned["interval"], predicted)
    always = learned["baseline"]
    mean = np.full(len(truth), always["mean"])
    baseline = {
        **evaluation.regression(truth, mean),
        "coverage": evaluation.coverage(truth, always["low"], always["high"]),
    }
    return {
        **evaluation.regression(truth, predicted),
        "coverage": evaluation.coverage(truth, low, high),
        "interval_width": float(np.mean(high - low)),
        **{f"baseline_{name}": value for name, value in baseline.items()},
        **evaluation.gain(test["user_id"], (truth - predicted) ** 2, (truth - mean) ** 2),
        **evaluation.sliced(test, lambda at: evaluation.regression(truth[at], predicted[at])),
    }


def _measure(split: Split, choice: Choice) -> dict[str, Any]:
    rows, test, features = split.train, split.test, choice.trial.features
    linear = _pipeline(features, LinearRegression()).fit(rows[features], rows[TARGET])
    outside = (1 - evaluation.COVERAGE) / 2
    always = {
        "mean": float(rows[TARGET].mean()),
        "low": float(rows[TARGET].quantile(outside)),
        "high": float(rows[TARGET].quantile(1 - outside)),
    }
    learned = {
        **forests.inputs(rows, features),
        "interval": evaluation.calibrate(choice.days[TARGET].to_numpy(), choice.predicted),
        "baseline": always,
    }
    return {
        **evaluation.counts(split),
        **score(choice.model, learned, test),
        "agreement": evaluation.agreement(
            test[TARGET].to_numpy(), choice.model.predict(test[features])
        ),
        "linear": evaluation.regression(test[TARGET].to_numpy(), linear.predict(test[features])),
        "trials": choice.told(),
        "importances": evaluation.importances(choice.model, test[features], test[TARGET], "r2"),
        **learned,
    }


def _pipeline(features: list[str], regressor: Any) -> Pipeline:
    return forests.pipeline(features, regressor, OFFSET if OFFSET in features else None)


def _predict(model: Pipeline, rows: pd.DataFrame) -> np.ndarray:
    predicted: np.ndarray = model.predict(rows[list(model.feature_names_in_)])
    return predicted


def _score(rows: pd.DataFrame, predicted: np.ndarray) -> float:
    return float(r2_score(rows[TARGET], predicted))
