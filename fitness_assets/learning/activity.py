"""The activity classifier: which activity a day's steps, calories and heart rate speak of."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
)
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.learning.datasets import split_by_user

TARGET = "activity_type"
#: Feature and its unit.
FEATURES = {"steps": "count", "calories_burned": "kcal", "heart_rate_avg": "beats per minute"}
#: Columns of `daily_activity` that learning reads.
COLUMNS = ["user_id", "worn", TARGET, *FEATURES]


def pipeline() -> Pipeline:
    """The untrained pipeline. Its forest is bounded, for the host it must live on."""
    forest = RandomForestClassifier(
        n_estimators=25, max_depth=10, min_samples_leaf=50, n_jobs=-1, random_state=0
    )
    return Pipeline([("impute", SimpleImputer(strategy="median")), ("forest", forest)])


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
        Its metrics, beside those of the baseline that always names the commonest activity.

    Raises
    ------
    NotLearnedError
        If there are too few users, or one activity only.
    """
    split = split_by_user(days, [TARGET])
    classes = split.train[TARGET].unique()
    if len(classes) == 1:
        raise NotLearnedError(f"every day to learn from is {classes[0]}")
    model = pipeline().fit(split.train[list(FEATURES)], split.train[TARGET])
    serve_serially(model)

    # An activity that no user of the training set did cannot be recognised, and counts as missed.
    test = split.test
    truth = test[TARGET].to_numpy()
    probabilities = model.predict_proba(test[list(FEATURES)])
    labels = list(model.classes_)
    predicted = np.asarray(labels)[probabilities.argmax(axis=1)]
    commonest = np.full(len(truth), split.train[TARGET].mode()[0], dtype=object)
    known = np.isin(truth, labels)
    metrics = {
        "rows_learned": len(split.train),
        "users_learned": int(split.train["user_id"].nunique()),
        "rows_tested": len(test),
        "users_tested": int(test["user_id"].nunique()),
        "accuracy": float(accuracy_score(truth, predicted)),
        "balanced_accuracy": _balanced_accuracy(truth, predicted),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "log_loss": float(log_loss(truth[known], probabilities[known], labels=labels)),
        "baseline": {
            "name": f"always {commonest[0]}",
            "accuracy": float(accuracy_score(truth, commonest)),
            "balanced_accuracy": _balanced_accuracy(truth, commonest),
            "macro_f1": float(f1_score(truth, commonest, average="macro", zero_division=0)),
        },
        "labels": labels,
        "confusion": confusion_matrix(truth[known], predicted[known], labels=labels).tolist(),
        "seen": seen_ranges(split.train, list(FEATURES)),
    }
    return model, metrics


def serve_serially(model: Pipeline) -> None:
    """Let a trained forest predict on one core.

    Threads add the trees' votes up in the order they finish, so that the last digits would change
    from run to run; and for a single record they cost more than they save.
    """
    model[-1].set_params(n_jobs=1)


def seen_ranges(days: pd.DataFrame, features: list[str]) -> dict[str, list[float]]:
    """Lowest, median and highest value of each numeric feature among the rows learned from."""
    numbers = days[features].quantile([0.0, 0.5, 1.0])
    return {name: [float(value) for value in numbers[name]] for name in features}


def _balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the activities that occur in `truth`."""
    return float(balanced_accuracy_score(truth, predicted))
