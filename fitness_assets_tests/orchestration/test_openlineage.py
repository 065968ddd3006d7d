"""The events of OpenLineage that a collector receives about real runs."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from fitness_assets.definitions import MONTHLY_JOB, build_defs
from fitness_assets.errors import QualityError, SettingsError
from fitness_assets.orchestration import checks, lineage_sensor
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings, lineage_namespace
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets_tests.support.platform import MakeSettings, free_port, materialize
from fitness_assets_tests.support.tidy import two_users

#: Materialize an asset of a month, in a process that dies meanwhile.
KILLED = """
import os
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings
from fitness_assets_tests.support.platform import materialize
from fitness_assets.sources.imports import Imports
Imports.read = lambda *_: os._exit(9)
settings = Settings.from_env()
with open_instance(settings) as instance:
    materialize(settings, "2023-05", instance, ["raw_telemetry"])
"""


@dataclass
class Collector:
    """Keeps the events that it receives; refuses them with `status`."""

    url: str = ""
    status: int = 201
    events: list[dict[str, Any]] = field(default_factory=list)

    def take(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        taken, self.events = self.events, []
        return taken


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.status < 300:
                assert self.path == "/api/v1/lineage"
                collector.events.append(json.loads(content))
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with running_collector() as running:
        configure(monkeypatch, running.url)
        yield running


@pytest.fixture
def settings(make_settings: MakeSettings, tmp_path: Path) -> Settings:
    """A home with an import of two months, of which nothing is materialized."""
    settings = make_settings(
        tmp_path / "home", FITNESS_SOURCE="exports", FITNESS_LEAST_COMPLETE="0"
    )
    configured_imports(settings).add(two_users(tmp_path), ImportOptions())
    return settings


@dataclass
class Sensor:
    """The sensor of a home, as Dagster's daemon evaluates it."""

    settings: Settings
    instance: dg.DagsterInstance
    cursor: str | None = None

    def evaluate(self) -> str:
        """Evaluate it once; returns what it says."""
        sensor = build_defs(self.settings).resolve_sensor_def("openlineage")
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        assert isinstance(result.skip_reason, dg.SkipReason)
        return str(result.skip_reason.skip_message)


@pytest.fixture
def sensor(settings: Settings) -> Iterator[Sensor]:
    """A sensor that was evaluated before the first run."""
    with open_instance(settings) as instance:
        sensor = Sensor(settings, instance)
        assert sensor.evaluate() == "sent 0 events"
        yield sensor


@pytest.fixture(autouse=True)
def _no_other_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Neither files nor variables of the machine, or of a client before: it sets some itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = {name: os.environ[name] for name in os.environ if name.startswith("OPENLINEAGE_")}
    for name in before:
        del os.environ[name]
    yield
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE_")]:
        del os.environ[name]
    os.environ.update(before)


def configure(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE__")]:
        del os.environ[name]
    monkeypatch.setenv("OPENLINEAGE_URL", url)


def states(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (
            event["job"]["name"],
            event["run"]["facets"]["fitness_month"]["month"],
            event["eventType"],
        )
        for event in events
    ]


def test_materializations_are_reported_with_columns_and_where_they_come_from(
    settings: Settings, collector: Collector, sensor: Sensor
) -> None:
    run = materialize(settings, "2023-05", sensor.instance, ["raw_telemetry", "daily_activity"])
    assert run.success
    assert sensor.evaluate() == "sent 4 events"
    events = collector.take()
    assert states(events) == [
        ("raw_telemetry", "2023-05", "START"),
        ("raw_telemetry", "2023-05", "COMPLETE"),
        ("daily_activity", "2023-05", "START"),
        ("daily_activity", "2023-05", "COMPLETE"),
    ]
    raw_start, raw, start, daily = events
    assert raw_start["run"]["runId"] == raw["run"]["runId"] != daily["run"]["runId"]
    assert start["run"]["runId"] == daily["run"]["runId"]
    times = [datetime.fromisoformat(event["eventTime"]) for event in events]
    assert times == sorted(times)
    facets = daily["run"]["facets"]
    assert facets["parent"]["run"]["runId"] == run.run_id
    assert facets["parent"]["job"]["name"] == MONTHLY_JOB
    assert datetime.fromisoformat(facets["nominalTime"]["nominalStartTime"]) == datetime(
        2023, 5, 1, tzinfo=UTC
    )
    assert [each["name"] for each in raw["inputs"]] == ["source"]
    assert [(each["namespace"], each["name"]) for each in daily["inputs"]] == [
        ("fitness_assets", "raw_telemetry")
    ]
    (output,) = daily["outputs"]
    columns = {each["name"] for each in output["facets"]["schema"]["fields"]}
    assert {"user_id", "date", "steps"} <= columns
    lineage = output["facets"]["columnLineage"]["fields"]
    assert {each["field"] for each in lineage["steps"]["inputFields"]} >= {"steps"}
    assert {each["name"] for each in lineage["steps"]["inputFields"]} == {"raw_telemetry"}
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 2
    (materialized,) = run.asset_materializations_for_node("daily_activity")
    assert (
        output["facets"]["version"]["datasetVersion"]
        == (materialized.tags or {})["dagster/data_version"]
    )
    assert not any("anna" in json.dumps(event) for event in events)
    assert sensor.evaluate() == "sent 0 events"


def test_what_a_collector_did_not_take_is_sent_once_it_does(
    settings: Settings,
    collector: Collector,
    sensor: Sensor,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    collector.status = 503
    assert materialize(settings, "2023-05", sensor.instance, ["raw_telemetry"]).success
    assert "sent 0 events; cannot be sent, and is sent again later" in sensor.evaluate()
    configure(monkeypatch, f"http://name:pass-word@127.0.0.1:{free_port()}")
    assert materialize(settings, "2023-04", sensor.instance, ["raw_telemetry"]).success
    assert "cannot be sent, and is sent again later" in sensor.evaluate()
    collector.status = 503
    configure(monkeypatch, collector.url.replace("//", "//name:pass-word@"))
    assert "cannot be sent, and is sent again later" in sensor.evaluate()
    logged = capfd.readouterr().err
    assert "an event of OpenLineage cannot be sent" in logged
    assert "pass-word" not in logged
    configure(monkeypatch, collector.url)
    collector.status = 201
    with monkeypatch.context() as hurried:
        hurried.setattr(lineage_sensor, "_BUDGET_SECONDS", 0.0)
        # The event after which the time is over is sent again.
        assert sensor.evaluate() == "sent 1 events; the rest is sent later"
    assert sensor.evaluate() == "sent 4 events"
    found = states(collector.take())
    assert found[0] == found[1]
    assert found[1:] == [
        ("raw_telemetry", month, state)
        for month in ("2023-05", "2023-04")
        for state in ("START", "COMPLETE")
    ]


def test_a_run_of_several_months_reports_each_and_why_one_failed(
    settings: Settings,
    collector: Collector,
    sensor: Sensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse = checks.refuse_failed

    def refuse_april(results: object, month: str) -> None:
        if month == "2023-04":
            raise QualityError(f"{month} is not published")
        refuse(results, month)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "refuse_failed", refuse_april)
    names = ["raw_telemetry", "daily_activity", "person_history"]
    selection = frozenset(map(dg.AssetKey, names))
    job = build_defs(settings).resolve_implicit_global_asset_job_def()
    created = sensor.instance.create_run_for_job(
        job.get_subset(asset_selection=selection),
        tags={
            "dagster/asset_partition_range_start": "2023-04",
            "dagster/asset_partition_range_end": "2023-05",
        },
        asset_selection=selection,
    )
    # As a daemon's process does.
    execute_run(InMemoryJob(job.get_subset(asset_selection=selection)), created, sensor.instance)
    sensor.evaluate()
    events = collector.take()
    assert states(events) == [
        ("raw_telemetry", "2023-04", "START"),
        ("raw_telemetry", "2023-04", "COMPLETE"),
        ("daily_activity", "2023-04", "START"),
        ("daily_activity", "2023-04", "FAIL"),
        *((name, "2023-05", state) for name in names for state in ("START", "COMPLETE")),
    ]
    error = events[3]["run"]["facets"]["errorMessage"]["message"]
    assert error == "daily_activity: 2023-04 is not published"
    runs = {event["run"]["runId"] for event in events}
    assert len(runs) == len(events) / 2


def test_many_runs_are_read_in_pages_and_deleted_ones_left(
    settings: Settings, collector: Collector, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage_sensor, "_RUNS", 2)
    months = ["2023-04", "2023-05", "2023-04", "2023-05", "2023-04"]
    for month in months:
        assert materialize(settings, month, sensor.instance, ["raw_telemetry"]).success
    for _ in range(3):
        sensor.evaluate()
    found = [month for _, month, state in states(collector.take()) if state == "COMPLETE"]
    assert found == months
    job = build_defs(settings).resolve_job_def(MONTHLY_JOB)
    begun = sensor.instance.create_run_for_job(job, tags={"dagster/partition": "2023-04"})
    sensor.instance.report_run_canceling(begun)
    sensor.evaluate()
    assert begun.run_id in str(sensor.cursor)
    sensor.instance.delete_run(begun.run_id)
    sensor.evaluate()
    assert begun.run_id not in str(sensor.cursor)


def test_a_run_whose_process_was_killed_fails(
    settings: Settings, collector: Collector, sensor: Sensor
) -> None:
    environ = settings.environment() | {
        "FITNESS_SOURCE": "exports",
        "FITNESS_LAST_MONTH": settings.last_month,
    }
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False, env=environ)
    assert killed.returncode == 9
    assert sensor.evaluate() == "sent 1 events"
    (record,) = sensor.instance.get_run_records()
    sensor.instance.report_run_failed(record.dagster_run)
    assert sensor.evaluate() == "sent 1 events"
    start, failed = collector.take()
    assert states([start, failed]) == [
        ("raw_telemetry", "2023-05", "START"),
        ("raw_telemetry", "2023-05", "FAIL"),
    ]
    assert start["run"]["runId"] == failed["run"]["runId"]


def test_without_a_collector_there_is_no_sensor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert lineage_namespace() is None
    assert "openlineage" not in {each.name for each in build_defs(settings).sensors or []}
    (tmp_path / "openlineage.yml").write_text("transport:\n  type: console\n")
    assert lineage_namespace() == "fitness_assets"
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "home")
    assert lineage_namespace() == "home"
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert lineage_namespace() is None


def test_the_extra_is_named_if_it_is_missing(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert collector.url
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    with (
        open_instance(settings) as instance,
        pytest.raises(SettingsError, match=r"pip install fitness_assets\[openlineage\]"),
    ):
        Sensor(settings, instance).evaluate()
