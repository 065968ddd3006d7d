"""`fitness backup` and `fitness restore`, with a drill: the restored home has the same versions."""

import json
import shutil
from pathlib import Path

import pytest

from fitness_assets.cli import restore_runs
from fitness_assets.errors import StorageError
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_encryption import BackupKey
from fitness_assets.storage.backup_places import ObjectPlace, open_place
from fitness_assets.storage.backup_records import BackupRecords
from fitness_assets.storage.restoring import RESTORING
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.backups import (
    Keys,
    contents,
    doctor_lines,
    error_of,
    imported_home,
    run,
    store_of,
)
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.tidy import write_tidy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return imported_home(tmp_path, monkeypatch)


def versions() -> dict[str, dict[str, str]]:
    assets = json.loads(run("status", "--json"))["assets"]
    return {
        name: {month: status["data_version"] for month, status in months.items()}
        for name, months in assets.items()
    }


def test_a_restored_home_ends_with_the_same_data_versions(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backfill")
    before = versions()
    assert before["daily_activity"]["2023-05"]
    assert before["dashboard_release"]["2023-05"]
    assert "verified" in run("backup", str(tmp_path / "backup"), "--verify")
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("FITNESS_SOURCE")
    assert "the home that was backed up had FITNESS_SOURCE=exports" in run(
        "restore", str(tmp_path / "backup")
    )
    monkeypatch.setenv("FITNESS_SOURCE", "exports")
    run("backfill")
    assert versions() == before
    settings = Settings.from_env()
    assert Workspace.of(settings).pseudonyms.pseudonym("anna") == Workspace.of(
        Settings.from_env({"FITNESS_HOME": str(home)})
    ).pseudonyms.pseudonym("anna")
    key = Path("people", "pseudonyms.key")
    assert (home / key).stat().st_mode == (settings.home / key).stat().st_mode


def test_only_new_contents_are_copied_and_those_of_no_file_deleted(
    home: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    run("backup", str(backup))
    before = {path: path.stat().st_mtime_ns for path in backup.rglob("*/*/*")}
    assert "of which 0 bytes are new" in run("backup", str(backup))
    assert {path: path.stat().st_mtime_ns for path in backup.rglob("*/*/*")} == before
    more = write_tidy(tmp_path / "more.csv", "carl,2023-05-02,1000,1800,70,7,walking")
    configured_imports(Settings.from_env()).add(more, ImportOptions())
    assert "of which 0 bytes are new" not in run("backup", str(backup))
    assert len(contents(backup)) > len(before)
    (home / "people" / "pseudonyms.key").write_bytes(b"another key")
    run("backup", str(backup))
    assert contents(backup) == {file.sha256 for file in store_of(backup).read().files}
    assert b"secret" not in (backup / "backup.json").read_bytes()
    assert backup.stat().st_mode & 0o077 == 0


def files_with(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_forgetting_a_person_covers_the_backups_that_can_be_reached(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object_store: S3Server
) -> None:
    folder, unmounted, old = (str(tmp_path / name) for name in ("backup", "disk of anna", "old"))
    url = f"{object_store.use(monkeypatch)}/anna"
    run("backup", folder, "--all")
    assert files_with(tmp_path / "backup", b"anna")
    run("backup", unmounted)
    run("backup", url, "--encrypt-to", Keys.new(tmp_path / "mine.key").recipient)
    shutil.copytree(folder, old)
    Path(unmounted).rename(tmp_path / "in a drawer")
    anna = Workspace.of(Settings.from_env()).pseudonyms.pseudonym("anna")
    key = BackupKey(BackupRecords(home).of(url).key or "")
    online = BackupStore(open_place(url), key)
    before = online.read()
    output = run("forget", "anna", "--yes")
    (line,) = [line for line in output.splitlines() if f"in {unmounted}" in line]
    assert line.startswith("not reached: the backup of 20")
    assert "holds no backup; run `fitness backup` to it again" in line
    assert not Path(unmounted).exists()
    assert not files_with(tmp_path / "backup", b"anna")
    after = online.read()
    online.verify(after)
    assert after.made > before.made
    assert {place for place, each in BackupRecords(home).all().items() if each.is_behind} == {
        unmounted
    }
    assert f"the backup in {unmounted} has users who were forgotten" in doctor_lines("backups")

    forgotten = str(home / "people" / "forgotten.json")
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("FITNESS_SOURCE")
    run("restore", old)
    assert files_with(tmp_path / "other" / "imports", b"anna")
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "again"))
    with monkeypatch.context() as failing:
        failing.setattr(restore_runs, "forget_user", lambda *_: False)
        assert f"{anna} is not removed" in error_of("restore", old, "--forgotten", forgotten)
    assert (tmp_path / "again" / RESTORING).exists()
    assert f"{anna} is in the backup and was forgotten" in run(
        "restore", old, "--forgotten", forgotten
    )
    assert not (tmp_path / "again" / RESTORING).exists()
    assert not files_with(tmp_path / "again", b"anna")
    assert not files_with(tmp_path / "old", b"anna"), "it is a backup of this home now"
    assert store_of(tmp_path / "old").read().settings["FITNESS_SOURCE"] == "exports"


def test_a_backup_that_another_home_has_replaced_is_not_touched_by_forgetting(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "backup"
    run("backup", str(backup))
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "other"))
    run("restore", str(backup))
    run("backup", str(backup))
    made = store_of(backup).read().made
    monkeypatch.setenv("FITNESS_HOME", str(home))
    assert "it was replaced by another command or home" in run("forget", "anna", "--yes")
    assert store_of(backup).read().made == made


def test_all_includes_what_can_be_computed_again(home: Path, tmp_path: Path) -> None:
    (home / "models" / "any").mkdir(parents=True)
    (home / "models" / "any" / "model").write_text("model")
    (home / "models" / "any" / "_lock").write_text("")
    assert "there are imports, and no backup" in doctor_lines("backups")
    names: dict[str, set[str]] = {}
    for option in ("--verify", "--all"):
        run("backup", str(tmp_path / "backup"), option)
        backup = store_of(tmp_path / "backup").read()
        names[option] = {file.path for file in backup.files}
    assert names["--all"] - names["--verify"] == {"models/any/model"}


def test_what_is_not_a_backup_or_not_an_empty_home_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "backup"
    assert "holds no backup" in error_of("restore", str(backup))
    assert "is inside the home" in error_of("backup", str(home / "backup"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "photo").write_text("")
    assert "something else than a backup" in error_of("backup", str(tmp_path / "photos"))
    run("backup", str(backup))
    before = set(home.rglob("*"))
    assert "is not empty; set FITNESS_HOME" in error_of("restore", str(backup))
    assert set(home.rglob("*")) == before
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "none"))
    assert "nothing to back up" in error_of("backup", str(backup))


def test_a_backup_in_an_object_store_is_incremental_and_restored(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object_store: S3Server
) -> None:
    url = object_store.use(monkeypatch)
    run("backup", url, "--verify")
    assert "of which 0 bytes are new" in run("backup", url)
    (home / "people" / "pseudonyms.key").write_bytes(b"another key")
    run("backup", url, "--verify")
    store = BackupStore(open_place(url))
    assert {name.rpartition("/")[2] for name in store.place.stored("contents")} == {
        file.sha256 for file in store.read().files
    }
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    run("restore", url)
    key = Path("people", "pseudonyms.key")
    assert (tmp_path / "new" / key).read_bytes() == b"another key"
    store.place.delete(sorted(store.place.stored("contents"))[:1])
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "newer"))
    assert "is missing, the content of" in error_of("restore", url)
    assert "holds no backup" in error_of("restore", url + "/elsewhere")
    monkeypatch.setenv("FITNESS_HOME", str(home))
    assert "something else than a backup" in error_of("backup", url.rpartition("/")[0])


def test_two_backups_to_an_object_store_do_not_mix(
    home: Path, monkeypatch: pytest.MonkeyPatch, object_store: S3Server
) -> None:
    url = object_store.use(monkeypatch)
    run("backup", url)
    place = ObjectPlace(url)
    assert home.is_dir()
    with place.locked(("backup.json",)):
        run("backup", url)
        with pytest.raises(StorageError, match="another process backs up to"):
            place.publish("backup.json", b"{}")
    BackupStore(place).verify(BackupStore(place).read())


def test_what_belongs_into_an_object_store_is_not_restored_next_to_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object_store: S3Server
) -> None:
    imports, raw = str(tmp_path / "imports"), str(tmp_path / "raw")
    run("backup", imports)
    folder = home / "lake" / "raw_telemetry" / "year=2023" / "month=05"
    folder.mkdir(parents=True)
    (folder / "_manifest.json").write_bytes(b"{}")
    run("backup", raw)
    monkeypatch.setenv("FITNESS_HOME", object_store.use(monkeypatch))
    monkeypatch.setenv("FITNESS_STATE", str(tmp_path / "state"))
    assert "nothing would read its lake in" in error_of("restore", raw)
    assert not (tmp_path / "state" / "lake").exists()
    run("restore", imports)
    assert (tmp_path / "state" / "people" / "pseudonyms.key").is_file()
