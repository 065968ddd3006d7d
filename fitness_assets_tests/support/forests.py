"""Small forests of scikit-learn and packed ones, for tests of several modules."""

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from fitness_assets.models.forests.packed.estimator import (
    PackedClassifier,
    PackedForest,
    PackedRegressor,
)


def rows(generator: np.random.Generator, count: int, features: int, missing: float) -> Any:
    """Features of different scales, some with few distinct values, a share of them missing."""
    x = generator.normal(size=(count, features)) * 10.0 ** generator.integers(-3, 5, features)
    coarse = generator.random(features) < 0.5
    x[:, coarse] = np.round(x[:, coarse])
    x[generator.random(x.shape) < missing] = np.nan
    return x.astype(np.float32)


def wide() -> Any:
    """A classifier of 700 features."""
    generator = np.random.default_rng(1)
    x = rows(generator, 300, 700, 0.1)
    return RandomForestClassifier(5, random_state=0).fit(x, generator.integers(0, 3, len(x)))


def small_regressor() -> PackedRegressor | PackedClassifier:
    """Two packed trees of nine features."""
    return PackedForest.of(
        RandomForestRegressor(2, max_depth=3, random_state=0).fit(np.eye(9) * 3, np.arange(9.0))
    )


def small_classifier() -> PackedRegressor | PackedClassifier:
    """Two packed trees of two features and three classes."""
    generator = np.random.default_rng(6)
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    forest = RandomForestClassifier(2, max_depth=3, random_state=0)
    return PackedForest.of(forest.fit(rows(generator, 60, 2, 0.1), y))
