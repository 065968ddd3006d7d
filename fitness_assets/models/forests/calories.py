"""The calorie regressor: predicts the kcal of a day, with an interval."""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from fitness_assets.models import disclosure, evaluation, slices
from fitness_assets.models.datasets import Split, known_features, split_by_user, without_rare
from fitness_assets.models.disclosure import SMALLEST_CELL, strip_counts
from fitness_assets.models.forest_metrics import (
    ColdStart,
    ConstantBaseline,
    Interval,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.candidates import Candidate, Hyperparameters, Selection
from fitness_assets.models.forests.model_selection import (
    Learner,
    Search,
    forest_budget,
    select_model,
)
from fitness_assets.models.forests.pipelines import Encoded
from fitness_assets.models.forests.regressor_scores import Scored, score_regressor
from fitness_assets.models.forests.residual_regressor import LinearForest, ResidualRegressor
from fitness_assets.models.one_thread import one_thread
from fitness_assets.models.registry import Everyone, Trained

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
    *("metres_per_step", "heart_rate_above_resting", "basal_kcal", "walking_kcal"),
    *("weight_active_minutes", "kcal_active_minutes", "kcal_at_usual_rate"),
]
#: R2 that may be lost for a smaller forest.
TOLERANCE = 0.001
#: Hyperparameters that are tried. The last is the linear model alone.
GRID = (
    Hyperparameters(10, 12, 0.001),
    Hyperparameters(10, 10, 0.002),
    Hyperparameters(0, 0, 0.0),
)
#: Hyperparameters of the forest for rows without history.
COLD_START = Hyperparameters(10, 8, 0.005, 10_000)

# Share of the features that each split considers.
_FEATURES = 0.5
# The penalty of the linear model on scaled features. It matters for few users only: it equals this
# many rows that speak for the user's own mean.
_PENALTY = 30.0


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


def train_month(
    days: pd.DataFrame, _month: pd.Timestamp, budget: int, people: int, _everyone: Everyone | None
) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    return Trained(*train(days, forest_budget(budget), people))


@one_thread()
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
    known = without_rare(both.train, pipelines.CATEGORIES, people)
    both = replace(both, train=known, test=known if both.few else both.test)
    selection = select(both.train, budget, people, few=both.few)
    metrics = _metrics(both, selection, people)
    strip_counts(selection.model, people)
    return selection.model, metrics


def select(rows: pd.DataFrame, budget: int, people: int = SMALLEST_CELL, *, few: bool) -> Selection:
    """Select features and hyperparameters on some of the users of `rows`, and train.

    Parameters
    ----------
    rows : DataFrame
        Rows of `frame`.
    budget : int
        Bytes that the forest may take on disk.
    people : int
        Smallest number of users of a leaf and of a feature.
    few : bool
        See `datasets.Split`.
    """
    return select_model(
        learner(people), rows, known_features(rows, GROUPS, people), budget, few=few
    )


def encoder(features: list[str]) -> Pipeline:
    """The untrained steps before the estimator. See `pipelines.encoder`."""
    return pipelines.encoder(features, DERIVED, _history(features))


def fit(
    rows: Encoded, history: int, hyperparameters: Hyperparameters, people: int = SMALLEST_CELL
) -> LinearForest | ResidualRegressor:
    """The trained estimator, its forests packed.

    Parameters
    ----------
    rows : Encoded
        By `encoder`.
    history : int
        The number of history columns. See `pipelines.history_columns`.
    hyperparameters : Hyperparameters
    people : int
        Smallest number of users of a leaf.
    """
    if not history:
        return _linear_forest(rows, hyperparameters, people)
    features, offset = rows.features[:, :-1], rows.features[:, -1]
    known = ~np.isnan(offset)
    # Among few users there may be no row with an offset; use the mean target as everyone's.
    if not known.any():
        known, offset = ~known, np.full(len(known), rows.target.mean())
    residuals = Encoded(features, rows.target - offset, rows.users).where(known)
    return ResidualRegressor(
        _linear_forest(residuals, hyperparameters, people),
        _fit_cold_start(rows, history, people, forest=hyperparameters.cold_start),
        history,
    )


def _fit_cold_start(rows: Encoded, history: int, people: int, *, forest: bool) -> LinearForest:
    without = Encoded(rows.features[:, : -history - 1], rows.target, rows.users)
    return _linear_forest(without, COLD_START if forest else GRID[-1], people)


def _linear_forest(rows: Encoded, hyperparameters: Hyperparameters, people: int) -> LinearForest:
    line = Ridge(_PENALTY).fit(rows.features, rows.target)
    if not hyperparameters.trees:
        return LinearForest(line, None)
    residuals = Encoded(rows.features, rows.target - line.predict(rows.features), rows.users)
    forest = RandomForestRegressor(**hyperparameters.parameters(len(rows.target), _FEATURES))
    return LinearForest(line, pipelines.fit_forest(forest, residuals, people))


def _refine(search: Search, candidate: Candidate, people: int) -> Candidate:
    """`candidate` with a forest for rows without history, if that scores better than the line."""
    splits = search.encoded(candidate.groups)
    if not splits[0][2]:
        return candidate
    truth = search.validation[TARGET].to_numpy()
    scores = []
    for forest in (False, True):
        parts = [
            _fit_cold_start(train, history, people, forest=forest).predict(
                test.features[:, : -history - 1]
            )
            for train, test, history in splits
        ]
        scores.append(r2_score(truth, np.concatenate(parts)))
    chosen = bool(scores[1] > scores[0] + TOLERANCE)
    return replace(candidate, hyperparameters=replace(candidate.hyperparameters, cold_start=chosen))


def _predict(estimator: LinearForest | ResidualRegressor, features: np.ndarray) -> np.ndarray:
    """Predictions of shape (n, 3): as they are, with the history masked, and by the linear part."""
    predicted = estimator.predict(features)
    linear = estimator.linear_part().predict(features)
    masked = predicted
    if isinstance(estimator, ResidualRegressor):
        masked = estimator.predict_without_history(features)
    return np.column_stack([predicted, masked, linear])


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R² of predictions."""
    return float(r2_score(truth, predicted))


def _score(truth: np.ndarray, predicted: np.ndarray) -> float:
    return r2(truth, predicted[:, 0])


def learner(people: int) -> Learner:
    """What is selected, with `people` users of a leaf at least."""

    def refine(search: Search, candidate: Candidate) -> Candidate:
        return _refine(search, candidate, people)

    return Learner(TARGET, encoder, fit, _predict, _score, TOLERANCE, GRID, refine, people)


def evaluate(
    model: Pipeline, metrics: RegressorMetrics, test: pd.DataFrame, people: int = SMALLEST_CELL
) -> RegressorEvaluation:
    """Scores of a model on held-out users, compared with the mean of its training rows.

    Parameters
    ----------
    model : Pipeline
    metrics : RegressorMetrics
        Of the model.
    test : DataFrame
        Rows of `frame`.
    people : int
        See `slices.score_slices`.
    """
    rows = test[metrics.inputs.features]
    predicted = model.predict(rows)
    low, high = bounds(metrics, rows, predicted)
    scored = Scored(test, test[TARGET].to_numpy(), predicted, low, high)
    return score_regressor(scored, metrics.constant, people)


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
    return bounds_around(metrics.interval, cold_start, rows, predicted)


def mask_history(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the history features set to NaN, as for users without earlier days."""
    return rows.assign(**{name: np.nan for name in GROUPS["history"] if name in rows})


def _history(features: list[str]) -> list[str]:
    """The history features, if the offset is among them and there are any other features."""
    history = [name for name in features if name in GROUPS["history"]]
    return history if OFFSET in history and len(history) < len(features) else []


def bounds_around(
    interval: Interval, cold_start: Interval | None, rows: pd.DataFrame, predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `bounds`, of the intervals of predictions with history and of those without."""
    low, high = evaluation.interval_bounds(interval, predicted)
    if cold_start is not None:
        without = rows[OFFSET].isna().to_numpy()
        low[without], high[without] = evaluation.interval_bounds(cold_start, predicted[without])
    return low, high


def _intervals(
    calibration: pd.DataFrame, predicted: np.ndarray, features: list[str]
) -> tuple[Interval, Interval | None]:
    """The intervals of predictions with history, and of those without."""
    truth = calibration[TARGET].to_numpy()
    masked = evaluation.calibrate(truth, predicted[:, 1]) if _history(features) else None
    return evaluation.calibrate(truth, predicted[:, 0]), masked


def _score_rows(split: Split, selection: Selection) -> tuple[Scored, np.ndarray, np.ndarray]:
    """The rows to score; and the predictions with the history masked, and by the linear part."""
    features = selection.selected.features
    calibration, predicted = selection.calibration, selection.predicted
    if not split.few:
        found = pipelines.predictions(selection.model, split.test, _predict)
        intervals = _intervals(calibration, predicted, features)
        low, high = bounds_around(*intervals, split.test, found[:, 0])
        truth = split.test[TARGET].to_numpy()
        scored = Scored(split.test, truth, found[:, 0], low, high)
        return scored, found[:, 1], found[:, 2]
    tests, parts, sides = [], [], []
    for repeat in selection.repeats:
        # The interval of a fold is calibrated on the others.
        for fold in range(repeat.folds.max() + 1):
            test, here = split.test[repeat.folds == fold], repeat.predicted[repeat.folds == fold]
            others = ~calibration["user_id"].isin(test["user_id"]).to_numpy()
            intervals = _intervals(calibration[others], predicted[others], features)
            tests.append(test)
            parts.append(here)
            sides.append(np.column_stack(bounds_around(*intervals, test, here[:, 0])))
    found, bounds = np.concatenate(parts), np.concatenate(sides)
    test = pd.concat(tests)
    scored = Scored(test, test[TARGET].to_numpy(), found[:, 0], bounds[:, 0], bounds[:, 1])
    return scored, found[:, 1], found[:, 2]


def _metrics(split: Split, selection: Selection, people: int) -> RegressorMetrics:
    rows, features = split.train, selection.selected.features
    outside = (1 - evaluation.COVERAGE) / 2
    least, most = disclosure.bounds(rows[TARGET], rows["user_id"], people)
    constant = ConstantBaseline(
        mean=float(rows[TARGET].mean()),
        low=max(float(rows[TARGET].quantile(outside)), least),
        high=min(float(rows[TARGET].quantile(1 - outside)), most),
    )
    scored, masked, linear = _score_rows(split, selection)
    truth = scored.truth
    # The charts count each day once.
    once = len(split.test)
    interval, masked_interval = _intervals(selection.calibration, selection.predicted, features)
    cold_start = None
    if masked_interval:
        cold_start = ColdStart(
            scores=evaluation.regression(truth, masked), interval=masked_interval
        )
    return RegressorMetrics(
        train_rows=len(rows),
        train_users=int(rows["user_id"].nunique()),
        evaluation=score_regressor(scored, constant, people, len(selection.repeats)),
        inputs=pipelines.inputs(rows, features, people),
        constant=constant,
        linear=evaluation.regression(truth, linear),
        line_alone=not selection.selected.hyperparameters.trees,
        interval=interval,
        cold_start=cold_start,
        trials=selection.trials(),
        importances=evaluation.importances(
            selection.model, split.test[features], split.test[TARGET], r2
        ),
        agreement=evaluation.agreement(
            truth[:once], scored.predicted[:once], scored.test["user_id"][:once], people
        ),
    )
