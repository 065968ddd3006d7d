import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.record.raw import SCHEMA
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
    assert (
        "models of 2023-04, 2023-05 were stored by an older version of fitness_assets; "
        "run `fitness backfill 2023-04 2023-05`"
    ) in lines
    months = json.loads(status("--json"))["assets"]["calorie_regressor"]
    assert not any(month["materialized"] for month in months.values())


def test_a_month_with_the_columns_of_an_older_version_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    columns = {field.name: str(field.type) for field in SCHEMA}
    for month, names in (("04", SCHEMA.names[1:]), ("05", SCHEMA.names)):
        with Writer(tmp_path / "lake" / "raw_telemetry" / "year=2023" / f"month={month}") as writer:
            info = {"rows": 0, "columns": {name: columns[name] for name in names}}
            writer.publish(info, inputs={})
    stale = [line for line in status().splitlines() if "  stale  " in line]
    assert stale == ["2023-04  stale   raw_telemetry (its columns are those of an older version)"]
