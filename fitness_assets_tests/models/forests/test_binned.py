"""A forest that is grown on binned features predicts from the features themselves."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from fitness_assets.models.forests.binned import bin_edges, fit_binned

ROWS, FEATURES = 9_000, 9


def features() -> np.ndarray:
    """Features of many distinct values, of few, and of one."""
    generator = np.random.default_rng(0)
    found = generator.normal(size=(ROWS, FEATURES)).astype(np.float32)
    found[:, 1] = generator.integers(0, 3, ROWS)
    found[:, 2] = 7
    return found


@pytest.mark.parametrize("kind", [RandomForestRegressor, RandomForestClassifier])
def test_each_row_reaches_the_leaf_that_it_was_grown_into(kind: Any) -> None:
    inputs = features()
    target = (inputs[:, 0] > 0.3) + inputs[:, 1]
    forest = kind(5, max_depth=8, min_samples_leaf=5, random_state=0)
    fit_binned(forest, inputs, target)
    assert forest.score(inputs, target) > 0.95
    for estimator, rows in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        tree = estimator.tree_
        reached = np.bincount(tree.apply(inputs[rows]), minlength=tree.node_count)
        leaf = tree.children_left == -1
        assert (reached[leaf] == tree.weighted_n_node_samples[leaf]).all()


def test_the_forest_scores_no_worse_than_one_of_exact_thresholds() -> None:
    inputs = features()
    target = inputs[:, 0] * inputs[:, 3] + inputs[:, 1]
    scores = []
    for fit in (fit_binned, lambda forest, *rows: forest.fit(*rows)):
        forest = RandomForestRegressor(10, min_samples_leaf=5, random_state=0)
        fit(forest, inputs[:8_000], target[:8_000])
        scores.append(forest.score(inputs[8_000:], target[8_000:]))
    assert scores[0] > scores[1] - 0.01


@pytest.mark.parametrize(("rows", "columns"), [(ROWS, 7), (7_000, FEATURES)])
def test_a_forest_of_few_rows_or_features_has_exact_thresholds(rows: int, columns: int) -> None:
    inputs = features()[:rows, :columns]
    forests = [RandomForestRegressor(1, min_samples_leaf=9, random_state=0) for _ in range(2)]
    fit_binned(forests[0], inputs, inputs[:, 0])
    forests[1].fit(inputs, inputs[:, 0])
    one, other = (forest.estimators_[0].tree_.threshold for forest in forests)
    assert one.tolist() == other.tolist()


def test_edges_lie_between_values_and_bins_have_equal_shares() -> None:
    values = features()
    edges = bin_edges(values[:, 0])
    assert (np.diff(edges) > 0).all()
    counts = np.bincount(np.searchsorted(edges, values[:, 0]))
    assert len(counts) == len(edges) + 1 == 64
    assert counts.max() <= 2 * counts.min()
    assert bin_edges(values[:, 1]).tolist() == [0.5, 1.5]
    assert bin_edges(values[:, 2]).tolist() == []
