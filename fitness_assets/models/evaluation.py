"""Scores on users a model has not seen, beside those of no model, and how sure they are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    make_scorer,
    mean_absolute_error,
    r2_score,
    recall_score,
    root_mean_squared_error,
)
from sklearn.pipeline import Pipeline

from fitness_assets.models.datasets import Split

#: Share of days that an interval is to hold.
COVERAGE = 0.9

_RESAMPLES = 500
_LEVEL = 0.05
# Residuals from which the quantiles of one range of predictions are taken.
_FEWEST_RESIDUALS = 50
_FEWEST_IN_SLICE = 10
_MOST_RANGES = 8
_BINS = 10
# Of the picture of truth and prediction, which ends where a row in a thousand lies beyond.
_GRID, _RESIDUAL_BINS, _TAILS = 24, 41, (0.001, 0.999)
# An importance is a mean over this many shuffles of the days of this many rows.
_SHUFFLES = 1
_IMPORTANCE_ROWS = 600


def regression(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """``r2``, ``mae`` and ``rmse``, the last two in the unit of the target."""
    return {
        "r2": float(r2_score(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
        "rmse": float(root_mean_squared_error(truth, predicted)),
    }


def classification(
    truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]
) -> dict[str, float]:
    """``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``log_loss`` and ``calibration_error``.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        A label that is not among `labels` cannot be recognised. It counts as missed, and is left
        out of the log loss, which would be infinite.
    probabilities : ndarray of shape (n, len(labels))
    labels : sequence of str
        In order of the columns.
    """
    # Numbers are compared much faster than names. `labels` are in order, as a model has them.
    numbers, _ = pd.factorize(np.array([*labels, *truth], dtype=object))
    places, true = numbers[: len(labels)], numbers[len(labels) :]
    predicted = places[probabilities.argmax(axis=1)]
    known = np.isin(true, places)
    return {
        "accuracy": float(accuracy_score(true, predicted)),
        "balanced_accuracy": balanced_accuracy(true, predicted),
        "macro_f1": float(f1_score(true, predicted, average="macro", zero_division=0)),
        "log_loss": float(log_loss(true[known], probabilities[known], labels=places)),
        "calibration_error": calibration_error(predicted == true, probabilities.max(axis=1)),
    }


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The mean share that is recognised of each label that occurs.

    scikit-learn's warns where a label is predicted that does not, as is common where days are few.
    """
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro"))


#: The same, to score a model by.
BALANCED_ACCURACY = make_scorer(balanced_accuracy)


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """Mean distance of how sure a model is from how often it is right.

    The expected calibration error of Naeini et al. (AAAI 2015), over ten bins of equal width.
    """
    bins = _confidence_bins(confidence)
    gap = np.bincount(bins, right, _BINS) - np.bincount(bins, confidence, _BINS)
    return float(np.abs(gap).sum() / len(right))


def reliability(right: np.ndarray, confidence: np.ndarray) -> list[dict[str, float]]:
    """How often a model is right where it is how sure, by the bins of `calibration_error`.

    Returns
    -------
    list of dict
        ``rows``, the mean ``confidence`` and the share ``right`` of each bin that has rows.
    """
    bins = _confidence_bins(confidence)
    return [
        {
            "rows": int(here.sum()),
            "confidence": float(confidence[here].mean()),
            "right": float(right[here].mean()),
        }
        for here in (bins == number for number in range(_BINS))
        if here.any()
    ]


def _confidence_bins(confidence: np.ndarray) -> np.ndarray:
    bins: np.ndarray = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return bins


def agreement(truth: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Counts of predictions by the truth, and of how far they are off, for a picture.

    Returns
    -------
    dict
        ``edges`` of bins of truth and prediction alike, ``rows`` by bin of truth and then of
        prediction; ``residual_edges``, and ``residual_rows`` by truth less prediction. The
        outermost bins hold what lies beyond.
    """
    low, high = np.quantile(truth, _TAILS)
    edges = np.linspace(low, max(high, low + 1), _GRID + 1)
    inside = [np.clip(values, low, edges[-1]) for values in (truth, predicted)]
    grid, _, _ = np.histogram2d(inside[0], inside[1], [edges, edges])
    residuals = truth - predicted
    furthest = float(np.quantile(np.abs(residuals), _TAILS[1])) or 1.0
    around = np.linspace(-furthest, furthest, _RESIDUAL_BINS + 1)
    counts, _ = np.histogram(np.clip(residuals, -furthest, furthest), around)
    return {
        "edges": edges.tolist(),
        "rows": grid.astype(int).tolist(),
        "residual_edges": around.tolist(),
        "residual_rows": counts.tolist(),
    }


def counts(split: Split) -> dict[str, int]:
    """Rows and users on either side of the split."""
    return {
        "train_rows": len(split.train),
        "train_users": int(split.train["user_id"].nunique()),
        "heldout_rows": len(split.test),
        "heldout_users": int(split.test["user_id"].nunique()),
    }


def gain(users: pd.Series, loss: np.ndarray, baseline_loss: np.ndarray) -> dict[str, float]:
    """Share of the baseline's loss that a model saves, and how little of it may be luck.

    Parameters
    ----------
    users : Series of shape (n,)
        Whose row it is. Users are resampled, not rows: the days of a person are alike.
    loss, baseline_loss : ndarray of shape (n,)

    Returns
    -------
    dict
        ``gain``, and ``gain_low``, which it exceeds in 95 of 100 resamples.
    """
    sums = pd.DataFrame({"model": loss, "baseline": baseline_loss}).groupby(users.to_numpy()).sum()
    model, baseline = sums["model"].to_numpy(), sums["baseline"].to_numpy()
    drawn = np.random.default_rng(0).integers(len(sums), size=(_RESAMPLES, len(sums)))
    resampled = 1 - model[drawn].sum(axis=1) / baseline[drawn].sum(axis=1)
    return {
        "gain": float(1 - model.sum() / baseline.sum()),
        "gain_low": float(np.quantile(resampled, _LEVEL)),
    }


def brier_losses(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """The Brier score of each row (Brier, Monthly Weather Review 78:1, 1950): 0 best, 2 worst.

    Unlike the log loss it stays finite where an activity is thought impossible and occurs.
    """
    told = truth[:, None] == np.asarray(labels, dtype=object)[None, :]
    missed = ~told.any(axis=1)
    losses: np.ndarray = ((probabilities - told) ** 2).sum(axis=1) + missed
    return losses


def calibrate(truth: np.ndarray, predicted: np.ndarray) -> dict[str, list[float]]:
    """An interval around predictions, from how far those for unseen users were off.

    Split conformal prediction (Lei et al., JASA 113:1094, 2018), by ranges of the prediction
    (Mondrian), so that it is wide where the model errs much.

    Parameters
    ----------
    truth, predicted : ndarray of shape (n,)
        Of users that the model had not seen.

    Returns
    -------
    dict
        ``edges`` between the ranges, and ``low`` and ``high`` of each: what to add.
    """
    ranges = int(np.clip(len(truth) // _FEWEST_RESIDUALS, 1, _MOST_RANGES))
    edges = np.unique(np.quantile(predicted, np.arange(1, ranges) / ranges))
    place = np.searchsorted(edges, predicted, side="right")
    low, high = [], []
    for number in range(len(edges) + 1):
        residuals = np.sort((truth - predicted)[place == number])
        n = len(residuals)
        # The rank that makes the promise hold for a new person, and not only for these.
        beyond = int(np.floor((n + 1) * (1 - COVERAGE) / 2))
        low.append(float(residuals[max(beyond - 1, 0)]))
        high.append(float(residuals[min(n - beyond, n - 1)]))
    return {"edges": [float(edge) for edge in edges], "low": low, "high": high}


def interval(
    calibrated: Mapping[str, Sequence[float]], predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound around each prediction, as `calibrate` has learned them."""
    place = np.searchsorted(np.asarray(calibrated["edges"]), predicted, side="right")
    low, high = (np.asarray(calibrated[side])[place] for side in ("low", "high"))
    return predicted + low, predicted + high


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the days that lie within their interval."""
    return float(np.mean((low <= truth) & (truth <= high)))


def sliced(test: pd.DataFrame, score: Callable[[np.ndarray], dict[str, float]]) -> dict[str, Any]:
    """Scores of each part of the rows, largest first, as ``by_activity`` and ``by_segment``.

    A part of fewer than ten rows is left out: its scores would be luck, and R² of a single row is
    not even defined.

    Parameters
    ----------
    test : DataFrame
        With the activity_type of each row and, where users have one, their ``segment``; rows where
        it is missing belong to no part.
    score : callable
        Given the positions of a part's rows.
    """

    def parts(column: str) -> list[dict[str, Any]]:
        if column not in test:
            return []
        groups = test.reset_index(drop=True).groupby(test[column].to_numpy(), observed=True).indices
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0])))
        return [
            {"slice": str(name), "rows": len(rows), **score(np.asarray(rows))}
            for name, rows in ordered
            if len(rows) >= _FEWEST_IN_SLICE
        ]

    return {"by_activity": parts("activity_type"), "by_segment": parts("segment")}


def importances(model: Pipeline, days: pd.DataFrame, truth: pd.Series, scoring: Any) -> Any:
    """How much of the score is lost when one input is shuffled among the rows of unseen users.

    Breiman (Machine Learning 45:5, 2001). Inputs that tell the same share what they are worth.
    """
    rows = days.sample(min(_IMPORTANCE_ROWS, len(days)), random_state=0).index
    found = permutation_importance(
        model,
        days.loc[rows],
        truth.loc[rows],
        scoring=scoring,
        n_repeats=_SHUFFLES,
        random_state=0,
    )
    worth = dict(zip(days.columns, map(float, found.importances_mean), strict=True))
    return dict(sorted(worth.items(), key=lambda item: -item[1]))
