import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.storage.publication import Writer


def status(*options: str) -> str:
    result = CliRunner().invoke(cli, ["status", *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_models_of_an_older_version_are_not_materialized_and_name_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setenv("FITNESS_LAST_MONTH", "2023-06")
    assert "older version" not in status()
    for month in ("2023-04", "2023-05"):
        with Writer(tmp_path / "models" / "calorie_regressor" / month) as writer:
            (writer.staging / "metrics.json").write_text("{}")
            writer.publish({"learned": True, "released": True, "r2": 0.9})
    lines = status().splitlines()
    (row,) = [line for line in lines if line.startswith("calorie_regressor")]
    assert row.split() == ["calorie_regressor", "r2", "-", "-", "-"]
    assert lines[-1] == (
        "models of 2023-04, 2023-05 were stored by an older version of fitness_assets; "
        "run `fitness backfill 2023-04 2023-05`"
    )
    months = json.loads(status("--json"))["assets"]["calorie_regressor"]
    assert not any(month["materialized"] for month in months.values())
