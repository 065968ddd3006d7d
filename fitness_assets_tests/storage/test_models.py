import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

from fitness_assets.errors import StorageError
from fitness_assets.learning import activity, calories, segments
from fitness_assets.storage.models import dump, load

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
    numbers = DAYS[["steps", "sleep_hours"]]
    doing, burning = DAYS[list(activity.FEATURES)], DAYS[calories.FEATURES]
    classifier = activity.pipeline().fit(doing, DAYS["activity_type"])
    regressor = calories.pipeline().fit(burning, DAYS["calories_burned"])
    for model in (classifier, regressor):
        activity.serve_serially(model)
    return {
        "activity": (classifier, doing),
        "calories": (regressor, burning),
        "segments": (segments.pipeline(3).fit(numbers), numbers),
    }


@pytest.mark.parametrize("name", ["activity", "calories", "segments"])
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


def test_a_tree_that_leads_outside_itself_is_refused() -> None:
    forest = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0)
    model = Pipeline([("forest", forest)]).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3])
    forest.estimators_[0].tree_.children_left[0] = 10_000
    with pytest.raises(StorageError, match="lead outside"):
        load(dump(model), "x.skops")


def test_stray_bytes_are_refused_in_one_line() -> None:
    with pytest.raises(StorageError) as error:
        load(b"not a model", "2023-04 model.skops")
    assert re.fullmatch(r"2023-04 model\.skops is not .*", str(error.value))
