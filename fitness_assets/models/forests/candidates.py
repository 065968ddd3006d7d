"""Candidates of model selection: hyperparameters, scores, and the selected model."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.models.forest_metrics import Trial

#: Rows that a tree of a candidate is grown from, in the first and in the last round.
FIRST_ROUND_ROWS, LAST_ROUND_ROWS = 2_000, 6_000
# Trees of a candidate in the first round, at most.
_FIRST_ROUND_TREES = 10
# Up to this many rows a forest is grown in one thread, in less time than it takes to start others.
_FEW_ROWS = 5_000


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of a forest.

    Attributes
    ----------
    trees, depth : int
        Number of trees, and their maximum depth. No trees: the linear model alone.
    leaf : float
        Minimum size of a leaf, as a share of the rows of its tree. It bounds the number of leaves,
        so that a forest does not grow with its data.
    rows : int
        Rows that one tree is grown from, at most.
    weight : float
        Of a classifier: a class of share s has the weight s ** -weight.
    cold_start : bool
        Of a regressor: whether rows without history have a forest, or the linear model alone.
    """

    trees: int
    depth: int
    leaf: float
    rows: int = 30_000
    weight: float = 0.0
    cold_start: bool = False

    def parameters(self, rows: int, features: float) -> dict[str, Any]:
        """The parameters of scikit-learn's forest.

        Parameters
        ----------
        rows : int
            Training rows.
        features : int or float
            Number or share of the features that each split considers.
        """
        drawn = min(rows, self.rows)
        return {
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "min_samples_leaf": max(1, math.ceil(self.leaf * drawn)),
            "max_samples": drawn,
            "max_features": features,
            "n_jobs": -1 if drawn > _FEW_ROWS else 1,
            "random_state": 0,
        }

    def limited(self, rows: int | None) -> "Hyperparameters":
        """Those of a candidate, whose trees have at most `rows` rows; None for no limit.

        In the first round it has few trees.
        """
        if rows is None:
            return self
        trees = min(self.trees, _FIRST_ROUND_TREES) if rows == FIRST_ROUND_ROWS else self.trees
        return replace(self, trees=trees, rows=min(self.rows, rows))


@dataclass(frozen=True, eq=False)
class Candidate:
    """One choice of features and hyperparameters, scored on the validation split.

    Attributes
    ----------
    groups : list of str
        Feature groups.
    features : list of str
        The features of these groups.
    hyperparameters : Hyperparameters
    rows : int
        Rows that each of its trees was grown from.
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
    rows: int
    bytes: int
    score: float
    predicted: np.ndarray


@dataclass(frozen=True)
class Repeat:
    """One cross-validation of the selected candidate: the fold and the prediction of each row."""

    folds: np.ndarray
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
        Predictions for these rows by models that were not trained on them.
    repeats : list of Repeat
        Cross-validations of all rows, for few users.
    """

    model: Pipeline
    selected: Candidate
    candidates: list[Candidate]
    calibration: pd.DataFrame
    predicted: np.ndarray
    repeats: list[Repeat]

    def trials(self) -> list[Trial]:
        """The candidates as they are reported."""
        return [
            Trial(
                groups=candidate.groups,
                trees=candidate.hyperparameters.trees,
                depth=candidate.hyperparameters.depth,
                leaf=candidate.hyperparameters.leaf,
                weight=candidate.hyperparameters.weight,
                rows=candidate.rows,
                bytes=candidate.bytes,
                score=candidate.score,
                selected=candidate is self.selected,
            )
            for candidate in self.candidates
        ]
