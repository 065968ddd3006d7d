import hashlib
import json
from pathlib import Path

import pytest

from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.releases import release_info


def test_the_newest_month_is_current_in_any_order_of_publication(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    for month in ("2023-05", "2023-06", "2023-04"):
        store.publish({"metrics.json": b"{}"}, release_info(month))
    assert store.months() == ["2023-04", "2023-05", "2023-06"]
    pointer = store.pointer()
    assert pointer is not None
    assert (pointer.serial, pointer.month) == (3, "2023-06")
    for month, digest in pointer.releases.items():
        manifest = (tmp_path / month / "manifest.json").read_bytes()
        assert hashlib.sha256(manifest).hexdigest() == digest == store.digest(month)


def current(store: ReleaseStore) -> str | None:
    pointer = store.pointer()
    assert pointer is not None
    return pointer.month


def test_an_older_month_stays_current_until_new_content_is_published(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    for month in ("2023-04", "2023-05", "2023-06"):
        store.publish({"metrics.json": b"{}"}, release_info(month))
    store.set_current("2023-05")
    assert current(store) == "2023-05"
    store.publish({"metrics.json": b"{}"}, release_info("2023-06"))
    assert current(store) == "2023-05", "publishing the same content again changes nothing"
    store.publish({"metrics.json": b"[]"}, release_info("2023-04"))
    assert current(store) == "2023-05"
    store.publish({"metrics.json": b"[]"}, release_info("2023-06"))
    assert current(store) == "2023-06"
    with pytest.raises(ReleaseError, match="no release of 2023-07; there are 2023-04, 2023-05"):
        store.set_current("2023-07")


def test_a_damaged_pointer_is_rebuilt_from_the_releases(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    for month in ("2023-04", "2023-05"):
        store.publish({"metrics.json": b"{}"}, release_info(month))
    before = store.pointer()
    (tmp_path / LATEST).write_text("{")
    with pytest.raises(ReleaseError, match="is not a pointer"):
        store.pointer()
    store.publish({"metrics.json": b"{}"}, release_info("2023-05"))
    assert store.pointer() == before


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"month": "2023-05"},
        {"serial": "1"},
        {"releases": {"../x": "0" * 64}, "month": "../x"},
        {"releases": {"2023-04": "short"}},
        {"releases": ["2023-04"]},
        {"ids": []},
        {"more": 1},
    ],
)
def test_an_invalid_pointer_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    store = ReleaseStore(tmp_path)
    store.publish({"metrics.json": b"{}"}, release_info("2023-04"))
    document = json.loads((tmp_path / LATEST).read_text())
    assert Pointer.parse(json.dumps(document).encode(), "x") == store.pointer()
    with pytest.raises(ReleaseError, match="x is not a pointer to a release"):
        Pointer.parse(json.dumps(document | change).encode(), "x")


def test_a_release_whose_model_cannot_be_loaded_is_not_published(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    store.publish({"metrics.json": b"{}"}, release_info("2023-04"))
    with pytest.raises(StorageError, match="may be loaded"):
        store.publish({"segment_model.skops": b"hostile"}, release_info("2023-05"))
    assert current(store) == "2023-04"
    assert store.months() == ["2023-04"]


def test_an_upload_is_verified_and_sends_only_new_files(tmp_path: Path) -> None:
    here, there = ReleaseStore(tmp_path / "here"), FolderTarget(tmp_path / "there")
    files = {"metrics.json": b"{}", "days.parquet": b"12345"}
    release = here.publish(files, release_info("2023-04"))
    uploaded = there.upload(release)
    assert (uploaded.manifest, uploaded.sent) == (release.manifest, 7)
    assert uploaded.link == str(tmp_path / "there" / LATEST)
    assert there.upload(release).sent == 0
    release = here.publish({**files, "days.parquet": b"123456"}, release_info("2023-04"))
    assert there.upload(release).sent == 6
    (local(release.folder) / release.manifest.file("days.parquet").path).write_bytes(b"654321")
    with pytest.raises(StorageError, match="differs from its manifest"):
        there.upload(release)
    assert there.open("2023-04").manifest == release.manifest


def test_a_release_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    store.publish({"metrics.json": b"{}"}, release_info("2023-04"))
    with pytest.raises(StorageError, match="schema version 99"):
        store.publish({"metrics.json": b"{}"}, release_info("2023-04", schema_version=99))
    with pytest.raises(StorageError, match="no release of 2023-05"):
        store.open("2023-05")
