"""`fitness predict` and `fitness release export`."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import onnxruntime
import pandas as pd
import pytest

from fitness_assets.cli import row_batches
from fitness_assets.cli.released_model import ReleasedForest, open_forest
from fitness_assets.cli.row_batches import open_rows
from fitness_assets.cli.scoring import Scored, notes, score
from fitness_assets.errors import FitnessError
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.prediction import (
    feature_rows,
    form_features,
    predict_activity,
    predict_calories,
    predict_calories_of_days,
)
from fitness_assets.release.bundle import Fallback, ReleasedModel
from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings
from fitness_assets.storage.lake import DailyInfo, Lake
from fitness_assets_tests.support import small_forests
from fitness_assets_tests.support.commands import run_command
from fitness_assets_tests.support.platform import MONTHS

USED = "steps,activity_type,weight_kg,steps_mean_28d"


def forest(*, classifier: bool = False) -> ReleasedForest:
    model, metrics = small_forests.classifier() if classifier else small_forests.regressor()
    name, nothing = "activity_classifier" if classifier else "calorie_regressor", cast("Any", None)
    return ReleasedForest(name, model, metrics, nothing, nothing, MONTHS[-1])


def scored(
    content: str | bytes | pd.DataFrame, folder: Path, to: str = "o.csv", **of: bool
) -> tuple[pd.DataFrame, Scored]:
    """The rows of a file with predictions, and what was found."""
    path = folder / ("i.parquet" if isinstance(content, pd.DataFrame) else "i.csv")
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path, row_group_size=40)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = open_rows(path)
    with source.file:
        found = score(forest(**of), source, folder / to, lambda _done, _total: None)
    read = pd.read_csv if to.endswith(".csv") else pd.read_parquet
    return read(folder / to), found


def days_of_the_lake(released: Settings) -> pd.DataFrame:
    """Some days of the last month."""
    lake = Lake(released.home / "lake" / "daily_activity", DailyInfo)
    days: pd.DataFrame = lake.scan([MONTHS[-1]]).table.to_pandas()
    return days.head(200)


@pytest.mark.parametrize("to", ["o.csv", "o.parquet"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_batches_give_the_predictions_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, to: str
) -> None:
    monkeypatch.setattr(row_batches, "_BATCH_ROWS", 37)
    days = small_forests.days(100, seed=3)
    content: str | pd.DataFrame = days if kind == "parquet" else days.to_csv(index=False)
    found, report = scored(content, tmp_path, to)
    model, metrics = small_forests.regressor()
    expected = predict_calories_of_days(model, metrics, days)
    columns = ["predicted_calories_burned", "predicted_low", "predicted_high"]
    np.testing.assert_allclose(found[columns], expected, rtol=1e-12)
    assert list(found) == [*days, *columns, "extrapolated"]
    np.testing.assert_allclose(found["steps"].astype(float), days["steps"])
    assert report.rows == 100


def test_a_classifier_adds_the_probability_of_each_activity(tmp_path: Path) -> None:
    found, _ = scored(small_forests.days(20), tmp_path, "o.parquet", classifier=True)
    probabilities = found.filter(like="probability_")
    assert list(probabilities) == [f"probability_{n}" for n in ("running", "walking", "yoga")]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    likeliest = probabilities.idxmax(axis=1).str.removeprefix("probability_")
    assert found["predicted_activity_type"].tolist() == likeliest.tolist()


def test_columns_that_are_not_used_are_copied_and_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    content = 'id,=x,steps,note\n007,=1+1,8000,"a, ""b""\nc"\n-5,@a,-7,\n1.50,+1,9,é\n'
    scored(content, tmp_path)
    written = pd.read_csv(tmp_path / "o.csv", dtype=str, keep_default_na=False)
    assert written["id"].tolist() == ["007", "-5", "1.50"]
    assert written["'=x"].tolist() == ["'=1+1", "'@a", "'+1"]
    assert written["steps"].tolist() == ["8000", "-7", "9"]
    assert written["note"].tolist() == ['a, "b"\nc', "", "é"]
    parquet, _ = scored(content, tmp_path, "o.parquet")
    assert parquet["=x"].tolist() == ["=1+1", "@a", "+1"]
    assert parquet["steps"].tolist() == [8_000.0, -7.0, 9.0]


def test_rows_outside_the_training_range_are_marked(tmp_path: Path) -> None:
    content = f"{USED}\n8000,Walking,75,8000\n90000,surfing,75,8000\n,,,\n8000,Outdoor Walk,,1\n"
    found, report = scored(content, tmp_path, "o.parquet")
    assert found["extrapolated"].tolist() == ["", "activity_type steps", "", "steps_mean_28d"]
    _, *lines = notes(report, small_forests.regressor()[1].inputs)
    assert lines[0].startswith("2 of 4 rows have values outside the training range")
    assert lines[1].startswith("no activity_type that the model knows: 'surfing'; it knows running")
    pounds = "steps,weight_kg\n" + "8000,170\n" * 3
    _, report = scored(pounds, tmp_path)
    assert any(
        line.startswith("3 of 3 values of weight_kg lie outside the training range")
        and line.endswith("is the column in kg?")
        for line in notes(report, small_forests.regressor()[1].inputs)
    )


def test_columns_that_the_file_lacks_and_lists_are_named_once(tmp_path: Path) -> None:
    days = small_forests.days(100)[["steps", "sex"]].assign(
        flags=pd.Series([["a"]] * 100, dtype=object)
    )
    found, report = scored(days, tmp_path)
    assert "flags" not in found
    lacking, left_out, *_ = notes(report, small_forests.regressor()[1].inputs)
    assert lacking.startswith("it lacks activity_type, heart_rate_avg, sleep_hours, distance_km,")
    assert lacking.endswith("without calories_burned_mean_28d the model without history predicts")
    assert "steps" not in lacking.replace("steps_mean_28d", "").split()
    assert left_out == "lists and structures are not written: flags"


def test_missing_values_and_other_delimiters_are_read(tmp_path: Path) -> None:
    plain, _ = scored(f"{USED}\n8000,walking,,8000\n", tmp_path)
    for content in (
        f"\ufeff{USED}\n8000,walking,NA,8000\n",
        f"{USED}\r\n 8000 ,walking,null,8e3\r\n",
        f"{USED}\n8000,walking,NaN,8000".replace(",", ";"),
        f'{USED}\n"8000","walking",,"8000"\n'.replace(",", "\t"),
    ):
        found, _ = scored(content, tmp_path)
        assert found["predicted_low"].tolist() == plain["predicted_low"].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "i.csv is empty"),
        (f"{USED}\n", "i.csv has no rows"),
        (
            "a,b\n1,2\n",
            "i.csv has none of the columns that the calorie_regressor uses: activity_type,",
        ),
        (f"{USED}\n1,a,2,3\n1,a,2;5,3\n", "i.csv, row 2: weight_kg is '2;5', not a number"),
        (f"{USED}\n1,a,2,3\n\n1,a,2 kg,3\n", "row 2: weight_kg is '2 kg', not a number"),
        (f"{USED}\ninf,a,2,3\n", "row 1: steps is 'inf', not a number"),
        (f"{USED}\n1e300,a,2,3\n", "row 1: steps is '1e300', which is too large"),
        (f"{USED}\n1,a,2\n", "i.csv cannot be read as csv: CSV parse error"),
        (f"{USED}\n1,é,2,3\n".encode("latin-1"), "it is not in UTF-8; convert it"),
        (f"{USED}é\n1,a,2,3\n".encode("latin-1"), "it is not in UTF-8; convert it"),
        (f"{USED}\n1,a,2,3\n".encode("utf-16"), "i.csv is not in UTF-8; convert it"),
        ("steps,steps\n1,2\n", "i.csv has the column steps twice"),
        ("steps,predicted_low\n1,2\n", "i.csv has the column predicted_low already"),
        (pd.DataFrame({"steps": [[1]]}), "i.parquet has none of the columns"),
        (pd.DataFrame({"steps": [True]}), "i.parquet: steps is of type bool, not numbers"),
        (pd.DataFrame({"steps": [1.0, np.inf]}), "i.parquet, row 2: steps is inf, not a number"),
        (pd.DataFrame({"steps": ["1", "x"]}), "i.parquet, row 2: steps is 'x', not a number"),
        (pd.DataFrame({"sex": [1]}), "i.parquet: sex is of type int64, not text"),
        (pd.DataFrame({"steps": []}), "i.parquet has no rows"),
    ],
)
def test_an_error_is_one_line_and_an_earlier_output_stays(
    tmp_path: Path, content: str | bytes | pd.DataFrame, message: str
) -> None:
    (tmp_path / "o.csv").write_text("earlier")
    with pytest.raises(FitnessError) as error:
        scored(content, tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert (tmp_path / "o.csv").read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 2, "nothing is left behind"


def test_rows_are_counted_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_batches, "_BATCH_ROWS", 10)
    with pytest.raises(FitnessError, match="row 26: steps is 'x'"):
        scored("steps\n" + "1\n" * 25 + "x\n", tmp_path)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "kind"), [(_pipe, "a pipe"), (Path.mkdir, "a folder")], ids=["pipe", "folder"]
)
def test_only_regular_files_are_read_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    made = tmp_path / "i.csv"
    make(made)
    with pytest.raises(FitnessError, match=f"i.csv cannot be read: it is {kind}"):
        open_rows(made)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps.csv").write_text("steps\n1\n")
    source = open_rows(tmp_path / "steps.csv")
    with source.file, pytest.raises(FitnessError, match=f"cannot be written: it is {kind}"):
        score(forest(), source, made, lambda _done, _total: None)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("steps\n1\n")
    link = tmp_path / "link.csv"
    link.symlink_to("real.csv")
    with open_rows(link).file as file:
        assert file.read() == b"steps\n1\n"
    (tmp_path / "o.csv").symlink_to("target.csv")
    (tmp_path / "target.csv").touch(mode=0o600)
    scored("steps\n1\n", tmp_path)
    assert (tmp_path / "o.csv").is_symlink()
    assert (tmp_path / "target.csv").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "target.csv").read_text().startswith('"steps"')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "nonsense", "i.csv"], "there is no model 'nonsense'"),
        (["predict", "segment_model", "i.csv"], "the segment_model assigns users to segments"),
        (["predict", "calorie_regressor", "i.txt"], "i.txt is neither .csv nor .parquet"),
        (["predict", "calorie_regressor", "no.csv"], "no.csv: no such file or directory"),
        (["predict", "calorie_regressor", "i.csv", "--to", "o.xls"], "--to o.xls is neither .csv"),
        (["predict", "calorie_regressor", "i.csv", "--to", "i.csv"], "--to i.csv is the input"),
        (["predict", "calorie_regressor", "i.csv"], "holds no release yet"),
        (["predict", "calorie_regressor", "i.csv", "--release", "../x"], "'../x' is not a month"),
        (
            ["predict", "calorie_regressor", "i.csv", "--release", "2023-01"],
            "no release of 2023-01",
        ),
        (["release", "export", "segment_model", "--onnx", "m"], "the segment_model assigns"),
        (["release", "export", "calorie_regressor", "--onnx", "m"], "holds no release yet"),
    ],
)
def test_a_wrong_argument_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "i.csv").write_text("steps\n1\n")
    run = run_command(*arguments, FITNESS_HOME=str(tmp_path / "home"))
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("fitness: ")
    assert message in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i.csv"]


def test_without_the_extra_export_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("fitness_assets.models.onnx_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    arguments = ("release", "export", "calorie_regressor", "--onnx", tmp_path / "m")
    run = run_command(*arguments, FITNESS_HOME=str(tmp_path))
    assert run.returncode == 1
    assert run.stderr == "fitness: ONNX needs an extra: pip install fitness_assets[onnx]\n"


def test_a_model_that_was_not_released_is_named_with_the_reason(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReleaseStore(released.home / "releases")
    assert open_forest(store, "calorie_regressor", MONTHS[0]).month == MONTHS[0]
    monkeypatch.setattr("fitness_assets.release.bundle.Release.model", lambda *_: None)
    with pytest.raises(FitnessError, match="the release of 2023-05 has no calorie_regressor: "):
        open_forest(store, "calorie_regressor", None)


def test_a_fallback_is_named_with_its_month(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReleaseStore(released.home / "releases")
    report = store.open(MONTHS[1]).report()
    own = report.models["calorie_regressor"].report
    refused = msgspec.structs.replace(own, released=False, reason="it is worse")
    carried = ReleasedModel(report=refused, fallback=Fallback(month=MONTHS[0], report=own))
    changed = msgspec.structs.replace(report, models={"calorie_regressor": carried})
    monkeypatch.setattr("fitness_assets.release.bundle.Release.report", lambda _: changed)
    found = open_forest(store, "calorie_regressor", None)
    assert found.note == "the release of 2023-05 has the calorie_regressor of 2023-04"
    assert found.properties()["month"] == MONTHS[0]


def test_a_released_model_scores_the_lake_and_a_form_alike(
    released: Settings, tmp_path: Path
) -> None:
    store = ReleaseStore(released.home / "releases")
    days = days_of_the_lake(released)
    path, to = tmp_path / "days.parquet", tmp_path / "o.parquet"
    days.to_parquet(path)
    arguments = ("predict", "calorie_regressor", path, "--to", to)
    run = run_command(*arguments, FITNESS_HOME=str(released.home))
    assert (run.returncode, run.stdout) == (0, f"{to}: 200 rows\n")
    regressor = open_forest(store, "calorie_regressor", None)
    assert isinstance(regressor.metrics, RegressorMetrics)
    expected = predict_calories_of_days(regressor.model, regressor.metrics, days)["expected"]
    found = pd.read_parquet(to)["predicted_calories_burned"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)

    # A form asks for fewer features, and derives others from them.
    classifier = open_forest(store, "activity_classifier", None)
    for each in (regressor, classifier):
        form = days[form_features(each.metrics.inputs)].iloc[:3]
        form.to_csv(tmp_path / "form.csv", index=False)
        predict = ("predict", each.name, tmp_path / "form.csv")
        run = run_command(*predict, FITNESS_HOME=str(released.home))
        assert run.returncode == 0
        table = pd.read_csv(io.StringIO(run.stdout))
        records: list[dict[str, Any]] = [
            {str(name): None if pd.isna(value) else value for name, value in row.items()}
            for row in form.to_dict("records")
        ]
        for record, row in zip(records, table.to_dict("records"), strict=True):
            if isinstance(each.metrics, RegressorMetrics):
                answer = predict_calories(each.model, each.metrics, record)
                estimates = [answer.kcal, answer.low, answer.high]
                names = ["predicted_calories_burned", "predicted_low", "predicted_high"]
                outside = answer.out_of_range
            else:
                shares = predict_activity(each.model, each.metrics, record)
                estimates = list(shares.probabilities.values())
                names = [f"probability_{name}" for name in shares.probabilities]
                assert row["predicted_activity_type"] == next(iter(shares.probabilities))
                outside = shares.out_of_range
            np.testing.assert_allclose([row[name] for name in names], estimates)
            assert str(row["extrapolated"]).replace("nan", "").split() == outside


def test_a_released_model_is_exported_as_onnx(released: Settings, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    arguments = ("release", "export", "calorie_regressor", "--onnx", path, "--release", MONTHS[0])
    assert run_command(*arguments, FITNESS_HOME=str(released.home)).returncode == 0
    session = onnxruntime.InferenceSession(path)
    found = session.get_modelmeta().custom_metadata_map
    assert found["model"] == "calorie_regressor"
    assert found["release"] == found["month"] == MONTHS[0]
    assert list(json.loads(found["data_versions"])) == [MONTHS[0]]
    each = open_forest(ReleaseStore(released.home / "releases"), "calorie_regressor", MONTHS[0])
    rows = feature_rows(each.metrics.inputs, days_of_the_lake(released))
    categories = each.metrics.inputs.categories
    inputs = {
        name: (rows[[name]].fillna("") if name in categories else rows[[name]]).to_numpy()
        for name in rows
    }
    kcal = session.run(["calories_burned"], inputs)[0]
    np.testing.assert_allclose(kcal[:, 0], each.model.predict(rows), rtol=2e-7)
