"""`fitness serve` as a user sees it: the Dagster UI and the dashboard, in a real browser."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psutil
import pytest

from fitness_assets.definitions import MONTHLY_JOB
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG
from fitness_assets.settings import Settings
from fitness_assets.storage.lake import Lake, RawInfo
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.browser import (
    IS_STILL,
    chromium,
    expect,
    expect_finished,
    open_list,
    screenshot,
)
from fitness_assets_tests.support.foreign_page import attack, other_site
from fitness_assets_tests.support.platform import USERS, free_port, quick_daemon, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, WebSocket

JOB = f"/locations/fitness_assets.definitions/jobs/{MONTHLY_JOB}/partitions"
LAUNCH = """
mutation {
  launchRun(executionParams: {
    mode: "default"
    selector: {
      repositoryLocationName: "fitness_assets.definitions"
      repositoryName: "__repository__"
      pipelineName: "monthly_pipeline"
    }
    executionMetadata: {tags: [{key: "dagster/partition", value: "2023-04"}]}
    runConfigData: {}
  }) { __typename }
}
"""
RUN_KEYS = """
{ runsOrError { ... on Runs { results { runId eventConnection { events {
  ... on LogsCapturedEvent { fileKey }
} } } } } }
"""
EVENTS = """
{ assetOrError(assetKey: {path: ["raw_telemetry"]}) {
  ... on Asset { assetMaterializations(limit: 9) { timestamp } }
} }
"""
#: What the field for months shows while it is empty.
MONTHS_FIELD = "ex: 2023-04, 2023-05"
LAUNCHED = {"__typename": "LaunchRunSuccess"}


@dataclass
class Served:
    """A running `fitness serve`."""

    process: subprocess.Popen[bytes]
    dagster: str
    dashboard: str

    def graphql(self, query: str) -> Any:
        request = urllib.request.Request(
            f"{self.dagster}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[str]:
        data = self.graphql("{ runsOrError { ... on Runs { results { status } } } }")
        return [run["status"] for run in data["runsOrError"]["results"]]

    def backfills(self) -> list[tuple[str, list[str]]]:
        data = self.graphql(
            "{ partitionBackfillsOrError { ... on PartitionBackfills "
            "{ results { status partitionNames } } } }"
        )
        found = data["partitionBackfillsOrError"]["results"]
        return [(backfill["status"], backfill["partitionNames"]) for backfill in found]


@contextmanager
def serving(home: Path) -> Iterator[Served]:
    """Start the services and wait until they listen. Their processes are killed after the test."""
    ports = {"FITNESS_DAGSTER_PORT": free_port(), "FITNESS_DASHBOARD_PORT": free_port()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    output = home.parent / "serve.log"
    # Modules in the working folder that would hide those of the webserver.
    for module in ("gql", "yaml", "uvicorn"):
        (home.parent / f"{module}.py").write_text("raise ImportError('imported by mistake')")
    with output.open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("fitness"), "serve"],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home.parent,
            env={
                **kept,
                **quick_daemon(kept),
                **{name: str(port) for name, port in ports.items()},
                "FITNESS_HOME": str(home),
                "FITNESS_COHORT_USERS": str(USERS),
                "FITNESS_LAST_MONTH": "2023-06",
            },
        )
    try:
        wait_for("start", lambda: "Press Ctrl-C to stop" in output.read_text())
        dagster, dashboard = (f"http://127.0.0.1:{port}" for port in ports.values())
        assert dagster in output.read_text()
        assert dashboard in output.read_text()
        yield Served(process, dagster, dashboard)
    finally:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def kill_code_server(served: Served) -> None:
    children = psutil.Process(served.process.pid).children()
    (server,) = [process for process in children if "grpc" in process.cmdline()]
    server.kill()


def is_launched(served: Served) -> bool:
    """Launch a run; whether the webserver accepted it: there may be no code server."""
    try:
        return bool(served.graphql(LAUNCH)["launchRun"] == LAUNCHED)
    except urllib.error.HTTPError:
        return False


def materialize(page: "Page", place: str, months: str, button: str) -> None:
    """Open the page `place` of Dagster, enter `months` and press `button`."""
    page.goto(place)
    page.get_by_role("button", name=re.compile("Materialize.*…")).click()
    # At once, without a question.
    partitions = page.get_by_placeholder(MONTHS_FIELD)
    partitions.fill(months)
    partitions.press("Enter")
    launch = page.get_by_role("button", name=button)
    expect(launch).to_be_enabled()
    screenshot(page, f"dagster-launch-{months[:7]}")
    launch.click()
    expect(launch).to_have_count(0)


def months_offered(page: "Page", served: Served) -> list[str]:
    """Reload the dashboard and read its list of months."""
    page.goto(served.dashboard)
    options = open_list(page.get_by_role("combobox", name="Month"))
    offered = options.all_inner_texts()
    page.keyboard.press("Escape")
    expect_finished(page)
    return offered


def open_pages(browser: "Browser") -> "tuple[Page, Page]":
    context = browser.new_context(viewport={"width": 1500, "height": 950})
    return context.new_page(), context.new_page()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(3600)
def test_a_run_and_a_backfill_of_the_ui_reach_the_dashboard_and_a_kill_is_recovered(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    with chromium() as browser, serving(home) as served:
        graph, dashboard = open_pages(browser)
        received: list[str] = []

        def listen(socket: "WebSocket") -> None:
            socket.on("framereceived", lambda frame: received.append(str(frame)))

        graph.on("websocket", listen)
        dashboard.goto(served.dashboard)
        expect(dashboard.get_by_text("No month has been released yet")).to_be_visible()
        expect_finished(dashboard)
        screenshot(dashboard, "dashboard-empty")

        materialize(graph, f"{served.dagster}/assets/raw_telemetry", "2023-04", "Launch 1 run")
        wait_for("the run", lambda: served.runs() in (["SUCCESS"], ["FAILURE"]))
        assert served.runs() == ["SUCCESS"]
        assert any("connection_ack" in frame for frame in received)

        another_site_reaches_nothing(browser, served)

        # A backfill of the job has one run a month; one of the asset graph has more.
        materialize(graph, f"{served.dagster}{JOB}", "2023-05, 2023-06", "Launch backfill")

        def backfilled() -> bool:
            status = [status for status, _ in served.backfills()]
            return bool(status) and not status[0].startswith(("REQUESTED", "COMPLETING"))

        wait_for("the backfill", backfilled, 1200)
        assert served.backfills() == [("COMPLETED_SUCCESS", ["2023-05", "2023-06"])]
        assert served.runs() == ["SUCCESS"] * 3
        assert months_offered(dashboard, served) == ["2023-06", "2023-05"]
        users = dashboard.get_by_test_id("stMetric").filter(has_text="Users")
        expect(users).to_contain_text(str(USERS))
        screenshot(dashboard, "dashboard-overview")

        dashboard.get_by_role("link", name="Try it").click()
        expect(dashboard.get_by_text("Estimated energy of the day")).to_be_visible()
        expect_finished(dashboard)
        screenshot(dashboard, "dashboard-try-it")
        graph.goto(f"{served.dagster}/asset-groups")
        expect(graph.get_by_text("telemetry").first).to_be_visible()
        graph.keyboard.press("Alt+e")  # all groups opened
        expect(graph.get_by_text("drive_upload").first).to_be_visible()
        screenshot(graph, "dagster-asset-graph")
        graph.get_by_role("button", name="Materialize all").click()
        # For months at once, without a question which assets have them.
        partitions = graph.get_by_placeholder(MONTHS_FIELD)
        expect(partitions).to_be_visible()
        partitions.evaluate(IS_STILL)  # the dialog has opened
        screenshot(graph, "dagster-materialize-all")
        graph.goto(f"{served.dagster}/assets/segment_model?view=events")
        expect(graph.get_by_text("2023-06").first).to_be_visible()
        screenshot(graph, "dagster-segment-model")

        left_behind = kill_during_a_run(served, home)

    # The run cannot end before it is stopped.
    with raw_of(home).writer("2023-04"), serving(home) as served:
        recover(served, left_behind)
        stop_during_a_run(served, home)


def another_site_reaches_nothing(browser: "Browser", served: Served) -> None:
    """A page of another site launches no run, deletes none, and reads no log."""
    (run,) = served.graphql(RUN_KEYS)["runsOrError"]["results"]
    (key,) = (event["fileKey"] for event in run["eventConnection"]["events"] if event)
    log = f"{served.dagster}/logs/{run['runId']}/compute_logs/{key}/out"
    reads = [log, f"{served.dagster}/download_debug/{run['runId']}"]
    for url in reads:
        with urllib.request.urlopen(url, timeout=120) as answer:
            assert answer.status == 200
    delete = f'mutation {{ deletePipelineRun(runId: "{run["runId"]}") {{ __typename }} }}'
    events = served.graphql(EVENTS)
    with other_site() as site:
        for mutation in (LAUNCH, delete):
            page = browser.new_page()
            page.goto(site)
            got, statuses = attack(page, served.dagster, served.dashboard, mutation, reads)
            assert got == []
            assert statuses == {403}
            page.close()
    assert served.runs() == ["SUCCESS"]
    assert served.graphql(EVENTS) == events
    # DNS rebinding: the name of another site that leads to this machine.
    for address in (served.dagster, served.dashboard):
        request = urllib.request.Request(address, headers={"Host": "rebound.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=120)


def raw_of(home: Path) -> Lake[RawInfo]:
    return Workspace.of(Settings.from_env({"FITNESS_HOME": str(home)})).raw


def kill_during_a_run(served: Served, home: Path) -> list[psutil.Process]:
    """`kill -9` of `fitness serve` while a run is in progress and one waits.

    Returns
    -------
    list of psutil.Process
        The services and the run, which stay behind.
    """
    second = subprocess.run(
        [Path(sys.executable).with_name("fitness"), "serve"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"FITNESS_HOME": str(home)},
    )
    assert second.returncode == 1
    assert f"process {served.process.pid} on " in second.stderr
    # The run cannot end while the test holds the lock of its month.
    with raw_of(home).writer("2023-04"):
        assert is_launched(served)
        wait_for("the run", lambda: served.runs()[0] == "STARTED")
        kill_code_server(served)
        # The services connect to the one that is started again, and the run continues.
        wait_for("a launch", lambda: is_launched(served))
        assert served.runs()[:2] == ["QUEUED", "STARTED"]
        left_behind = psutil.Process(served.process.pid).children(recursive=True)
        served.process.kill()
        served.process.wait()
    assert len(left_behind) >= 3
    assert any(process.is_running() for process in left_behind)
    return left_behind


def recover(served: Served, left_behind: list[psutil.Process]) -> None:
    """The next `fitness serve` ends what the killed one left, and the run that waited starts."""
    _, alive = psutil.wait_procs(left_behind, timeout=300)
    assert alive == []
    # The dead run does not hold its place in the queue.
    wait_for("the queued run", lambda: served.runs()[0] == "STARTED")
    assert served.runs() == ["STARTED", "FAILURE", *["SUCCESS"] * 3]


def stop_during_a_run(served: Served, home: Path) -> None:
    """An interrupt ends every process of the services, and cancels the run in progress."""
    started = psutil.Process(served.process.pid).children(recursive=True)
    assert len(started) >= 3
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(300) == 0
    _, alive = psutil.wait_procs(started, timeout=300)
    assert alive == []
    for url in (served.dagster, served.dashboard):
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(url, timeout=120)
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        last, killed, *others = instance.get_runs()
        assert last.status == dg.DagsterRunStatus.CANCELED
        assert PROCESS_ENDED_TAG in killed.tags
        assert {run.status for run in others} == {dg.DagsterRunStatus.SUCCESS}
