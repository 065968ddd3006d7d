"""Packed forests predict what scikit-learn's forests predict."""

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fitness_assets.errors import PackedForestError
from fitness_assets.models.forests.packed import convert, estimator
from fitness_assets.models.forests.packed.estimator import (
    PackedClassifier,
    PackedForest,
    PackedRegressor,
)
from fitness_assets_tests.support.forests import rows, small_classifier, small_regressor, wide

REGRESSORS = [RandomForestRegressor, ExtraTreesRegressor]
CLASSIFIERS = [RandomForestClassifier, ExtraTreesClassifier]
EXTREMES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38], np.float32
)

QUICK = settings(deadline=None, derandomize=True, database=None, max_examples=80)


def probes(forest: Any, generator: np.random.Generator) -> Any:
    """Inputs at, just above and just below every threshold, and extremes, in random rows."""
    x = rows(generator, 50, forest.n_features_in_, 0.2)
    tests = []
    for tree in (tree.tree_ for tree in forest.estimators_):
        inner = np.flatnonzero(tree.children_left != -1)
        for node in generator.permutation(inner)[:300]:
            nearest = np.float32(tree.threshold[node])
            around = [np.nextafter(nearest, np.float32(to)) for to in (-np.inf, np.inf)]
            tests += [(tree.feature[node], value) for value in (nearest, *around)]
    tests += itertools.product(range(min(forest.n_features_in_, 20)), EXTREMES)
    at = generator.integers(0, len(x), len(tests))
    probed = x[at]
    features, values = zip(*tests, strict=True)
    probed[np.arange(len(tests)), features] = values
    return np.concatenate([x, probed, np.repeat(EXTREMES, x.shape[1]).reshape(-1, x.shape[1])])


def assert_same(forest: Any, packed: Any, generator: np.random.Generator) -> None:
    """Assert that `packed` routes every row to the same leaf as `forest`, and predicts the same."""
    x = probes(forest, generator)
    leaves = packed.trees_.leaves(x)
    for root, leaf, tree_estimator in zip(
        packed.trees_.roots, leaves, forest.estimators_, strict=True
    ):
        tree = tree_estimator.tree_
        order = convert.preorder(tree.children_left, tree.children_right)
        assert np.array_equal(order[leaf - root], tree.apply(x))
    forest.set_params(n_jobs=1)
    x = x[~(np.abs(x) > 1e30).any(axis=1)]  # scikit-learn sums values to find infinities
    if is_classifier(forest):
        assert np.array_equal(packed.classes_, forest.classes_)
        assert np.array_equal(packed.predict_proba(x), forest.predict_proba(x))
        assert np.array_equal(packed.predict(x), forest.predict(x))
    else:
        expected = forest.predict(x)
        most = packed.value_error_ + 1e-12 * np.abs(expected).max()
        assert np.abs(packed.predict(x) - expected).max() <= most


@st.composite
def forests(draw: Callable[..., Any], kinds: list[Any]) -> tuple[Any, np.random.Generator]:
    """A fitted forest of one of `kinds`, and the generator of its rows."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(kinds))
    x = rows(generator, draw(st.sampled_from([2, 30, 300])), draw(st.sampled_from([1, 3, 9])), 0)
    if draw(st.booleans()):
        x[generator.random(x.shape) < 0.2] = np.nan
    y: Any = generator.normal(1000, 300, len(x))
    if kind in CLASSIFIERS:
        y = generator.integers(0, draw(st.sampled_from([2, 5, 40])), len(x))
        if draw(st.booleans()):
            y = np.array([f"doing {label} ü" for label in y], dtype=object)
    forest = kind(
        n_estimators=draw(st.sampled_from([1, 2, 7])),
        max_depth=draw(st.sampled_from([1, 4, None])),
        max_leaf_nodes=draw(st.sampled_from([None, 9])),
        random_state=0,
    )
    return forest.fit(x, y), generator


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@QUICK
@given(forests(REGRESSORS + CLASSIFIERS))
def test_rows_reach_the_same_leaves_as_in_scikit_learn(
    drawn: tuple[Any, np.random.Generator],
) -> None:
    forest, generator = drawn
    packed = PackedForest.of(forest)
    assert_same(forest, packed, generator)
    content = packed.to_bytes()
    decoded = PackedForest.from_bytes(content)
    assert type(decoded) is type(packed)
    assert decoded.to_bytes() == content
    assert_same(forest, decoded, generator)


def deep() -> Any:
    """A tree that splits off one row at each level."""
    x = np.arange(120.0)[:, np.newaxis]
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(x, 2.0 ** x[:, 0])
    assert forest.estimators_[0].get_depth() > 50
    return forest


def one_leaf() -> Any:
    return RandomForestRegressor(3, random_state=0).fit(np.zeros((5, 2)), np.ones(5))


def weighted() -> Any:
    generator = np.random.default_rng(2)
    x, y = rows(generator, 200, 3, 0), np.arange(200) % 3
    weight = generator.integers(1, 9, 200) / 8
    return RandomForestClassifier(4, random_state=0).fit(x, y, sample_weight=weight)


def many_classes() -> Any:
    generator = np.random.default_rng(3)
    x = rows(generator, 900, 3, 0)
    return RandomForestClassifier(3, min_samples_leaf=20, random_state=0).fit(
        x, np.arange(900) % 90
    )


@pytest.mark.parametrize("make", [wide, deep, one_leaf, weighted, many_classes])
def test_unusual_forests_are_the_same(make: Callable[[], Any]) -> None:
    forest = make()
    packed = PackedForest.from_bytes(PackedForest.of(forest).to_bytes())
    assert_same(forest, packed, np.random.default_rng(0))


def test_weights_that_float32_cannot_represent_are_close() -> None:
    generator = np.random.default_rng(4)
    x, y = rows(generator, 500, 4, 0), np.arange(500) % 4
    forest = RandomForestClassifier(
        5, min_samples_leaf=9, class_weight="balanced_subsample", random_state=0
    ).fit(x, y, sample_weight=generator.random(500))
    assert PackedForest.of(forest).predict_proba(x) == pytest.approx(
        forest.predict_proba(x), abs=1e-6
    )


def calorie_like() -> RandomForestRegressor:
    """A regressor of one-hot activities and of scaled numbers, as in the calorie pipeline."""
    generator = np.random.default_rng(0)
    count = 15_000
    activity = np.eye(6)[generator.integers(0, 6, count)]
    steps = generator.integers(0, 20_000, count)
    beats = generator.integers(50, 160, count)
    numbers = np.column_stack([steps, beats, generator.normal(7, 1, count).round(1)])
    burned = (
        1500
        + steps * (0.04 + 0.01 * (activity @ np.arange(6)))
        + generator.normal(0, 200, count).round()
    )
    x = np.column_stack([activity, StandardScaler().fit_transform(numbers)])
    return RandomForestRegressor(10, max_depth=12, min_samples_leaf=20, random_state=0).fit(
        x, burned
    )


def test_a_node_is_small_in_memory_and_on_disk() -> None:
    forest = calorie_like()
    packed = PackedForest.of(forest)
    assert packed.node_count == sum(tree.tree_.node_count for tree in forest.estimators_)
    assert packed.nbytes <= 12 * packed.node_count
    assert len(packed.to_bytes()) <= 3 * packed.node_count
    coarse = PackedForest.of(forest, value_step=0.5)
    assert len(coarse.to_bytes()) < 0.85 * len(packed.to_bytes())
    assert 0.2 < coarse.value_error_ <= 0.25 + 1e-3
    assert_same(forest, coarse, np.random.default_rng(0))


def test_a_row_gets_the_same_prediction_alone_and_in_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(5)
    x = rows(generator, 200, 4, 0.1)
    for forest in (
        RandomForestRegressor(30, random_state=0).fit(x, generator.normal(size=200)),
        RandomForestClassifier(30, random_state=0).fit(x, np.arange(200) % 2),
    ):
        packed: Any = PackedForest.of(forest)
        batch = packed.predict(x)
        assert np.array_equal(
            np.concatenate([packed.predict(row) for row in x[:, np.newaxis]]), batch
        )
        monkeypatch.setattr(estimator, "_BLOCK", 64)
        assert np.array_equal(packed.predict(x), batch)


def test_a_packed_forest_works_as_the_last_step_of_a_pipeline() -> None:
    generator = np.random.default_rng(7)
    x = pd.DataFrame(rows(generator, 200, 3, 0), columns=["steps", "beats", "sleep"])
    y = generator.normal(size=200)
    forest = RandomForestRegressor(3, random_state=0)
    model = Pipeline([("scale", StandardScaler().set_output(transform="pandas")), ("f", forest)])
    expected = model.fit(x, y).predict(x)
    model.set_params(f=PackedForest.of(forest))
    assert is_regressor(model)
    assert model.predict(x) == pytest.approx(expected, abs=1e-6)
    assert model.score(x, y) > 0.5
    assert model[-1].feature_names_in_.tolist() == ["steps", "beats", "sleep"]
    decoded: Any = PackedForest.from_bytes(model[-1].to_bytes())
    with pytest.raises(ValueError, match="feature names should match"):
        decoded.predict(x[["sleep", "beats", "steps"]])
    unnamed: Any = small_regressor()
    with pytest.raises(ValueError, match="expecting 9 features"):
        unnamed.predict(np.zeros((1, 4)))
    with pytest.raises(TypeError, match="cannot be fitted"):
        model.fit(x, y)


def test_infinities_raise_as_in_scikit_learn() -> None:
    packed: Any = small_classifier()
    assert is_classifier(packed)
    for value in (np.inf, 1e300):
        with np.errstate(over="ignore"), pytest.raises(ValueError, match="infinity"):
            packed.predict([[value, 0.0]])


def test_copies_are_the_forest_itself_and_pickling_raises() -> None:
    packed = small_regressor()
    assert copy.copy(packed) is packed
    assert copy.deepcopy(packed) is packed
    assert clone(packed) is packed
    with pytest.raises(TypeError, match="to_bytes"):
        pickle.dumps(packed)
    with pytest.raises(PackedForestError, match="must be bytes"):
        PackedRegressor.__new__(PackedRegressor).__setstate__({"packed": "text"})
    with pytest.raises(PackedForestError, match="is a regressor"):
        PackedClassifier.__new__(PackedClassifier).__setstate__(packed.__getstate__())
    with pytest.raises(PackedForestError, match="is a classifier"):
        PackedRegressor.__new__(PackedRegressor).__setstate__(small_classifier().__getstate__())
    with pytest.raises(NotFittedError):
        PackedRegressor().predict([[0.0]])


def test_forests_that_cannot_be_packed_raise() -> None:
    x, y = np.eye(4), np.arange(4.0)
    with pytest.raises(TypeError, match="GradientBoostingRegressor"):
        PackedForest.of(GradientBoostingRegressor().fit(x, y))
    with pytest.raises(NotFittedError):
        PackedForest.of(RandomForestRegressor())
    with pytest.raises(ValueError, match="one output; this forest has 2"):
        PackedForest.of(RandomForestRegressor(1).fit(x, np.column_stack([y, y])))
    with pytest.raises(ValueError, match="not finite in float32"):
        PackedForest.of(RandomForestRegressor(1).fit(x, y + 1e200))
    with pytest.raises(ValueError, match="power of two"):
        PackedForest.of(RandomForestRegressor(1).fit(x, y), value_step=0.1)
    classifier = RandomForestClassifier(1).fit(x, y)
    with pytest.raises(ValueError, match="applies to a regressor"):
        PackedForest.of(classifier, value_step=0.5)
    named = pd.DataFrame(x, columns=["n" * 300_000 + str(column) for column in range(4)])
    with pytest.raises(ValueError, match="too long"):
        PackedForest.of(RandomForestRegressor(1).fit(named, y)).to_bytes()
