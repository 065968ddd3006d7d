"""Packed forests answer as scikit-learn's do, and no bytes can make them do anything else."""

import copy
import hashlib
import itertools
import lzma
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zlib
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
from fitness_assets.models.forests.packed import estimator
from fitness_assets.models.forests.packed.estimator import (
    PackedClassifier,
    PackedForest,
    PackedRegressor,
)

REGRESSORS = [RandomForestRegressor, ExtraTreesRegressor]
CLASSIFIERS = [RandomForestClassifier, ExtraTreesClassifier]
EXTREMES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38], np.float32
)

QUICK = settings(deadline=None, derandomize=True, database=None, max_examples=80)


def rows(generator: np.random.Generator, count: int, features: int, missing: float) -> Any:
    """Features of all sizes, some of few values, some missing."""
    x = generator.normal(size=(count, features)) * 10.0 ** generator.integers(-3, 5, features)
    coarse = generator.random(features) < 0.5
    x[:, coarse] = np.round(x[:, coarse])
    x[generator.random(x.shape) < missing] = np.nan
    return x.astype(np.float32)


def probes(forest: Any, generator: np.random.Generator) -> Any:
    """Inputs on, just above and just below every threshold, and the extremes, in random rows."""
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


def assert_same(forest: Any, ours: Any, generator: np.random.Generator) -> None:
    """`ours` takes every row to the leaf of `forest`, and answers the same."""
    x = probes(forest, generator)
    leaves = ours._route(x)
    for root, leaf, tree_estimator in zip(ours._roots, leaves, forest.estimators_, strict=True):
        tree = tree_estimator.tree_
        order = estimator._preorder(tree.children_left, tree.children_right)
        assert np.array_equal(order[leaf - root], tree.apply(x))
    forest.set_params(n_jobs=1)
    x = x[~(np.abs(x) > 1e30).any(axis=1)]  # scikit-learn sums them up to look for infinities
    if is_classifier(forest):
        assert np.array_equal(ours.classes_, forest.classes_)
        assert np.array_equal(ours.predict_proba(x), forest.predict_proba(x))
        assert np.array_equal(ours.predict(x), forest.predict(x))
    else:
        expected = forest.predict(x)
        most = ours.value_error_ + 1e-12 * np.abs(expected).max()
        assert np.abs(ours.predict(x) - expected).max() <= most


@st.composite
def forests(draw: Callable[..., Any], kinds: list[Any]) -> tuple[Any, np.random.Generator]:
    """A forest of `kinds` that has learned something, and the generator it came from."""
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
def test_every_row_goes_where_scikit_learn_takes_it(
    drawn: tuple[Any, np.random.Generator],
) -> None:
    forest, generator = drawn
    ours = PackedForest.of(forest)
    assert_same(forest, ours, generator)
    content = ours.to_bytes()
    again = PackedForest.from_bytes(content)
    assert type(again) is type(ours)
    assert again.to_bytes() == content
    assert_same(forest, again, generator)


def wide() -> Any:
    generator = np.random.default_rng(1)
    x = rows(generator, 300, 700, 0.1)
    return RandomForestClassifier(5, random_state=0).fit(x, generator.integers(0, 3, len(x)))


def deep() -> Any:
    """A tree that takes one row aside at each level."""
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
def test_so_do_unusual_forests(make: Callable[[], Any]) -> None:
    forest = make()
    ours = PackedForest.from_bytes(PackedForest.of(forest).to_bytes())
    assert_same(forest, ours, np.random.default_rng(0))


def test_weights_that_float32_cannot_hold_are_close() -> None:
    generator = np.random.default_rng(4)
    x, y = rows(generator, 500, 4, 0), np.arange(500) % 4
    forest = RandomForestClassifier(
        5, min_samples_leaf=9, class_weight="balanced_subsample", random_state=0
    ).fit(x, y, sample_weight=generator.random(500))
    assert PackedForest.of(forest).predict_proba(x) == pytest.approx(
        forest.predict_proba(x), abs=1e-6
    )


def like_calories() -> RandomForestRegressor:
    """One-hot activities, whole steps and beats, hours; scaled as in the pipeline."""
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
    forest = like_calories()
    ours = PackedForest.of(forest)
    assert ours.node_count == sum(tree.tree_.node_count for tree in forest.estimators_)
    assert ours.nbytes <= 12 * ours.node_count
    assert len(ours.to_bytes()) <= 3 * ours.node_count
    coarse = PackedForest.of(forest, value_step=0.5)
    assert len(coarse.to_bytes()) < 0.85 * len(ours.to_bytes())
    assert 0.2 < coarse.value_error_ <= 0.25 + 1e-3
    assert_same(forest, coarse, np.random.default_rng(0))


def test_what_was_written_as_version_1_is_read() -> None:
    x = [[0.0, 5.0], [1.0, 5.0], [2.0, np.nan], [3.0, 1.0]]
    regressor: Any = PackedForest.from_bytes(
        bytes.fromhex(
            "50464f5230b4a0670100020002000000060000000200000000000000000000000e0000000000005655"
            "55753e003d88cda5aae5ab96d9e3ed869f327f36b03ac56fb4a470da0c2a0c31908875d7ef737a5b76"
            "e69b7c705bd044a55fff2d820000"
        )
    )
    assert regressor.predict(x) == pytest.approx([7 / 3, 7 / 3, 7 / 3, 8], abs=1e-7)
    assert 7e-8 < regressor.value_error_ < 9e-8
    classifier: Any = PackedForest.from_bytes(
        bytes.fromhex(
            "50464f522d69d500010102000200000006000000020000000400000002000000350000000000000000"
            "000000003d88cc0edbb3cd0e251bea7bb0c46038e2f590aad0edad08be884c613319383b802c7f6599"
            "2a55ff8f0c1d7e35b53f4fd26c3e1b3209eb8533f4374e7af2bfdb05ccba6f52fc2b160d344bda64ff"
            "a4dce000"
        )
    )
    assert classifier.predict(x).tolist() == ["run", "run", "walk", "run"]
    expected = [[1, 0], [1, 0], [0.25, 0.75], [0.75, 0.25]]
    assert classifier.predict_proba(x).tolist() == expected


def test_equal_forests_are_equal_bytes_in_another_process() -> None:
    script = (
        "import hashlib\n"
        "from fitness_assets.models.forests.packed.estimator import PackedForest\n"
        "from fitness_assets_tests.models.forests.test_packed import wide\n"
        "print(hashlib.sha256(PackedForest.of(wide()).to_bytes()).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-R", "-c", script], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == hashlib.sha256(PackedForest.of(wide()).to_bytes()).hexdigest()


def test_a_row_has_one_answer_alone_or_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    x = rows(generator, 200, 4, 0.1)
    for forest in (
        RandomForestRegressor(30, random_state=0).fit(x, generator.normal(size=200)),
        RandomForestClassifier(30, random_state=0).fit(x, np.arange(200) % 2),
    ):
        ours: Any = PackedForest.of(forest)
        together = ours.predict(x)
        assert np.array_equal(
            np.concatenate([ours.predict(row) for row in x[:, np.newaxis]]), together
        )
        monkeypatch.setattr(estimator, "_BLOCK", 64)
        assert np.array_equal(ours.predict(x), together)


def small() -> PackedRegressor | PackedClassifier:
    return PackedForest.of(
        RandomForestRegressor(2, max_depth=3, random_state=0).fit(np.eye(9) * 3, np.arange(9.0))
    )


def small_classifier() -> PackedRegressor | PackedClassifier:
    generator = np.random.default_rng(6)
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    forest = RandomForestClassifier(2, max_depth=3, random_state=0)
    return PackedForest.of(forest.fit(rows(generator, 60, 2, 0.1), y))


def test_it_is_the_last_step_of_a_pipeline() -> None:
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
    again: Any = PackedForest.from_bytes(model[-1].to_bytes())
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(x[["sleep", "beats", "steps"]])
    unnamed: Any = small()
    with pytest.raises(ValueError, match="expecting 9 features"):
        unnamed.predict(np.zeros((1, 4)))
    with pytest.raises(TypeError, match="does not learn"):
        model.fit(x, y)


def test_infinities_are_refused_as_by_scikit_learn() -> None:
    ours: Any = small_classifier()
    assert is_classifier(ours)
    for value in (np.inf, 1e300):
        with np.errstate(over="ignore"), pytest.raises(ValueError, match="infinity"):
            ours.predict([[value, 0.0]])


def test_it_is_its_own_copy_and_no_pickle() -> None:
    ours = small()
    assert copy.copy(ours) is ours
    assert copy.deepcopy(ours) is ours
    assert clone(ours) is ours
    with pytest.raises(TypeError, match="to_bytes"):
        pickle.dumps(ours)
    with pytest.raises(PackedForestError, match="made of bytes"):
        PackedRegressor.__new__(PackedRegressor).__setstate__({"packed": "text"})
    with pytest.raises(PackedForestError, match="is a regressor"):
        PackedClassifier.__new__(PackedClassifier).__setstate__(ours.__getstate__())
    with pytest.raises(PackedForestError, match="is a classifier"):
        PackedRegressor.__new__(PackedRegressor).__setstate__(small_classifier().__getstate__())
    with pytest.raises(NotFittedError):
        PackedRegressor().predict([[0.0]])


def test_what_cannot_be_packed_is_said() -> None:
    x, y = np.eye(4), np.arange(4.0)
    with pytest.raises(TypeError, match="GradientBoostingRegressor"):
        PackedForest.of(GradientBoostingRegressor().fit(x, y))
    with pytest.raises(NotFittedError):
        PackedForest.of(RandomForestRegressor())
    with pytest.raises(ValueError, match="one output, and this one 2"):
        PackedForest.of(RandomForestRegressor(1).fit(x, np.column_stack([y, y])))
    with pytest.raises(ValueError, match="not finite in float32"):
        PackedForest.of(RandomForestRegressor(1).fit(x, y + 1e200))
    with pytest.raises(ValueError, match="power of two"):
        PackedForest.of(RandomForestRegressor(1).fit(x, y), value_step=0.1)
    classifier = RandomForestClassifier(1).fit(x, y)
    with pytest.raises(ValueError, match="regressor"):
        PackedForest.of(classifier, value_step=0.5)
    named = pd.DataFrame(x, columns=["n" * 300_000 + str(column) for column in range(4)])
    with pytest.raises(ValueError, match="too long"):
        PackedForest.of(RandomForestRegressor(1).fit(named, y)).to_bytes()


# Hostile bytes.


def seal(head: bytes, payload: bytes) -> bytes:
    """A file whose checksum is right, whatever is in it."""
    stream = lzma.compress(payload, lzma.FORMAT_RAW, filters=estimator._FILTERS)
    checked = head[8:] + stream
    return head[:4] + struct.pack("<I", zlib.crc32(checked)) + checked


def unseal(content: bytes) -> tuple[bytes, bytes]:
    size = estimator._HEADER.size
    return content[:size], lzma.decompress(
        content[size:], lzma.FORMAT_RAW, filters=estimator._FILTERS
    )


def refusal(content: bytes) -> str:
    """Why `content` is refused; empty if it is a forest, which then must be sound."""
    try:
        forest: Any = PackedForest.from_bytes(content)
    except PackedForestError as error:
        return str(error)
    x = np.eye(forest.n_features_in_, dtype=np.float32)
    x = np.concatenate([x, np.full_like(x, np.nan)])
    answer = forest.predict_proba(x) if is_classifier(forest) else forest.predict(x)
    assert np.isfinite(answer).all()
    leaves = forest._route(x)
    assert np.all(forest._features[leaves] == forest.n_features_in_)
    again = PackedForest.from_bytes(forest.to_bytes())
    assert np.array_equal(again._route(x), leaves)
    return ""


@pytest.mark.parametrize("make", [small, small_classifier])
def test_truncated_lengthened_and_flipped_bytes_are_refused(make: Callable[[], Any]) -> None:
    content = make().to_bytes()
    for end in range(len(content)):
        assert refusal(content[:end])
    assert refusal(content + b"\0")
    generator = np.random.default_rng(0)
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= int(generator.integers(1, 256))
        assert refusal(bytes(flipped))


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes) -> None:
    assert refusal(content)
    assert refusal(seal(unseal(small().to_bytes())[0], content))


@pytest.mark.parametrize("make", [small, small_classifier])
def test_changes_under_a_right_checksum_are_refused_or_harmless(make: Callable[[], Any]) -> None:
    head, payload = unseal(make().to_bytes())
    assert not refusal(seal(head, payload))
    generator = np.random.default_rng(1)
    refusals = set()
    for at in range(8, len(head)):
        for value in (0, 1, 127, 255, head[at] ^ 1, int(generator.integers(256))):
            changed = bytearray(head)
            changed[at] = value
            refusals.add(refusal(seal(bytes(changed), payload)))
    for at in range(len(payload)):
        for value in (0, 255, payload[at] ^ 1 << int(generator.integers(8))):
            garbled = bytearray(payload)
            garbled[at] = value
            refusals.add(refusal(seal(head, bytes(garbled))))
    told = " ".join(refusals)
    for reason in (
        "version 255",
        "kind 255",
        "number of trees or nodes",
        "no features",
        "number of nodes",
        "more thresholds",
        "too much text",
        "class weights",
        "rounding error",
        "another length",
        "names or classes",
        "not there",
        "not whole trees",
        "beyond the last node",
        "tables of thresholds",
        "not sorted",
        "not in its table",
        "weights of a leaf" if make is small_classifier else "not finite",
    ):
        assert reason in told


def test_a_few_bytes_cannot_ask_for_all_memory() -> None:
    head, _ = unseal(small().to_bytes())
    bomb = seal(head, bytes(1 << 25))
    most = bytearray(head)
    most[12:20] = struct.pack("<II", 2, 1 << 24)
    greedy = seal(bytes(most), b"")
    tracemalloc.start()
    try:
        assert "another length" in refusal(bomb)
        assert "another length" in refusal(greedy)
        assert tracemalloc.get_traced_memory()[1] < 1 << 21
    finally:
        tracemalloc.stop()


def test_endless_levels_are_refused() -> None:
    # A chain: each split has a leaf on its right.
    splits = estimator._MOST_LEVELS + 1
    leaf = np.repeat([False, True], [splits, splits + 1])
    assert estimator._structure(leaf[1:-1], 1)[2] == estimator._MOST_LEVELS
    with pytest.raises(PackedForestError, match="levels"):
        estimator._structure(leaf, 1)
