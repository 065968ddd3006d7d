"""Scores of a regressor with intervals on users that it was not trained on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fitness_assets.models import evaluation, slices
from fitness_assets.models.forest_metrics import (
    ConstantBaseline,
    RegressionSlice,
    RegressorEvaluation,
)


@dataclass(frozen=True)
class Scored:
    """Rows to score, with predictions by models that were not trained on their users.

    Attributes
    ----------
    test : DataFrame
        The rows of few users once for each cross-validation.
    truth, predicted, low, high : ndarray of shape (n,)
        The target, predictions, and the bounds of their intervals.
    """

    test: pd.DataFrame
    truth: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray


def score_regressor(
    scored: Scored, constant: ConstantBaseline, people: int, repeats: int = 0
) -> RegressorEvaluation:
    """Scores of predictions and of their intervals, compared with a constant baseline.

    Parameters
    ----------
    scored : Scored
    constant : ConstantBaseline
    people : int
        See `slices.score_slices`.
    repeats : int
        Cross-validations that the predictions are from; 0 for held-out users.
    """
    test, predicted, low, high = scored.test, scored.predicted, scored.low, scored.high
    truth = scored.truth
    mean = np.full(len(truth), constant.mean)

    def score(value: str, rows: np.ndarray, public: bool) -> RegressionSlice:
        scores = evaluation.regression(truth[rows], predicted[rows])
        days = len(rows) // max(repeats, 1)
        return RegressionSlice(
            slice=value,
            rows=days,
            users=test["user_id"].iloc[rows].nunique(),
            public=public,
            r2=scores.r2,
            mae=scores.mae,
            rmse=scores.rmse,
            coverage=evaluation.coverage(truth[rows], low[rows], high[rows]),
        )

    return RegressorEvaluation(
        rows=len(test) // max(repeats, 1),
        users=int(test["user_id"].nunique()),
        repeats=repeats,
        scores=evaluation.regression(truth, predicted),
        baseline=evaluation.regression(truth, mean),
        intervals=evaluation.regression_intervals(test["user_id"], truth, predicted, mean),
        coverage=evaluation.coverage(truth, low, high),
        baseline_coverage=float(np.mean((constant.low <= truth) & (truth <= constant.high))),
        interval_width=float(np.mean(high - low)),
        slices=slices.score_slices(test, score, people),
    )
