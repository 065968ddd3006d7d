"""Steps of the compression report on a few generated rows."""

import io
from collections.abc import Mapping

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from fitness_assets.models.compression import TREES, measure_steps
from fitness_assets.models.datasets import Split
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.candidates import Hyperparameters
from fitness_assets.models.reports import CompressionStep

DEPTH, MEASURED, SMALL = 4, 4, 3


@pytest.fixture(scope="module")
def split() -> Split:
    generator = np.random.default_rng(0)
    features = calories.GROUPS["day"]
    rows = pd.DataFrame(generator.normal(size=(300, len(features))), columns=features).assign(
        user_id=np.repeat(np.arange(30), 10), activity_type="walking"
    )
    rows["calories_burned"] = rows["steps"] + generator.normal(size=len(rows))
    return Split(rows[:200], rows[200:])


@pytest.fixture(scope="module")
def steps(split: Split) -> Mapping[str, CompressionStep]:
    hyperparameters = Hyperparameters(SMALL, DEPTH, 0.05)
    found = measure_steps(split, hyperparameters, lambda content, _kind: len(content), MEASURED)
    return {step.step: step for step in found}


def test_a_forest_of_few_trees_is_the_one_that_would_be_trained(
    split: Split, steps: Mapping[str, CompressionStep]
) -> None:
    features = calories.GROUPS["day"]
    encoder = pipelines.encoder(features, [])
    encoded = encoder.fit_transform(split.train[features]).astype(np.float32)
    forest = RandomForestRegressor(n_estimators=SMALL, max_depth=DEPTH, random_state=0, n_jobs=1)
    forest.fit(encoded, split.train["calories_burned"])
    content = io.BytesIO()
    joblib.dump(forest, content)
    step = steps[f"n_estimators={SMALL}"]
    assert step.trees == step.trees_measured == SMALL
    assert step.bytes == len(content.getvalue())
    assert step.nodes == sum(tree.tree_.node_count for tree in forest.estimators_)
    test = encoder.transform(split.test[features]).astype(np.float32)
    score = forest.score(test, split.test["calories_burned"])
    assert step.r2 == pytest.approx(score, abs=1e-12)


def test_sizes_and_times_are_those_of_all_trees(steps: Mapping[str, CompressionStep]) -> None:
    few, many = steps[f"n_estimators={SMALL}"], steps[f"max_depth={DEPTH}"]
    assert (many.trees, many.trees_measured) == (TREES, MEASURED)
    per_tree = few.nodes / few.trees
    assert many.nodes / many.trees == pytest.approx(per_tree, rel=0.2)
    assert many.bytes > few.bytes * 10
    assert many.memory_bytes == many.bytes
    assert many.fit_seconds is not None
    assert few.fit_seconds is not None
    assert many.fit_seconds == pytest.approx(few.fit_seconds * TREES / SMALL)


def test_every_step_has_the_same_inputs_and_is_not_larger_than_the_one_before(
    steps: Mapping[str, CompressionStep],
) -> None:
    assert list(steps) == [
        "scikit-learn's default",
        f"max_depth={DEPTH}",
        f"n_estimators={SMALL}",
        "min_samples_leaf=10",
        "joblib compress=3",
        "packed",
    ]
    assert all(step.same_inputs for step in steps.values())
    sizes = [step.bytes for step in steps.values()]
    assert sizes == sorted(sizes, reverse=True)
