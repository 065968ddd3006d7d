"""One forest in five file formats: size on disk and in memory, and speed of predictions.

Each format is measured in its own process, `python -m bench.forest_formats FORMAT FOLDER`, on one
thread.
"""

import ctypes
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

USERS, SEED = 1959, 1
MONTHS = ("2023-04", "2023-09")
#: Copies that are loaded to measure the memory of one, which is too small to measure alone.
COPIES = 30
ROWS = 100_000
RECORDS = 200

Predict = Callable[[np.ndarray], np.ndarray]


class Format(NamedTuple):
    """Functions that write a scikit-learn forest, and that read it as a predict function."""

    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Predict]


def _dump_joblib(forest: Any) -> bytes:
    import joblib

    file = io.BytesIO()
    joblib.dump(forest, file, compress=3)
    return file.getvalue()


def _load_joblib(content: bytes) -> Predict:
    import joblib

    return joblib.load(io.BytesIO(content)).predict


def _dump_skops(forest: Any) -> bytes:
    import skops.io

    return skops.io.dumps(forest, compression=8, compresslevel=9)  # deflate


def _load_skops(content: bytes) -> Predict:
    import skops.io

    return skops.io.loads(content, trusted=["sklearn.tree._tree.Tree"]).predict


def _dump_packed(forest: Any) -> bytes:
    from fitness_assets.models.forests.packed.estimator import PackedForest

    return PackedForest.of(forest).to_bytes()


def _load_packed(content: bytes) -> Predict:
    from fitness_assets.models.forests.packed.estimator import PackedRegressor

    return PackedRegressor.from_bytes(content).predict


def _dump_onnx(forest: Any) -> bytes:
    import skl2onnx

    one = np.zeros((1, forest.n_features_in_), np.float32)
    return skl2onnx.to_onnx(forest, one).SerializeToString()


def _load_onnx(content: bytes) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda rows: session.run(None, {name: rows})[0].ravel()


def _dump_treelite(forest: Any) -> bytes:
    import treelite

    return treelite.sklearn.import_model(forest).serialize_bytes()


def _load_treelite(content: bytes) -> Predict:
    import treelite

    model = treelite.Model.deserialize_bytes(content)
    return lambda rows: treelite.gtil.predict(model, rows, nthread=1).ravel()


FORMATS = {
    "joblib, compress=3": Format(_dump_joblib, _load_joblib),
    "skops": Format(_dump_skops, _load_skops),
    "packed": Format(_dump_packed, _load_packed),
    "ONNX Runtime": Format(_dump_onnx, _load_onnx),
    "treelite": Format(_dump_treelite, _load_treelite),
}


def forest_formats() -> "Iterator[Table]":
    """A calorie forest of six months in each file format."""
    from rich.table import Table

    forest, rows = _forest()
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "rows.npy", rows)
        np.save(Path(folder) / "expected.npy", forest.predict(rows))
        for name, file_format in FORMATS.items():
            (Path(folder) / name).write_bytes(file_format.dump(forest))
            runs[name] = json.loads(
                subprocess.run(
                    [sys.executable, "-m", "bench.forest_formats", name, folder],
                    check=True,
                    capture_output=True,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                ).stdout
            )
    first = next(iter(runs.values()))
    size = Table(
        f"{len(forest.estimators_)} trees, {nodes:,} nodes",
        *("kB on disk", "bytes per node", "ratio", "kB in memory", "bytes per node", "ratio"),
        title="file formats: size",
    )
    speed = Table(
        f"one thread, {len(rows):,} rows",
        *("us per record", "ratio", "rows/s", "ratio", "largest difference"),
        title="file formats: speed",
    )
    for name, run in runs.items():
        cells = []
        for key in ("disk", "memory"):
            ratio = run[key] / first[key]
            cells += [f"{run[key] / 1e3:,.1f}", f"{run[key] / nodes:.1f}", f"{ratio:.3f}"]
        size.add_row(name, *cells)
        rate = run["rows_per_second"]
        speed.add_row(
            name,
            f"{run['record'] * 1e6:,.0f}",
            f"{run['record'] / first['record']:.2f}",
            f"{rate:,.0f}",
            f"{rate / first['rows_per_second']:.2f}",
            f"{run['difference']:.1e}",
        )
    yield size
    yield speed


def _forest() -> tuple[Any, np.ndarray]:
    """A forest of the size of the released ones, and rows to predict."""
    import pandas as pd
    import pyarrow as pa
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.preprocessing import StandardScaler

    from fitness_assets.months import between
    from fitness_assets.sources.cohort.source import Cohort

    numbers = ["steps", "heart_rate_avg", "sleep_hours"]
    cohort = Cohort(USERS, SEED)
    batches = [batch for month in between(*MONTHS) for batch in cohort.read(month)]
    days = pa.Table.from_batches(batches).to_pandas()
    days = days.dropna(subset=[*numbers, "activity_type", "calories_burned"])
    scaled = StandardScaler().fit_transform(days[numbers])
    features = np.column_stack([pd.get_dummies(days["activity_type"]), scaled]).astype(np.float32)
    forest = RandomForestRegressor(
        n_estimators=10, max_depth=12, min_samples_leaf=200, n_jobs=-1, random_state=0
    )
    forest.fit(features, days["calories_burned"])
    return forest.set_params(n_jobs=1), features[:ROWS]


def _measure(name: str, folder: Path) -> dict[str, float]:
    """Measure the format `name`, whose file is in `folder`."""
    content = (folder / name).read_bytes()
    rows, expected = np.load(folder / "rows.npy"), np.load(folder / "expected.npy")
    load, one = FORMATS[name].load, rows[:1]
    predict = load(content)
    predicted = predict(rows)

    before = _resident()
    copies = [load(content) for _ in range(COPIES)]
    for copy in copies:
        copy(one)  # some formats build their structures at the first prediction
    memory = (_resident() - before) / COPIES

    return {
        "disk": len(content),
        "memory": memory,
        "record": min(_seconds(lambda: [predict(one) for _ in range(RECORDS)])) / RECORDS,
        "rows_per_second": len(rows) / min(_seconds(lambda: predict(rows))),
        "difference": float(np.abs(predicted - expected).max()),
    }


def _seconds(job: Callable[[], object]) -> Iterator[float]:
    for _ in range(5):
        began = time.perf_counter()
        job()
        yield time.perf_counter() - began


def _resident() -> int:
    """Resident bytes of this process, after freed memory was returned to the system."""
    import psutil

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
