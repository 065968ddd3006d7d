"""Scores on held-out users, compared with a constant baseline, and their uncertainty."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.pipeline import Pipeline

from fitness_assets.models.disclosure import SMALLEST_CELL, bounds
from fitness_assets.models.forest_metrics import (
    Agreement,
    ClassificationScores,
    Interval,
    RegressionScores,
    ReliabilityBin,
    ScoreInterval,
)

#: Share of days that a prediction interval covers.
COVERAGE = 0.9

# Resamples of a bootstrap, and the share of them that an interval covers.
_RESAMPLES, _LEVEL = 500, 0.95
# The least probability that a log loss is computed with.
_TINY = 1e-15
# Residuals from which the quantiles of one range of predictions are taken.
_MIN_RESIDUALS = 50
_MAX_RANGES = 8
_BINS = 10
# Bins of `agreement`, and the quantiles beyond which rows fall into the outermost bins.
_GRID, _RESIDUAL_BINS, _TAILS = 24, 41, (0.001, 0.999)
# Rows of the sample that permutation importance is computed on.
_IMPORTANCE_ROWS = 600


def regression(truth: np.ndarray, predicted: np.ndarray) -> RegressionScores:
    """Scores of predictions; errors are in the unit of the target."""
    return RegressionScores(
        r2=float(r2_score(truth, predicted)),
        mae=float(mean_absolute_error(truth, predicted)),
        rmse=float(root_mean_squared_error(truth, predicted)),
    )


def classification(
    truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]
) -> ClassificationScores:
    """Scores of predicted probabilities.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        A label that is not among `labels` cannot be predicted. It counts as wrong, and is left out
        of the log loss, which would be infinite.
    probabilities : ndarray of shape (n, len(labels))
    labels : sequence of str
        In the order of the columns of `probabilities`, which is sorted, as in a model's
        ``classes_``.
    """
    # Comparing integer codes is much faster than comparing strings.
    codes, _ = pd.factorize(np.array([*labels, *truth], dtype=object))
    label_codes, true = codes[: len(labels)], codes[len(labels) :]
    predicted = label_codes[probabilities.argmax(axis=1)]
    known = np.isin(true, label_codes)
    return ClassificationScores(
        accuracy=float(np.mean(true == predicted)),
        balanced_accuracy=balanced_accuracy(true, predicted),
        macro_f1=_macro_f1(true, predicted),
        log_loss=float(log_loss(true[known], probabilities[known], labels=label_codes)),
        calibration_error=calibration_error(predicted == true, probabilities.max(axis=1)),
    )


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The mean recall of the labels in `truth`, in a fraction of the time of scikit-learn's."""
    codes, labels = pd.factorize(truth)
    hits = np.bincount(codes[truth == predicted], minlength=len(labels))
    return float(np.mean(hits / np.bincount(codes)))


def codes_of(values: Iterable[str], labels: Iterable[str]) -> np.ndarray:
    """The position of each value among `labels`; -1 for one that is not among them."""
    return pd.Index(list(labels)).get_indexer(pd.Index(list(values)))


def macro_f1(codes: np.ndarray, probabilities: np.ndarray) -> float:
    """Macro F1 of the most probable classes, given as numbers; -1 for an unknown label."""
    return _macro_f1(codes, probabilities.argmax(axis=1))


def _macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """The mean F1 of the classes that are true or predicted, in a fraction of the usual time."""
    both, names = pd.factorize(np.concatenate([true, predicted]))
    actual, guessed = np.split(both, 2)
    hits = np.bincount(actual[actual == guessed], minlength=len(names))
    return float(np.mean(2 * hits / np.bincount(both)))


def calibration_error(correct: np.ndarray, confidence: np.ndarray) -> float:
    """The expected calibration error (Naeini et al., AAAI 2015), over ten bins of equal width."""
    bins = _confidence_bins(confidence)
    gap = np.bincount(bins, correct, _BINS) - np.bincount(bins, confidence, _BINS)
    return float(np.abs(gap).sum() / len(correct))


def reliability(
    correct: np.ndarray, confidence: np.ndarray, users: pd.Series
) -> list[ReliabilityBin]:
    """Accuracy by confidence, in the bins of `calibration_error` that have rows."""
    bins = _confidence_bins(confidence)
    return [
        ReliabilityBin(
            rows=int(here.sum()),
            users=int(users[here].nunique()),
            confidence=float(confidence[here].mean()),
            accuracy=float(correct[here].mean()),
        )
        for here in (bins == number for number in range(_BINS))
        if here.any()
    ]


def _confidence_bins(confidence: np.ndarray) -> np.ndarray:
    bins: np.ndarray = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return bins


def agreement(
    truth: np.ndarray, predicted: np.ndarray, users: pd.Series, people: int = SMALLEST_CELL
) -> Agreement:
    """Counts of rows by truth and prediction, and by residual.

    Parameters
    ----------
    truth, predicted : ndarray of shape (n,)
    users : Series of shape (n,)
        The user of each row.
    people : int
        The range of the truth is reached by at least so many people on either side.
    """
    tails, reached = np.quantile(truth, _TAILS), bounds(truth, users, people)
    low, high = np.nanmax([tails[0], reached[0]]), np.nanmin([tails[1], reached[1]])
    edges = np.linspace(low, max(high, low + 1), _GRID + 1)
    rows, columns = (_bins(values, edges) for values in (truth, predicted))
    residuals = truth - predicted
    limit = np.nanmin(
        [np.quantile(np.abs(residuals), _TAILS[1]), bounds(np.abs(residuals), users, people)[1]]
    )
    residual_edges = np.linspace(-(limit or 1.0), limit or 1.0, _RESIDUAL_BINS + 1)
    places = _bins(residuals, residual_edges)
    return Agreement(
        edges=edges.tolist(),
        counts=np.bincount(rows * _GRID + columns, minlength=_GRID**2)
        .reshape(_GRID, _GRID)
        .tolist(),
        residual_edges=residual_edges.tolist(),
        residual_counts=np.bincount(places, minlength=_RESIDUAL_BINS).tolist(),
        users=_users(users, rows * _GRID + columns, _GRID**2).reshape(_GRID, _GRID).tolist(),
        residual_users=_users(users, places, _RESIDUAL_BINS).tolist(),
    )


def confusion_users(
    users: pd.Series, truth: np.ndarray, predicted: np.ndarray, size: int
) -> list[list[int]]:
    """Number of users by true label, then by predicted label, given as numbers below `size`."""
    cells: list[list[int]] = (
        _users(users, truth * size + predicted, size**2).reshape(size, size).tolist()
    )
    return cells


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each value; those beyond the outermost edges are in the outermost bins."""
    found = np.searchsorted(edges, values, side="right") - 1
    places: np.ndarray = np.clip(found, 0, len(edges) - 2)
    return places


def _users(users: pd.Series, places: np.ndarray, size: int) -> np.ndarray:
    """Number of users by place."""
    counted = users.groupby(places).nunique().reindex(range(size), fill_value=0)
    return counted.to_numpy()


def regression_intervals(
    users: pd.Series, truth: np.ndarray, predicted: np.ndarray, baseline: np.ndarray
) -> dict[str, ScoreInterval]:
    """Bootstrap intervals of R², RMSE, and what is gained in both over a baseline.

    Parameters
    ----------
    users : Series of shape (n,)
        The user of each row. Users are resampled, not rows, since the days of a user are alike.
    truth, predicted, baseline : ndarray of shape (n,)
    """
    # The truth is centred, so that its variance loses no digits.
    centred = truth - truth.mean()
    errors, baseline_errors = (truth - predicted) ** 2, (truth - baseline) ** 2
    parts = np.column_stack([np.ones(len(truth)), centred, centred**2, errors, baseline_errors])
    rows, total, squares, squared, baseline_squared = _resampled(users, parts).T
    spread = np.maximum(squares - total**2 / rows, np.finfo(float).tiny)
    rmse = np.sqrt(squared / rows)
    return _score_intervals(
        {
            "r2": 1 - squared / spread,
            "rmse": rmse,
            "r2_gain": (baseline_squared - squared) / spread,
            "rmse_gain": np.sqrt(baseline_squared / rows) - rmse,
        }
    )


def classification_intervals(
    users: pd.Series,
    truth: np.ndarray,
    probabilities: np.ndarray,
    baseline: np.ndarray,
    labels: Sequence[str],
) -> dict[str, ScoreInterval]:
    """Bootstrap intervals of accuracy, macro F1 and log loss, and of what is gained.

    Parameters
    ----------
    users : Series of shape (n,)
        See `regression_intervals`.
    truth : ndarray of shape (n,)
        A label that is not among `labels` is left out of the log loss and of macro F1.
    probabilities, baseline : ndarray of shape (n, len(labels))
    labels : sequence of str
    """
    true = codes_of(truth, labels)
    known = true >= 0
    place = np.where(known, true, 0)
    predicted, constant = probabilities.argmax(axis=1), baseline.argmax(axis=1)
    losses = [
        np.where(known, -np.log(np.maximum(each[np.arange(len(true)), place], _TINY)), 0.0)
        for each in (probabilities, baseline)
    ]
    one_hot = np.eye(len(labels))
    truths, found = one_hot[place] * known[:, None], one_hot[predicted]
    parts = np.column_stack(
        [
            *(np.ones(len(true)), known, predicted == true, constant == true, *losses),
            *(truths, found, truths * found),
        ]
    )
    sums = _resampled(users, parts)
    rows, scored, right, constant_right, loss, baseline_loss = sums[:, :6].T
    actual, guessed, hits = np.split(sums[:, 6:], 3, axis=1)
    f1 = 2 * hits / np.maximum(actual + guessed, 1)
    seen = (actual + guessed) > 0
    scored = np.maximum(scored, 1)
    return _score_intervals(
        {
            "accuracy": right / rows,
            "macro_f1": (f1 * seen).sum(axis=1) / seen.sum(axis=1),
            "log_loss": loss / scored,
            "accuracy_gain": (right - constant_right) / rows,
            "log_loss_gain": (baseline_loss - loss) / scored,
        }
    )


def _resampled(users: pd.Series, parts: np.ndarray) -> np.ndarray:
    """Sums of the columns of `parts` over each bootstrap resample of the users."""
    numbers, names = pd.factorize(users)
    sums = np.column_stack([np.bincount(numbers, part, len(names)) for part in parts.T])
    times = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), _RESAMPLES
    )
    resampled: np.ndarray = times @ sums
    return resampled


def _score_intervals(scores: dict[str, np.ndarray]) -> dict[str, ScoreInterval]:
    outside = (1 - _LEVEL) / 2
    bounds = {name: np.quantile(found, [outside, 1 - outside]) for name, found in scores.items()}
    return {
        name: ScoreInterval(low=float(low), high=float(high))
        for name, (low, high) in bounds.items()
    }


def brier_losses(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """The Brier score of each row (Brier, Monthly Weather Review 78:1, 1950): 0 best, 2 worst.

    Unlike the log loss it is finite for a label of probability 0.
    """
    one_hot = truth[:, None] == np.asarray(labels, dtype=object)[None, :]
    unknown = ~one_hot.any(axis=1)
    losses: np.ndarray = ((probabilities - one_hot) ** 2).sum(axis=1) + unknown
    return losses


def calibrate(truth: np.ndarray, predicted: np.ndarray) -> Interval:
    """A prediction interval, from the residuals of users that the model was not trained on.

    Split conformal prediction (Lei et al., JASA 113:1094, 2018), by ranges of the prediction
    (Mondrian), so that it is wider where the residuals are larger.

    Parameters
    ----------
    truth, predicted : ndarray of shape (n,)
    """
    ranges = int(np.clip(len(truth) // _MIN_RESIDUALS, 1, _MAX_RANGES))
    edges = np.unique(np.quantile(predicted, np.arange(1, ranges) / ranges))
    # No prediction is below the smallest.
    edges = edges[edges > predicted.min()]
    place = np.searchsorted(edges, predicted, side="right")
    low, high = [], []
    for number in range(len(edges) + 1):
        residuals = np.sort((truth - predicted)[place == number])
        n = len(residuals)
        # The finite-sample rank: it covers a new user, and not only these.
        beyond = int(np.floor((n + 1) * (1 - COVERAGE) / 2))
        low.append(float(residuals[max(beyond - 1, 0)]))
        high.append(float(residuals[min(n - beyond, n - 1)]))
    return Interval(edges=[float(edge) for edge in edges], low=low, high=high)


def interval_bounds(interval: Interval, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound of `interval` around each prediction."""
    place = np.searchsorted(np.asarray(interval.edges), predicted, side="right")
    low, high = (np.asarray(side)[place] for side in (interval.low, interval.high))
    return predicted + low, predicted + high


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the rows that lie within their interval."""
    return float(np.mean((low <= truth) & (truth <= high)))


def importances(
    model: Pipeline,
    days: pd.DataFrame,
    truth: pd.Series,
    score: Callable[[np.ndarray, np.ndarray], float],
) -> dict[str, float]:
    """Permutation importance (Breiman, Machine Learning 45:5, 2001) on a sample of `days`.

    The score that is lost when one feature is shuffled among the rows, greatest first. Correlated
    features share their importance.

    Parameters
    ----------
    model : Pipeline
    days : DataFrame
        The features.
    truth : Series
    score : callable
        Given the truth and the predictions: greater is better.
    """
    generator = np.random.default_rng(0)
    size = min(_IMPORTANCE_ROWS, len(days))
    chosen = generator.choice(len(days), size, replace=False)
    rows, known = days.iloc[chosen].reset_index(drop=True), truth.to_numpy()[chosen]
    # One prediction of all copies costs little more than one of a single copy.
    copies = [rows]
    for name in rows.columns:
        shuffled = rows[name].iloc[generator.permutation(size)]
        copies.append(rows.assign(**{name: shuffled.array}))
    predicted = model.predict(pd.concat(copies, ignore_index=True))
    scores = [
        score(known, predicted[start : start + size]) for start in range(0, len(predicted), size)
    ]
    lost = {name: scores[0] - each for name, each in zip(rows.columns, scores[1:], strict=True)}
    return dict(sorted(lost.items(), key=lambda item: -item[1]))
