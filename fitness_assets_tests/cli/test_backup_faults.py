"""`fitness backup` and `fitness restore` that are interrupted, or find what they should not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.restoring import RESTORING
from fitness_assets_tests.support.backups import (
    Keys,
    contents,
    doctor_lines,
    error_of,
    imported_home,
    run,
    secret_file,
    store_of,
)
from fitness_assets_tests.support.disks import full, make_read_only, mounted
from fitness_assets_tests.support.tidy import write_tidy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return imported_home(tmp_path, monkeypatch)


@pytest.mark.parametrize("damage", ["is missing", "is damaged"])
def test_a_damaged_backup_is_not_restored(
    damage: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "backup"
    run("backup", str(backup))
    assert home.is_dir()
    content = next((backup / "contents").glob("*/*"))
    if damage == "is missing":
        content.unlink()
    else:
        content.write_bytes(bytes(content.stat().st_size))
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "other"))
    assert damage in error_of("restore", str(backup))
    assert not (tmp_path / "other").exists()
    output = run("restore", str(backup), "--skip-damaged")
    (lost,) = [file.path for file in store_of(backup).read().files if file.sha256 == content.name]
    assert f"left out {lost}: {content} {damage}" in output
    kept = {file.path for file in store_of(backup).read().files} - {lost}
    assert {path for path in kept if not (tmp_path / "other" / path).exists()} == set()
    assert not (tmp_path / "other" / lost).exists()


def test_a_manifest_that_names_files_outside_the_home_is_refused(
    home: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    run("backup", str(backup))
    assert home.is_dir()
    document = json.loads((backup / "backup.json").read_text())
    for path in ("../outside", "/outside", ""):
        document["files"][0]["path"] = path
        (backup / "backup.json").write_text(json.dumps(document))
        assert "not inside the home" in error_of("restore", str(backup))


def test_the_backup_of_another_home_is_not_replaced(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, moved = tmp_path / "backup", tmp_path / "mounted elsewhere"
    run("backup", str(folder))
    (home / "people" / "pseudonyms.key").write_bytes(b"another key")
    before = store_of(folder).read()
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    configured_imports(Settings.from_env()).add(
        write_tidy(tmp_path / "new.csv", "carl,2023-05-02,1000,1800,70,7,walking"), ImportOptions()
    )
    assert "that another home made: restore it" in error_of("backup", str(folder))
    assert store_of(folder).read() == before
    store_of(folder).verify(before)
    monkeypatch.setenv("FITNESS_HOME", str(home))
    folder.rename(moved)
    run("backup", str(moved))
    # The disk is not mounted.
    assert "no longer holds the backup of" in run("backup", str(folder))
    shutil.rmtree(folder)
    moved.rename(folder)
    run("backup", str(folder))
    (folder / "backup.json").write_text("{")
    run("backup", str(folder), "--verify")


def test_a_forgotten_user_is_removed_from_a_first_backup_that_was_killed(
    home: Path, tmp_path: Path
) -> None:
    assert home.is_dir()
    for name, point in (("whole", "manifest replaced"), ("begun", "files moved")):
        command = [sys.executable, "-c", _KILLED, point, "backup", str(tmp_path / name)]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    output = run("forget", "anna", "--yes")
    assert "not reached: the backup" not in output
    assert "not reached: a backup" not in output
    for path in (*(tmp_path / "whole").rglob("*"), *(tmp_path / "begun").rglob("*")):
        assert not path.is_file() or b"anna" not in path.read_bytes()
    store_of(tmp_path / "whole").verify(store_of(tmp_path / "whole").read())


def test_an_encrypted_backup_that_is_not_there_is_not_made_again_in_plain(
    home: Path, tmp_path: Path
) -> None:
    folder, keys = tmp_path / "backup", Keys.new(tmp_path / "mine.key")
    command = [sys.executable, "-c", _KILLED, "files moved", "backup", str(folder)]
    command += ["--encrypt-to", keys.recipient]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    mounted_elsewhere = "check that its disk is mounted, or name --encrypt-to"
    assert mounted_elsewhere in error_of("backup", str(folder))
    record = (home / "backups.json").read_bytes()
    (home / "backups.json").unlink()
    assert mounted_elsewhere in error_of("backup", str(folder))
    (home / "backups.json").write_bytes(record)
    shutil.rmtree(folder)
    assert mounted_elsewhere in error_of("backup", str(folder))
    assert not folder.exists()
    run("backup", str(folder), "--encrypt-to", keys.recipient, "--verify")


def test_what_cannot_be_read_is_not_left_out(home: Path, tmp_path: Path) -> None:
    folder, disk = tmp_path / "backup", tmp_path / "disk"
    run("backup", str(folder))
    before = store_of(folder).read()
    (imported,) = (home / "imports").iterdir()
    imported.rename(disk)
    imported.symlink_to(disk)
    run("backup", str(folder))
    assert store_of(folder).read().files == before.files
    disk.rename(tmp_path / "not mounted")
    assert "which does not exist: mount its disk" in error_of("backup", str(folder))
    imported.unlink()
    imported.symlink_to(home)
    assert "is a link to a folder that it is in" in error_of("backup", str(folder))
    imported.unlink()
    os.mkfifo(home / "people" / "pipe")
    assert "is not a file and cannot be backed up" in error_of("backup", str(folder))
    (home / "people" / "pipe").unlink()
    assert store_of(folder).read().files == before.files
    assert "1 import that the home no longer has" in run("backup", str(folder))


@pytest.mark.parametrize("problem", ["no space left", "read-only"])
def test_a_place_that_cannot_be_written_is_named(problem: str, home: Path, tmp_path: Path) -> None:
    assert home.is_dir()
    with mounted(tmp_path / "disk", "100k") as disk:
        folder = disk / "backup"
        if problem == "read-only":
            make_read_only(disk)
            message = error_of("backup", str(folder))
        else:
            folder.mkdir()
            with full(disk, 8_000):
                message = error_of("backup", str(folder))
            assert not list(folder.rglob("_staging-*"))
    assert message.startswith(str(folder))
    assert problem in message
    assert message.endswith("or back up to another place")


def test_a_url_of_a_service_without_backups_is_no_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.is_dir()
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    for command in ("backup", "restore"):
        for url in ("S3://bucket/prefix", "sftp://host/folder"):
            assert "name a folder, or a URL with s3://" in error_of(command, url)
    assert set(tmp_path.iterdir()) == before


def test_a_home_and_a_place_may_be_whole_disks(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.is_dir()
    for disk in ("disk", "new"):
        (tmp_path / disk / "lost+found").mkdir(parents=True)
    run("backup", str(tmp_path / "disk"))
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    run("restore", str(tmp_path / "disk"))


def test_a_list_that_is_none_is_refused_before_anything_is_restored(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.is_dir()
    run("backup", str(tmp_path / "backup"))
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    wrong = secret_file(tmp_path, "names.txt", "anna")
    error_of("restore", str(tmp_path / "backup"), "--forgotten", str(wrong))
    assert not (tmp_path / "new").exists()


def test_a_disk_without_room_is_said_before_anything_is_restored(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.is_dir()
    run("backup", str(tmp_path / "backup"))
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    assert "has 100 bytes free" in error_of("restore", str(tmp_path / "backup"))
    assert not (tmp_path / "new").exists()


def test_progress_reaches_all_bytes(home: Path, tmp_path: Path) -> None:
    run("backup", str(tmp_path / "backup"))
    store = store_of(tmp_path / "backup")
    found = store.read()
    (tmp_path / "again").mkdir()
    again = store_of(tmp_path / "again")
    for act, size in (
        (lambda show: again.write(home, ["imports", "people"], found, show), found.bytes),
        (lambda show: store.verify(found, show), found.bytes),
        (lambda show: store.restore(found, tmp_path / "new", show), 2 * found.bytes),
    ):
        shown: list[tuple[int, int]] = []
        act(lambda *progress: shown.append(progress))  # noqa: B023 - is called at once
        assert len(shown) >= len(found.files) > 1
        assert shown == sorted(shown)
        assert {total for _, total in shown} == {size}
        assert shown[-1][0] == size


def test_doctor_names_imports_that_are_newer_than_the_backup(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "the backup"
    run("backup", str(folder))
    assert doctor_lines("backups").startswith("ok ")
    more = write_tidy(tmp_path / "more.csv", "carl,2023-05-02,1000,1800,70,7,walking")
    configured_imports(Settings.from_env()).add(more, ImportOptions())
    assert f"1 import is newer; run `fitness backup '{folder}'`" in doctor_lines("backups")
    folder.rename(tmp_path / "in a drawer")
    assert "which is not there now" in doctor_lines("backups")
    assert home.is_dir()
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    run("restore", str(tmp_path / "in a drawer"))
    assert doctor_lines("backups").startswith("ok ")


_KILLED = """
import os, sys
from fitness_assets.cli.main import cli
from fitness_assets.storage import backup, backup_places, publication

def die(point):
    if point == sys.argv[1]:
        os._exit(9)

backup.reached = backup_places.reached = publication.reached = die
cli(sys.argv[2:])
"""


@pytest.mark.parametrize(
    "point", ["file moved", "files moved", "content written", "manifest replaced"]
)
def test_a_backup_that_is_killed_leaves_a_whole_one(point: str, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backup = store_of(folder)
    run("backup", str(folder))
    before = backup.read()
    (home / "people" / "pseudonyms.key").write_bytes(b"another key")
    command = [sys.executable, "-c", _KILLED, point, "backup", str(folder)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    left = backup.read()
    backup.verify(left)
    assert (left.files == before.files) == (point != "manifest replaced")
    run("backup", str(folder), "--verify")
    assert contents(folder) == {file.sha256 for file in backup.read().files}
    assert not list(folder.rglob("_staging-*"))


@pytest.mark.parametrize("point", ["content written", "files staged", "files moved"])
def test_a_restore_that_is_killed_is_continued(
    point: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, other = tmp_path / "backup", tmp_path / "other"
    run("backup", str(backup))
    monkeypatch.setenv("FITNESS_HOME", str(other))
    command = [sys.executable, "-c", _KILLED, point, "restore", str(backup)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    if point == "content written":
        # That of the file which marks the home: nothing is restored yet.
        run("restore", str(backup))
        assert (other / "imports").is_dir()
        assert not list(other.rglob("_staging-*"))
        return
    assert (other / RESTORING).exists()
    assert "is not restored whole" in doctor_lines("home")
    # A backup of a part would replace the whole one.
    for command in (["backup", str(backup)], ["status"], ["import", "none.csv"]):
        assert "run `fitness restore` again" in error_of(*command)
    assert CliRunner().invoke(cli, ["backup", "--help"]).exit_code == 0
    monkeypatch.setenv("FITNESS_HOME", str(home))
    run("backup", str(tmp_path / "later"))
    monkeypatch.setenv("FITNESS_HOME", str(other))
    assert "holds a part of the backup of" in error_of("restore", str(tmp_path / "later"))
    run("restore", str(backup))
    assert not (other / RESTORING).exists()
    key = Path("people", "pseudonyms.key")
    assert (other / key).read_bytes() == (home / key).read_bytes()
    assert not list(other.rglob("_staging-*"))
