import hashlib
import json
from pathlib import Path

import pytest

from fitness_assets.errors import StorageError
from fitness_assets.storage.release import LATEST, ReleaseStore

INFO = {"summary": {"records": 1}}


def test_latest_points_to_the_newest_month_whatever_the_order(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    for month in ("2023-05", "2023-06", "2023-04"):
        store.publish(month, {"metrics.json": b"{}"}, INFO)
    assert store.months() == ["2023-04", "2023-05", "2023-06"]
    latest = json.loads((tmp_path / LATEST).read_text())
    manifest = (tmp_path / latest["manifest"]).read_bytes()
    assert latest["month"] == "2023-06"
    assert latest["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()


def test_a_release_that_cannot_be_loaded_does_not_become_the_latest(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    store.publish("2023-04", {"metrics.json": b"{}"}, INFO)
    with pytest.raises(StorageError, match="may be loaded"):
        store.publish("2023-05", {"segment_model.skops": b"hostile"}, INFO)
    assert json.loads((tmp_path / LATEST).read_text())["month"] == "2023-04"
    assert store.months() == ["2023-04"]


def test_a_copy_is_verified_and_sends_only_what_is_new(tmp_path: Path) -> None:
    here, there = ReleaseStore(tmp_path / "here"), ReleaseStore(tmp_path / "there")
    files = {"metrics.json": b"{}", "days.parquet": b"12345"}
    release = here.publish("2023-04", files, INFO)
    copy, sent = there.receive(release)
    assert (copy.manifest, sent) == (release.manifest, 7)
    assert there.receive(release)[1] == 0
    release = here.publish("2023-04", {**files, "days.parquet": b"123456"}, INFO)
    assert there.receive(release)[1] == 6
    (release.folder / release.manifest.file("days.parquet").path).write_bytes(b"654321")
    with pytest.raises(StorageError, match="is not what its manifest says"):
        there.receive(release)
    assert there.open("2023-04").manifest == release.manifest


def test_a_release_of_another_version_is_refused(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    store.publish("2023-04", {"metrics.json": b"{}"}, INFO)
    with pytest.raises(StorageError, match="schema version 99"):
        store.publish("2023-04", {"metrics.json": b"{}"}, {**INFO, "schema_version": 99})
    with pytest.raises(StorageError, match="no release of 2023-05"):
        store.open("2023-05")
