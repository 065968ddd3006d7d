"""The activity classifier: predicts the activity of a day from its readings and the history."""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import evaluation
from fitness_assets.models.datasets import Split, known_features, split_by_user, without_rare
from fitness_assets.models.disclosure import SMALLEST_CELL, strip_counts
from fitness_assets.models.forest_metrics import (
    ClassificationSlice,
    ClassifierEvaluation,
    ClassifierMetrics,
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

TARGET = "activity_type"
#: Feature groups, from what a form asks for to what only a user's history provides.
GROUPS = {
    "day": ["steps", "calories_burned", "heart_rate_avg"],
    "device": [
        *("distance_km", "sleep_hours", "active_minutes", "sedentary_minutes"),
        *("resting_heart_rate", "day_of_week"),
    ],
    "person": ["sex", "age", "height_cm", "weight_kg"],
    "history": ["steps_above_usual", "steps_mean_28d", "calories_burned_mean_28d"],
}
#: Columns of `daily_activity` that training reads.
COLUMNS = [
    *("user_id", "date", "worn", TARGET),
    *(name for names in GROUPS.values() for name in names if name != "steps_above_usual"),
]
#: Brier score that may be lost for a smaller forest: none, since the budget is ample.
TOLERANCE = 0.0
#: Hyperparameters that are tried.
GRID = (
    Hyperparameters(10, 14, 0.0004),
    Hyperparameters(30, 16, 0.001),
    Hyperparameters(30, 16, 0.0004),
)
#: Prefix of the features with the share of each activity in a user's earlier days.
PAST = "past_"
_KCAL = 10


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from, sorted by user and date.

    Adds ``past_`` and the name of each activity: its share of the user's earlier labelled days,
    NaN where there are none.
    """
    days = pipelines.frame(days).sort_values(["user_id", "date"], kind="stable", ignore_index=True)
    done = pd.get_dummies(days[TARGET], prefix=PAST, prefix_sep="", dtype="float32")
    before = done.groupby(days["user_id"]).cumsum() - done
    labelled = before.sum(axis=1)
    shares = before.div(labelled.where(labelled > 0), axis=0)
    return pd.concat([round_energy(days), shares], axis=1)


def round_energy(days: pd.DataFrame) -> pd.DataFrame:
    """Round the energy of each day to tens of kcal.

    A device measures it no more exactly. The fraction of a synthetic day's energy would leak how it
    was computed from the steps, and so the activity.
    """
    return days.assign(calories_burned=(days["calories_burned"] / _KCAL).round() * _KCAL)


def fit(
    rows: pd.DataFrame,
    features: list[str],
    hyperparameters: Hyperparameters,
    people: int = SMALLEST_CELL,
) -> Pipeline:
    """The trained pipeline, its forest packed; each leaf rests on `people` users at least."""
    # A quarter of the features a split, but at least two: with one, every other split is random.
    considered = max(2, len(features) // 4)
    classifier = RandomForestClassifier(**hyperparameters.parameters(len(rows), considered))
    model = pipelines.pipeline(features, classifier).fit(rows[features], rows[TARGET])
    protect_leaves(model, rows[features], rows[TARGET], rows["user_id"], people)
    pipelines.pack(model)
    return model


def train_month(days: pd.DataFrame, _month: pd.Timestamp, budget: int, people: int) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    return Trained(*train(days, forest_budget(budget), people))


def train(
    days: pd.DataFrame, budget: int, people: int = SMALLEST_CELL
) -> tuple[Pipeline, ClassifierMetrics]:
    """Train on the users that are not held out, and evaluate on those that are.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window.
    budget : int
        Bytes that the forest may take on disk.
    people : int
        Smallest number of users of a leaf, a class and a category.

    Returns
    -------
    Pipeline
        Its forest packed.
    ClassifierMetrics
        Compared with the constant baseline that gives every row the class shares of the training
        rows, and so predicts the majority class.

    Raises
    ------
    NotLearnedError
        If there are too few users with labels, or one activity only.
    """
    split = split_by_user(frame(days), [TARGET], people)
    rows = without_rare(split.train, pipelines.CATEGORIES, people).dropna(subset=[TARGET])
    if rows.empty:
        raise NotLearnedError(f"no activity is one of {people} users")
    split = Split(rows, split.test)
    classes = sorted(split.train[TARGET].unique())
    if len(classes) == 1:
        raise NotLearnedError(f"every training day is {classes[0]}")
    groups = GROUPS | {"history": [*GROUPS["history"], *(PAST + name for name in classes)]}
    selection = select_model(
        Estimator(
            partial(fit, people=people),
            lambda model, rows: _probabilities(model, rows, classes),
            lambda rows, probabilities: (
                -float(
                    evaluation.brier_losses(rows[TARGET].to_numpy(), probabilities, classes).mean()
                )
            ),
            TOLERANCE,
        ),
        split.train,
        known_features(split.train, groups, people),
        GRID,
        budget,
    )
    metrics = _metrics(split, selection, people)
    strip_counts(selection.model, people)
    return selection.model, metrics


def evaluate(
    model: Pipeline, metrics: ClassifierMetrics, test: pd.DataFrame
) -> ClassifierEvaluation:
    """Scores of a model on held-out users, compared with the class shares of its training rows.

    Parameters
    ----------
    model : Pipeline
    metrics : ClassifierMetrics
        Of the model.
    test : DataFrame
        Rows of `frame`.
    """
    # A ``past_`` feature is absent if no user of `test` has done that activity; it is then missing,
    # as it is on a user's first day.
    rows = test.reindex(columns=metrics.inputs.features)
    return _evaluation(model, model.predict_proba(rows), metrics.class_shares, test)


def _evaluation(
    model: Pipeline, probabilities: np.ndarray, class_shares: dict[str, float], test: pd.DataFrame
) -> ClassifierEvaluation:
    labels = [str(label) for label in model.classes_]
    truth = test[TARGET].to_numpy()
    constant = np.tile([class_shares[label] for label in labels], (len(truth), 1))
    predicted = np.asarray(labels, dtype=object)[probabilities.argmax(axis=1)]
    known = np.isin(truth, labels)
    gain = evaluation.gain(
        test["user_id"],
        evaluation.brier_losses(truth, probabilities, labels),
        evaluation.brier_losses(truth, constant, labels),
    )

    def score(value: str, rows: np.ndarray) -> ClassificationSlice:
        recall = float(np.mean(predicted[rows] == truth[rows]))
        users = test["user_id"].iloc[rows].nunique()
        return ClassificationSlice(slice=value, rows=len(rows), users=users, recall=recall)

    return ClassifierEvaluation(
        rows=len(test),
        users=int(test["user_id"].nunique()),
        scores=evaluation.classification(truth, probabilities, labels),
        baseline=evaluation.classification(truth, constant, labels),
        gain=gain.value,
        gain_low=gain.low,
        labels=labels,
        confusion=confusion_matrix(truth[known], predicted[known], labels=labels).tolist(),
        confusion_users=evaluation.confusion_users(
            test["user_id"][known], truth[known], predicted[known], labels
        ),
        by_activity=evaluation.by_slice(test, "activity_type", score),
        by_segment=evaluation.by_slice(test, "segment", score),
    )


def _metrics(split: Split, selection: Selection, people: int) -> ClassifierMetrics:
    model, features = selection.model, selection.selected.features
    test = split.test
    shares = split.train[TARGET].value_counts(normalize=True).sort_index()
    class_shares = {str(name): float(share) for name, share in shares.items()}
    probabilities = model.predict_proba(test[features])
    correct = model.classes_[probabilities.argmax(axis=1)] == test[TARGET].to_numpy()
    return ClassifierMetrics(
        train_rows=len(split.train),
        train_users=int(split.train["user_id"].nunique()),
        evaluation=_evaluation(model, probabilities, class_shares, test),
        inputs=pipelines.inputs(split.train, features, people),
        class_shares=class_shares,
        majority_class=str(shares.idxmax()),
        trials=selection.trials(),
        importances=evaluation.importances(
            model, test[features], test[TARGET], evaluation.BALANCED_ACCURACY
        ),
        reliability=evaluation.reliability(correct, probabilities.max(axis=1), test["user_id"]),
    )


def _probabilities(model: Pipeline, rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Probabilities of `classes`, 0 for those that are not in the training rows of `model`."""
    probabilities = model.predict_proba(rows[list(model.feature_names_in_)])
    table = pd.DataFrame(probabilities, columns=model.classes_)
    aligned: np.ndarray = table.reindex(columns=classes, fill_value=0.0).to_numpy()
    return aligned
