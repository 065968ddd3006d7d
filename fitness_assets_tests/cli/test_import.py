"""Imports from the inbox to the release."""

from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner

from fitness_assets.assets.daily_activity import judged_data
from fitness_assets.cli.main import cli
from fitness_assets.cli.month_run import Outcome
from fitness_assets.cli.runs import run_stale
from fitness_assets.definitions import build_defs
from fitness_assets.settings import Settings
from fitness_assets.sources import inbox
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.fixed_clock import set_time
from fitness_assets_tests.support.platform import MakeSettings
from fitness_assets_tests.support.tidy import two_users, write_tidy


def settings_of(make_settings: MakeSettings, home: Path, last: str = "2023-06") -> Settings:
    # So few users rarely deliver a complete month.
    return make_settings(
        home, FITNESS_SOURCE="exports", FITNESS_LAST_MONTH=last, FITNESS_LEAST_COMPLETE="0"
    )


def rematerialize(settings: Settings) -> list[Outcome]:
    return run_stale(settings, lambda *_: None).outcomes


def requested(settings: Settings, sensor: str, instance: dg.DagsterInstance) -> list[str | None]:
    """Months that the sensor requests now; None for a request without a month."""
    defs = build_defs(settings)
    context = dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def())
    tick = defs.resolve_sensor_def(sensor).evaluate_tick(context)
    return [request.partition_key for request in tick.run_requests or []]


def test_exports_in_the_inbox_are_imported_and_their_months_requested(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(make_settings, tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        assert requested(settings, "inbox", instance) == []
        path = two_users(tmp_path / "inbox")
        assert requested(settings, "inbox", instance) == [], "it is still being copied"
        monkeypatch.setattr(inbox.waiting_exports, "__defaults__", (0.0,))
        assert requested(settings, "inbox", instance) == [None]
        job = build_defs(settings).resolve_job_def("import_inbox")
        assert job.execute_in_process(instance=instance).success
        assert not path.exists()
        assert requested(settings, "propagate_changes", instance) == ["2023-04"], (
            "May waits for the raw records of April, which its baselines use"
        )

        assert [outcome.month for outcome in rematerialize(settings)] == ["2023-04", "2023-05"]
        assert requested(settings, "propagate_changes", instance) == []
        write_tidy(path, "anna,2023-05-02,1,1800,70,7,walking")
        assert job.execute_in_process(instance=instance).success
        assert requested(settings, "propagate_changes", instance) == ["2023-05"]


def test_the_current_month_is_shown_to_date_and_whole_once_it_has_ended(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(
        tmp_path / "home",
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH="2024-01",
        FITNESS_LAST_MONTH="now",
    )
    monkeypatch.setenv("FITNESS_HOME", str(settings.home))
    monkeypatch.setenv("FITNESS_LAST_MONTH", "now")
    monkeypatch.setenv("FITNESS_FIRST_MONTH", "2024-01")
    workspace = Workspace.of(settings)

    def import_days(first: str, last: str) -> None:
        rows = [
            f"anna,{day:%Y-%m-%d},{4000 + 50 * day.day},1900,66,7,walking"
            for day in pd.date_range(first, last)
        ]
        path = write_tidy(tmp_path / f"{first}.csv", *rows)
        configured_imports(settings).add(path, ImportOptions())

    def rematerialized() -> list[str]:
        """The months that were rematerialized; afterwards nothing is stale."""
        outcomes = rematerialize(settings)
        assert {outcome.error for outcome in outcomes} <= {None}
        assert rematerialize(settings) == []
        return sorted({outcome.month for outcome in outcomes})

    def windows(month: str) -> set[tuple[str, ...]]:
        return {tuple(store.report(month).window) for store in workspace.models.values()}

    def status() -> str:
        return CliRunner().invoke(cli, ["status"], catch_exceptions=False).output

    set_time(monkeypatch, "2024-02-09 12:00")
    import_days("2024-01-01", "2024-02-08")
    assert rematerialized() == ["2024-01", "2024-02"]
    january = workspace.releases.open("2024-01")
    assert january.info.partial_until is None
    february = workspace.releases.open("2024-02")
    assert february.info.partial_until == date(2024, 2, 8)
    manifest = workspace.daily.manifest("2024-02")
    assert manifest is not None
    judged = judged_data(workspace, "2024-02", manifest)
    checks = {each.name: each for each in workspace.check_results.load("2024-02", judged) or []}
    assert all(each.passed for each in checks.values()), checks
    assert all(
        each.message.startswith("PARTIAL, days 1 to 8 of 2024-02: ") for each in checks.values()
    )
    assert "100% of the expected days of the 1 users of 2024-01" in checks["complete"].message
    assert windows("2024-02") == windows("2024-01") == {("2024-01",)}
    assert "2024-02  PARTIAL days 1 to 8 of 2024-02" in status()

    set_time(monkeypatch, "2024-02-21 12:00")
    assert rematerialized() == []
    import_days("2024-02-09", "2024-02-20")
    assert rematerialized() == ["2024-02"]
    assert workspace.releases.open("2024-02").info.partial_until == date(2024, 2, 20)

    set_time(monkeypatch, "2024-03-01 00:00")
    assert "stale   raw_telemetry (it is partial, days 1 to 20 of 2024-02, and has" in status()
    import_days("2024-03-01", "2024-03-01")
    assert rematerialized() == ["2024-02", "2024-03"]
    february = workspace.releases.open("2024-02")
    assert february.info.partial_until is None
    assert windows("2024-02") == windows("2024-03") == {("2024-01", "2024-02")}
    assert workspace.releases.open("2024-03").info.partial_until == date(2024, 3, 1)
    assert "PARTIAL" not in february.report().data.checks[0].message
    assert january.manifest == workspace.releases.open("2024-01").manifest
