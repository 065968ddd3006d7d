"""The mirror: copies, updates, and origins that are damaged or hostile."""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pytest
from filelock import FileLock

from fitness_assets.errors import StorageError
from fitness_assets.months import between
from fitness_assets.release.bundle import MANIFEST, SCHEMA_VERSION
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.pointer import LATEST
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderOrigin
from fitness_assets.storage import publication
from fitness_assets.storage.models import load, verify
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.people_bundles import MONTH, publish_bundles
from fitness_assets_tests.support.releases import any_content, release_info

MONTHS = ("2023-04", "2023-05")


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def released(root: Path) -> ReleaseStore:
    store = ReleaseStore(root)
    for month in MONTHS:
        store.publish(
            {"metrics.json": month.encode(), "days.parquet": b"12345"}, release_info(month)
        )
    return store


@pytest.fixture
def origin(tmp_path: Path) -> ReleaseStore:
    return released(tmp_path / "origin")


@pytest.fixture
def mirror(tmp_path: Path, origin: ReleaseStore) -> Mirror:
    return Mirror(FolderOrigin(origin.root), tmp_path / "copy", check=any_content)


def content(store: ReleaseStore) -> dict[str, bytes]:
    return {
        path.relative_to(local(store.root)).as_posix(): path.read_bytes()
        for path in sorted(local(store.root).rglob("*"))
        if path.is_file() and not path.name.startswith("_")
    }


def test_a_copy_is_identical_and_made_once(origin: ReleaseStore, mirror: Mirror) -> None:
    state = mirror.refresh()
    assert (state.months, state.current, state.refused) == (MONTHS, "2023-05", {})
    assert content(mirror.store) == content(origin)
    for path in local(origin.root).rglob("days-*"):
        path.unlink()
    assert mirror.refresh() == state, "files that are here are not read again"


def test_without_releases_there_is_nothing_to_show(tmp_path: Path) -> None:
    state = Mirror(FolderOrigin(tmp_path / "none"), tmp_path / "copy").refresh()
    assert (state.months, state.current, state.refused) == ((), None, {})


def test_a_new_release_replaces_only_its_month(origin: ReleaseStore, mirror: Mirror) -> None:
    mirror.refresh()
    april = {p: p.stat().st_mtime_ns for p in (local(mirror.store.root) / "2023-04").iterdir()}
    origin.publish({"metrics.json": b"new"}, release_info("2023-05"))
    assert mirror.refresh().refused == {}
    assert content(mirror.store) == content(origin)
    assert {
        p: p.stat().st_mtime_ns for p in (local(mirror.store.root) / "2023-04").iterdir()
    } == april


def test_a_second_process_waits_only_for_the_first_copy(
    origin: ReleaseStore, mirror: Mirror
) -> None:
    local(mirror.store.root).mkdir()
    taken = FileLock(local(mirror.store.root) / "_mirror")
    with ThreadPoolExecutor(1) as second:
        with taken:
            state = second.submit(mirror.refresh)
            with pytest.raises(TimeoutError):
                state.result(timeout=0.3)
        assert state.result(timeout=30).months == MONTHS
        origin.publish({"metrics.json": b"new"}, release_info("2023-06"))
        with taken:
            assert second.submit(mirror.refresh).result(timeout=30).months == MONTHS
        assert mirror.refresh().months == (*MONTHS, "2023-06")


def test_a_rollback_is_followed(origin: ReleaseStore, mirror: Mirror) -> None:
    mirror.refresh()
    origin.set_current("2023-04")
    state = mirror.refresh()
    assert (state.current, state.months, state.refused) == ("2023-04", MONTHS, {})


def test_an_older_pointer_is_refused(origin: ReleaseStore, mirror: Mirror) -> None:
    old = content(origin)
    origin.publish({"metrics.json": b"repaired"}, release_info("2023-05"))
    mirror.refresh()
    kept = content(mirror.store)
    for name, data in old.items():
        (local(origin.root) / name).write_bytes(data)
    state = mirror.refresh()
    assert "is not newer than the accepted serial" in state.refused[LATEST]
    assert (state.months, content(mirror.store)) == (MONTHS, kept)


def test_a_removed_month_is_not_kept(origin: ReleaseStore, mirror: Mirror) -> None:
    mirror.refresh()
    origin.remove("2023-05")
    state = mirror.refresh()
    assert (state.months, state.current, state.refused) == (("2023-04",), "2023-04", {})
    assert content(mirror.store) == content(origin)
    origin.remove("2023-04")
    state = mirror.refresh()
    assert state.months == ("2023-04",), "the last release stays until there is another one"
    assert "lists no release, and the last ones stay" in state.refused[LATEST]
    origin.publish({"metrics.json": b"{}"}, release_info("2023-06"))
    state = mirror.refresh()
    assert (state.months, state.current, state.refused) == (("2023-06",), "2023-06", {})


def republish_may(origin: ReleaseStore) -> Path:
    """Publish new content for May; the path of its days."""
    origin.publish({"metrics.json": b"new", "days.parquet": b"54321"}, release_info("2023-05"))
    (days,) = (local(origin.root) / "2023-05").glob("days-*.parquet")
    return days


def swap_manifest(origin: ReleaseStore) -> None:
    republish_may(origin)
    (local(origin.root) / "2023-05" / MANIFEST).write_bytes(
        (local(origin.root) / "2023-04" / MANIFEST).read_bytes()
    )


def change(manifest: Callable[[dict[str, Any]], None]) -> Callable[[ReleaseStore], None]:
    """Tamper with the manifest of May, and make every digest match it."""

    def apply(origin: ReleaseStore) -> None:
        republish_may(origin)
        path = local(origin.root) / "2023-05" / MANIFEST
        document = json.loads(path.read_text())
        manifest(document)
        files = tuple(publication.StoredFile(**file) for file in document["files"])
        document["data_version"] = publication.data_version_of(files, document["info"])
        path.write_text(json.dumps(document))
        pointer = json.loads((local(origin.root) / LATEST).read_text())
        pointer["releases"]["2023-05"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (local(origin.root) / LATEST).write_text(json.dumps(pointer))

    return apply


def named(key: str, name: str) -> Callable[[ReleaseStore], None]:
    return change(lambda document: document["files"][0].update({key: name}))


FAULTS: dict[str, tuple[Callable[[ReleaseStore], object], str]] = {
    "tampered": (
        lambda o: republish_may(o).write_bytes(b"99999"),
        "does not match 2023-05/manifest.json",
    ),
    "truncated": (
        lambda o: republish_may(o).write_bytes(b"5432"),
        "does not match 2023-05/manifest.json",
    ),
    "longer": (
        lambda o: republish_may(o).write_bytes(b"543210"),
        "larger than the expected 5",
    ),
    "gone": (lambda o: republish_may(o).unlink(), "cannot be read: No such file"),
    "swapped": (
        swap_manifest,
        "2023-05/manifest.json is not the one in latest.json",
    ),
    "upwards": (named("path", "../../evil"), "not inside its folder"),
    "absolute": (named("path", "/evil"), "not inside its folder"),
    "name upwards": (named("name", "../../evil"), "not inside its folder"),
    "name absolute": (named("name", "/evil"), "not inside its folder"),
    "no name": (named("name", "a\0b"), "not inside its folder"),
    "negative": (
        change(lambda document: document["files"][0].update(bytes=-1)),
        "Expected `int` >= 0",
    ),
    "enormous": (
        change(lambda document: document["files"][0].update(bytes=10**12)),
        "more than 500,000,000",
    ),
    "another month": (
        change(lambda document: document["info"].update(month="2023-04")),
        "is of month 2023-04",
    ),
    "another version": (
        change(lambda document: document["info"].update(schema_version=SCHEMA_VERSION + 1)),
        f"schema version {SCHEMA_VERSION + 1}",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_release_is_refused_and_the_previous_one_is_kept(
    tmp_path: Path, origin: ReleaseStore, mirror: Mirror, fault: str
) -> None:
    mirror.refresh()
    kept = content(mirror.store)
    apply, message = FAULTS[fault]
    apply(origin)
    state = mirror.refresh()
    assert list(state.refused) == ["2023-05"]
    assert message in state.refused["2023-05"]
    assert state.months == MONTHS
    after = content(mirror.store)
    assert {n: d for n, d in after.items() if n != LATEST} == {
        n: d for n, d in kept.items() if n != LATEST
    }
    assert mirror.store.open("2023-05").manifest.info["month"] == "2023-05"
    assert {path.name for path in tmp_path.iterdir()} == {"origin", "copy"}

    origin.publish({"metrics.json": b"repaired"}, release_info("2023-05"))
    assert mirror.refresh().refused == {}
    assert content(mirror.store)["2023-05/" + MANIFEST] == content(origin)["2023-05/" + MANIFEST]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"x" * 1_000_001])
def test_an_unreadable_pointer_changes_nothing(
    origin: ReleaseStore, mirror: Mirror, damage: bytes
) -> None:
    before = mirror.refresh()
    (local(origin.root) / LATEST).write_bytes(damage)
    state = mirror.refresh()
    assert list(state.refused) == [LATEST]
    assert (state.months, state.current) == (before.months, before.current)


def test_only_pinned_releases_are_accepted(tmp_path: Path, origin: ReleaseStore) -> None:
    digest = origin.digest("2023-04")
    assert digest is not None
    mirror = Mirror(FolderOrigin(origin.root), tmp_path / "copy", (digest,), check=any_content)
    state = mirror.refresh()
    assert (state.months, state.current) == (("2023-04",), "2023-04")
    assert "which is not pinned" in state.refused["2023-05"]
    # A copy made before the digest was pinned is not shown either.
    Mirror(FolderOrigin(origin.root), tmp_path / "copy", check=any_content).refresh()
    assert mirror.refresh().months == ("2023-04",)


def pointer_of(origin: ReleaseStore, **changes: object) -> None:
    """Change the pointer of the origin."""
    document = json.loads((local(origin.root) / LATEST).read_text())
    (local(origin.root) / LATEST).write_text(json.dumps(document | changes))


@pytest.mark.parametrize("serial", [99, 10**6, 10**7, 10**3_999, -1, 1.5, "9", None])
@pytest.mark.parametrize(
    "listed", [{}, {"2030-01": "0" * 64}, dict.fromkeys(("2023-04", "2023-05"), "0" * 64)]
)
@pytest.mark.parametrize("pinned", [False, True])
def test_a_pointer_without_a_release_deletes_nothing(
    tmp_path: Path, origin: ReleaseStore, serial: object, listed: dict[str, str], pinned: bool
) -> None:
    pins = tuple(origin.digest(month) or "" for month in MONTHS) if pinned else ()
    mirror = Mirror(FolderOrigin(origin.root), tmp_path / "copy", pins, check=any_content)
    before = mirror.refresh()
    kept = content(mirror.store)
    good = (local(origin.root) / LATEST).read_bytes()
    pointer_of(origin, serial=serial, releases=listed, month=max(listed, default=None))
    state = mirror.refresh()
    assert state.refused
    assert (state.months, state.current) in {
        (before.months, before.current),
        (before.months, MONTHS[-1]),
    }
    assert {n: d for n, d in content(mirror.store).items() if n != LATEST} == {
        n: d for n, d in kept.items() if n != LATEST
    }
    # The owner's pointer is accepted again.
    (local(origin.root) / LATEST).write_bytes(good)
    assert mirror.refresh() == before
    origin.publish({"metrics.json": b"new"}, release_info("2023-06"))
    assert LATEST not in mirror.refresh().refused


def test_a_pinned_month_stays_when_the_pointer_does_not_list_it(
    tmp_path: Path, origin: ReleaseStore
) -> None:
    pins = tuple(origin.digest(month) or "" for month in MONTHS)
    mirror = Mirror(FolderOrigin(origin.root), tmp_path / "copy", pins, check=any_content)
    assert mirror.refresh().months == MONTHS
    listed = {"2023-05": origin.digest("2023-05")}
    pointer_of(origin, serial=999, releases=listed, month="2023-05")
    state = mirror.refresh()
    assert (state.months, state.current) == (MONTHS, "2023-05")


@pytest.mark.parametrize(
    "month",
    ["9999-12", "3000-01", "0001-01", "1969-12", "2101-01", "٢٠٢٣-٠٤", "2023-04\n", " 2023-04", ""],
)
def test_a_pointer_to_another_month_than_data_may_be_of_is_refused(
    origin: ReleaseStore, mirror: Mirror, month: str
) -> None:
    before = mirror.refresh()
    pointer_of(origin, serial=99, releases={month: "0" * 64}, month=month)
    state = mirror.refresh()
    assert list(state.refused) == [LATEST]
    assert (state.months, state.current) == (before.months, before.current)


def test_months_and_bytes_of_a_copy_are_limited(
    origin: ReleaseStore, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = dict.fromkeys(between("2000-01", "2023-04"), "0" * 64)
    pointer_of(origin, releases=many, month="2023-04")
    assert list(mirror.refresh().refused) == [LATEST]
    pointer_of(origin, releases={m: origin.digest(m) for m in MONTHS}, month=MONTHS[-1])
    monkeypatch.setattr("fitness_assets.release.mirror._MAX_COPY_BYTES", 15)
    state = mirror.refresh()
    assert (state.months, list(state.refused)) == (("2023-05",), ["2023-04"])
    assert "no room" in state.refused["2023-04"]


def test_a_new_release_gets_the_room_of_the_oldest_but_not_of_the_current(
    origin: ReleaseStore, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mirror.refresh().months == MONTHS
    monkeypatch.setattr("fitness_assets.release.mirror._MAX_COPY_BYTES", 30)
    june = {"metrics.json": b"2023-06", "days.parquet": b"12345"}
    origin.publish(june, release_info("2023-06"))
    state = mirror.refresh()
    assert (state.months, state.current) == (("2023-05", "2023-06"), "2023-06")
    assert "no room" in state.refused["2023-04"]
    assert mirror.refresh() == state
    monkeypatch.setattr("fitness_assets.release.mirror._MAX_COPY_BYTES", 15)
    origin.set_current("2023-05")
    state = mirror.refresh()
    assert (state.months, state.current) == (("2023-05",), "2023-05")
    assert list(state.refused) == ["2023-04", "2023-06"]
    assert content(mirror.store)


def test_a_damaged_file_of_the_copy_is_fetched_again(mirror: Mirror) -> None:
    before = mirror.refresh()
    kept = content(mirror.store)
    for damage in (b"damaged", b"54321", b""):
        for path in local(mirror.store.root).rglob("days-*"):
            path.write_bytes(damage)
        assert mirror.refresh() == before
        assert content(mirror.store) == kept
    for path in local(mirror.store.root).rglob("days-*"):
        path.unlink()
    (local(mirror.store.root) / "2023-05" / MANIFEST).write_bytes(b"{")
    assert mirror.refresh() == before
    assert content(mirror.store) == kept


def test_a_release_that_cannot_be_read_does_not_replace_another(
    tmp_path: Path, origin: ReleaseStore
) -> None:
    read: list[tuple[str, bool]] = []

    def check(files: dict[str, bytes], month: str, *, load_models: bool) -> None:
        read.append((month, load_models))
        if files["metrics.json"] == b"new":
            raise KeyError("metrics")

    mirror = Mirror(FolderOrigin(origin.root), tmp_path / "copy", check=check)
    before = mirror.refresh()
    assert sorted(read) == [(month, False) for month in MONTHS]
    kept = content(mirror.store)
    republish_may(origin)
    state = mirror.refresh()
    assert read[-1] == ("2023-05", True), "models are loaded, except before the first page"
    assert "2023-05 cannot be read" in state.refused["2023-05"]
    assert state.months == before.months
    assert {n: d for n, d in content(mirror.store).items() if n != LATEST} == {
        n: d for n, d in kept.items() if n != LATEST
    }


@pytest.mark.parametrize("info", [[], {"a": []}, {"schema_version": [SCHEMA_VERSION]}])
def test_a_manifest_of_another_shape_is_refused(
    origin: ReleaseStore, mirror: Mirror, info: object
) -> None:
    before = mirror.refresh()
    change(lambda document: document.update(info=info))(origin)
    state = mirror.refresh()
    assert list(state.refused) == ["2023-05"]
    assert state.months == before.months


def bomb() -> bytes:
    """A small zip that unpacks to far more than any model."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("schema.json", "w", force_zip64=True) as member,
    ):
        for _ in range(250):
            member.write(bytes(1_000_000))
    return buffer.getvalue()


def joblib_of(value: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def skops_of(value: object) -> bytes:
    """A skops file whose only node is to be unpickled, as numpy arrays once were."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.npy", pickle.dumps(value))
        node = {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "__id__": 1,
            "type": "numpy",
            "file": "1.npy",
            "protocol": 2,
            "_skops_version": "0.14",
        }
        archive.writestr("schema.json", json.dumps(node))
    return buffer.getvalue()


@pytest.mark.parametrize("make", [pickle.dumps, joblib_of, skops_of, lambda _: bomb()])
def test_a_hostile_model_executes_nothing(
    tmp_path: Path, origin: ReleaseStore, make: Callable[[object], bytes]
) -> None:
    def check(files: dict[str, bytes], month: str, **_: bool) -> None:
        for name, content in files.items():
            if name.endswith(".skops"):
                verify(content, f"{month} {name}")

    mirror = Mirror(FolderOrigin(origin.root), tmp_path / "copy", check=check)
    canary = tmp_path / "canary"
    hostile = make(Canary(canary))
    mirror.refresh()
    with pytest.raises(StorageError, match="may be loaded"):
        load(hostile, "x")

    def model(document: dict[str, Any]) -> None:
        digest = hashlib.sha256(hostile).hexdigest()
        path = f"calorie_regressor-{digest[:12]}.skops"
        (local(origin.root) / "2023-05" / path).write_bytes(hostile)
        document["files"][0] = {
            "name": "calorie_regressor.skops",
            "path": path,
            "sha256": digest,
            "bytes": len(hostile),
        }

    change(model)(origin)
    state = mirror.refresh()
    assert "is not a model that may be loaded" in state.refused["2023-05"]
    assert state.months == MONTHS
    assert not canary.exists()


def test_a_full_disk_changes_nothing(
    origin: ReleaseStore, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mirror.refresh()
    kept = content(mirror.store)
    republish_may(origin)

    def full(_: Path, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        state = mirror.refresh()
    assert "there is no space left" in state.refused["2023-05"]
    assert state.months == before.months
    assert {n: d for n, d in content(mirror.store).items() if n != LATEST} == {
        n: d for n, d in kept.items() if n != LATEST
    }
    assert mirror.refresh().refused == {}


def test_a_manifest_that_no_copy_would_match_is_refused(tmp_path: Path) -> None:
    """Its content would be that of the pointer's digest only at the origin."""
    publish_bundles(tmp_path)
    root = tmp_path / "releases"
    mirror = Mirror(FolderOrigin(root), tmp_path / "copy")
    before = mirror.refresh()
    path = root / MONTH / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    pointer = json.loads((root / "latest.json").read_text())
    pointer["releases"][MONTH] = hashlib.sha256(path.read_bytes()).hexdigest()
    pointer["serial"] += 1
    (root / "latest.json").write_text(json.dumps(pointer))
    digest = mirror.store.digest(MONTH)
    state = mirror.refresh()
    assert state.months == before.months == (MONTH,)
    assert "not written as releases are" in state.refused[MONTH]
    assert mirror.store.digest(MONTH) == digest
