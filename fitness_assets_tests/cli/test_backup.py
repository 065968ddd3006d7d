"""`fitness backup` and `fitness restore`, with a drill: the restored home has the same versions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.backup import RESTORING, BackupFolder
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.tidy import two_users, write_tidy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an import of two months, of which nothing is materialized."""
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FITNESS_SOURCE", "exports")
    monkeypatch.setenv("FITNESS_LAST_MONTH", "2023-05")
    monkeypatch.setenv("FITNESS_FAILURE_WEBHOOK", "https://example.org/secret")
    configured_imports(Settings.from_env()).add(two_users(tmp_path), ImportOptions())
    return tmp_path / "home"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def error_of(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1, result.output
    return str(result.exception)


def versions() -> dict[str, dict[str, str]]:
    assets = json.loads(run("status", "--json"))["assets"]
    return {
        name: {month: status["data_version"] for month, status in months.items()}
        for name, months in assets.items()
    }


def contents(folder: Path) -> set[str]:
    return {path.name for path in (folder / "contents").glob("*/*")}


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
    assert contents(backup) == {file.sha256 for file in BackupFolder(backup).read().files}
    assert b"secret" not in (backup / "backup.json").read_bytes()
    assert backup.stat().st_mode & 0o077 == 0


def test_a_backup_after_forgetting_a_person_has_nothing_of_the_person(
    home: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"

    def with_name() -> list[Path]:
        return [
            path for path in backup.rglob("*") if path.is_file() and b"anna" in path.read_bytes()
        ]

    run("backup", str(backup), "--all")
    assert with_name()
    assert home.is_dir()
    assert "not reached: backups; `fitness backup`" in run("forget", "anna", "--yes")
    run("backup", str(backup), "--all")
    assert not with_name()


def test_all_includes_what_can_be_computed_again(home: Path, tmp_path: Path) -> None:
    (home / "models" / "any").mkdir(parents=True)
    (home / "models" / "any" / "model").write_text("model")
    (home / "models" / "any" / "_lock").write_text("")
    names: dict[str, set[str]] = {}
    for option in ("--verify", "--all"):
        run("backup", str(tmp_path / "backup"), option)
        backup = BackupFolder(tmp_path / "backup").read()
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


_KILLED = """
import os, sys
from fitness_assets.cli.main import cli
from fitness_assets.storage import backup, publication

def die(point):
    if point == sys.argv[1]:
        os._exit(9)

backup.reached = publication.reached = die
cli(sys.argv[2:])
"""


@pytest.mark.parametrize(
    "point", ["file moved", "files moved", "content written", "manifest replaced"]
)
def test_a_backup_that_is_killed_leaves_a_whole_one(point: str, home: Path, tmp_path: Path) -> None:
    backup = BackupFolder(tmp_path / "backup")
    run("backup", str(backup.root))
    before = backup.read()
    (home / "people" / "pseudonyms.key").write_bytes(b"another key")
    command = [sys.executable, "-c", _KILLED, point, "backup", str(backup.root)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    left = backup.read()
    backup.verify(left)
    assert (left.files == before.files) == (point != "manifest replaced")
    run("backup", str(backup.root), "--verify")
    assert contents(backup.root) == {file.sha256 for file in backup.read().files}
    assert not list(backup.root.rglob("_staging-*"))


def test_a_restore_that_is_killed_is_continued(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, other = tmp_path / "backup", tmp_path / "other"
    run("backup", str(backup))
    monkeypatch.setenv("FITNESS_HOME", str(other))
    command = [sys.executable, "-c", _KILLED, "files moved", "restore", str(backup)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    assert (other / RESTORING).exists()
    assert "restore" in run_doctor()
    run("restore", str(backup))
    assert not (other / RESTORING).exists()
    key = Path("people", "pseudonyms.key")
    assert (other / key).read_bytes() == (home / key).read_bytes()


def run_doctor() -> str:
    result = CliRunner().invoke(cli, ["doctor", "--quick"])
    (line,) = [line for line in result.output.splitlines() if "not restored whole" in line]
    assert line.startswith("fault    home")
    return line
