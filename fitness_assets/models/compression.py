"""The calorie forest from scikit-learn's default to a packed one, one bound at a time.

Every step is trained on the same rows and on the features that a form requires, and evaluated on
the same held-out users.
"""

import io
import math
import time
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import joblib
import msgspec
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

from fitness_assets.models import evaluation
from fitness_assets.models.datasets import Split, known_features
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.candidates import Hyperparameters
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.memory_probe import Probe
from fitness_assets.models.reports import CompressionStep

#: Trees of scikit-learn's default forest.
TREES = 100
#: Rows that are predicted at once to measure the time.
ROWS = 50_000

_JOBLIB_COMPRESSION = 3


@dataclass(frozen=True)
class _Data:
    """Encoded rows, as a forest gets them, their kcal, and a probe of a forest's memory."""

    train: np.ndarray
    train_target: np.ndarray
    test: np.ndarray
    test_target: np.ndarray
    probe: Probe


def measure_steps(
    split: Split, hyperparameters: Hyperparameters, probe: Probe, measured: int = TREES
) -> Iterator[CompressionStep]:
    """The steps, each when it is measured.

    Parameters
    ----------
    split : Split
        Of `calories.split`.
    hyperparameters : Hyperparameters
        Of the last forest.
    probe : callable
        Of `memory_probe.start`.
    measured : int
        Trees that are measured of the unbounded forest, and at least of that of bounded depth.
    """
    data = _encode(split, probe)
    leaf = max(1, math.ceil(hyperparameters.leaf * len(data.train)))
    trees = hyperparameters.trees
    yield _tree_by_tree("scikit-learn's default", data, measured)
    depth = {"max_depth": hyperparameters.depth}
    grown = max(trees, measured)
    deep, seconds = _fit({**depth, "n_estimators": grown}, data)
    # The trees of the smaller forest are the first of the larger one, so they are grown once.
    few_trees, few_seconds = _first_trees(deep, trees), seconds * trees / grown
    step = f"max_depth={hyperparameters.depth}"
    yield _scaled(_measure(step, deep, _joblib(deep, 0), seconds, data))
    step = f"n_estimators={trees}"
    yield _measure(step, few_trees, _joblib(few_trees, 0), few_seconds, data)
    forest, seconds = _fit({**depth, "n_estimators": trees, "min_samples_leaf": leaf}, data)
    yield _measure(f"min_samples_leaf={leaf}", forest, _joblib(forest, 0), seconds, data)
    compressed = _joblib(forest, _JOBLIB_COMPRESSION)
    yield _measure("joblib compress=3", forest, compressed, seconds, data)
    packed = PackedForest.of(forest)
    yield _measure("packed", packed, packed.to_bytes(), seconds, data)


def measure_released(
    split: Split, model: Pipeline, content: bytes, metrics: RegressorMetrics, probe: Probe
) -> CompressionStep:
    """The last step: the released model, with all of its features.

    Parameters
    ----------
    split : Split
        Of `calories.split`.
    model : Pipeline
    content : bytes
        Its file, the pipeline around the forest included.
    metrics : RegressorMetrics
        Of the model.
    probe : callable
        Of `memory_probe.start`.
    """
    test = split.test[metrics.inputs.features]
    rows = test.iloc[np.arange(ROWS) % len(test)]
    began = time.process_time()
    model.predict(rows)
    predict_seconds = time.process_time() - began
    forests = pipelines.packed(model)
    trees = sum(forest.tree_count for forest in forests)
    return CompressionStep(
        step="as released",
        trees=trees,
        trees_measured=trees,
        nodes=sum(forest.node_count for forest in forests),
        bytes=len(content),
        memory_bytes=sum(probe(forest.to_bytes(), "packed") for forest in forests),
        fit_seconds=None,
        predict_seconds=predict_seconds,
        r2=metrics.evaluation.scores.r2,
        rmse=metrics.evaluation.scores.rmse,
        same_inputs=False,
    )


def _encode(split: Split, probe: Probe) -> _Data:
    features = known_features(split.train, {"day": calories.GROUPS["day"]})["day"]
    encoder = pipelines.encoder(features, [])
    target = calories.TARGET
    return _Data(
        encoder.fit_transform(split.train[features]).astype(np.float32),
        split.train[target].to_numpy(),
        encoder.transform(split.test[features]).astype(np.float32),
        split.test[target].to_numpy(),
        probe,
    )


def _tree_by_tree(step: str, data: _Data, measured: int) -> CompressionStep:
    """An unbounded forest of `TREES`, of which each core holds one tree at a time in memory."""

    def grow(seed: int) -> tuple[np.ndarray, np.ndarray]:
        forest = RandomForestRegressor(n_estimators=1, random_state=seed)
        began = time.thread_time()
        forest.fit(data.train, data.train_target)
        fitted = time.thread_time()
        predicted = forest.predict(data.test)
        done = time.thread_time()
        tree = forest.estimators_[0].tree_
        arrays = tree.__getstate__()["nodes"].nbytes + tree.value.nbytes
        sizes = [tree.node_count, len(_joblib(forest, 0)), arrays, fitted - began, done - fitted]
        return predicted, np.array(sizes)

    jobs = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    predicted, sizes = np.zeros(len(data.test)), np.zeros(5)
    for tree_predicted, tree_sizes in jobs(joblib.delayed(grow)(seed) for seed in range(measured)):
        predicted += tree_predicted / measured
        sizes += tree_sizes * TREES / measured
    nodes, size, memory, fit_seconds, predict_seconds = map(float, sizes)
    scores = evaluation.regression(data.test_target, predicted)
    return CompressionStep(
        step=step,
        trees=TREES,
        trees_measured=measured,
        nodes=round(nodes),
        bytes=round(size),
        memory_bytes=round(memory),
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds * ROWS / len(data.test),
        r2=scores.r2,
        rmse=scores.rmse,
    )


def _fit(bounds: dict[str, Any], data: _Data) -> tuple[RandomForestRegressor, float]:
    """A trained forest, and the seconds that its training took on one core."""
    forest = RandomForestRegressor(n_jobs=-1, random_state=0, **bounds)
    began = time.process_time()
    forest.fit(data.train, data.train_target)
    fit_seconds = time.process_time() - began
    return forest.set_params(n_jobs=1), fit_seconds


def _first_trees(forest: RandomForestRegressor, trees: int) -> RandomForestRegressor:
    """The forest as it is when it is trained with that `n_estimators` and the same seed."""
    smaller = copy(forest).set_params(n_estimators=trees)
    smaller.estimators_ = forest.estimators_[:trees]
    return smaller


def _scaled(step: CompressionStep) -> CompressionStep:
    """`step` with the sizes and times of `TREES`."""
    times = TREES / step.trees_measured
    return msgspec.structs.replace(
        step,
        trees=TREES,
        nodes=round(step.nodes * times),
        bytes=round(step.bytes * times),
        memory_bytes=round(step.memory_bytes * times),
        fit_seconds=step.fit_seconds and step.fit_seconds * times,
        predict_seconds=step.predict_seconds * times,
    )


def _measure(
    step: str, forest: Any, content: bytes, fit_seconds: float | None, data: _Data
) -> CompressionStep:
    """Sizes, time and scores of `forest`, which is stored as `content`."""
    packed = isinstance(forest, PackedForest)
    trees = [] if packed else [tree.tree_ for tree in forest.estimators_]
    rows = data.test[np.arange(ROWS) % len(data.test)]
    began = time.process_time()
    forest.predict(rows)
    predict_seconds = time.process_time() - began
    scores = evaluation.regression(data.test_target, forest.predict(data.test))
    return CompressionStep(
        step=step,
        trees=forest.tree_count if packed else len(trees),
        trees_measured=forest.tree_count if packed else len(trees),
        nodes=forest.node_count if packed else sum(tree.node_count for tree in trees),
        bytes=len(content),
        memory_bytes=data.probe(content, "packed" if packed else "joblib"),
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        r2=scores.r2,
        rmse=scores.rmse,
    )


def _joblib(forest: RandomForestRegressor, compress: int) -> bytes:
    file = io.BytesIO()
    joblib.dump(forest, file, compress=compress)
    return file.getvalue()
