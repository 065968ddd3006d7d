import io
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.errors import StorageError
from fitness_assets.models.forests import pipelines
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.storage.models import array_bytes, dump, load, verify

_GENERATOR = np.random.default_rng(0)
DAYS = pd.DataFrame(
    {
        "steps": _GENERATOR.integers(0, 20_000, 3_000),
        "calories_burned": _GENERATOR.normal(2_000, 300, 3_000),
        "heart_rate_avg": _GENERATOR.normal(90, 9, 3_000),
        "sleep_hours": _GENERATOR.normal(7, 1, 3_000),
        "activity_type": _GENERATOR.choice(["walking", "yoga", "running"], 3_000),
    }
)


def models() -> dict[str, tuple[Pipeline, pd.DataFrame]]:
    """A trained pipeline of each kind that the platform makes, and features for it."""
    names = ["steps", "heart_rate_avg", "sleep_hours"]
    numbers = DAYS[names]
    scaled = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    category = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    features = ColumnTransformer(
        [("category", category, ["activity_type"]), ("numbers", scaled, names)]
    )
    classifier = RandomForestClassifier(5, max_depth=4, random_state=0)
    regressor = RandomForestRegressor(5, max_depth=4, random_state=0)
    activity = Pipeline([("impute", SimpleImputer(strategy="median")), ("forest", classifier)])
    calories = Pipeline([("features", features), ("forest", regressor)])
    segments = Pipeline([("scale", StandardScaler()), ("k-means", KMeans(3, random_state=0))])
    activity.fit(numbers, DAYS["activity_type"])
    calories.fit(DAYS, DAYS["calories_burned"])
    one, other = (RandomForestRegressor(5, max_depth=4, random_state=seed) for seed in (0, 1))
    usual = pipelines.pipeline(names, one, ["sleep_hours"], other)
    some = numbers.assign(sleep_hours=numbers["sleep_hours"].where(numbers["steps"] % 3 > 0))
    usual.fit(some, DAYS["calories_burned"])
    for model in (activity, calories, usual):
        pipelines.pack(model)
    return {
        "activity": (activity, numbers),
        "calories": (calories, DAYS),
        "usual": (usual, some),
        "segments": (segments.fit(numbers), numbers),
    }


@pytest.mark.parametrize("name", ["activity", "calories", "usual", "segments"])
def test_a_model_comes_back_the_same(name: str) -> None:
    model, features = models()[name]
    again = load(dump(model), name)
    assert np.array_equal(again.predict(features), model.predict(features))


def test_equal_models_are_equal_bytes_in_another_process() -> None:
    script = (
        "import hashlib\n"
        "from fitness_assets.storage.models import dump\n"
        "from fitness_assets_tests.storage.test_models import models\n"
        "print([hashlib.sha256(dump(m)).hexdigest() for m, _ in models().values()])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-R", "-c", script], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(printed) == 1


class _Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.canary,)


def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(StorageError, match="may be loaded"):
        load(pickle.dumps(_Payload(canary)), "x.skops")
    assert not canary.exists()


def test_a_type_that_is_not_on_the_list_is_refused() -> None:
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


def test_an_offset_of_another_version_is_refused() -> None:
    model, _ = models()["usual"]
    del model[-1].without_history
    with pytest.raises(StorageError, match="ResidualRegressor of another version"):
        load(dump(model), "x.skops")


def test_arrays_are_counted_wherever_they_are() -> None:
    model, _ = models()["usual"]
    own = sum(forest.nbytes for forest in pipelines.packed(model))
    assert own < array_bytes(model) < own + 1_000


def test_a_packed_forest_that_was_tampered_with_is_refused() -> None:
    forest = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0)
    packed = PackedForest.of(forest.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3]))
    content = dump(Pipeline([("forest", packed)]))
    own = packed.to_bytes()
    hostile = rewritten(content, lambda part: part.replace(own, own[:-1] + b"x"))
    verify(hostile, "x.skops")  # its parts are ours
    with pytest.raises(StorageError, match="not a packed forest"):
        load(hostile, "x.skops")


@pytest.mark.parametrize("name", ["activity", "calories", "usual", "segments"])
def test_a_model_of_ours_is_verified_without_scikit_learn(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(dump(models()[name][0]))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fitness_assets.storage.models import verify\n"
        "verify(Path(sys.argv[1]).read_bytes(), 'x')\n"
        "print([name for name in ('skops', 'sklearn') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]"


def rewritten(model: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The model with every file in it changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(source.read(name)))
    return changed.getvalue()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"StandardScaler"', '"Popen"'),
        ('"sklearn.preprocessing._data"', '"subprocess"'),
        ('"ObjectNode"', '"ReduceNode"'),
        ('"protocol": 2', '"protocol": 99'),
    ],
)
def test_what_is_not_of_our_parts_is_left_to_skops(old: str, new: str) -> None:
    model, _ = models()["calories"]
    content = rewritten(dump(model), lambda part: part.replace(old.encode(), new.encode()))
    with pytest.raises(StorageError, match="may be loaded"):
        verify(content, "x.skops")


def test_stray_bytes_are_refused_in_one_line() -> None:
    with pytest.raises(StorageError) as error:
        load(b"not a model", "2023-04 model.skops")
    assert re.fullmatch(r"2023-04 model\.skops is not .*", str(error.value))
