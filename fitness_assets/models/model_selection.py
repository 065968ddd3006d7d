"""The choice of a forest: the smallest that predicts about as well as the best that was tried."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from fitness_assets.models.datasets import some_users, validation
from fitness_assets.models.forests.pipelines import packed_bytes

#: Rows that a choice is made on; more cost time and change little.
_ROWS = 10_000
# Rows that a tree is grown from. Leaves that hold a share of them are as good as leaves of more.
_ROWS_OF_A_TREE = 30_000
_FEW_ROWS = 5_000
# Rows that the chosen forest draws them from.
_ROWS_OF_A_FOREST = 200_000


@dataclass(frozen=True)
class Hyperparameters:
    """What bounds a forest.

    Attributes
    ----------
    trees, depth : int
        So many trees, at most so deep.
    leaf : float
        Share of a tree's rows that a leaf holds at least. So the number of leaves is bounded, and a
        forest does not grow with its data.
    """

    trees: int
    depth: int
    leaf: float

    def parameters(self, rows: int, features: float) -> dict[str, Any]:
        """What bounds scikit-learn's forest so.

        Parameters
        ----------
        rows : int
            That it is trained on.
        features : int or float
            Number or share of those that a split chooses among.
        """
        drawn = min(rows, _ROWS_OF_A_TREE)
        return {
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "min_samples_leaf": max(1, math.ceil(self.leaf * drawn)),
            "max_samples": drawn,
            "max_features": features,
            # Few rows are learned before threads have been started.
            "n_jobs": -1 if drawn > _FEW_ROWS else 1,
            "random_state": 0,
        }


@dataclass(frozen=True)
class Trial:
    """One candidate on users that it had not seen.

    Attributes
    ----------
    groups : list of str
        Groups of features it was told.
    features : list of str
        The features of these groups.
    shape : Hyperparameters
    bytes : int
        Size of its forests on disk.
    score : float
        Greater is better.
    predicted : ndarray
        What it predicted for the users kept aside.
    """

    groups: list[str]
    features: list[str]
    shape: Hyperparameters
    bytes: int
    score: float
    predicted: np.ndarray

    def told(self) -> dict[str, Any]:
        """What it was and how it did, as plain values."""
        return {
            "groups": self.groups,
            **asdict(self.shape),
            "bytes": self.bytes,
            "score": self.score,
        }


@dataclass(frozen=True)
class Choice:
    """What was chosen, and all that was tried.

    Attributes
    ----------
    model : Pipeline
    trial : Trial
        The one that it was in the search.
    trials : list of Trial
    days : DataFrame
        Rows of training users to calibrate it on.
    predicted : ndarray
        For these rows: by the model, which has not seen their users, or, where there are few, by
        models of the same kind that have not.
    """

    model: Pipeline
    trial: Trial
    trials: list[Trial]
    days: pd.DataFrame
    predicted: np.ndarray

    def told(self) -> list[dict[str, Any]]:
        """Each trial as plain values, and whether it is the chosen one."""
        return [trial.told() | {"chosen": trial is self.trial} for trial in self.trials]


@dataclass(frozen=True)
class Task:
    """What is being learned.

    Attributes
    ----------
    train : callable
        Given rows, names of features and a shape: the trained pipeline, its forest packed.
    predict : callable
        Given the pipeline and rows: predictions, as `score` takes them.
    score : callable
        Given rows and predictions: greater is better.
    tolerance : float
        A candidate within this much of the best score is as good.
    """

    train: Callable[[pd.DataFrame, list[str], Hyperparameters], Pipeline]
    predict: Callable[[Pipeline, pd.DataFrame], np.ndarray]
    score: Callable[[pd.DataFrame, np.ndarray], float]
    tolerance: float


def choose(
    task: Task,
    train: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    shapes: Sequence[Hyperparameters],
    budget: int,
) -> Choice:
    """Choose the features, with the first shape, and then the shape; train it.

    Parameters
    ----------
    task : Task
    train : DataFrame
        Rows of training users, some of whom are kept aside here to choose on.
    groups : mapping of str to sequence of str
        Features in groups, from the most easily had to the least. A candidate is told the first
        group, the first two, and so on.
    shapes : sequence of Hyperparameters
        The first one is to be middling.
    budget : int
        Bytes. A forest that is larger is chosen only where all are larger.
    """
    splits = list(validation(some_users(train, _ROWS)))
    days = pd.concat([split.test for split in splits])

    def run(names: Sequence[str], shape: Hyperparameters) -> Trial:
        features = [feature for name in names for feature in groups[name]]
        models = [task.train(split.train, features, shape) for split in splits]
        predicted = np.concatenate(
            [task.predict(model, split.test) for model, split in zip(models, splits, strict=True)]
        )
        size = packed_bytes(models[0])
        return Trial(list(names), features, shape, size, task.score(days, predicted), predicted)

    names = list(groups)
    # Trees are grown outside the interpreter's lock; what is between them is not.
    jobs = Parallel(n_jobs=-1, prefer="threads")
    told = jobs(delayed(run)(names[: n + 1], shapes[0]) for n in range(len(names)))
    enough = _as_good(told, task.tolerance, by=lambda trial: len(trial.groups))
    shaped = [enough, *jobs(delayed(run)(enough.groups, shape) for shape in shapes[1:])]
    # Where there are many users some are left to calibrate on, where there are few all must teach.
    folds = list(validation(train))
    rows = folds[0].train if len(folds) == 1 else train
    rows = rows.sample(min(len(rows), _ROWS_OF_A_FOREST), random_state=0)
    candidates = list(shaped)
    while True:
        best = _as_good(candidates, task.tolerance, by=lambda trial: trial.bytes)
        # It is larger than in the search, where it had fewer rows to tell apart.
        model = task.train(rows, best.features, best.shape)
        smaller = [trial for trial in candidates if trial.bytes < best.bytes]
        if not smaller or packed_bytes(model) <= budget:
            break
        candidates = smaller
    predicted = best.predicted
    if len(folds) == 1:
        days = folds[0].test
        predicted = task.predict(model, days)
    return Choice(model, best, [*told, *shaped[1:]], days, predicted)


def _as_good(trials: Iterable[Trial], tolerance: float, by: Callable[[Trial], int]) -> Trial:
    """The least of those that score within `tolerance` of the best."""
    trials = list(trials)
    best = max(trial.score for trial in trials)
    return min((trial for trial in trials if trial.score >= best - tolerance), key=by)
