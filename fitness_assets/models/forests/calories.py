"""The calorie regressor: kcal of a day from the day, the device, the person and their past."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from fitness_assets.models import evaluation
from fitness_assets.models.datasets import Split, known, split_by_user
from fitness_assets.models.forests import pipelines
from fitness_assets.models.model_selection import Choice, Hyperparameters, Task, choose

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
SHAPES = (
    Hyperparameters(10, 12, 0.001),
    Hyperparameters(10, 12, 0.0013),
    Hyperparameters(10, 10, 0.002),
    Hyperparameters(30, 10, 0.005),
)
#: Shape of the forest for who has no past.
WITHOUT_PAST = Hyperparameters(10, 8, 0.005)


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from."""
    return pipelines.frame(days)


def split(days: pd.DataFrame) -> Split:
    """Rows with kcal of the users to learn from and of those held out.

    Raises
    ------
    NotLearnedError
        If there are too few of either.
    """
    return split_by_user(frame(days), [TARGET])


def train(rows: pd.DataFrame, features: list[str], shape: Hyperparameters) -> Pipeline:
    """The trained pipeline, its forest packed."""
    past = _past(features)

    def forest(shape: Hyperparameters, rows: int, features: int) -> RandomForestRegressor:
        # Half of many features, but all of a few.
        return RandomForestRegressor(**shape.parameters(rows, min(1.0, _FEATURES / features)))

    told = int(rows[OFFSET].notna().sum()) if past else 0
    model = pipeline(
        features,
        forest(shape, told or len(rows), len(features)),
        forest(WITHOUT_PAST, len(rows), len(features) - len(past)),
    ).fit(rows[features], rows[TARGET])
    pipelines.pack(model)
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
    choice = search(both.train, budget)
    return choice.model, _measure(both, choice)


def search(rows: pd.DataFrame, budget: int) -> Choice:
    """Choose features and shape on some of the users of `rows`, rows of `frame`, and train."""
    task = Task(train, _predict, _score, TOLERANCE)
    return choose(task, rows, known(rows, GROUPS), SHAPES, budget)


def score(model: Pipeline, learned: Mapping[str, Any], test: pd.DataFrame) -> dict[str, Any]:
    """Scores of a model, beside those of the mean of the days it learned from.

    Parameters
    ----------
    model : Pipeline
    learned : mapping
        Its metrics: ``features``, the intervals and ``baseline``.
    test : DataFrame
        Rows of `frame`, of users that it has not seen.
    """
    truth, predicted = test[TARGET].to_numpy(), model.predict(test[learned["features"]])
    low, high = bounds(learned, test, predicted)
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


def bounds(
    learned: Mapping[str, Any], rows: pd.DataFrame, predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound around each prediction, wider for who has no past.

    Parameters
    ----------
    learned : mapping
        The metrics of the model.
    rows : DataFrame
        What it was told.
    predicted : ndarray of shape (n,)
    """
    low, high = evaluation.interval(learned["interval"], predicted)
    if "without_past" in learned:
        none = rows[OFFSET].isna().to_numpy()
        widely = evaluation.interval(learned["without_past"]["interval"], predicted[none])
        low[none], high[none] = widely
    return low, high


def forgotten(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` as of people of whose past nothing is known."""
    return rows.assign(**{name: np.nan for name in GROUPS["history"] if name in rows})


def _measure(split: Split, choice: Choice) -> dict[str, Any]:
    rows, test, features = split.train, split.test, choice.trial.features
    linear = pipeline(features, LinearRegression(), LinearRegression())
    linear.fit(rows[features], rows[TARGET])
    truth, calibrated = test[TARGET].to_numpy(), choice.days[TARGET].to_numpy()
    outside = (1 - evaluation.COVERAGE) / 2
    always = {
        "mean": float(rows[TARGET].mean()),
        "low": float(rows[TARGET].quantile(outside)),
        "high": float(rows[TARGET].quantile(1 - outside)),
    }
    learned = {
        **pipelines.inputs(rows, features),
        "interval": evaluation.calibrate(calibrated, choice.predicted[:, 0]),
        "baseline": always,
    }
    if _past(features):
        learned["without_past"] = {
            **evaluation.regression(truth, choice.model.predict(forgotten(test[features]))),
            "interval": evaluation.calibrate(calibrated, choice.predicted[:, 1]),
        }
    return {
        **evaluation.counts(split),
        **score(choice.model, learned, test),
        "agreement": evaluation.agreement(truth, choice.model.predict(test[features])),
        "linear": evaluation.regression(truth, linear.predict(test[features])),
        "trials": choice.told(),
        "importances": evaluation.importances(choice.model, test[features], test[TARGET], "r2"),
        **learned,
    }


def _past(features: list[str]) -> list[str]:
    """Those that only a past tells, if there are the offset and any others."""
    past = [name for name in features if name in GROUPS["history"]]
    return past if OFFSET in past and len(past) < len(features) else []


def pipeline(features: list[str], regressor: Any, without: Any) -> Pipeline:
    """The untrained pipeline; `without` learns for who has no past, where features tell one."""
    return pipelines.pipeline(features, regressor, _past(features), without)


def _predict(model: Pipeline, rows: pd.DataFrame) -> np.ndarray:
    """Of each row the prediction, and the one that it would have without a past."""
    told = rows[list(model.feature_names_in_)]
    return np.column_stack([model.predict(told), model.predict(forgotten(told))])


def _score(rows: pd.DataFrame, predicted: np.ndarray) -> float:
    return float(r2_score(rows[TARGET], predicted[:, 0]))
