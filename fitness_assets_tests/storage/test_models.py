import hashlib
import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

from fitness_assets.errors import StorageError
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.storage.models import array_bytes, dump, load, verify
from fitness_assets_tests.support.models import rewritten, trained_models


@pytest.mark.parametrize("name", ["activity", "calories", "history", "segments"])
def test_a_loaded_model_predicts_the_same(name: str) -> None:
    model, features = trained_models()[name]
    loaded = load(dump(model), name)
    assert np.array_equal(loaded.predict(features), model.predict(features))


def test_equal_models_give_equal_bytes_in_another_process() -> None:
    script = (
        "import hashlib\n"
        "from fitness_assets.storage.models import dump\n"
        "from fitness_assets_tests.support.models import trained_models\n"
        "for model, _ in trained_models().values():\n"
        "    print(hashlib.sha256(dump(model)).hexdigest())"
    )
    # Another hash of strings, so that sets and dicts by hash have another order.
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "123"},
    )
    models = [model for model, _ in trained_models().values()]
    assert run.stdout.split() == [hashlib.sha256(dump(model)).hexdigest() for model in models]


class _Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.canary,)


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(StorageError, match="may be loaded"):
        load(pickle.dumps(_Payload(canary)), "x.skops")
    assert not canary.exists()


def test_a_type_outside_the_allow_list_is_refused() -> None:
    model = Pipeline([("guess", DummyClassifier())]).fit([[0.0]], [1])
    content = dump(model)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = archive.read("schema.json").decode()
    changed = schema.replace('"DummyClassifier"', '"Popen"').replace(
        '"sklearn.dummy"', '"subprocess"'
    )
    assert changed != schema
    hostile = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            target.writestr(name, changed if name == "schema.json" else source.read(name))
    with pytest.raises(StorageError, match=r"subprocess\.Popen"):
        load(hostile.getvalue(), "x.skops")


def test_a_tree_of_scikit_learn_is_refused() -> None:
    forest = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0)
    model = Pipeline([("forest", forest)]).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3])
    with pytest.raises(StorageError, match=r"_tree\.Tree"):
        load(dump(model), "x.skops")


def test_a_residual_regressor_of_another_version_is_refused() -> None:
    model = deepcopy(trained_models()["history"][0])
    del model[-1].without_history
    with pytest.raises(StorageError, match="ResidualRegressor of another version"):
        load(dump(model), "x.skops")


def test_array_bytes_counts_nested_arrays() -> None:
    model, _ = trained_models()["history"]
    own = sum(forest.nbytes for forest in pipelines.packed(model))
    assert own < array_bytes(model) < own + 1_000


def test_a_packed_forest_with_changed_bytes_is_refused() -> None:
    forest = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0)
    packed = PackedForest.of(forest.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3]))
    content = dump(Pipeline([("forest", packed)]))
    own = packed.to_bytes()
    hostile = rewritten(content, lambda part: part.replace(own, own[:-1] + b"x"))
    verify(hostile, "x.skops")  # all types are on the allow-list
    with pytest.raises(StorageError, match="not a packed forest"):
        load(hostile, "x.skops")


def test_our_models_are_verified_without_scikit_learn(tmp_path: Path) -> None:
    models = trained_models()
    for name, (model, _) in models.items():
        (tmp_path / name).write_bytes(dump(model))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fitness_assets.storage.models import verify\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    verify(path.read_bytes(), path.name)\n"
        "    print(path.name, *({'skops', 'sklearn'} & sys.modules.keys()))"
    )
    paths = [str(tmp_path / name) for name in models]
    run = subprocess.run(
        [sys.executable, "-c", script, *paths], check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == ["activity", "calories", "history", "segments"]


def test_arbitrary_bytes_are_refused_in_one_line() -> None:
    with pytest.raises(StorageError) as error:
        load(b"not a model", "2023-04 model.skops")
    assert re.fullmatch(r"2023-04 model\.skops is not .*", str(error.value))
