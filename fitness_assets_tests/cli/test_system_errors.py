"""A read-only home, a full disk and files that cannot be read: one line from every command."""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from fitness_assets.cli.main import cli, main
from fitness_assets.errors import StorageError
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.system_errors import explain
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support import disks
from fitness_assets_tests.support.commands import run_command
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import MakeSettings, materialize
from fitness_assets_tests.support.tidy import two_users, write_tidy

#: Arguments of every command that uses the home; `PATH` is an export.
COMMANDS = (
    "backfill",
    "backup COPY",
    "backfill 2023-04 --select raw_telemetry",
    "backfill --stale",
    "doctor --quick",
    "export anna",
    "forget anna --yes",
    "import PATH",
    "imports",
    "predict calorie_regressor PATH",
    "quarantine",
    "release export calorie_regressor --onnx model.onnx",
    "release list",
    "release rollback 2023-04",
    "restore COPY",
    "report --user anna --to page.md",
    "serve",
    "spark worker spark://127.0.0.1:1",
    "status",
    "status --json",
)
#: Commands that only read what is stored.
READING = (
    "doctor --quick",
    "export anna",
    "imports",
    "quarantine",
    "release list",
    "report --user anna --to page.md",
)
#: What a command says that found nothing to work on.
NOTHING_STORED = (
    "there is no data of a user",
    "holds no backup",
    "holds no imports",
    "holds no release",
    "holds nothing to back up",
)


@pytest.fixture(scope="module")
def read_only_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """An empty home, and one with an import and Dagster's storage, on a read-only file system."""
    folder = tmp_path_factory.mktemp("read-only")
    with disks.mounted(folder / "disk", "16m") as disk:
        homes = {name: disk / name for name in ("empty", "used")}
        homes["empty"].mkdir()
        settings = Settings.from_env({"FITNESS_HOME": str(homes["used"])})
        configured_imports(settings).add(two_users(folder), ImportOptions())
        with open_instance(settings):
            pass
        disks.make_read_only(disk)
        yield homes


def run(arguments: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[str]]:
    """Exit status of a command, and the lines of its standard error that report an error."""
    export = home.parents[1] / "days.csv"
    path = str(write_tidy(export, "carl,2023-04-30,1000,1800,70,7,walking"))
    monkeypatch.chdir(home.parents[1])
    words = [path if word == "PATH" else word for word in arguments.split()]
    ended = run_command(*words, FITNESS_HOME=str(home), FITNESS_SOURCE="exports")
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("fitness: ")]
    return ended.returncode, lines


def test_the_table_has_every_command() -> None:
    def names(group: click.Group) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from (f"{name} {each}" for each in names(command))
            else:
                yield name

    known = {" ".join(each.split()[:words]) for each in COMMANDS for words in (1, 2)}
    # The master of Spark and the server of an assistant write nothing; a demo has its own folder.
    # An executor runs only in a pod that Spark created.
    assert set(names(cli)) - known == {"demo", "mcp", "spark executor", "spark master"}


@pytest.mark.parametrize("kind", ["empty", "used"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_home_is_one_line(
    command: str,
    kind: str,
    read_only_homes: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = read_only_homes[kind]
    status, lines = run(command, home, monkeypatch)
    if command in READING:
        assert all("read-only" not in line for line in lines)
        return
    assert status == 1
    (line,) = lines
    if not any(each in line for each in NOTHING_STORED):
        assert str(home) in line
        assert "read-only" in line
        assert "FITNESS_HOME" in line


def test_a_full_disk_is_one_line_and_published_months_stay(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        disks.mounted(tmp_path / "disk", "64m") as disk,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        settings = make_settings(disk / "home")
        lake = Workspace.of(settings).raw
        assert materialize(settings, "2023-04", instance, ["raw_telemetry"]).success
        before = lake.published("2023-04")
        with disks.full(disk, left=16 * 1024):
            # In the middle of a write to the lake.
            with pytest.raises(StorageError, match=r"there is no space left.*unchanged"):
                materialize(settings, "2023-05", instance, ["raw_telemetry"])
            assert lake.manifest("2023-05") is None
            assert lake.published("2023-04") == before
            assert lake.scan(["2023-04"]).table.num_rows > 0
        with disks.full(disk, left=0):
            # Dagster's storage is on the full disk as well.
            status, lines = run("status", disk / "home", monkeypatch)
            assert status == 1
            assert "there is no space left" in lines[0]
        assert materialize(settings, "2023-05", instance, ["raw_telemetry"]).success
        assert not list(local(lake.root).rglob("_staging-*"))
        undisturbed = make_settings(tmp_path / "undisturbed")
        assert materialize(undisturbed, "2023-05", instance, ["raw_telemetry"]).success
        other = Workspace.of(undisturbed).raw
        assert lake.published("2023-05") == other.published("2023-05")


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left", "/a"), "/a: there is no space left"),
        (OSError(errno.EROFS, "Read-only", b"/a"), "/a: the file system is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "/a: permission denied"),
        (OSError(errno.EXDEV, "Cross-device", "/a", None, "/b"), "/b: invalid cross-device link"),
        (OSError(errno.EMFILE, "Too many", "/a"), "/a: too many files are open"),
        (OSError(errno.ENOSPC, "Arrow names no file"), "/home: there is no space left"),
        (chained(ValueError("x"), OSError(errno.EIO, "I/O", "/a")), "/a: the disk cannot be read"),
        (
            OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")),
            "Dagster's database, below /home: there is no space left",
        ),
        (
            sqlite3.OperationalError("attempt to write a readonly database"),
            "Dagster's database, below /home: the file system is read-only",
        ),
        (
            sqlite3.DatabaseError("file is not a database"),
            "Dagster's database, below /home: it is damaged; move the folder away",
        ),
        (sqlite3.OperationalError("no such table: runs"), None),
        (ValueError("a bug"), None),
        (OSError("without a number"), None),
    ],
)
def test_an_error_of_the_system_names_the_file_and_what_to_do(
    error: Exception, line: str | None
) -> None:
    found = explain(error, "/home")
    assert found is None if line is None else str(found).startswith(line)


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "main", fail)
    monkeypatch.setattr(type(cli), "__call__", lambda *_, **__: fail())
    with pytest.raises(KeyError, match="a bug"):
        main()
