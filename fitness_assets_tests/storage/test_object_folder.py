"""Publication in an object store: one winner, nothing mixed, nothing removed too early."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from fitness_assets.errors import ObjectChangedError, StorageError, UnavailableError
from fitness_assets.storage import object_folder, publication
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.locations import ObjectPath, file_names, location, remove_folder
from fitness_assets.storage.object_store import ObjectInfo, ObjectStore, StoredObject, Version
from fitness_assets.storage.publication import (
    MANIFEST,
    CrashPoint,
    Manifest,
    read_bytes,
    read_manifest,
)
from fitness_assets.storage.writer import Writer
from fitness_assets_tests.support import crash
from fitness_assets_tests.support.object_store import S3Server, Server
from fitness_assets_tests.support.polling import MONTH, contents
from fitness_assets_tests.support.racing import run_rounds

#: Rounds of writers at the same time. `make bench PART=object-store` has a hundred.
ROUNDS = 10


@pytest.fixture
def folder(object_store: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectPath:
    return folder_on(object_store, monkeypatch)


def folder_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> ObjectPath:
    folder = location(server.use(monkeypatch))
    assert isinstance(folder, ObjectPath)
    return folder


def publish(folder: ObjectPath, info: dict[str, int] | None = None, **files: str) -> Manifest:
    with Writer(folder) as writer:
        for name, content in files.items():
            (writer.staging / f"{name}.txt").write_text(content)
        return writer.publish(info or {})


def content(folder: ObjectPath, manifest: Manifest | None = None) -> dict[str, str]:
    manifest = manifest or read_manifest(folder)
    assert manifest is not None
    return {file.name: read_bytes(folder, file).decode() for file in manifest.files}


def stored(folder: ObjectPath) -> set[str]:
    return file_names(folder) - {MANIFEST}


class StoreClock:
    """The clock of the store, as listings and reads show it, which a test can move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._passed = timedelta()
        self._written: dict[str, timedelta] = {}
        for name in ("write", "create", "replace"):
            monkeypatch.setattr(ObjectStore, name, self._recorded(getattr(ObjectStore, name)))
        read, list_ = ObjectStore.read, ObjectStore.list

        def moved_read(store: ObjectStore, name: str, *rest: int) -> StoredObject | None:
            found = read(store, name, *rest)
            return found and replace(found, modified=found.modified + self._written[name])

        def moved_list(store: ObjectStore, folder: str = "") -> Iterator[ObjectInfo]:
            for each in list_(store, folder):
                yield replace(each, modified=each.modified + self._written[each.name])

        monkeypatch.setattr(ObjectStore, "read", moved_read)
        monkeypatch.setattr(ObjectStore, "list", moved_list)

    def _recorded(self, method: Callable[..., str | None]) -> Callable[..., str | None]:
        def recorded(store: ObjectStore, name: str, *rest: object) -> str | None:
            answer = method(store, name, *rest)
            self._written[name] = self._passed
            return answer

        return recorded

    def move(self, hours: float) -> None:
        """Let so many hours pass."""
        self._passed += timedelta(hours=hours)


def after_the_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of this second be old enough to be removed."""
    monkeypatch.setattr(object_folder, "GRACE", timedelta(seconds=-1))


def test_a_folder_has_the_manifest_of_a_local_folder(folder: ObjectPath, tmp_path: Path) -> None:
    assert read_manifest(folder) is None
    assert stored(folder) == set()
    manifest = publish(folder, {"rows": 2}, a="one", b="two")
    assert read_manifest(folder) == manifest
    assert content(folder) == {"a.txt": "one", "b.txt": "two"}
    with Writer(tmp_path) as writer:
        (writer.staging / "a.txt").write_text("one")
        (writer.staging / "b.txt").write_text("two")
        writer.publish({"rows": 2})
    assert (folder / MANIFEST).read_bytes() == (tmp_path / MANIFEST).read_bytes()
    assert stored(folder) == {path.name for path in tmp_path.glob("[ab]*")}


def test_equal_content_is_not_written_again(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(folder, a="one")

    def refuse(*_: object) -> None:
        pytest.fail("written")

    with monkeypatch.context() as patch:
        for name in ("write", "create", "replace"):
            patch.setattr(ObjectStore, name, refuse)
        assert publish(folder, a="one") == first
    folder.store.delete([(folder / first.files[0].path).key])
    assert publish(folder, a="one") == first
    assert content(folder) == {"a.txt": "one"}


def test_readers_of_the_manifest_before_have_their_files_for_a_while(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(folder, a="one", b="same")
    publish(folder, a="two", b="same")
    assert content(folder) == {"a.txt": "two", "b.txt": "same"}
    assert content(folder, before) == {"a.txt": "one", "b.txt": "same"}
    after_the_grace_period(monkeypatch)
    now = publish(folder, a="three", b="same")
    assert stored(folder) == {file.path for file in now.files}
    with pytest.raises(FileNotFoundError):
        content(folder, before)


def test_the_grace_period_begins_when_a_file_is_not_named_any_more(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoreClock(monkeypatch)
    publish(folder, a="one")
    clock.move(hours=30)
    before = publish(folder, a="two")
    clock.move(hours=30)
    # It was written long ago, but readers may have opened its manifest a moment ago.
    now = publish(folder, a="three")
    assert content(folder, before) == {"a.txt": "two"}
    assert stored(folder) == {each.files[0].path for each in (before, now)}
    clock.move(hours=0.5)
    again = publish(folder, a="four")
    assert content(folder, before) == {"a.txt": "two"}
    assert content(folder, now) == {"a.txt": "three"}
    clock.move(hours=2)
    last = publish(folder, a="five")
    assert stored(folder) == {each.files[0].path for each in (again, last)}


def test_what_a_killed_writer_uploaded_is_removed(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoreClock(monkeypatch)
    left = folder / "a-0123456789ab.txt"
    folder.store.write(left.key, b"left")
    clock.move(hours=0.5)
    publish(folder, a="one")
    assert left.is_file()
    clock.move(hours=2)
    publish(folder, a="two")
    assert not left.is_file()


def test_a_writer_without_changes_removes_nothing_of_a_later_publication(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoreClock(monkeypatch)
    publish(folder, a="one")
    with Writer(folder) as slow:
        (slow.staging / "a.txt").write_text("one")
        later = publish(folder, a="two")
        clock.move(hours=3)
        # A third writer begins to upload.
        folder.store.write((folder / "b-0123456789ab.txt").key, b"begun")
        with pytest.raises(StorageError, match="was published by another run"):
            slow.publish({})
    assert read_manifest(folder) == later
    assert content(folder) == {"a.txt": "two"}


def test_a_writer_removes_nothing_once_another_one_has_published(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, a="one")
    after_the_grace_period(monkeypatch)
    reached = publication.reached

    def publish_next(point: CrashPoint) -> None:
        if point == "manifest replaced":
            monkeypatch.setattr(publication, "reached", reached)
            publish(folder, a="three")

    monkeypatch.setattr(publication, "reached", publish_next)
    publish(folder, a="two")
    assert content(folder) == {"a.txt": "three"}


def test_the_writer_that_publishes_second_loses(folder: ObjectPath) -> None:
    for fast in ("the first", "a later one"):
        with Writer(folder) as slow:
            (slow.staging / "a.txt").write_text("slow")
            publish(folder, a=fast)
            with pytest.raises(StorageError) as error:
                slow.publish({})
        assert str(error.value) == (
            f"{folder} was published by another run while this one worked. What the other run "
            "published stands, and the content of this one is discarded"
        )
        assert content(folder) == {"a.txt": fast}


def test_a_folder_that_is_removed_meanwhile_stays_removed(folder: ObjectPath) -> None:
    publish(folder, a="one")
    with Writer(folder) as writer:
        (writer.staging / "a.txt").write_text("two")
        remove_folder(folder, MANIFEST)
        with pytest.raises(StorageError, match="was removed while this run worked"):
            writer.publish({})
    assert read_manifest(folder) is None


def test_two_writers_of_the_same_content_both_succeed(folder: ObjectPath) -> None:
    with Writer(folder) as slow:
        (slow.staging / "a.txt").write_text("same")
        with Writer(folder) as fast:
            (fast.staging / "a.txt").write_text("same")
            fast.publish({}, {"input": "one"})
        manifest = slow.publish({}, {"input": "two"})
    assert manifest.data_version == read_manifest(folder).data_version  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [ObjectChangedError, UnavailableError])
def test_a_success_whose_answer_was_lost_is_found(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch, error: type[StorageError]
) -> None:
    publish(folder, a="one")
    replace = ObjectStore.replace

    def lost(store: ObjectStore, name: str, content: bytes, version: Version) -> Version:
        replace(store, name, content, version)
        raise error("the answer was lost")

    monkeypatch.setattr(ObjectStore, "replace", lost)
    publish(folder, a="two")
    assert content(folder) == {"a.txt": "two"}


def test_nothing_is_removed_while_the_outcome_is_not_known(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(folder, a="one")
    after_the_grace_period(monkeypatch)

    def unavailable(*_: object) -> None:
        raise UnavailableError("the store: the server cannot be reached")

    with monkeypatch.context() as patch, Writer(folder) as writer:
        (writer.staging / "a.txt").write_text("two")
        patch.setattr(ObjectStore, "replace", unavailable)
        patch.setattr(publication, "reached", lambda _: None)
        read = ObjectStore.read
        patch.setattr(ObjectStore, "read", unavailable)
        with pytest.raises(UnavailableError, match="cannot be known before the store answers"):
            writer.publish({})
        patch.setattr(ObjectStore, "read", read)
        with pytest.raises(UnavailableError, match="the published content is unchanged"):
            writer.publish({})
    assert len(stored(folder)) == 2
    assert content(folder, before) == {"a.txt": "one"}
    publish(folder, a="two")
    assert len(stored(folder)) == 1


def test_an_upload_that_takes_as_long_as_files_are_kept_is_given_up(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, a="one")
    monkeypatch.setattr(object_folder, "_LONGEST_UPLOAD", timedelta(seconds=-1))
    with pytest.raises(StorageError, match="the upload took more than"):
        publish(folder, a="two")
    assert content(folder) == {"a.txt": "one"}


@pytest.mark.parametrize("point", sorted({*get_args(CrashPoint)} - {"content written"}))
def test_a_killed_writer_leaves_a_month_whole(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: CrashPoint
) -> None:
    # Of this process, and by its variable of the others.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    lake = Lake(folder, TableInfo)
    crash.publish(lake, MONTH, 1)
    assert list(tmp_path.glob("fitness-*")) == []
    process = crash.start(lake, MONTH, [2], point, timedelta(seconds=-1))
    assert crash.exit_status(process) == -9
    (left,) = tmp_path.glob("fitness-*")
    assert left.stat().st_mode & 0o777 == 0o700
    replaced = point in {"manifest replaced", "old file deleted"}
    assert contents(lake) == {2 if replaced else 1}
    after_the_grace_period(monkeypatch)
    with Writer(folder / "other"):
        assert not left.exists(), "the next writer removes what the killed one staged"
        crash.publish(lake, MONTH, 3)
        assert len(list(tmp_path.glob("fitness-*"))) == 1, "and not what another one stages"
    assert contents(lake) == {3}
    names = {file.path for file in lake.published(MONTH).files}
    assert file_names(lake.folder(MONTH)) == {MANIFEST, *names}


def test_another_server_lists_the_tag_that_it_answered(
    seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_on(seaweedfs, monkeypatch)
    publish(folder, a="one")
    after_the_grace_period(monkeypatch)
    now = publish(folder, a="two")
    assert stored(folder) == {file.path for file in now.files}


@pytest.mark.parametrize("server", ["seaweedfs", "google_storage", "azurite"])
def test_of_racing_writers_one_wins(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_on(request.getfixturevalue(server), monkeypatch)
    won = [-1]

    def ended(winners: list[int], published: int) -> None:
        assert winners == [published]
        won.append(published)

    seen = run_rounds(Lake(folder, TableInfo), ROUNDS, ended)
    assert len(won) == 1 + ROUNDS
    assert seen <= set(won)
