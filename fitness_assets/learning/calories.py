"""The calorie regressor: kcal of a day from its activity, steps, heart rate and sleep."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.learning.activity import seen_ranges, serve_serially
from fitness_assets.learning.datasets import split_by_user

TARGET = "calories_burned"
CATEGORY = "activity_type"
#: Numeric feature and its unit.
NUMBERS = {"steps": "count", "heart_rate_avg": "beats per minute", "sleep_hours": "h"}
FEATURES = [CATEGORY, *NUMBERS]
#: Columns of `daily_activity` that learning reads.
COLUMNS = ["user_id", "worn", TARGET, *FEATURES]


def pipeline(regressor: Any | None = None) -> Pipeline:
    """The untrained pipeline, ending in `regressor`.

    Parameters
    ----------
    regressor : estimator or None
        By default a forest that is bounded in trees, depth and leaf size: it predicts as well as
        an unbounded one and is a thousandth of its size.
    """
    if regressor is None:
        regressor = RandomForestRegressor(
            n_estimators=10, max_depth=12, min_samples_leaf=200, n_jobs=-1, random_state=0
        )
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    # A form that offers the model's own categories never meets an unknown one; in a batch it
    # counts as none of them.
    category = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    features = ColumnTransformer(
        [("category", category, [CATEGORY]), ("numbers", numbers, list(NUMBERS))]
    )
    return Pipeline([("features", features), ("regressor", regressor)])


def learn(days: pd.DataFrame) -> tuple[Pipeline, dict[str, Any]]:
    """Train on the users that are not held out, and score on those that are.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window.

    Returns
    -------
    Pipeline
        The model that was scored.
    dict
        Its metrics, beside those of two baselines: the mean, and a linear model.

    Raises
    ------
    NotLearnedError
        If there are too few users with activity and kcal.
    """
    split = split_by_user(days, [TARGET, CATEGORY])
    train, test = split.train, split.test
    model = pipeline().fit(train[FEATURES], train[TARGET])
    serve_serially(model)
    linear = pipeline(LinearRegression()).fit(train[FEATURES], train[TARGET])
    truth = test[TARGET].to_numpy()
    metrics = {
        "rows_learned": len(train),
        "users_learned": int(train["user_id"].nunique()),
        "rows_tested": len(test),
        "users_tested": int(test["user_id"].nunique()),
        **_scores(truth, model.predict(test[FEATURES])),
        "baselines": {
            "mean": _scores(truth, np.full(len(truth), train[TARGET].mean())),
            "linear": _scores(truth, linear.predict(test[FEATURES])),
        },
        "categories": [str(name) for name in np.sort(train[CATEGORY].unique())],
        "seen": seen_ranges(train, list(NUMBERS)),
    }
    return model, metrics


def _scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {
        "r2": float(r2_score(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
        "rmse": float(root_mean_squared_error(truth, predicted)),
    }
