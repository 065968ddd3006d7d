"""The personal calorie regressor: trained on earlier months of few users, judged on later ones.

Window months are judged in order: each later month is predicted by a model that was selected and
trained on the months before it (rolling origin; Tashman, Int J Forecast 16:437, 2000). The released
model is then selected and trained on the whole window in the same way.

About 150 days suffice for a ridge regression and not for a forest, so the model is the linear part
of the calorie regressor. It is stored, explained and exported in the same way.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, t
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import evaluation
from fitness_assets.models.datasets import FEWEST_USERS, in_order_of_content
from fitness_assets.models.forest_metrics import (
    ColdStart,
    ConstantBaseline,
    Interval,
    PersonalScores,
    RegressorEvaluation,
    RegressorMetrics,
    ScoreInterval,
)
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.personal import candidates
from fitness_assets.models.personal.candidates import Candidate, Selected
from fitness_assets.models.registry import Trained
from fitness_assets.models.small_fits import small_fits

#: Days with kcal that a user needs.
MIN_DAYS = 60
#: Earlier days with kcal that a user needs before a month of theirs is judged.
MIN_EARLIER_DAYS = 28
#: Later days that scores need: below that an interval says nothing.
MIN_JUDGED_DAYS = 14

# Mean of the seven days before: the second baseline.
_LAST_WEEK = "calories_burned_mean_7d"
# Days of a block of the bootstrap: errors of neighbouring days are alike, and so are weekdays.
_BLOCK = 7
# Share of the resamples below the upper bound of an interval.
_UPPER = 0.975


@dataclass(frozen=True)
class Judged:
    """Later days with the predictions of models that were trained on the months before.

    Attributes
    ----------
    rows : DataFrame
    predicted : ndarray of shape (n, 2)
        As they are, and with the history masked.
    low, high : ndarray of shape (n,)
        Bounds of the interval, calibrated on earlier days.
    own_mean, last_week : ndarray of shape (n,)
        The two baselines.
    """

    rows: pd.DataFrame
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    own_mean: np.ndarray
    last_week: np.ndarray


def applies(days: pd.DataFrame) -> bool:
    """Whether too few users have kcal for the calorie regressor of a cohort.

    A cohort of which nobody has kcal gets no personal model either.
    """
    users = _with_kcal(days)["user_id"].nunique()
    return users < FEWEST_USERS and (users > 0 or days["user_id"].nunique() < FEWEST_USERS)


@small_fits()
def train_month(days: pd.DataFrame) -> Trained:
    """Train and evaluate the personal calorie regressor of a month.

    Parameters
    ----------
    days : DataFrame
        `calories.COLUMNS` of the whole months of the trailing window.

    Raises
    ------
    NotLearnedError
        If no user has enough days with kcal, or no month can be judged.
    """
    rows = usable(days)
    judged = judge(rows)
    selected = candidates.select(rows)
    model = candidates.fit(rows, selected.candidate)
    return Trained(model, _metrics(model, rows, selected, judged))


def _with_kcal(days: pd.DataFrame) -> pd.DataFrame:
    return days[days["worn"] & days[calories.TARGET].notna()]


def usable(days: pd.DataFrame) -> pd.DataFrame:
    """The rows of users with enough days with kcal, in an order that does not depend on ids."""
    rows = calories.frame(_with_kcal(days))
    counts = rows["user_id"].value_counts()
    most = int(counts.max()) if len(counts) else 0
    if most < MIN_DAYS:
        raise NotLearnedError(f"needs {MIN_DAYS} days with kcal; there are {most}")
    return in_order_of_content(rows[rows["user_id"].isin(counts.index[counts >= MIN_DAYS])])


def judge(rows: pd.DataFrame) -> Judged:
    """Predict each of the later half of the months by a model of the months before it.

    Parameters
    ----------
    rows : DataFrame
        Of `usable`.

    Raises
    ------
    NotLearnedError
        If there are too few earlier or later days.
    """
    months = rows["date"].dt.to_period("M")
    known = sorted(months.unique())
    parts: list[Judged] = []
    past: list[tuple[np.ndarray, np.ndarray]] = []
    for month in known[len(known) // 2 :]:
        train = rows[months < month]
        own = train.groupby("user_id")[calories.TARGET].agg(["size", "mean"])
        own_mean = own["mean"].where(own["size"] >= MIN_EARLIER_DAYS)
        mean = rows["user_id"].map(own_mean)
        here = (months == month) & mean.notna()
        if not here.any():
            continue
        selected = candidates.select(train)
        past.append((selected.truth, selected.predicted))
        test, mean = rows[here], mean[here].to_numpy()
        predicted = selected.predict(test)
        truths, found = (np.concatenate(each) for each in zip(*past, strict=True))
        intervals = _intervals(truths, found, selected.candidate)
        low, high = calories.bounds_around(*intervals, test, predicted[:, 0])
        week = test[_LAST_WEEK].fillna(pd.Series(mean, test.index)).to_numpy(float)
        parts.append(Judged(test, predicted, low, high, mean, week))
        past.append((test[calories.TARGET].to_numpy(), predicted))
    days = sum(len(part.rows) for part in parts)
    if days < MIN_JUDGED_DAYS:
        raise NotLearnedError(
            f"needs {MIN_EARLIER_DAYS} days with kcal in earlier months and {MIN_JUDGED_DAYS} in "
            f"later ones to judge them; there are {days} later days"
        )
    return Judged(
        pd.concat([part.rows for part in parts]),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("predicted", "low", "high", "own_mean", "last_week")
        ),
    )


def _intervals(
    truth: np.ndarray, predicted: np.ndarray, candidate: Candidate
) -> tuple[Interval, Interval | None]:
    """The intervals of predictions with history, and of those without."""
    masked = evaluation.calibrate(truth, predicted[:, 1]) if candidate.history else None
    return evaluation.calibrate(truth, predicted[:, 0]), masked


def _weeks(rows: pd.DataFrame) -> pd.Series:
    """The block of each row: a week of one user."""
    weeks = (rows["date"] - rows["date"].min()).dt.days // _BLOCK
    return pd.Series(rows["user_id"].astype(str) + " " + weeks.astype(str), rows.index)


def _metrics(
    model: Pipeline, rows: pd.DataFrame, selected: Selected, judged: Judged
) -> RegressorMetrics:
    features, test = selected.candidate.features, judged.rows
    truth, predicted = test[calories.TARGET].to_numpy(float), judged.predicted[:, 0]
    interval, masked_interval = _intervals(truth, judged.predicted, selected.candidate)
    cold_start = None
    if masked_interval:
        scores = evaluation.regression(truth, judged.predicted[:, 1])
        cold_start = ColdStart(scores=scores, interval=masked_interval)
    found = _evaluation(rows, judged)
    return RegressorMetrics(
        train_rows=len(rows),
        train_users=int(rows["user_id"].nunique()),
        evaluation=found,
        inputs=pipelines.inputs(rows, features, 1),
        constant=_constant(rows),
        linear=found.scores,
        line_alone=True,
        interval=interval,
        cold_start=cold_start,
        trials=selected.trials,
        importances=evaluation.importances(
            model, test[features], test[calories.TARGET], calories.r2
        ),
        agreement=evaluation.agreement(truth, predicted, test["user_id"], 1),
        personal=PersonalScores(
            months=sorted(str(month) for month in test["date"].dt.to_period("M").unique()),
            last_week=evaluation.regression(truth, judged.last_week),
        ),
    )


def _evaluation(rows: pd.DataFrame, judged: Judged) -> RegressorEvaluation:
    """Scores on the later days, compared with the user's mean of all earlier days."""
    test, weeks = judged.rows, _weeks(judged.rows)
    truth, predicted = test[calories.TARGET].to_numpy(float), judged.predicted[:, 0]
    constant = _constant(rows)
    week = _intervals_of_gains(weeks, truth, predicted, judged.last_week)
    return RegressorEvaluation(
        rows=len(test),
        users=int(test["user_id"].nunique()),
        repeats=0,
        scores=evaluation.regression(truth, predicted),
        baseline=evaluation.regression(truth, judged.own_mean),
        intervals=_intervals_of_gains(weeks, truth, predicted, judged.own_mean)
        | {f"week_{name}": week[name] for name in ("r2_gain", "rmse_gain")},
        coverage=evaluation.coverage(truth, judged.low, judged.high),
        baseline_coverage=evaluation.coverage(
            truth,
            np.full(len(truth), constant.low),
            np.full(len(truth), constant.high),
        ),
        interval_width=float(np.mean(judged.high - judged.low)),
        slices={},
    )


def _intervals_of_gains(
    weeks: pd.Series, truth: np.ndarray, predicted: np.ndarray, baseline: np.ndarray
) -> dict[str, ScoreInterval]:
    """`evaluation.regression_intervals` of blocks instead of users, widened for few blocks.

    A bootstrap of few blocks gives intervals that are too narrow. They are widened by the ratio of
    the quantiles of Student's t and of the normal distribution, and by the bias of a variance of
    few (Hesterberg, The American Statistician 69:371, 2015).
    """
    blocks = max(weeks.nunique(), 2)
    wider = t.ppf(_UPPER, blocks - 1) / norm.ppf(_UPPER) * np.sqrt(blocks / (blocks - 1))
    own, other = (evaluation.regression(truth, each) for each in (predicted, baseline))
    values = {
        "r2": own.r2,
        "rmse": own.rmse,
        "r2_gain": own.r2 - other.r2,
        "rmse_gain": other.rmse - own.rmse,
    }
    found = evaluation.regression_intervals(weeks, truth, predicted, baseline)
    return {
        name: ScoreInterval(
            low=float(value - wider * (value - found[name].low)),
            high=float(value + wider * (found[name].high - value)),
        )
        for name, value in values.items()
    }


def _constant(rows: pd.DataFrame) -> ConstantBaseline:
    kcal, outside = rows[calories.TARGET], (1 - evaluation.COVERAGE) / 2
    return ConstantBaseline(
        mean=float(kcal.mean()),
        low=float(kcal.quantile(outside)),
        high=float(kcal.quantile(1 - outside)),
    )
