"""Automation: the real sensors are evaluated, and what they request is really run."""

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

from fitness_assets.definitions import MONTHLY_JOB, build_defs
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.months import between
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG
from fitness_assets_tests.support.automation import Automation
from fitness_assets_tests.support.memoized import memoize
from fitness_assets_tests.support.platform import MakeSettings, materialize

FIRST, LAST = "2023-04", "2023-12"
# Too few users to train a model, which keeps the runs short.
FEW = {"FITNESS_COHORT_USERS": "3", "FITNESS_LAST_MONTH": LAST}

#: Months by asset.
Months = dict[str, set[str]]


def materializations(instance: dg.DagsterInstance) -> list[dg.EventLogRecord]:
    """All materializations in the event log."""
    return [
        record
        for key in instance.get_asset_keys()
        for record in instance.fetch_materializations(key, limit=1_000).records
    ]


def last_event(instance: dg.DagsterInstance) -> int:
    return max(record.storage_id for record in materializations(instance))


def materialized_since(instance: dg.DagsterInstance, event: int) -> Months:
    """Months of each asset that were materialized after the event with id `event`."""
    months: Months = defaultdict(set)
    for record in materializations(instance):
        if record.storage_id > event:
            assert record.asset_key is not None
            assert record.partition_key is not None
            months[record.asset_key.to_user_string()].add(record.partition_key)
    return dict(months)


def test_a_changed_month_is_rematerialized_with_the_months_that_depend_on_it(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memoize(monkeypatch, tmp_path / "kept")
    settings = make_settings(tmp_path, **FEW)
    changed = make_settings(tmp_path, **FEW, FITNESS_COHORT_SEED="2")
    every = {
        *("daily_activity", "person_history", *MODEL_NAMES, "model_backtest"),
        *("dashboard_release", "drive_upload"),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        for month in settings.months():
            assert materialize(settings, month, instance).success
        automation = Automation(settings, instance)
        assert automation.settle() == [], "nothing is requested after a backfill"

        began = last_event(instance)
        materialize(settings, FIRST, instance, ["raw_telemetry"])
        assert automation.settle() == [], "unchanged content propagates nowhere"
        assert materialized_since(instance, began) == {"raw_telemetry": {FIRST}}

        began = last_event(instance)
        materialize(changed, FIRST, instance, ["raw_telemetry"])
        runs = automation.settle()
        assert max(map(runs.count, runs)) <= 2, "its lake, and then what is made from it"
        materialized = materialized_since(instance, began)
        assert materialized.pop("raw_telemetry") == {FIRST}
        assert materialized.pop("daily_activity") == {"2023-04", "2023-05"}, (
            "May uses April in its baselines"
        )
        for model in MODEL_NAMES:
            # Windows that contain April or May. The window of November begins in June.
            assert materialized.pop(model) == set(between("2023-04", "2023-10")), model
        # The models of October are scored on November, and the release of November has the score.
        assert materialized.pop("model_backtest") == set(between("2023-04", "2023-11"))
        # The findings of each later month are computed from all days, and its release has them.
        assert materialized.pop("person_history") == set(between("2023-04", LAST))
        assert materialized.pop("dashboard_release") == set(between("2023-04", LAST))
        assert set(materialized) <= every

        began = last_event(instance)
        materialize(changed, LAST, instance, ["raw_telemetry"])
        automation.settle()
        materialized = materialized_since(instance, began)
        assert materialized == {asset: {LAST} for asset in ("raw_telemetry", *every)}


@pytest.mark.parametrize(
    ("now", "requested"),
    [
        (datetime(2023, 6, 3, 6, tzinfo=UTC), "2023-05"),
        (datetime(2024, 1, 3, 6, tzinfo=UTC), "2023-12"),
        (datetime(2024, 2, 3, 6, tzinfo=UTC), None),
        (datetime(2023, 4, 3, 6, tzinfo=UTC), None),
    ],
)
def test_the_schedule_requests_the_last_complete_month(
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


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A URL on loopback, and the documents that were posted to it."""
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


def test_no_asset_is_shown_as_one_that_is_not_automated(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    # Sensors and a schedule request all months. If an asset had a condition, its pages would say
    # "Auto-materialize off", since the daemon that evaluates conditions is off.
    defs = build_defs(make_settings(tmp_path))
    nodes = defs.resolve_asset_graph().asset_nodes
    assert not [node.key for node in nodes if node.automation_condition]


def test_a_failed_run_is_posted_to_the_webhook(
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
        sensor = defs.resolve_sensor_def("run_failure_alert")
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        months = {"dagster/asset_partition_range_start": FIRST}
        months |= {"dagster/asset_partition_range_end": "2023-05"}
        for failed in (
            run.dagster_run,
            # As an asset backfill tags its runs.
            run.dagster_run.with_tags(months),
            run.dagster_run.with_tags({PROCESS_ENDED_TAG: "true"}),
        ):
            context = dg.build_run_status_sensor_context(
                sensor_name=sensor.name,
                dagster_instance=instance,
                dagster_run=failed,
                dagster_event=failure,
            ).for_run_failure()
            sensor(context)
    document, of_range, killed = posted
    assert document["run_id"] == run.run_id
    assert document["month"] == FIRST
    assert document["steps"] == ["raw_telemetry"]
    assert document["text"] == "fitness_assets: monthly_pipeline 2023-04 failed at raw_telemetry"
    assert of_range["month"] == "2023-04, 2023-05"
    assert of_range["text"].endswith(" monthly_pipeline 2023-04, 2023-05 failed at raw_telemetry")
    assert killed["text"].endswith(" monthly_pipeline without a month was killed")
