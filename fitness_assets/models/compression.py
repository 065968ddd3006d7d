"""The calorie forest from scikit-learn's default to a packed one, one bound at a time.

Every step is trained on the same rows and the inputs of a form, and scored on the same users, whom
none has seen.
"""

import io
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from fitness_assets.models import evaluation, memory_probe
from fitness_assets.models.datasets import Split, known
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.model_selection import Hyperparameters

#: Trees of scikit-learn's default forest.
TREES = 100
#: Rows that are predicted at once to tell how long it takes.
ROWS = 50_000

_JOBLIB_COMPRESSION = 3


@dataclass(frozen=True)
class Step:
    """One forest of the story.

    Attributes
    ----------
    step : str
    trees, trees_measured : int
        A forest that may not fit in memory is grown, measured and let go of tree by tree. Where
        fewer are measured than it has, its size and times are scaled up, and its scores are those
        of the trees measured.
    nodes : int
    bytes : int
        On disk.
    memory_bytes : int
        What a fresh process grows by for it; of a forest measured tree by tree what its trees'
        arrays take, for it is never whole.
    fit_seconds, predict_seconds : float
        Of one core, to train it (None for a forest that was trained elsewhere), and to predict
        `ROWS` rows at once.
    r2, rmse : float
        On users that it has not seen, the latter in kcal.
    """

    step: str
    trees: int
    trees_measured: int
    nodes: int
    bytes: int
    memory_bytes: int
    fit_seconds: float | None
    predict_seconds: float
    r2: float
    rmse: float


@dataclass(frozen=True)
class _Data:
    """Encoded rows, as a forest gets them, their kcal, and what measures a forest's memory."""

    train: np.ndarray
    train_target: np.ndarray
    test: np.ndarray
    test_target: np.ndarray
    memory: memory_probe.Memory


def story(
    split: Split, shape: Hyperparameters, memory: memory_probe.Memory, measured: int = TREES
) -> Iterator[Step]:
    """The steps, each as it is done.

    Parameters
    ----------
    split : Split
        Of `calories.split`.
    shape : Hyperparameters
        Of the forest at the end.
    memory : callable
        Of `footprint.measuring`.
    measured : int
        Trees of the unbounded forest that are measured.
    """
    data = _encoded(split, memory)
    leaf = max(1, math.ceil(shape.leaf * len(data.train)))
    yield _tree_by_tree("scikit-learn's default", {}, data, measured)
    depth = {"max_depth": shape.depth}
    yield _tree_by_tree(f"max_depth={shape.depth}", depth, data, measured)
    _, few = _whole(f"n_estimators={shape.trees}", depth | {"n_estimators": shape.trees}, data)
    yield few
    bounds = depth | {"n_estimators": shape.trees, "min_samples_leaf": leaf}
    forest, plain = _whole(f"min_samples_leaf={leaf}", bounds, data)
    yield plain
    compressed = _joblib(forest, _JOBLIB_COMPRESSION)
    yield _loaded("joblib compress=3", forest, compressed, plain.fit_seconds, data)
    packed = PackedForest.of(forest)
    yield _loaded("packed", packed, packed.to_bytes(), plain.fit_seconds, data)


def released(
    split: Split,
    model: Pipeline,
    content: bytes,
    learned: Mapping[str, Any],
    memory: memory_probe.Memory,
) -> Step:
    """The last step: the model that was chosen, with all that it is told of the person.

    Parameters
    ----------
    split : Split
        Of `calories.split`.
    model : Pipeline
    content : bytes
        Its file, with all that is around the forest.
    learned : mapping
        Its metrics.
    memory : callable
        Of `footprint.measuring`.
    """
    test = split.test[learned["features"]]
    rows = test.iloc[np.arange(ROWS) % len(test)]
    began = time.process_time()
    model.predict(rows)
    predict_seconds = time.process_time() - began
    parts = pipelines.packed(model)
    trees = sum(forest.tree_count for forest in parts)
    return Step(
        "as released",
        trees,
        trees,
        sum(forest.node_count for forest in parts),
        len(content),
        sum(memory(forest.to_bytes(), "packed") for forest in parts),
        None,
        predict_seconds,
        learned["r2"],
        learned["rmse"],
    )


def _encoded(split: Split, memory: memory_probe.Memory) -> _Data:
    features = known(split.train, {"day": calories.GROUPS["day"]})["day"]
    encoder = pipelines.pipeline(features, LinearRegression())[:-1]
    target = calories.TARGET
    return _Data(
        encoder.fit_transform(split.train[features]).astype(np.float32),
        split.train[target].to_numpy(),
        encoder.transform(split.test[features]).astype(np.float32),
        split.test[target].to_numpy(),
        memory,
    )


def _tree_by_tree(step: str, bounds: dict[str, Any], data: _Data, measured: int) -> Step:
    """A forest of `TREES`, never more of it in memory than a tree a core."""

    def grow(seed: int) -> tuple[np.ndarray, np.ndarray]:
        forest = RandomForestRegressor(n_estimators=1, random_state=seed, **bounds)
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
    for of_tree, size in jobs(joblib.delayed(grow)(seed) for seed in range(measured)):
        predicted += of_tree / measured
        sizes += size * TREES / measured
    nodes, size, memory, fit_seconds, predict_seconds = map(float, sizes)
    return Step(
        step,
        TREES,
        measured,
        round(nodes),
        round(size),
        round(memory),
        fit_seconds,
        predict_seconds * ROWS / len(data.test),
        **_scores(data, predicted),
    )


def _whole(step: str, bounds: dict[str, Any], data: _Data) -> tuple[RandomForestRegressor, Step]:
    forest = RandomForestRegressor(n_jobs=-1, random_state=0, **bounds)
    began = time.process_time()
    forest.fit(data.train, data.train_target)
    fit_seconds = time.process_time() - began
    forest.set_params(n_jobs=1)
    return forest, _loaded(step, forest, _joblib(forest, 0), fit_seconds, data)


def _loaded(step: str, forest: Any, content: bytes, fit_seconds: float | None, data: _Data) -> Step:
    """What `forest`, stored as `content`, takes and gives."""
    packed = isinstance(forest, PackedForest)
    trees = [] if packed else [tree.tree_ for tree in forest.estimators_]
    rows = data.test[np.arange(ROWS) % len(data.test)]
    began = time.process_time()
    forest.predict(rows)
    predict_seconds = time.process_time() - began
    return Step(
        step,
        forest.tree_count if packed else len(trees),
        forest.tree_count if packed else len(trees),
        forest.node_count if packed else sum(tree.node_count for tree in trees),
        len(content),
        data.memory(content, "packed" if packed else "joblib"),
        fit_seconds,
        predict_seconds,
        **_scores(data, forest.predict(data.test)),
    )


def _scores(data: _Data, predicted: np.ndarray) -> dict[str, float]:
    scores = evaluation.regression(data.test_target, predicted)
    return {name: scores[name] for name in ("r2", "rmse")}


def _joblib(forest: RandomForestRegressor, compress: int) -> bytes:
    file = io.BytesIO()
    joblib.dump(forest, file, compress=compress)
    return file.getvalue()
