"""What runs by itself: requests of the real conditions, run for real, told from the event log."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fitness_assets.definitions import MONTHLY_JOB, build_defs, known_unstable
from fitness_assets.months import between
from fitness_assets.settings import Settings
from fitness_assets.workspace import MODELS
from fitness_assets_tests.support.platform import MakeSettings, materialize

FIRST, LAST = "2023-04", "2023-12"
# Too few people to learn from: the models say so, which makes their runs short.
FEW = {"FITNESS_COHORT_USERS": "3", "FITNESS_LAST_MONTH": LAST}

Made = dict[str, set[str]]


class Automation:
    """The automation sensor's work, without its process: evaluate, run what is requested, repeat.

    Parameters
    ----------
    settings : Settings
    instance : DagsterInstance
    """

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self._settings = settings
        self._instance = instance
        self._cursor: dg.AutomationConditionCursor | None = None

    def settle(self) -> Made:
        """Run until nothing more is requested; what was requested."""
        defs = build_defs(self._settings)
        requested: Made = defaultdict(set)
        for _ in range(6):
            with known_unstable():
                told = dg.evaluate_automation_conditions(
                    defs, instance=self._instance, cursor=self._cursor
                )
            self._cursor = told.cursor
            if not told.total_requested:
                return dict(requested)
            months: dict[str, list[str]] = defaultdict(list)
            for key in defs.resolve_asset_graph().toposorted_asset_keys:
                for month in told.get_requested_partitions(key):
                    assert month is not None
                    months[month].append(key.to_user_string())
                    requested[key.to_user_string()].add(month)
            for month, assets in sorted(months.items()):
                materialize(self._settings, month, self._instance, assets)
        pytest.fail(f"still requesting {requested}")


def materializations(instance: dg.DagsterInstance) -> list[dg.EventLogRecord]:
    """All of them, by the event log."""
    return [
        record
        for key in instance.get_asset_keys()
        for record in instance.fetch_materializations(key, limit=1_000).records
    ]


def last_event(instance: dg.DagsterInstance) -> int:
    return max(record.storage_id for record in materializations(instance))


def made_since(instance: dg.DagsterInstance, event: int) -> Made:
    """Months of each asset that were materialized after `event`."""
    made: Made = defaultdict(set)
    for record in materializations(instance):
        if record.storage_id > event:
            assert record.asset_key is not None
            assert record.partition_key is not None
            made[record.asset_key.to_user_string()].add(record.partition_key)
    return dict(made)


@pytest.mark.usefixtures("spark")
def test_a_restated_month_is_made_again_as_far_as_its_change_reaches(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, **FEW)
    restated = make_settings(tmp_path, **FEW, FITNESS_COHORT_SEED="2")
    every = {"daily_activity", *MODELS, "model_backtest", "dashboard_release", "drive_upload"}
    with dg.DagsterInstance.ephemeral() as instance:
        for month in settings.months():
            assert materialize(settings, month, instance).success
        automation = Automation(settings, instance)
        assert automation.settle() == {}, "a backfill leaves nothing to be done"

        began = last_event(instance)
        materialize(settings, FIRST, instance, ["raw_telemetry"])
        assert automation.settle() == {}, "the same content again reaches nothing"
        assert made_since(instance, began) == {"raw_telemetry": {FIRST}}

        began = last_event(instance)
        materialize(restated, FIRST, instance, ["raw_telemetry"])
        automation.settle()
        made = made_since(instance, began)
        assert made.pop("raw_telemetry") == {FIRST}
        assert made.pop("daily_activity") == {"2023-04", "2023-05"}, "its own, and its baselines"
        for model in MODELS:
            # Those whose windows hold April or May: not November, whose window begins in June.
            assert made.pop(model) == set(between("2023-04", "2023-10")), model
        # October's models are scored on November, whose release tells of that.
        assert made.pop("model_backtest") == set(between("2023-04", "2023-11"))
        assert set(made) <= every
        assert all(months <= set(between("2023-04", "2023-11")) for months in made.values())

        began = last_event(instance)
        materialize(restated, LAST, instance, ["raw_telemetry"])
        automation.settle()
        made = made_since(instance, began)
        assert made == {asset: {LAST} for asset in ("raw_telemetry", *every)}


@pytest.mark.parametrize(
    ("now", "requested"),
    [
        (datetime(2023, 6, 3, 6, tzinfo=UTC), "2023-05"),
        (datetime(2024, 1, 3, 6, tzinfo=UTC), "2023-12"),
        (datetime(2024, 2, 3, 6, tzinfo=UTC), None),
        (datetime(2023, 4, 3, 6, tzinfo=UTC), None),
    ],
)
def test_the_schedule_takes_the_last_complete_month(
    make_settings: MakeSettings, tmp_path: Path, now: datetime, requested: str | None
) -> None:
    defs = build_defs(make_settings(tmp_path, **FEW))
    schedule = defs.resolve_schedule_def("last_complete_month")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        tick = schedule.evaluate_tick(
            dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=now,
                repository_def=defs.get_repository_def(),
            )
        )
    if requested is None:
        assert tick.run_requests == []
        assert "is not in the range FITNESS_FIRST_MONTH=2023-04" in (tick.skip_message or "")
    else:
        (request,) = tick.run_requests or []
        assert (request.partition_key, request.run_key) == (requested, requested)


def test_only_a_range_without_an_end_can_be_overdue(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    for last, fresh in (("open", True), (LAST, False)):
        defs = build_defs(make_settings(tmp_path, FITNESS_LAST_MONTH=last))
        overdue = {
            spec.key.to_user_string(): spec.freshness_policy is not None
            for spec in defs.resolve_all_asset_specs()
        }
        assert not overdue.pop("compression_report"), "it is made on demand"
        assert set(overdue.values()) == {fresh}


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A URL on loopback, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/alert", posted
        server.shutdown()
        thread.join()


def test_a_failed_run_is_told_to_the_webhook(
    make_settings: MakeSettings, tmp_path: Path, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, posted = webhook
    settings = make_settings(
        tmp_path,
        FITNESS_SOURCE="folder",
        FITNESS_SOURCE_PATH=str(tmp_path / "missing"),
        FITNESS_FAILURE_WEBHOOK=url,
    )
    defs = build_defs(settings)
    job = defs.resolve_job_def(MONTHLY_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, partition_key=FIRST, raise_on_error=False)
        (failure,) = [event for event in run.all_events if event.is_run_failure]
        sensor = defs.resolve_sensor_def("tell_of_failures")
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=instance,
            dagster_run=run.dagster_run,
            dagster_event=failure,
        ).for_run_failure()
        sensor(context)
    (told,) = posted
    assert told["run_id"] == run.run_id
    assert told["month"] == FIRST
    assert told["steps"] == ["raw_telemetry"]
    assert told["text"] == "fitness_assets: monthly_pipeline 2023-04 failed at raw_telemetry"
