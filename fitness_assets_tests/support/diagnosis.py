"""`fitness doctor` in the process of a test."""

from click.testing import CliRunner

from fitness_assets.cli.main import cli


def doctor(*options: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(cli, ["doctor", *options], catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def line_of(lines: list[str], text: str) -> str:
    found = [line for line in lines if text in line]
    assert len(found) == 1, lines
    return found[0]
