"""The deployment in `deploy/`: its files, and its services as processes on loopback."""

import base64
import json
import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from fitness_assets.definitions import build_defs
from fitness_assets.months import between
from fitness_assets.resources.workspace import Workspace
from fitness_assets.settings import Settings
from fitness_assets_tests.composed import (
    COMPOSE,
    DEPLOY,
    REQUIRED,
    ROOT,
    SERVICES,
    Composed,
    find_postgres,
)
from fitness_assets_tests.test_served import wait_for

MONTHS = between("2023-04", "2023-09")
IN_PROGRESS = ("STARTING", "STARTED")
PARENT = "dagster/parent_run_id"
LOGIN = ("anna", "correct horse")
DOTENV = {
    # Characters that a URL, a shell or YAML would trip over.
    "POSTGRES_PASSWORD": "p@ss: $w/ord#%&",
    "FITNESS_SITE": "http://proxy:8081",
    "FITNESS_USER": LOGIN[0],
    # Of the password above, at the least cost there is.
    "FITNESS_PASSWORD_HASH": "",
    "FITNESS_COHORT_USERS": "30",
    "FITNESS_SPARK_MEMORY": "512m",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may enter."""
    made = Path(tempfile.mkdtemp(prefix="deployment-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Dagster:
    """Dagster's GraphQL, at the address `url`."""

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if login:
            told = base64.b64encode(":".join(login).encode()).decode()
            self._headers["Authorization"] = f"Basic {told}"

    def ask(self, query: str) -> Any:
        document = json.dumps({"query": query}).encode()
        request = urllib.request.Request(self._url, document, self._headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def launch(self, asset: str) -> str:
        data = self.ask(
            f"mutation {{ launchPartitionBackfill(backfillParams: {{assetSelection: "
            f'{{path: ["{asset}"]}}, '
            f"partitionNames: {json.dumps(MONTHS)}}}) {{ "
            "... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
        )
        return str(data["launchPartitionBackfill"]["backfillId"])

    def status(self, backfill: str) -> str:
        data = self.ask(
            f'{{ partitionBackfillOrError(backfillId: "{backfill}") '
            "{ ... on PartitionBackfill { status } } }"
        )
        return str(data["partitionBackfillOrError"]["status"])

    def runs(self, *statuses: str) -> list[dict[str, Any]]:
        data = self.ask(
            "{ runsOrError { ... on Runs { results { id status startTime endTime "
            "tags { key value } stepStats { stepKey startTime endTime } } } } }"
        )
        return [
            run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in data["runsOrError"]["results"]
            if run["status"] in statuses
        ]

    def on_spark(self) -> str | None:
        """The run whose Spark job is under way, if there is one."""
        for run in self.runs("STARTED"):
            for step in run["stepStats"]:
                if step["stepKey"] == "daily_activity" and step["startTime"]:
                    return str(run["id"])
        return None

    def worker(self, run: str) -> int:
        """Id of the process that executes `run`."""
        told = " ".join(self.messages(run))
        found = re.search(r"Started process for run \(pid: (\d+)\)", told)
        assert found, told
        return int(found[1])

    def messages(self, run: str) -> list[str]:
        data = self.ask(
            f'{{ logsForRun(runId: "{run}") {{ ... on EventConnection '
            "{ events { ... on MessageEvent { message } } } } }"
        )
        return [event["message"] for event in data["logsForRun"]["events"]]

    def materializations(self, asset: str) -> list[tuple[str, str]]:
        """Month and data version of each."""
        data = self.ask(
            f'{{ assetOrError(assetKey: {{path: ["{asset}"]}}) {{ ... on Asset '
            "{ assetMaterializations(limit: 1000) { partition tags { key value } } } } }"
        )
        return [
            (event["partition"], tag["value"])
            for event in data["assetOrError"]["assetMaterializations"]
            for tag in event["tags"]
            if tag["key"] == "dagster/data_version"
        ]


def assert_each_month_once(dagster: Dagster, home: Path) -> None:
    """One materialization a month, of what the lake holds, and no run that has not ended."""
    lake = Workspace.of(Settings.from_env({"FITNESS_HOME": str(home)})).daily
    assert sorted(dagster.materializations("daily_activity")) == [
        (month, lake.published(month).data_version) for month in MONTHS
    ]
    assert all(lake.published(month).info["rows"] > 0 for month in MONTHS)
    assert not list(lake.root.rglob("_staging-*"))
    assert dagster.runs("QUEUED", "NOT_STARTED", "CANCELING", *IN_PROGRESS) == []


def assert_one_at_a_time(runs: list[dict[str, Any]]) -> None:
    """Spark jobs, that is, and not runs."""
    spans = sorted(
        (step["startTime"], step["endTime"])
        for run in runs
        for step in run["stepStats"]
        if step["stepKey"] == "daily_activity"
    )
    assert len(spans) == len(MONTHS)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.timeout(600)
@pytest.mark.skipif(find_postgres() is None, reason="no PostgreSQL (scripts/install-services)")
def test_a_backfill_outlives_its_daemon_and_a_worker(folder: Path) -> None:
    with Composed(folder, DOTENV) as composed:
        composed.up("webserver", "spark-worker", "dashboard")
        composed.wait("webserver")
        composed.run("code", "fitness", "backfill", "--select", "raw_telemetry")
        dagster = Dagster(f"http://{composed.address['webserver']}:3000/dagster/graphql")
        backfill = dagster.launch("daily_activity")
        composed.up("daemon")

        wait_for("a Spark job", lambda: dagster.on_spark() is not None, 120)
        wait_for("four runs", lambda: len(dagster.runs(*IN_PROGRESS)) == 4, 60)
        victim = dagster.on_spark()
        assert victim is not None
        composed.kill("daemon")
        worker = composed.descendants("code")[dagster.worker(victim)]
        jvms = worker.children(recursive=True)
        assert jvms
        worker.kill()
        wait_for("the crash", lambda: dagster.runs("FAILURE") != [], 30)
        composed.start("daemon")

        wait_for("the backfill", lambda: dagster.status(backfill) != "REQUESTED", 400)
        assert dagster.status(backfill) == "COMPLETED_SUCCESS"
        composed.wait("daemon")
        assert_each_month_once(dagster, composed.folder / "state")
        (crashed,) = dagster.runs("FAILURE")
        assert crashed["id"] == victim
        (again,) = [run for run in dagster.runs("SUCCESS") if PARENT in run["tags"]]
        assert again["tags"][PARENT] == victim
        assert not any(jvm.is_running() for jvm in jvms)
        assert_one_at_a_time(dagster.runs("SUCCESS"))
