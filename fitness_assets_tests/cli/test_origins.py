"""`fitness imports`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fitness_assets.cli.origins import imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("FITNESS_HOME", str(home))
    stored = Imports(home / "imports", Pseudonyms(home / "people"))
    for name, text in {
        "steps.csv": "user_id,date,steps\nanna,2023-04-30,1000\nanna,2023-05-01,2000\n",
        "sleep.csv": "user_id,date,sleep_hours\nanna,2023-04-30,7\nbert,2023-04-30,8\n",
    }.items():
        path = tmp_path / name
        path.write_text(text)
        stored.add(path, ImportOptions())
    return home


def lines(*arguments: str) -> list[list[str]]:
    result = CliRunner().invoke(imports, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.output.splitlines()]


@pytest.mark.usefixtures("home")
def test_all_imports_are_listed() -> None:
    header, *rows = lines()
    assert header[:3] == ["import", "formats", "delivered"]
    assert [(row[0], row[1], *row[4:]) for row in rows] == [
        ("sleep.csv", "tidy", "2", "0", "2", "2023-04", "to", "2023-04"),
        ("steps.csv", "tidy", "2", "0", "1", "2023-04", "to", "2023-05"),
    ]


def test_the_imports_of_each_day_of_a_user_are_listed(home: Path) -> None:
    assert lines("anna")[1:] == [
        ["2023-04-30", "steps.csv", "steps"],
        ["2023-04-30", "sleep.csv", "sleep_hours"],
        ["2023-05-01", "steps.csv", "steps"],
    ]
    pseudonym = Pseudonyms(home / "people").pseudonym("anna")
    assert lines(pseudonym, "--month", "2023-05")[1:] == [["2023-05-01", "steps.csv", "steps"]]
    result = CliRunner().invoke(imports, ["nobody"])
    assert result.exit_code == 2
    assert "no import has records of a user called 'nobody'" in result.output
