"""Model selection for forests: the smallest candidate that scores about as well as the best."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from fitness_assets.models.datasets import sample_users, validation_splits
from fitness_assets.models.forest_metrics import Trial
from fitness_assets.models.forests.pipelines import packed_bytes

# Rows that candidates are compared on; more cost time and change little.
_SELECTION_ROWS = 10_000
# Rows that one tree is grown from. The minimum leaf size is a share of them.
_MAX_TREE_ROWS = 30_000
# Up to this many rows a forest is grown in one thread, in less time than it takes to start others.
_FEW_ROWS = 5_000
# Rows that the trees of the selected forest are drawn from.
_MAX_FOREST_ROWS = 200_000
# Bytes on disk of the pipeline around a forest, at most: imputers, scaler and categories.
_PIPELINE_BYTES = 12_000


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of a forest.

    Attributes
    ----------
    trees, depth : int
        Number of trees, and their maximum depth.
    leaf : float
        Minimum size of a leaf, as a share of the rows of its tree. It bounds the number of leaves,
        so that a forest does not grow with its data.
    """

    trees: int
    depth: int
    leaf: float

    def parameters(self, rows: int, features: float) -> dict[str, Any]:
        """The parameters of scikit-learn's forest.

        Parameters
        ----------
        rows : int
            Training rows.
        features : int or float
            Number or share of the features that each split considers.
        """
        drawn = min(rows, _MAX_TREE_ROWS)
        return {
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "min_samples_leaf": max(1, math.ceil(self.leaf * drawn)),
            "max_samples": drawn,
            "max_features": features,
            "n_jobs": -1 if drawn > _FEW_ROWS else 1,
            "random_state": 0,
        }


@dataclass(frozen=True)
class Candidate:
    """One choice of features and hyperparameters, scored on the validation split.

    Attributes
    ----------
    groups : list of str
        Feature groups.
    features : list of str
        The features of these groups.
    hyperparameters : Hyperparameters
    bytes : int
        Size of its forests on disk.
    score : float
        Greater is better.
    predicted : ndarray
        Its predictions for the validation rows.
    """

    groups: list[str]
    features: list[str]
    hyperparameters: Hyperparameters
    bytes: int
    score: float
    predicted: np.ndarray


@dataclass(frozen=True)
class Selection:
    """The selected model, and all candidates.

    Attributes
    ----------
    model : Pipeline
        Trained on the training rows.
    selected : Candidate
    candidates : list of Candidate
    calibration : DataFrame
        Rows of training users to calibrate the model on.
    predicted : ndarray
        Predictions for these rows by the model, which was not trained on them, or with few rows by
        the cross-validated models of the selected candidate.
    """

    model: Pipeline
    selected: Candidate
    candidates: list[Candidate]
    calibration: pd.DataFrame
    predicted: np.ndarray

    def trials(self) -> list[Trial]:
        """The candidates as they are reported."""
        return [
            Trial(
                groups=candidate.groups,
                trees=candidate.hyperparameters.trees,
                depth=candidate.hyperparameters.depth,
                leaf=candidate.hyperparameters.leaf,
                bytes=candidate.bytes,
                score=candidate.score,
                selected=candidate is self.selected,
            )
            for candidate in self.candidates
        ]


@dataclass(frozen=True)
class Estimator:
    """What is selected.

    Attributes
    ----------
    fit : callable
        Given rows, names of features and hyperparameters: the trained pipeline, its forest packed.
    predict : callable
        Given the pipeline and rows: predictions, as `score` takes them.
    score : callable
        Given rows and predictions: greater is better.
    tolerance : float
        A candidate within this much of the best score counts as equally good.
    """

    fit: Callable[[pd.DataFrame, list[str], Hyperparameters], Pipeline]
    predict: Callable[[Pipeline, pd.DataFrame], np.ndarray]
    score: Callable[[pd.DataFrame, np.ndarray], float]
    tolerance: float


def forest_budget(budget: int) -> int:
    """Bytes that are left to the forests of a model which may take `budget` on disk."""
    return max(budget - _PIPELINE_BYTES, 0)


def select_model(
    estimator: Estimator,
    train: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    grid: Sequence[Hyperparameters],
    budget: int,
) -> Selection:
    """Select the features, with the first hyperparameters, then the hyperparameters; train.

    Parameters
    ----------
    estimator : Estimator
    train : DataFrame
        Rows of training users. A validation split of them scores the candidates.
    groups : mapping of str to sequence of str
        Feature groups, from the most often available to the least. Candidates have the first
        group, the first two groups, and so on.
    grid : sequence of Hyperparameters
        The first should be medium-sized.
    budget : int
        Bytes. A larger forest is selected only if all candidates are larger.
    """
    splits = list(validation_splits(sample_users(train, _SELECTION_ROWS)))
    validation = pd.concat([split.test for split in splits])

    def run(names: Sequence[str], hyperparameters: Hyperparameters) -> Candidate:
        features = [feature for name in names for feature in groups[name]]
        models = [estimator.fit(split.train, features, hyperparameters) for split in splits]
        predicted = np.concatenate(
            [
                estimator.predict(model, split.test)
                for model, split in zip(models, splits, strict=True)
            ]
        )
        return Candidate(
            groups=list(names),
            features=features,
            hyperparameters=hyperparameters,
            bytes=packed_bytes(models[0]),
            score=estimator.score(validation, predicted),
            predicted=predicted,
        )

    names = list(groups)
    # Threads suffice: trees are grown without the interpreter's lock.
    jobs = Parallel(n_jobs=-1, prefer="threads")
    by_features = jobs(delayed(run)(names[: n + 1], grid[0]) for n in range(len(names)))
    fewest = _least_within_tolerance(by_features, estimator.tolerance, lambda c: len(c.groups))
    by_size = [fewest, *jobs(delayed(run)(fewest.groups, parameters) for parameters in grid[1:])]
    # With many users the validation split is left out of training, to calibrate on. With few users
    # all are trained on, and the predictions of the cross-validation calibrate.
    folds = list(validation_splits(train))
    rows = folds[0].train if len(folds) == 1 else train
    rows = rows.sample(min(len(rows), _MAX_FOREST_ROWS), random_state=0)
    remaining = list(by_size)
    while True:
        best = _least_within_tolerance(remaining, estimator.tolerance, lambda c: c.bytes)
        # It has more rows than in the search, and so can be larger than the budget.
        model = estimator.fit(rows, best.features, best.hyperparameters)
        smaller = [candidate for candidate in remaining if candidate.bytes < best.bytes]
        if not smaller or packed_bytes(model) <= budget:
            break
        remaining = smaller
    calibration, predicted = validation, best.predicted
    if len(folds) == 1:
        calibration = folds[0].test
        predicted = estimator.predict(model, calibration)
    return Selection(model, best, [*by_features, *by_size[1:]], calibration, predicted)


def _least_within_tolerance(
    candidates: Iterable[Candidate], tolerance: float, size: Callable[[Candidate], int]
) -> Candidate:
    """The least in `size` of the candidates that score within `tolerance` of the best."""
    candidates = list(candidates)
    best = max(candidate.score for candidate in candidates)
    return min((c for c in candidates if c.score >= best - tolerance), key=size)
