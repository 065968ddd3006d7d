"""The activity classifier: predicts the activity of a day from its readings and the history."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import evaluation, slices
from fitness_assets.models.datasets import (
    Split,
    known_features,
    split_by_user,
    with_columns,
    without_rare,
)
from fitness_assets.models.disclosure import SMALLEST_CELL, strip_counts
from fitness_assets.models.forest_metrics import (
    ClassificationSlice,
    ClassifierEvaluation,
    ClassifierMetrics,
)
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.calibrated_classifier import (
    CalibratedClassifier,
    scaled,
    temperature,
)
from fitness_assets.models.forests.candidates import Candidate, Hyperparameters, Selection
from fitness_assets.models.forests.model_selection import (
    Learner,
    Search,
    forest_budget,
    select_model,
)
from fitness_assets.models.forests.pipelines import Encoded
from fitness_assets.models.one_thread import one_thread
from fitness_assets.models.registry import Everyone, Trained

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
COLUMNS = list(
    dict.fromkeys(
        [
            *("user_id", "date", "worn", TARGET),
            *(name for names in GROUPS.values() for name in names if name != "steps_above_usual"),
            *slices.COLUMNS,
        ]
    )
)
#: Inputs that the pipeline computes from the features. See `derived_inputs.DERIVED`.
DERIVED = [
    *("metres_per_step", "steps_per_active_minute", "heart_rate_above_resting"),
    *("heart_rate_reserve", "kcal_above_usual", "kcal_over_basal", "exercise_kcal_per_kg"),
    "exercise_kcal_per_active_minute",
]
#: Brier score that may be lost for a smaller forest: almost none, since the budget is ample.
TOLERANCE = 0.0005
#: Hyperparameters that are tried.
GRID = (
    Hyperparameters(12, 16, 0.0003),
    Hyperparameters(20, 14, 0.0006, 25_000),
)
#: Exponents of the class weights that are tried. See `candidates.Hyperparameters`.
WEIGHTS = (0.0, 0.25, 0.5)
#: Labels with fewer training rows than this are pooled.
LEAST_ROWS = 50
#: The label of pooled activities.
OTHER = "other"
#: Prefix of the features with the share of each activity in a user's earlier days.
PAST = "past_"
# Probability of a class that is missing from the training rows of a fold.
_MISSING = 1e-4


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """The rows that features are taken from, sorted by user and date.

    Adds ``past_`` and the name of each activity: its share of the user's earlier labelled days,
    NaN where there are none.
    """
    # Numbers are sorted and counted in a fraction of the time of ids.
    users = pd.factorize(days["user_id"], sort=True)[0]
    order = np.lexsort((days["date"].to_numpy(), users))
    days = pipelines.frame(days).iloc[order]
    days.index = pd.RangeIndex(len(days))
    users = users[order]
    codes, names = pd.factorize(days[TARGET], sort=True)
    done = codes[:, None] == np.arange(len(names))
    before = np.cumsum(done, axis=0, dtype=np.int32) - done
    # Less the days of the users before.
    before -= before[np.searchsorted(users, users)]
    labelled = before.sum(axis=1, dtype=np.float32, keepdims=True)
    labelled[labelled == 0] = np.nan
    shares = before.astype(np.float32) / labelled
    return with_columns(
        days, {f"{PAST}{name}": shares[:, index] for index, name in enumerate(names)}
    )


def train_month(
    days: pd.DataFrame, _month: pd.Timestamp, budget: int, people: int, _everyone: Everyone | None
) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    return Trained(*train(days, forest_budget(budget), people))


@one_thread()
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
    split, kept = _usable(split_by_user(frame(days), [TARGET], people), people)
    classes = sorted(split.train[TARGET].unique())
    if len(classes) == 1:
        raise NotLearnedError(f"every training day is {classes[0]}")
    groups = GROUPS | {"history": [*GROUPS["history"], *(PAST + name for name in kept)]}
    selection = select_model(
        _learner(classes, people),
        split.train,
        known_features(split.train, groups, people),
        budget,
        few=split.few,
    )
    codes = evaluation.codes_of(selection.calibration[TARGET], classes)
    estimator = selection.model[-1].calibrated(temperature(codes, selection.predicted))
    model = pipelines.with_estimator(selection.model[:-1], estimator)
    metrics = _metrics(split, selection, model, people)
    strip_counts(model, people)
    return model, metrics


def _usable(split: Split, people: int) -> tuple[Split, list[str]]:
    """`split` with rare activities pooled, and the activities that are not rare.

    If the pooled activities are rare too, their training rows are left out.
    """
    labels = split.train.groupby(TARGET)["user_id"].agg(["size", "nunique"])
    enough = (labels["size"] >= LEAST_ROWS) & (labels["nunique"] >= people)
    kept = sorted(str(label) for label in labels.index[enough])
    train = without_rare(pool(split.train, kept), ["sex"], people)
    pooled = train[TARGET] == OTHER
    if pooled.sum() < LEAST_ROWS or train.loc[pooled, "user_id"].nunique() < people:
        train = train[~pooled]
    if train.empty:
        raise NotLearnedError(f"no activity is one of {people} users on {LEAST_ROWS} days")
    if split.few:
        train = train.reset_index(drop=True)
        return Split(train, train, few=True), kept
    test = pool(split.test, kept) if (train[TARGET] == OTHER).any() else split.test
    return Split(train, test), kept


def pool(rows: pd.DataFrame, kept: Sequence[str]) -> pd.DataFrame:
    """`rows` with the labels that are not among `kept` as `OTHER`."""
    return with_columns(rows, {TARGET: rows[TARGET].where(rows[TARGET].isin(kept), OTHER)})


def _encoder(features: list[str]) -> Pipeline:
    return pipelines.encoder(features, DERIVED)


def fit(
    rows: Encoded, _history: int, hyperparameters: Hyperparameters, people: int = SMALLEST_CELL
) -> CalibratedClassifier:
    """The trained estimator, its forest packed; class weights do not bias its probabilities."""
    classes, codes = np.unique(rows.target.astype(str), return_inverse=True)
    shares = np.bincount(codes) / len(codes)
    weights = shares**-hyperparameters.weight
    # A quarter of the features a split, but at least two: with one, every other split is random.
    considered = max(2, rows.features.shape[1] // 4)
    forest = RandomForestClassifier(
        class_weight=dict(zip(classes.tolist(), weights.tolist(), strict=True))
        if hyperparameters.weight
        else None,
        **hyperparameters.parameters(len(rows.target), considered),
    )
    labelled = Encoded(rows.features, classes[codes], rows.users)
    weighted = shares * weights / (shares * weights).sum()
    packed = pipelines.fit_forest(forest, labelled, people)
    return CalibratedClassifier(packed, weighted, np.ones(1), -np.log(weights))


def _learner(classes: Sequence[str], people: int) -> Learner:
    def predict(estimator: CalibratedClassifier, features: np.ndarray) -> np.ndarray:
        # A class may be missing from the training rows of a fold.
        found = np.full((len(features), len(classes)), _MISSING)
        found[:, evaluation.codes_of(estimator.classes_, classes)] = estimator.predict_proba(
            features
        )
        normalized: np.ndarray = found / found.sum(axis=1, keepdims=True)
        return normalized

    def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
        return -float(evaluation.brier_losses(truth, probabilities, classes).mean())

    def refine(search: Search, candidate: Candidate) -> Candidate:
        return _refine(search, candidate, classes)

    return Learner(TARGET, _encoder, fit, predict, score, TOLERANCE, GRID, refine, people)


def _refine(search: Search, candidate: Candidate, classes: Sequence[str]) -> Candidate:
    """`candidate` with the class weights of the best macro F1 that cost no Brier score."""
    truth = search.validation[TARGET].to_numpy()
    codes = evaluation.codes_of(truth, classes)
    weighted = [replace(candidate.hyperparameters, weight=weight) for weight in WEIGHTS[1:]]
    others = search.run(((candidate.groups, each) for each in weighted), candidate.rows)
    found = []
    for each in (candidate, *others):
        probabilities = scaled(each.predicted, temperature(codes, each.predicted))
        brier = evaluation.brier_losses(truth, probabilities, classes).mean()
        found.append((evaluation.macro_f1(codes, probabilities), -brier, each))
    limit = found[0][1]
    return max((each for each in found if each[1] >= limit), key=lambda each: each[:2])[2]


def evaluate(
    model: Pipeline, metrics: ClassifierMetrics, test: pd.DataFrame, people: int = SMALLEST_CELL
) -> ClassifierEvaluation:
    """Scores of a model on held-out users, compared with the class shares of its training rows.

    Parameters
    ----------
    model : Pipeline
    metrics : ClassifierMetrics
        Of the model.
    test : DataFrame
        Rows of `frame`.
    people : int
        See `slices.score_slices`.
    """
    # A ``past_`` feature is absent if no user of `test` has done that activity; it is then missing,
    # as it is on a user's first day.
    rows = test.reindex(columns=metrics.inputs.features)
    labels = [str(label) for label in model.classes_]
    if OTHER in labels:
        test = pool(test, labels)
    return _evaluation(model.predict_proba(rows), metrics.class_shares, test, people)


def _evaluation(
    probabilities: np.ndarray,
    class_shares: dict[str, float],
    test: pd.DataFrame,
    people: int,
    repeats: int = 0,
) -> ClassifierEvaluation:
    # In the order of the columns of `probabilities`.
    labels = sorted(class_shares)
    truth = test[TARGET].to_numpy()
    constant = np.tile([class_shares[label] for label in labels], (len(truth), 1))
    codes, predicted = evaluation.codes_of(truth, labels), probabilities.argmax(axis=1)
    known = codes >= 0
    times = max(repeats, 1)

    def score(value: str, rows: np.ndarray, public: bool) -> ClassificationSlice:
        return ClassificationSlice(
            slice=value,
            rows=len(rows) // times,
            users=test["user_id"].iloc[rows].nunique(),
            public=public,
            recall=float(np.mean(predicted[rows] == codes[rows])),
        )

    confusion = confusion_matrix(codes[known], predicted[known], labels=range(len(labels)))
    return ClassifierEvaluation(
        rows=len(test) // times,
        users=int(test["user_id"].nunique()),
        repeats=repeats,
        scores=evaluation.classification(truth, probabilities, labels),
        baseline=evaluation.classification(truth, constant, labels),
        intervals=evaluation.classification_intervals(
            test["user_id"], truth, probabilities, constant, labels
        ),
        labels=labels,
        confusion=np.rint(confusion / times).astype(int).tolist(),
        confusion_users=evaluation.confusion_users(
            test["user_id"][known], codes[known], predicted[known], len(labels)
        ),
        slices=slices.score_slices(test, score, people),
    )


def _score_rows(
    split: Split, selection: Selection, model: Pipeline
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows to score, and their probabilities by models that were not trained on their users.

    The rows of few users are there once for each cross-validation.
    """
    if not split.few:
        return split.test, model.predict_proba(split.test[selection.selected.features])
    rows = selection.calibration
    tests, found = [], []
    for repeat in selection.repeats:
        for fold in range(repeat.folds.max() + 1):
            test = split.test[repeat.folds == fold]
            # The probabilities of a fold are calibrated on the others.
            others = ~rows["user_id"].isin(test["user_id"]).to_numpy()
            codes = evaluation.codes_of(rows.loc[others, TARGET], model.classes_)
            scale = temperature(codes, selection.predicted[others])
            tests.append(test)
            found.append(scaled(repeat.predicted[repeat.folds == fold], scale))
    return pd.concat(tests), np.concatenate(found)


def _metrics(split: Split, selection: Selection, model: Pipeline, people: int) -> ClassifierMetrics:
    features = selection.selected.features
    shares = split.train[TARGET].value_counts(normalize=True).sort_index()
    class_shares = {str(name): float(share) for name, share in shares.items()}
    test, probabilities = _score_rows(split, selection, model)
    correct = model.classes_[probabilities.argmax(axis=1)] == test[TARGET].to_numpy()
    # The chart counts each day once.
    once = len(split.test)
    return ClassifierMetrics(
        train_rows=len(split.train),
        train_users=int(split.train["user_id"].nunique()),
        evaluation=_evaluation(probabilities, class_shares, test, people, len(selection.repeats)),
        inputs=pipelines.inputs(split.train, features, people),
        class_shares=class_shares,
        majority_class=str(shares.idxmax()),
        trials=selection.trials(),
        importances=evaluation.importances(
            model, split.test[features], split.test[TARGET], evaluation.balanced_accuracy
        ),
        reliability=evaluation.reliability(
            correct[:once], probabilities.max(axis=1)[:once], test["user_id"][:once]
        ),
    )
