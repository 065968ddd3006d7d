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
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import evaluation
from fitness_assets.models.datasets import FEWEST_USERS, in_order_of_content, known_features
from fitness_assets.models.forest_metrics import (
    ColdStart,
    ConstantBaseline,
    Interval,
    PersonalScores,
    RegressorEvaluation,
    RegressorMetrics,
    ScoreInterval,
    Trial,
)
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.residual_regressor import LinearForest, ResidualRegressor
from fitness_assets.models.personal.small_fits import small_fits
from fitness_assets.models.registry import Trained

#: Days with kcal that a user needs.
MIN_DAYS = 60
#: Earlier days with kcal that a user needs before a month of theirs is judged.
MIN_EARLIER_DAYS = 28
#: Later days that scores need: below that an interval says nothing.
MIN_JUDGED_DAYS = 14
#: Penalties of the linear model that are tried, in rows of scaled features.
PENALTIES = (100.0, 10.0, 1.0)

# Mean of the seven days before: the second baseline.
_LAST_WEEK = "calories_burned_mean_7d"
# Share of the training dates that come before the validation dates.
_BEFORE_VALIDATION = 2 / 3
# A simpler candidate is selected if its error is at most this much larger, as a share.
_TOLERANCE = 0.01
# Days of a block of the bootstrap: errors of neighbouring days are alike, and so are weekdays.
_BLOCK = 7
# Share of the resamples below the upper bound of an interval.
_UPPER = 0.975


@dataclass(frozen=True)
class _Candidate:
    """Feature groups, their features, and the penalty of the linear model."""

    groups: tuple[str, ...]
    features: list[str]
    penalty: float

    @property
    def history(self) -> list[str]:
        return [name for name in self.features if name in calories.GROUPS["history"]]


@dataclass(frozen=True)
class _Selected:
    """The selected candidate, and the rows that it was selected on.

    Attributes
    ----------
    candidate : _Candidate
    trials : list of Trial
    truth : ndarray of shape (n,)
        kcal of the validation days.
    predicted : ndarray of shape (n, 2)
        Predictions of the validation days, as they are and with the history masked.
    encoder : Pipeline
        Of the features of all candidates, fitted to the rows.
    inputs : list of str
        Its features.
    columns : ndarray of int
        Positions of the candidate's encoded features.
    encoded, target : ndarray
        The rows, encoded, and their kcal.
    """

    candidate: _Candidate
    trials: list[Trial]
    truth: np.ndarray
    predicted: np.ndarray
    encoder: Pipeline
    inputs: list[str]
    columns: np.ndarray
    encoded: np.ndarray
    target: np.ndarray

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Predictions of later rows by the candidate, trained on all rows."""
        later = self.encoder.transform(rows[self.inputs])
        return _predict(
            self.candidate, self.encoded[:, self.columns], self.target, later[:, self.columns]
        )


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
    selected = _select(rows)
    model = _fit(rows, selected.candidate)
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
        selected = _select(train)
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


def _candidates(rows: pd.DataFrame) -> list[_Candidate]:
    """The candidates for these rows, the simplest first.

    Features that are the same on each day of a person, such as the height, are left out.
    """
    known = known_features(rows, calories.GROUPS)
    day, device, history = (known.get(name, []) for name in ("day", "device", "history"))
    if calories.OFFSET not in history or not rows[calories.OFFSET].notna().any():
        history = []
    found: dict[tuple[str, ...], list[str]] = {}
    for groups in (("day",), ("day", "device"), ("day", "history"), ("day", "device", "history")):
        parts = {"day": day, "device": device, "history": history}
        used = tuple(name for name in groups if parts[name])
        if set(used) - {"history"}:
            found[used] = [feature for name in used for feature in parts[name]]
    if not found:
        raise NotLearnedError("no other reading is known on enough of the days with kcal")
    return [
        _Candidate(groups, features, penalty)
        for groups, features in found.items()
        for penalty in PENALTIES
    ]


def _select(rows: pd.DataFrame) -> _Selected:
    """Select features and penalty: train on the earlier dates of `rows`, validate on the later."""
    candidates = _candidates(rows)
    # Each column is encoded independently: encode all once, and take those of a candidate.
    largest = max(candidates, key=lambda candidate: len(candidate.features))
    encoder = _encoder(largest)
    encoded = encoder.fit_transform(rows[largest.features])
    target = rows[calories.TARGET].to_numpy(float)
    dates = np.sort(rows["date"].unique())
    earlier = (rows["date"] < dates[int(len(dates) * _BEFORE_VALIDATION)]).to_numpy()
    truth = target[~earlier]
    places = [_columns(encoder, candidate) for candidate in candidates]
    predictions = [
        _predict(candidate, encoded[earlier][:, columns], target[earlier], later[:, columns])
        for later in [encoded[~earlier]]
        for candidate, columns in zip(candidates, places, strict=True)
    ]
    errors = [float(np.mean((truth - found[:, 0]) ** 2)) for found in predictions]
    chosen = next(
        number for number, error in enumerate(errors) if error <= min(errors) * (1 + _TOLERANCE)
    )
    spread = float(np.var(truth))
    trials = [
        Trial(
            groups=list(candidate.groups),
            trees=0,
            depth=0,
            leaf=0.0,
            weight=0.0,
            penalty=candidate.penalty,
            rows=int(earlier.sum()),
            bytes=0,
            # As scikit-learn defines R² of a constant target.
            score=1 - error / spread if spread else float(error == 0),
            selected=number == chosen,
        )
        for number, (candidate, error) in enumerate(zip(candidates, errors, strict=True))
    ]
    return _Selected(
        candidate=candidates[chosen],
        trials=trials,
        truth=truth,
        predicted=predictions[chosen],
        encoder=encoder,
        inputs=largest.features,
        columns=places[chosen],
        encoded=encoded,
        target=target,
    )


def _encoder(candidate: _Candidate) -> Pipeline:
    return pipelines.encoder(candidate.features, (), candidate.history)


def _columns(encoder: Pipeline, candidate: _Candidate) -> np.ndarray:
    """Positions of the encoded features of a candidate, in the order of its own encoder."""
    transformers = encoder[-1]
    places: list[int] = []
    for step, _, names in transformers.transformers_:
        block = transformers.output_indices_.get(step, slice(0, 0))
        if step == "categories":
            sizes = [len(known) for known in transformers.named_transformers_[step][-1].categories_]
            owners = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
        elif step in ("numbers", "history", "offset"):
            owners = list(names)
        else:
            continue
        places += [
            block.start + place for place, name in enumerate(owners) if name in candidate.features
        ]
    return np.asarray(places)


def _predict(
    candidate: _Candidate, train: np.ndarray, target: np.ndarray, later: np.ndarray
) -> np.ndarray:
    """Predictions of shape (n, 2) of `later`: as they are, and with the history masked.

    They are those of `_fit`, without the time that scikit-learn takes to check its input.
    """
    history = len(candidate.history)
    if not history:
        predicted = _line(train, target, later, candidate.penalty)
        return np.column_stack([predicted, predicted])
    masked = _line(train[:, : -history - 1], target, later[:, : -history - 1], candidate.penalty)
    offset, own = train[:, -1], later[:, -1]
    known = ~np.isnan(offset)
    residual = _line(train[known, :-1], (target - offset)[known], later[:, :-1], candidate.penalty)
    return np.column_stack([np.where(np.isnan(own), masked, own + residual), masked])


def _line(train: np.ndarray, target: np.ndarray, later: np.ndarray, penalty: float) -> np.ndarray:
    """Predictions of a ridge regression with an intercept."""
    mean, level = train.mean(axis=0), target.mean()
    centred = train - mean
    squares = centred.T @ centred + penalty * np.eye(train.shape[1])
    predicted: np.ndarray = level + (later - mean) @ np.linalg.solve(
        squares, centred.T @ (target - level)
    )
    return predicted


def _fit(rows: pd.DataFrame, candidate: _Candidate) -> Pipeline:
    """The trained pipeline: of the difference from the mean of 28 days, if that is used."""
    encoder = _encoder(candidate)
    encoder.fit(rows[candidate.features])
    encoded = pipelines.encode(encoder, rows, calories.TARGET)
    features, target, history = encoded.features, encoded.target, len(candidate.history)

    def line(features: np.ndarray, target: np.ndarray) -> LinearForest:
        return LinearForest(Ridge(candidate.penalty).fit(features, target), None)

    if not history:
        return pipelines.with_estimator(encoder, line(features, target))
    offset = features[:, -1]
    known = ~np.isnan(offset)
    residual = line(features[known, :-1], (target - offset)[known])
    without = line(features[:, : -history - 1], target)
    estimator = ResidualRegressor(residual, without, history)
    return pipelines.with_estimator(encoder, estimator)


def _intervals(
    truth: np.ndarray, predicted: np.ndarray, candidate: _Candidate
) -> tuple[Interval, Interval | None]:
    """The intervals of predictions with history, and of those without."""
    masked = evaluation.calibrate(truth, predicted[:, 1]) if candidate.history else None
    return evaluation.calibrate(truth, predicted[:, 0]), masked


def _weeks(rows: pd.DataFrame) -> pd.Series:
    """The block of each row: a week of one user."""
    weeks = (rows["date"] - rows["date"].min()).dt.days // _BLOCK
    return pd.Series(rows["user_id"].astype(str) + " " + weeks.astype(str), rows.index)


def _metrics(
    model: Pipeline, rows: pd.DataFrame, selected: _Selected, judged: Judged
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
