"""The activity classifier: which activity a day's readings, and the person's past, speak of."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import evaluation
from fitness_assets.models.datasets import Split, known, split_by_user
from fitness_assets.models.forests import pipelines
from fitness_assets.models.model_selection import Choice, Hyperparameters, Task, choose

TARGET = "activity_type"
#: Features in groups, from what a form asks for to what only a history knows.
GROUPS = {
    "day": ["steps", "calories_burned", "heart_rate_avg"],
    "device": [
        *("distance_km", "sleep_hours", "active_minutes", "sedentary_minutes"),
        *("resting_heart_rate", "day_of_week"),
    ],
    "person": ["sex", "age", "height_cm", "weight_kg"],
    "history": ["steps_above_usual", "steps_mean_28d", "calories_burned_mean_28d"],
}
#: Columns of `daily_activity` that learning reads.
COLUMNS = [
    *("user_id", "date", "worn", TARGET),
    *(name for names in GROUPS.values() for name in names if name != "steps_above_usual"),
]
#: No Brier score is given up for size: the budget is ample.
TOLERANCE = 0.0
#: Shapes that are tried.
SHAPES = (
    Hyperparameters(10, 14, 0.0004),
    Hyperparameters(30, 16, 0.001),
    Hyperparameters(30, 16, 0.0004),
)
#: A share of a person's past days has this before the name of the activity.
PAST = "past_"
_KCAL = 10


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from, sorted by user and date.

    Adds the share that each activity has of the person's days before, as far as they have labels,
    as ``past_`` and its name; of the first day nothing is known.
    """
    days = pipelines.frame(days).sort_values(["user_id", "date"], kind="stable", ignore_index=True)
    done = pd.get_dummies(days[TARGET], prefix=PAST, prefix_sep="", dtype="float32")
    before = done.groupby(days["user_id"]).cumsum() - done
    labelled = before.sum(axis=1)
    shares = before.div(labelled.where(labelled > 0), axis=0)
    return pd.concat([without_fraction(days), shares], axis=1)


def without_fraction(days: pd.DataFrame) -> pd.DataFrame:
    """Round the energy of a day to tens of kcal.

    A device knows it no finer; with its fraction a forest would read off how the energy of a
    synthetic day was put together from its steps.
    """
    return days.assign(calories_burned=(days["calories_burned"] / _KCAL).round() * _KCAL)


def train(rows: pd.DataFrame, features: list[str], shape: Hyperparameters) -> Pipeline:
    """The trained pipeline, its forest packed."""
    # A quarter of many features, but of three not one: then every other split is on chance.
    among = max(2, len(features) // 4)
    classifier = RandomForestClassifier(**shape.parameters(len(rows), among))
    model = pipelines.pipeline(features, classifier).fit(rows[features], rows[TARGET])
    pipelines.pack(model)
    return model


def learn(days: pd.DataFrame, budget: int) -> tuple[Pipeline, dict[str, Any]]:
    """Train on the users that are not held out, and score on those that are.

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
        Its metrics, beside those of the baseline that gives every activity its share of the
        training days, and so always names the commonest.

    Raises
    ------
    NotLearnedError
        If there are too few users with labels, or one activity only.
    """
    split = split_by_user(frame(days), [TARGET])
    classes = sorted(split.train[TARGET].unique())
    if len(classes) == 1:
        raise NotLearnedError(f"every day to learn from is {classes[0]}")
    groups = GROUPS | {"history": [*GROUPS["history"], *(PAST + name for name in classes)]}
    choice = choose(
        Task(
            train,
            lambda model, rows: _predict(model, rows, classes),
            lambda rows, shares: (
                -float(evaluation.brier_losses(rows[TARGET].to_numpy(), shares, classes).mean())
            ),
            TOLERANCE,
        ),
        split.train,
        known(split.train, groups),
        SHAPES,
        budget,
    )
    return choice.model, _measure(split, choice)


def score(model: Pipeline, learned: Mapping[str, Any], test: pd.DataFrame) -> dict[str, Any]:
    """Scores of a model, beside those of giving each activity its share of the days learned from.

    Parameters
    ----------
    model : Pipeline
    learned : mapping
        Its metrics: ``features`` and ``shares``.
    test : DataFrame
        Rows of `frame`, of users that it has not seen.
    """
    # Nobody here may have done what others did; it is then unknown, as it is of a first day.
    probabilities = model.predict_proba(test.reindex(columns=learned["features"]))
    return _scores([str(label) for label in model.classes_], probabilities, learned, test)


def _scores(
    labels: list[str], probabilities: np.ndarray, learned: Mapping[str, Any], test: pd.DataFrame
) -> dict[str, Any]:
    truth = test[TARGET].to_numpy()
    always = np.tile([learned["shares"][label] for label in labels], (len(truth), 1))
    predicted = np.asarray(labels, dtype=object)[probabilities.argmax(axis=1)]
    baseline = evaluation.classification(truth, always, labels)
    known_label = np.isin(truth, labels)
    return {
        **evaluation.classification(truth, probabilities, labels),
        **{f"baseline_{name}": value for name, value in baseline.items()},
        **evaluation.gain(
            test["user_id"],
            evaluation.brier_losses(truth, probabilities, labels),
            evaluation.brier_losses(truth, always, labels),
        ),
        "labels": labels,
        "confusion": confusion_matrix(
            truth[known_label], predicted[known_label], labels=labels
        ).tolist(),
        **evaluation.sliced(
            test, lambda at: {"recall": float(np.mean(predicted[at] == truth[at]))}
        ),
    }


def _measure(split: Split, choice: Choice) -> dict[str, Any]:
    test, features = split.test, choice.trial.features
    shares = split.train[TARGET].value_counts(normalize=True).sort_index()
    learned = {
        **pipelines.inputs(split.train, features),
        "shares": {str(name): float(share) for name, share in shares.items()},
        "commonest": str(shares.idxmax()),
    }
    labels = [str(label) for label in choice.model.classes_]
    probabilities = choice.model.predict_proba(test[features])
    right = choice.model.classes_[probabilities.argmax(axis=1)] == test[TARGET].to_numpy()
    return {
        **evaluation.counts(split),
        **_scores(labels, probabilities, learned, test),
        "reliability": evaluation.reliability(right, probabilities.max(axis=1)),
        "trials": choice.told(),
        "importances": evaluation.importances(
            choice.model, test[features], test[TARGET], evaluation.BALANCED_ACCURACY
        ),
        **learned,
    }


def _predict(model: Pipeline, rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Probabilities of `classes`, 0 of those that `model` has not seen."""
    shares = model.predict_proba(rows[list(model.feature_names_in_)])
    table = pd.DataFrame(shares, columns=model.classes_)
    aligned: np.ndarray = table.reindex(columns=classes, fill_value=0.0).to_numpy()
    return aligned
