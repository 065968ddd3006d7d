"""`fitness status`: what is materialized, stale, missing, overdue or of an older version."""

import dataclasses
import json
import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from fitness_assets import clock
from fitness_assets.cli.inventory import MonthStatus
from fitness_assets.cli.main import cli
from fitness_assets.cli.ownership import served_home
from fitness_assets.cli.run_report import print_inventory
from fitness_assets.months import between
from fitness_assets.orchestration.freshness import due_month
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.record.raw import SCHEMA
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.writer import Writer
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import MONTHS, USERS
from fitness_assets_tests.support.tidy import write_tidy


def status(*options: str) -> str:
    result = CliRunner().invoke(cli, ["status", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
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
    assert "\n".join(lines).count("older version") == 1
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


@pytest.fixture
def copied(released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with every stage of both months, which the test may change."""
    shutil.copytree(released.home, tmp_path / "home")
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FITNESS_LAST_MONTH", MONTHS[-1])
    monkeypatch.setenv("FITNESS_COHORT_USERS", str(USERS))
    return Settings.from_env()


def test_a_backfill_ends_with_the_months_that_became_stale(
    copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = MONTHS
    command = ["backfill", first, "--select", "raw_telemetry"]
    assert "became stale" not in CliRunner().invoke(cli, command).output, "nothing changed"
    monkeypatch.setenv("FITNESS_COHORT_SEED", "2")
    months = f"{first}, {second} became stale;"
    lines = CliRunner().invoke(cli, command).output.splitlines()
    assert lines[-1] == f"{months} `fitness backfill --stale` updates them"
    with served_home(copied):
        lines = CliRunner().invoke(cli, command).output.splitlines()
    assert lines[-1] == f"{months} `fitness serve` updates them"


def test_what_is_materialized_but_not_stored_or_lacks_a_file_is_reported(
    copied: Settings,
) -> None:
    first, second = MONTHS
    assert " stale " not in status()
    workspace = Workspace.of(copied)
    local(workspace.daily.files(first)[0]).unlink()
    manifest = workspace.manifest("dashboard_release", second)
    assert manifest is not None
    (path,) = [file.path for file in manifest.files if file.name == "days.parquet"]
    (local(workspace.releases.folder(second)) / path).unlink()
    lines = [line for line in status().splitlines() if " stale " in line]
    assert len(lines) == 2
    assert lines[0].startswith(f"{first}  stale   daily_activity (")
    assert lines[1].startswith(f"{second}  stale   dashboard_release (days.parquet is missing)")

    with open_instance(copied) as instance:
        for asset in ("dashboard_release", "drive_upload"):
            event = dg.AssetMaterialization(asset_key=asset, partition=first)
            instance.report_runless_asset_event(event)
    assert "missing" not in [line.split()[1] for line in status().splitlines() if line]
    shutil.rmtree(local(workspace.releases.folder(first)))
    assert (
        f"{first}  missing dashboard_release (materialized before, and not stored now); "
        f"run `fitness backfill {first}`"
    ) in status().splitlines()


def test_a_model_that_is_not_released_has_the_reason_and_scores_have_the_baseline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def row(**metrics: float) -> MonthStatus:
        return MonthStatus(materialized=True, metrics=metrics)

    refused = row(learned=True, released=False, r2=0.01, baseline_r2=-0.0001)
    absent = row(learned=False, released=False)
    print_inventory(
        {
            "calorie_regressor": {
                "2023-04": row(learned=True, released=True, r2=0.97, baseline_r2=-0.0001),
                "2023-05": dataclasses.replace(refused, reason="not clearly better than 1"),
                "2023-06": dataclasses.replace(absent, reason="needs 20 users; there is 1"),
            },
            "daily_activity": {month: row() for month in between("2023-04", "2023-06")},
        }
    )
    _, scores, baselines, _, *reasons = capsys.readouterr().out.splitlines()
    assert scores.split() == [
        "calorie_regressor",
        "r2",
        "0.970",
        "not",
        "released",
        "not",
        "learned",
    ]
    assert baselines.split() == ["baseline_r2", "0.000", "not", "released", "not", "learned"]
    assert reasons == [
        "2023-05  not released  calorie_regressor: not clearly better than 1",
        "2023-06  not learned  calorie_regressor: needs 20 users; there is 1",
    ]


def test_the_scores_of_a_backtest_have_baselines_and_reasons_where_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    absent = {
        "activity_classifier": "2023-03 has no activity_classifier",
        "calorie_regressor": "2023-03 has no calorie_regressor",
    }
    scores = {
        "activity_classifier_macro_f1": 0.655,
        "activity_classifier_baseline_macro_f1": 0.116,
        "calorie_regressor_r2": 0.963,
        "calorie_regressor_baseline_r2": 0.0,
    }
    print_inventory(
        {
            "model_backtest": {
                "2023-04": MonthStatus(materialized=True, metrics={}, not_scored=absent),
                "2023-05": MonthStatus(materialized=True, metrics=scores),
            }
        }
    )
    _, *rows, reason = capsys.readouterr().out.splitlines()
    assert [row.replace("not scored", "-").split() for row in rows] == [
        ["model_backtest", "activity_classifier_macro_f1", "-", "0.655"],
        ["baseline_macro_f1", "-", "0.116"],
        ["calorie_regressor_r2", "-", "0.963"],
        ["baseline_r2", "-", "0.000"],
    ]
    assert reason == (
        "2023-04  not scored  model_backtest: 2023-03 has no activity_classifier; "
        "2023-03 has no calorie_regressor"
    )


def test_a_month_that_is_due_and_was_never_made_is_overdue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setenv("FITNESS_LAST_MONTH", "open")
    due = due_month(Settings.from_env(), clock.now())
    (line,) = [line for line in status().splitlines() if "OVERDUE" in line]
    assert line == f"{due}  OVERDUE raw_telemetry, and 9 more assets; run `fitness backfill {due}`"
    document = json.loads(status("--json"))["overdue"]
    assert list(document) == [due]
    assert len(document[due]) == 10
    monkeypatch.setenv("FITNESS_SOURCE", "exports")
    (line,) = [line for line in status().splitlines() if "OVERDUE" in line]
    assert line == f"{due}  OVERDUE no import has days of it; `fitness import` a newer export"
    days = write_tidy(tmp_path / "days.csv", f"anna,{due}-02,1000,1800,70,7,walking")
    configured_imports(Settings.from_env()).add(days, ImportOptions())
    assert f"run `fitness backfill {due}`" in status()
    monkeypatch.setenv("FITNESS_LAST_MONTH", "2023-06")
    assert "OVERDUE" not in status()


def test_of_many_months_the_newest_are_shown_in_full_and_the_others_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setenv("FITNESS_FIRST_MONTH", "2020-01")
    monkeypatch.setenv("FITNESS_LAST_MONTH", "2026-10")
    for year, month in ((2021, "03"), (2026, "05")):
        folder = tmp_path / "lake" / "raw_telemetry" / f"year={year}" / f"month={month}"
        with Writer(folder) as writer:
            writer.publish({"rows": 0, "columns": {}}, inputs={})
    text = status()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 200
    assert "\u2026" not in text
    assert lines[0].split()[2:] == between("2025-12", "2026-10")
    assert [line.split()[0] for line in lines if "  stale  " in line] == ["2026-05"]
    assert (
        "71 earlier months, 2020-01 to 2025-11: "
        "70 not materialized (2020-01 to 2021-02, 2021-04 to 2025-11), 1 stale (2021-03); "
        "`fitness status --all` lists them"
    ) in lines

    lines = status("--all").splitlines()
    headers = [line for line in lines if line.startswith("asset ")]
    shown = [month for line in headers for month in line.split()[2:]]
    assert shown == between("2020-01", "2026-10")
    stale = [line.split()[0] for line in lines if "  stale  " in line]
    assert stale == ["2021-03", "2026-05"]
    assert len(json.loads(status("--json"))["assets"]["daily_activity"]) == 82


def test_the_table_ends_with_the_last_materialized_month_if_the_newest_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setenv("FITNESS_FIRST_MONTH", "2020-01")
    monkeypatch.setenv("FITNESS_LAST_MONTH", "2026-10")
    for month, shown, earlier, later in (
        ("2020-04", ("2020-01", "2020-11"), None, "71 later months, 2020-12 to 2026-10: "),
        (
            "2025-11",
            ("2025-01", "2025-11"),
            "60 earlier months, 2020-01 to 2024-12: ",
            "11 later months, 2025-12 to 2026-10: 11 not materialized (2025-12 to 2026-10); ",
        ),
    ):
        folder = tmp_path / "lake" / "raw_telemetry" / f"year={month[:4]}" / f"month={month[5:]}"
        with Writer(folder) as writer:
            writer.publish({"rows": 0, "columns": {}}, inputs={})
        lines = status().splitlines()
        assert lines[0].split()[2:] == between(*shown)
        summaries = [line for line in lines if "--all" in line]
        expected = [each for each in (earlier, later) if each]
        assert len(summaries) == len(expected)
        assert all(map(str.startswith, summaries, expected))
