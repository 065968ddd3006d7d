"""Model selection for forests: the smallest candidate that scores about as well as the best.

Candidates share the encoded rows of their features. Successive halving (Jamieson and Talwalkar,
AISTATS 2016) saves most of the fits: all candidates grow their trees from few rows, the better half
from more.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.models.datasets import Split, folds, sample_users, validation_splits
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.candidates import (
    FIRST_ROUND_ROWS,
    LAST_ROUND_ROWS,
    Candidate,
    Hyperparameters,
    Repeat,
    Selection,
)
from fitness_assets.models.forests.pipelines import Encoded, packed_bytes

# Rows of the sample of users that candidates are compared on; more cost time and change little.
_SELECTION_ROWS = 12_000
# Rows that the trees of the selected forest are drawn from, and the product of these rows and the
# features, at most. With many features, more rows take more time and change the scores little.
_MAX_FOREST_ROWS, _MAX_FOREST_VALUES = 200_000, 2_500_000
# Rows of the sample of users that the selected model is calibrated on.
_CALIBRATION_ROWS = 25_000
# Bytes on disk of the pipeline around a forest, at most: imputers, scaler and categories.
_PIPELINE_BYTES = 12_000
# Cross-validations that score a model of few users, each with other folds than the selection.
_REPEATS = (1, 2)


@dataclass(frozen=True)
class Learner:
    """What is selected.

    Attributes
    ----------
    target : str
    encoder : callable
        Given names of features: the untrained steps before the estimator.
    fit : callable
        Given encoded rows, the number of history columns, hyperparameters and the smallest number
        of users of a leaf: the trained estimator, its forests packed.
    predict : callable
        Given the estimator and encoded features: predictions, as `score` takes them.
    score : callable
        Given the target and predictions: greater is better.
    tolerance : float
        A candidate within this much of the best score counts as equally good.
    grid : sequence of Hyperparameters
        The first should be medium-sized.
    refine : callable
        Given the search and the selected candidate: the candidate to train in its place.
    people : int
        Smallest number of users of a leaf.
    """

    target: str
    encoder: Callable[[list[str]], Pipeline]
    fit: Callable[[Encoded, int, Hyperparameters, int], Any]
    predict: Callable[[Any, np.ndarray], np.ndarray]
    score: Callable[[np.ndarray, np.ndarray], float]
    tolerance: float
    grid: Sequence[Hyperparameters]
    refine: Callable[["Search", Candidate], Candidate]
    people: int

    def train(
        self, rows: pd.DataFrame, features: list[str], hyperparameters: Hyperparameters
    ) -> Pipeline:
        """The trained pipeline."""
        encoder = pipelines.fit_encoder(self.encoder(features), rows[features])
        encoded = pipelines.encode(encoder, rows, self.target)
        history = pipelines.history_columns(encoder)
        return pipelines.with_estimator(
            encoder, self.fit(encoded, history, hyperparameters, self.people)
        )

    def predictions(self, model: Pipeline, rows: pd.DataFrame) -> np.ndarray:
        """Predictions of a trained pipeline, as `score` takes them."""
        return pipelines.predictions(model, rows, self.predict)


def forest_budget(budget: int) -> int:
    """Bytes that are left to the forests of a model which may take `budget` on disk."""
    return max(budget - _PIPELINE_BYTES, 0)


class Search:
    """Candidates of a learner, scored on the validation splits of a sample of users.

    Parameters
    ----------
    learner : Learner
    train : DataFrame
        Rows of training users.
    groups : mapping of str to sequence of str
        Feature groups, from the most often available to the least.
    few : bool
        See `datasets.Split`.

    Attributes
    ----------
    validation : DataFrame
        Rows of the validation splits.
    """

    def __init__(
        self,
        learner: Learner,
        train: pd.DataFrame,
        groups: Mapping[str, Sequence[str]],
        *,
        few: bool,
    ) -> None:
        self._learner = learner
        self._groups = groups
        sample = train if few else sample_users(train, _SELECTION_ROWS)
        self._splits = list(validation_splits(sample, few=few))
        self.validation = pd.concat([split.test for split in self._splits])
        self._encoded: dict[int, list[tuple[Encoded, Encoded, int]]] = {}

    def encoded(self, groups: Sequence[str]) -> list[tuple[Encoded, Encoded, int]]:
        """The encoded rows of each split, and the number of history columns."""
        if len(groups) not in self._encoded:
            features = self._features(groups)
            self._encoded[len(groups)] = [
                _encode(self._learner, split, features) for split in self._splits
            ]
        return self._encoded[len(groups)]

    def run(
        self, choices: Iterable[tuple[list[str], Hyperparameters]], rows: int | None
    ) -> list[Candidate]:
        """Score candidates of these feature groups and hyperparameters.

        Parameters
        ----------
        choices : iterable
        rows : int or None
            Limit on the rows of a tree. None for forests as they are released.
        """
        choices = list(choices)
        learner = self._learner

        def fit(groups: list[str], limited: Hyperparameters, split: int) -> tuple[np.ndarray, int]:
            train, test, history = self.encoded(groups)[split]
            estimator = learner.fit(train, history, limited, learner.people)
            size = packed_bytes(Pipeline([("estimator", estimator)])) if split == 0 else 0
            return learner.predict(estimator, test.features), size

        for groups, _ in choices:
            self.encoded(groups)
        # One after the other: scikit-learn grows the trees of a forest in threads, and forests that
        # are fitted in threads of ours overwrite each other's warning filters.
        found = (
            fit(groups, hyperparameters.limited(rows), split)
            for groups, hyperparameters in choices
            for split in range(len(self._splits))
        )
        truth = self.validation[learner.target].to_numpy()
        candidates = []
        for groups, hyperparameters in choices:
            parts = [next(found) for _ in self._splits]
            predicted = np.concatenate([each for each, _ in parts])
            grown = hyperparameters.limited(rows)
            candidates.append(
                Candidate(
                    groups=groups,
                    features=self._features(groups),
                    hyperparameters=hyperparameters,
                    rows=min(grown.rows, len(self.encoded(groups)[0][0].target)),
                    # A released forest has more trees than a candidate.
                    bytes=parts[0][1] * hyperparameters.trees // max(grown.trees, 1),
                    score=learner.score(truth, predicted),
                    predicted=predicted,
                )
            )
        return candidates

    def select(self) -> tuple[list[Candidate], list[Candidate]]:
        """Select the features, with the first hyperparameters, then the hyperparameters.

        Returns
        -------
        list of Candidate
            All of them.
        list of Candidate
            Those of the last round.
        """
        learner, names = self._learner, list(self._groups)
        by_features = self.run(
            ((names[: n + 1], learner.grid[0]) for n in range(len(names))), FIRST_ROUND_ROWS
        )
        fewest = least_within(by_features, learner.tolerance, lambda c: len(c.groups))
        others = self.run(((fewest.groups, each) for each in learner.grid[1:]), FIRST_ROUND_ROWS)
        first = sorted([fewest, *others], key=lambda c: -c.score)
        better = first[: math.ceil(len(first) / 2)]
        # The linear model alone costs nothing.
        better += [c for c in first[len(better) :] if not c.hyperparameters.trees]
        last = self.run(((c.groups, c.hyperparameters) for c in better), LAST_ROUND_ROWS)
        return [*by_features, *others, *last], last

    def _features(self, groups: Sequence[str]) -> list[str]:
        return [feature for name in groups for feature in self._groups[name]]


def select_model(
    learner: Learner,
    train: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    budget: int,
    *,
    few: bool,
) -> Selection:
    """Select the features and the hyperparameters, and train.

    Parameters
    ----------
    learner : Learner
    train : DataFrame
        Rows of training users. Validation splits of them score the candidates.
    groups : mapping of str to sequence of str
        Feature groups, from the most often available to the least. Candidates have the first
        group, the first two groups, and so on.
    budget : int
        Bytes. A larger forest is selected only if all candidates are larger.
    few : bool
        See `datasets.Split`.
    """
    search = Search(learner, train, groups, few=few)
    candidates, remaining = search.select()
    # With many users the validation split is left out of training, to calibrate on. With few users
    # all are trained on, and the predictions of the cross-validation calibrate.
    splits = list(validation_splits(train, few=few))
    rows = splits[0].train if len(splits) == 1 else train
    while True:
        chosen = least_within(remaining, learner.tolerance, lambda c: c.bytes)
        best = learner.refine(search, chosen)
        size = min(len(rows), _MAX_FOREST_ROWS, _MAX_FOREST_VALUES // len(best.features))
        # It has more rows than in the search, and so can be larger than the budget.
        sample = rows.sample(size, random_state=0)
        model = learner.train(sample, best.features, best.hyperparameters)
        smaller = [candidate for candidate in remaining if candidate.bytes < chosen.bytes]
        if not smaller or packed_bytes(model) <= budget:
            break
        remaining = smaller
    candidates = [best if candidate is chosen else candidate for candidate in candidates]
    repeats: list[Repeat] = []
    if len(splits) == 1:
        calibration = sample_users(splits[0].test, _CALIBRATION_ROWS)
        predicted = learner.predictions(model, calibration)
    elif few:
        repeats = [_repeat(learner, train, best, seed) for seed in _REPEATS]
        calibration, predicted = train, repeats[0].predicted
    else:
        calibration = search.validation
        (final,) = search.run([(best.groups, best.hyperparameters)], None)
        predicted = final.predicted
    return Selection(model, best, candidates, calibration, predicted, repeats)


def _repeat(learner: Learner, train: pd.DataFrame, best: Candidate, seed: int) -> Repeat:
    fold_of = folds(train["user_id"], seed)
    parts = []
    for fold in range(fold_of.max() + 1):
        split = Split(train[fold_of != fold], train[fold_of == fold])
        model = learner.train(split.train, best.features, best.hyperparameters)
        parts.append(learner.predictions(model, split.test))
    predicted = np.empty((len(train), *parts[0].shape[1:]))
    for fold, part in enumerate(parts):
        predicted[fold_of == fold] = part
    return Repeat(fold_of, predicted)


def _encode(learner: Learner, split: Split, features: list[str]) -> tuple[Encoded, Encoded, int]:
    encoder = pipelines.fit_encoder(learner.encoder(features), split.train[features])
    train, test = (
        pipelines.encode(encoder, rows, learner.target) for rows in (split.train, split.test)
    )
    return train, test, pipelines.history_columns(encoder)


def least_within(
    candidates: Iterable[Candidate], tolerance: float, size: Callable[[Candidate], int]
) -> Candidate:
    """The least in `size` of the candidates that score within `tolerance` of the best."""
    candidates = list(candidates)
    best = max(candidate.score for candidate in candidates)
    return min((c for c in candidates if c.score >= best - tolerance), key=size)
