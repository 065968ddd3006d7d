"""A home with imports to back up, and commands and secrets for it."""

from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_places import FolderPlace, open_place
from fitness_assets_tests.support.tidy import two_users


def imported_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


def doctor_lines(subject: str) -> str:
    result = CliRunner().invoke(cli, ["doctor", "--quick"])
    lines = [line for line in result.output.splitlines() if line.split()[1:2] == [subject]]
    return "\n".join(lines)


def contents(folder: Path) -> set[str]:
    return {path.name for path in (folder / "contents").glob("*/*")}


def store_of(folder: Path) -> BackupStore:
    return BackupStore(FolderPlace(folder))


def secret_file(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


@dataclass(frozen=True)
class Keys:
    """A key of age: its public part, and the file of the other one."""

    recipient: str
    file: str

    @classmethod
    def new(cls, path: Path) -> "Keys":
        identity = pyrage.x25519.Identity.generate()
        path.write_text(f"# created by a test\n{identity}\n")
        return cls(str(identity.to_public()), str(path))


def stored_names(to: str) -> set[str]:
    place = open_place(to)
    return {*place.stored("contents"), "key.age", "backup.age"}
