"""`fitness report`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fitness_assets.cli.report import report
from fitness_assets.errors import FitnessError
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets_tests.support.questions import MONTH, USER, build_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of one user."""
    return build_home(tmp_path_factory.mktemp("reported")).home


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "_Run":
    monkeypatch.setenv("FITNESS_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return _Run()


class _Run:
    def __call__(self, *arguments: str) -> str:
        result = CliRunner().invoke(report, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    def refusal(self, *arguments: str) -> str:
        """The message of the error; no file is written."""
        before = set(Path().iterdir())
        with pytest.raises(FitnessError) as caught:
            self(*arguments)
        assert set(Path().iterdir()) == before
        return str(caught.value)


@pytest.mark.parametrize("suffix", [".md", ".html", ".PDF"])
def test_the_newest_month_of_the_only_user_is_the_default(run: _Run, suffix: str) -> None:
    assert run("--to", f"one{suffix}") == f"one{suffix}: {USER}, 2023-03\n"
    assert Path(f"one{suffix}").stat().st_size > 10_000
    run("--to", f"two{suffix}", "--month", "2023-03")
    assert Path(f"one{suffix}").read_bytes() == Path(f"two{suffix}").read_bytes()


def test_the_page_names_the_command_that_makes_it(run: _Run) -> None:
    run("--user", USER, "--year", "2022", "--units", "imperial", "--to", "a.md")
    text = Path("a.md").read_text()
    assert "    fitness report --user anna --year 2022 --units imperial --to FILE.md\n" in text
    assert "Fitness report: 2022" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "a.txt"], "--to a.txt is none of .md, .html, .pdf"),
        (["--to", "a.md", "--user", "ana"], "there is no user called 'ana'; did you mean anna?"),
        (["--to", "a.md", "--month", "2020-01"], "the lake has nothing of 2020-01; it has 2022-01"),
        (["--to", "a.md", "--month", "2023"], "--month 2023 is not a month"),
        (["--to", "a.md", "--month", "2023-02..2023-03"], "is not a month"),
        (["--to", "a.md", "--year", "2020"], "the lake has nothing of 2020"),
        (["--to", "a.md", "--year", MONTH], f"--year {MONTH} is not a year"),
        (["--to", "no/a.md"], "no/a.md cannot be written"),
        (["--to", "/dev/null/a.md"], "cannot be written"),
    ],
)
def test_what_is_refused(run: _Run, arguments: list[str], message: str) -> None:
    assert message in run.refusal(*arguments)


def test_the_page_names_the_user_as_imported(
    run: _Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImportedNames, "all", lambda _self: {USER: "Änne"})
    run("--month", "2022-01", "--to", "a.html")
    assert f"<p>Änne ({USER}).</p>" in Path("a.html").read_text()
    message = run.refusal("--to", "a.md", "--user", "Anne")
    assert "there is no user called 'Anne'; did you mean Änne?" in message
    assert not (home / "people").exists()


@pytest.mark.usefixtures("run")
def test_a_month_and_a_year_exclude_each_other() -> None:
    arguments = ["--to", "a.md", "--month", MONTH, "--year", "2023"]
    result = CliRunner().invoke(report, arguments)
    assert result.exit_code == 2
    assert "exclude each other" in result.output
