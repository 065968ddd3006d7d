"""Candidates of the personal calorie regressor, their selection and their training.

A candidate is a ridge regression, of the difference from the user's own mean of 28 days if history
is among its features. It is selected on the last third of the training dates.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import known_features
from fitness_assets.models.forest_metrics import Trial
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.residual_regressor import LinearForest, ResidualRegressor

#: Penalties of the linear model that are tried, in rows of scaled features.
PENALTIES = (100.0, 10.0, 1.0)

# Share of the training dates that come before the validation dates.
_BEFORE_VALIDATION = 2 / 3
# A simpler candidate is selected if its error is at most this much larger, as a share.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Candidate:
    """Feature groups, their features, and the penalty of the linear model."""

    groups: tuple[str, ...]
    features: list[str]
    penalty: float

    @property
    def history(self) -> list[str]:
        """Its features that describe the user's history."""
        return [name for name in self.features if name in calories.GROUPS["history"]]


@dataclass(frozen=True)
class Selected:
    """The selected candidate, and the rows that it was selected on.

    Attributes
    ----------
    candidate : Candidate
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

    candidate: Candidate
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


def _candidates(rows: pd.DataFrame) -> list[Candidate]:
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
        Candidate(groups, features, penalty)
        for groups, features in found.items()
        for penalty in PENALTIES
    ]


def select(rows: pd.DataFrame) -> Selected:
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
    return Selected(
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


def _encoder(candidate: Candidate) -> Pipeline:
    return pipelines.encoder(candidate.features, (), candidate.history)


def _columns(encoder: Pipeline, candidate: Candidate) -> np.ndarray:
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
    candidate: Candidate, train: np.ndarray, target: np.ndarray, later: np.ndarray
) -> np.ndarray:
    """Predictions of shape (n, 2) of `later`: as they are, and with the history masked.

    They are those of `fit`, without the time that scikit-learn takes to check its input.
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


def fit(rows: pd.DataFrame, candidate: Candidate) -> Pipeline:
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
