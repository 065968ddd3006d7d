"""`fitness import --explain`: from an unknown CSV to its import, and what it says of exports."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fitness_assets.cli.main import cli
from fitness_assets.errors import FitnessError
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets_tests.support.exports import example_files, write_files, write_zip

TABLE = (
    "Tag;Schritte;Strecke (m);Schlaf [min];Stimmung\n"
    "30.04.2023;8.123;6.120;431;gut\n01.05.2023;9.321;7.120;411;\n"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("FITNESS_HOME", str(home))
    return home


def fitness(*arguments: str | Path) -> Result:
    run = CliRunner().invoke(cli, [*map(str, arguments)])
    if isinstance(run.exception, FitnessError):
        raise run.exception
    return run


@pytest.mark.usefixtures("home")
def test_from_an_unknown_csv_to_its_import(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"tage.csv": TABLE}) / "tage.csv"
    refused = fitness("import", path, "--user", "bo")
    assert refused.exit_code == 1
    assert "`fitness import --explain` writes one to begin with" in refused.output

    explained = fitness("import", "--explain", path, "--user", "bo")
    layout = tmp_path / "tage.layout.toml"
    assert explained.exit_code == 0
    assert f"fitness import --layout {layout} {path}" in explained.output
    assert "date 2023-04-30; steps 8,123; distance_km 6.12 km" in explained.output
    assert "columns not read: Stimmung" in explained.output
    assert layout.stat().st_mode & 0o077 == 0
    assert configured_imports(Settings.from_env()).all() == [], "nothing is imported"

    kept = layout.read_bytes()
    again = fitness("import", "--explain", path, "--user", "bo")
    assert again.exit_code == 1
    assert f"{layout} exists and is not overwritten" in again.output
    assert layout.read_bytes() == kept

    imported = fitness("import", "--layout", layout, path, "--user", "bo")
    assert imported.exit_code == 0, imported.output
    (info,) = configured_imports(Settings.from_env()).all()
    assert info.months == {"2023-04": 1, "2023-05": 1}
    assert info.quarantined == []


def test_parts_of_a_zip_days_people_and_problems(tmp_path: Path, home: Path) -> None:
    files = {f"my_whoop/{name}": text for name, text in example_files("whoop").items()}
    files["readme.pdf"] = b"%PDF-1.4"
    files["notes.csv"] = b"when,mood\nx,y\n"
    run = fitness("import", "--explain", write_zip(tmp_path / "x.zip", files))
    assert run.exit_code == 0
    assert "x.zip  would give 3 records and 1 workout, 2026-01-05 to 2026-01-07" in run.output
    assert "activity walking; minutes 30 min" in run.output
    assert "The export does not name its user: import it with --user NAME." in run.output
    assert "whoop: WHOOP's data export" in run.output
    assert "recognized by  CSV that begins with `Cycle start time`" in run.output
    assert "readme.pdf: no format reads it: it is a PDF" in run.output
    assert "no format has its columns (when, mood)" in run.output
    assert "Time zone: none (--timezone declares it); UTC is used." in run.output
    assert run.output.endswith("Nothing was imported.\n")
    assert not home.exists()


def test_people_are_named_as_in_the_file(tmp_path: Path, home: Path) -> None:
    rows = "".join(f"user{number},2023-04-0{number},5\n" for number in range(1, 8))
    write_files(tmp_path, {"x.csv": f"user_id,date,steps\n{rows}user1,2023-04-09,-5\n"})
    run = fitness("import", "--explain", tmp_path / "x.csv", "--timezone", "Europe/Berlin")
    assert "x.csv  would give 7 records, 2023-04-01 to 2023-04-07, of 7 users" in run.output
    assert "Users: user1, user2, user3, user4, user5 and 2 more." in run.output
    assert "Time zone: Europe/Berlin." in run.output
    assert "x.csv, line 9: steps: '-5' is not an amount" in run.output
    assert not home.exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", None, "does not exist"),
        ("x.pdf", b"%PDF-1.4", "it is a PDF"),
        ("x.json", b"{}", "JSON of no known format"),
        ("x.csv", b"", "it is empty"),
    ],
)
def test_what_cannot_be_read_has_no_layout(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        write_files(tmp_path, {name: content})
    run = fitness("import", "--explain", tmp_path / name)
    assert run.exit_code == 1
    assert reason in run.output
    assert list(tmp_path.glob("*.toml")) == []


@pytest.mark.usefixtures("home")
def test_a_pipe_and_an_empty_folder_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    run = fitness("import", "--explain", tmp_path / "pipe")
    assert run.exit_code == 1
    assert run.output.count("it is a pipe, which is not read") == 1
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert "cannot be imported: . is empty" in fitness("import", "--explain", ".").output


@pytest.mark.usefixtures("home")
def test_a_known_format_in_another_language_gets_a_layout(tmp_path: Path) -> None:
    text = "Date,Poids (kg),Pas\n2026-01-03,81.4,8123\n"
    path = write_files(tmp_path, {"weight.csv": text}) / "weight.csv"
    run = fitness("import", "--explain", path)
    assert run.exit_code == 0
    assert (
        'weight_kg = { column = "Poids (kg)", unit = "kg" }'
        in (tmp_path / "weight.layout.toml").read_text()
    )
    assert "weight_kg 81.4 kg" in run.output
