import errno
import json
from pathlib import Path

import pytest

from fitness_assets.errors import StorageError
from fitness_assets.storage.links import link_or_copy
from fitness_assets.storage.publication import MANIFEST, Manifest, read_bytes, read_manifest
from fitness_assets.storage.writer import Writer


def publish(folder: Path, info: dict[str, int] | None = None, **files: str) -> Manifest:
    with Writer(folder) as writer:
        for name, content in files.items():
            (writer.staging / f"{name}.txt").write_text(content)
        return writer.publish(info or {})


def content(folder: Path) -> dict[str, str]:
    manifest = read_manifest(folder)
    assert manifest is not None
    return {file.name: read_bytes(folder, file).decode() for file in manifest.files}


def at_rest(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith("_")}


def test_readers_get_what_was_published(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "month") is None
    manifest = publish(tmp_path / "month", {"rows": 2}, a="one", b="two")
    assert content(tmp_path / "month") == {"a.txt": "one", "b.txt": "two"}
    assert read_manifest(tmp_path / "month") == manifest
    assert manifest.info == {"rows": 2}
    assert manifest.bytes == 6


def test_a_new_publication_replaces_the_old_files(tmp_path: Path) -> None:
    publish(tmp_path, a="one", b="two")
    publish(tmp_path, a="three")
    assert content(tmp_path) == {"a.txt": "three"}
    assert len(at_rest(tmp_path)) == 1


def test_publishing_equal_content_changes_nothing(tmp_path: Path) -> None:
    first = publish(tmp_path, {"rows": 1}, a="one")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != "_lock"}
    assert publish(tmp_path, {"rows": 1}, a="one") == first
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert publish(tmp_path, {"rows": 2}, a="one").data_version != first.data_version


def test_a_failing_writer_leaves_the_folder_unchanged(tmp_path: Path) -> None:
    publish(tmp_path, a="one")

    def fail_half_way() -> None:
        with Writer(tmp_path) as writer:
            (writer.staging / "a.txt").write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert content(tmp_path) == {"a.txt": "one"}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set()


def test_files_of_a_killed_writer_are_deleted_and_damage_is_repaired(tmp_path: Path) -> None:
    manifest = publish(tmp_path, a="one")
    (tmp_path / "_staging-killed").mkdir()
    (tmp_path / "_staging-killed" / "a.txt").write_text("half")
    (tmp_path / "a-000000000000.txt").write_text("moved, but in no manifest")
    (tmp_path / manifest.files[0].path).write_text("flipped")
    publish(tmp_path, a="one")
    assert content(tmp_path) == {"a.txt": "one"}
    assert at_rest(tmp_path) == {manifest.files[0].path}
    assert not (tmp_path / "_staging-killed").exists()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Writer(tmp_path):
        second = Writer(tmp_path, wait=0.1)
        with pytest.raises(StorageError, match="still being written by another run"), second:
            pytest.fail("two writers hold one folder")


def test_changed_files_and_manifests_are_refused(tmp_path: Path) -> None:
    manifest = publish(tmp_path, a="one")
    (tmp_path / manifest.files[0].path).write_text("two")
    with pytest.raises(StorageError, match="differs from its manifest"):
        content(tmp_path)

    document = json.loads((tmp_path / MANIFEST).read_text())
    changes: list[tuple[dict[str, object], str]] = [
        ({"info": {"rows": 9}}, "was changed after it was written"),
        ({"format": 99}, "format 99"),
        ({"files": [{**document["files"][0], "path": "../../outside"}]}, "not inside its folder"),
        ({"files": [{"name": "a.txt"}]}, "cannot be read"),
    ]
    for change, message in changes:
        (tmp_path / MANIFEST).write_text(json.dumps({**document, **change}))
        with pytest.raises(StorageError, match=message):
            read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV])
def test_a_file_system_without_hard_links_gets_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    with pytest.raises(FileNotFoundError):
        link_or_copy(source, target)
    source.write_text("content")
    link_or_copy(source, target)
    assert target.read_text() == "content"
    with pytest.raises(FileExistsError):
        link_or_copy(source, target)


def test_a_link_that_fails_for_another_reason_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "source").write_text("content")
    with pytest.raises(OSError, match="no space"):
        link_or_copy(tmp_path / "source", tmp_path / "target")
