import json
from pathlib import Path

import pandas as pd
import pytest

from fitness_assets.errors import StorageError
from fitness_assets.models.reports import CompressionReport
from fitness_assets.storage.models import FORMAT, METRICS, MODEL, ModelStore
from fitness_assets.storage.publication import MANIFEST
from fitness_assets.storage.writer import Writer
from fitness_assets_tests.support.local_paths import local

REPORT = CompressionReport(steps=[], reason="too few users")


def store_as_version_0_1(root: Path, month: str) -> None:
    """Store a month as fitness_assets 0.1 did: without a format in the manifest's info."""
    with Writer(root / month) as writer:
        (writer.staging / MODEL).write_bytes(b"names modules that no longer exist")
        (writer.staging / METRICS).write_text(json.dumps({"learned": True, "r2": 0.5}))
        pd.DataFrame({"user_id": ["u1"]}).to_parquet(writer.staging / "segments.parquet")
        writer.publish({"learned": True, "r2": 0.5, "released": True})


def test_a_saved_month_is_read_back(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "calorie_regressor", CompressionReport)
    table = pd.DataFrame({"user_id": ["u1"], "segment": [0]})
    manifest = store.save("2023-05", b"model", REPORT, {"segments": table})
    assert store.manifest("2023-05") == manifest
    assert manifest.info["format"] == FORMAT
    assert manifest.info["reason"] == "too few users"
    assert store.read("2023-05", MODEL) == b"model"
    assert store.report("2023-05") == REPORT
    stored = store.table("2023-05", "segments")
    assert stored is not None
    assert stored.equals(table)
    assert store.table("2023-05", "other") is None


def test_a_missing_month_names_the_command_to_run(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "calorie_regressor", CompressionReport)
    assert store.manifest("2023-05") is None
    with pytest.raises(StorageError) as error:
        store.report("2023-05")
    assert str(error.value) == "calorie_regressor has no 2023-05; run `fitness backfill 2023-05`"


def test_a_month_of_an_older_version_names_the_command_to_run(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "calorie_regressor", CompressionReport)
    store_as_version_0_1(local(store.root), "2023-05")
    assert store.manifest("2023-05") is None
    for read in (
        lambda: store.report("2023-05"),
        lambda: store.read("2023-05", MODEL),
        lambda: store.table("2023-05", "segments"),
        lambda: store.published("2023-05"),
    ):
        with pytest.raises(StorageError) as error:
            read()
        assert str(error.value) == (
            "calorie_regressor of 2023-05 was stored by an older version of fitness_assets; "
            "run `fitness backfill 2023-05`"
        )


def test_a_month_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "calorie_regressor", CompressionReport)
    with Writer(store.folder("2023-05")) as writer:
        writer.publish({"format": FORMAT + 1})
    assert store.manifest("2023-05") is None
    with pytest.raises(StorageError, match="stored by a newer version of fitness_assets"):
        store.report("2023-05")


def test_a_month_of_an_older_version_is_replaced(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "calorie_regressor", CompressionReport)
    store_as_version_0_1(local(store.root), "2023-05")
    store.save("2023-05", b"model", REPORT)
    assert store.report("2023-05") == REPORT
    kept = {path.name.partition("-")[0] for path in local(store.folder("2023-05")).iterdir()}
    assert kept == {"model", "metrics", MANIFEST, "_lock"}
