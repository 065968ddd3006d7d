"""Runs whose process ended: real processes hold the locks, and are killed."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus

from fitness_assets.orchestration import instance as instances
from fitness_assets.orchestration import liveness, locks
from fitness_assets.orchestration.instance import launcher_hint, open_instance, prepare_home
from fitness_assets.orchestration.launcher import LocalRunLauncher
from fitness_assets.orchestration.locks import Holder
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG, months_of_run
from fitness_assets.settings import SERVE_VARIABLE
from fitness_assets.storage import documents
from fitness_assets_tests.support.platform import MakeSettings

Status = dg.DagsterRunStatus
MakeRun = Callable[[Status], str]


@pytest.fixture(scope="module")
def shared(
    make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    """The instance of a new home, with the `dagster.yaml` that we install. It takes seconds."""
    with open_instance(make_settings(tmp_path_factory.mktemp("home"))) as opened:
        yield opened


@pytest.fixture
def instance(shared: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """An instance without runs."""
    yield shared
    for run in shared.get_runs():
        shared.delete_run(run.run_id)
    for path in (Path(shared.root_directory) / "alive").glob("*.lock"):
        path.unlink()


@pytest.fixture
def make_run(instance: dg.DagsterInstance) -> MakeRun:
    """Create a run with a status in the record of the instance."""

    def make(status: Status) -> str:
        run = dg.DagsterRun(
            job_name="monthly_pipeline",
            run_id=str(uuid.uuid4()),
            status=status,
            tags={"dagster/partition": "2023-04"},
        )
        return instance.add_run(run).run_id

    return make


@contextmanager
def holder(instance: dg.DagsterInstance, *run_ids: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the locks of runs, killed at the end."""
    command = [sys.executable, "-m", "fitness_assets_tests.support.holder"]
    with subprocess.Popen(
        [*command, instance.root_directory, *run_ids], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def status_of(instance: dg.DagsterInstance, run_id: str) -> tuple[Status, bool]:
    """The status of a run, and whether it has the tag of an ended process."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status, PROCESS_ENDED_TAG in run.tags


def write_record(instance: dg.DagsterInstance, run_id: str, record: Holder) -> Path:
    path = Path(instance.root_directory) / "alive" / f"{run_id}.lock"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(documents.encode(record))
    return path


def test_a_run_is_marked_when_its_process_is_killed_and_not_before(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    expected = {
        Status.STARTING: (Status.FAILURE, True),
        Status.STARTED: (Status.FAILURE, True),
        Status.CANCELING: (Status.CANCELED, False),
        # The code server marked it: nothing in it failed.
        Status.FAILURE: (Status.FAILURE, True),
        Status.SUCCESS: (Status.SUCCESS, False),
    }
    runs = {status: make_run(status) for status in expected}
    with holder(instance, *runs.values()) as process:
        assert liveness.end_dead_runs(instance) == []
        for status, run_id in runs.items():
            assert status_of(instance, run_id) == (status, False)
        process.kill()
        process.wait()
        lines = liveness.end_dead_runs(instance)
    assert {status: status_of(instance, run_id) for status, run_id in runs.items()} == expected
    assert len(lines) == 3, "a line for each run that was not finished"
    assert all("monthly_pipeline 2023-04" in line for line in lines)
    assert liveness.end_dead_runs(instance) == [], "they are marked once"


def test_run_monitoring_uses_the_launcher_of_our_dagster_yaml(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    launcher = instance.run_launcher
    assert isinstance(launcher, LocalRunLauncher)
    assert launcher.supports_check_run_worker_health
    run_id = make_run(Status.STARTED)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING, "no lock file"
    with holder(instance, run_id) as process:
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        process.kill()
        process.wait()
        assert launcher.check_run_worker_health(run).status == WorkerStatus.FAILED
    assert status_of(instance, run_id) == (Status.FAILURE, True)


def test_a_run_of_another_machine_is_left_alone(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    run_id = make_run(Status.STARTED)
    other = msgspec.structs.replace(Holder.current(), host="other", boot="another boot")
    write_record(instance, run_id, other)
    assert liveness.end_dead_runs(instance) == []
    # The same host after it was started again.
    write_record(instance, run_id, msgspec.structs.replace(Holder.current(), boot="another boot"))
    assert len(liveness.end_dead_runs(instance)) == 1


def test_a_launched_run_has_time_to_start_unless_its_serve_has_ended(
    instance: dg.DagsterInstance, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVE_VARIABLE, "home#1")
    first, second, third = (make_run(Status.STARTING) for _ in range(3))
    liveness.record_launch(instance, first)
    assert liveness.end_dead_runs(instance) == []
    assert liveness.end_dead_runs(instance, serve="home#1") == []
    assert len(liveness.end_dead_runs(instance, serve="home#2")) == 1
    assert status_of(instance, first) == (Status.FAILURE, True)

    launched = msgspec.structs.replace(Holder.current(started=False), serve=None)
    write_record(instance, second, launched)
    assert liveness.end_dead_runs(instance, serve="home#2") == []
    late = msgspec.structs.replace(launched, since=datetime.now(UTC) - timedelta(minutes=5))
    write_record(instance, third, late)
    assert len(liveness.end_dead_runs(instance)) == 1
    assert status_of(instance, third) == (Status.FAILURE, True)
    assert status_of(instance, second) == (Status.STARTING, False)


@pytest.mark.parametrize(
    ("seconds", "is_started", "expected"),
    [(30, False, Status.STARTING), (45, False, Status.FAILURE), (45, True, Status.STARTING)],
)
def test_a_run_whose_process_did_not_start_is_marked_within_a_minute(
    instance: dg.DagsterInstance,
    make_run: MakeRun,
    seconds: float,
    is_started: bool,
    expected: Status,
) -> None:
    run_id = make_run(Status.STARTING)
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    launched = Holder.current("home#1", started=False)
    write_record(instance, run_id, msgspec.structs.replace(launched, since=since))
    if is_started:
        record_start(instance, run_id, os.getpid())
    liveness.end_dead_runs(instance, serve="home#1")
    assert status_of(instance, run_id)[0] == expected


def test_a_process_that_was_killed_before_it_took_its_lock_is_marked_at_once(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    run_id = make_run(Status.STARTING)
    write_record(instance, run_id, Holder.current("home#1", started=False))
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    record_start(instance, run_id, process.pid)
    assert len(liveness.end_dead_runs(instance, serve="home#1")) == 1
    assert status_of(instance, run_id) == (Status.FAILURE, True)


def record_start(instance: dg.DagsterInstance, run_id: str, pid: int) -> None:
    """As Dagster records the start of the process of a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    message = f"Started process for run (pid: {pid})."
    instance.report_engine_event(message, run, EngineEventData.in_process(pid))


def test_a_run_of_a_command_is_canceled_by_an_interrupt_of_its_process(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    run_id = make_run(Status.STARTED)
    with holder(instance, run_id) as process:
        assert instance.run_launcher.terminate(run_id)
        assert process.wait(60) != 0
    # The process records the end of the run; this one has no run.
    assert status_of(instance, run_id)[0] == Status.CANCELING


def test_a_run_that_cannot_be_canceled_says_where_its_process_is(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    run_id = make_run(Status.STARTED)
    assert not instance.run_launcher.terminate(run_id)
    write_record(
        instance, run_id, msgspec.structs.replace(Holder.current(), host="other", boot="another")
    )
    assert not instance.run_launcher.terminate(run_id)
    assert status_of(instance, run_id)[0] == Status.STARTED
    events = [entry.dagster_event for entry in instance.all_logs(run_id)]
    messages = [str(event.message) for event in events if event is not None]
    assert "none is known" in messages[0]
    assert f"it is process {os.getpid()} on other since" in messages[1]


def test_a_serve_cancels_only_runs_that_it_started(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    runs = {serve: make_run(Status.STARTED) for serve in ("home#1", "home#2", None)}
    for serve, run_id in runs.items():
        write_record(instance, run_id, Holder.current(serve))
    untracked = make_run(Status.STARTED)
    (line,) = liveness.cancel_runs(instance, "home#2", "stopped")
    assert runs["home#2"] in line
    assert [status_of(instance, run)[0] for run in (*runs.values(), untracked)] == [
        Status.STARTED,
        Status.CANCELED,
        Status.STARTED,
        Status.STARTED,
    ]


def test_a_serve_interrupts_only_runs_that_it_started(
    instance: dg.DagsterInstance, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others, launched = (make_run(Status.STARTED) for _ in range(3))
    write_record(instance, launched, Holder.current("home#1", started=False))
    with ExitStack() as stack:
        processes = []
        for serve, run_id in (("home#1", ours), ("home#2", others)):
            monkeypatch.setenv(SERVE_VARIABLE, serve)
            processes.append(stack.enter_context(holder(instance, run_id)))
        (line,) = liveness.interrupt_runs(instance, "home#1", "stopped")
        assert line == f"canceling  monthly_pipeline 2023-04, run {ours}"
        assert processes[0].wait(60) != 0
        assert processes[1].poll() is None
    statuses = [status_of(instance, run_id)[0] for run_id in (ours, others, launched)]
    assert statuses == [Status.CANCELING, Status.STARTED, Status.STARTED]
    (line,) = liveness.cancel_runs(instance, "home#1", "stopped")
    assert launched in line, "its process had not started"


def test_a_run_in_this_process_leaves_a_lock_file_only_if_it_was_interrupted(
    instance: dg.DagsterInstance, make_run: MakeRun
) -> None:
    run_id = make_run(Status.STARTED)
    with liveness.holding(instance, run_id):
        assert liveness.end_dead_runs(instance) == []
    assert not liveness.is_dead(instance, run_id)
    with pytest.raises(KeyboardInterrupt), liveness.holding(instance, run_id):
        raise KeyboardInterrupt
    assert liveness.is_dead(instance, run_id)


def test_a_damaged_lock_file_is_left_alone(instance: dg.DagsterInstance, make_run: MakeRun) -> None:
    run_id = make_run(Status.STARTED)
    write_record(instance, run_id, Holder.current()).write_bytes(b"{")
    assert liveness.end_dead_runs(instance) == []
    assert status_of(instance, run_id) == (Status.STARTED, False)


def test_only_one_process_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = locks.acquire(path, Holder.current())
    assert held is not None
    assert locks.is_held(path)
    assert locks.acquire(path, Holder.current()) is None
    held.release()
    assert not locks.is_held(path)
    again = locks.acquire(path, Holder.current())
    assert again is not None
    again.remove()
    assert not path.exists()


def test_the_dagster_yaml_of_an_earlier_version_is_replaced_and_an_edited_one_kept(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path)
    ours = (prepare_home(settings) / "dagster.yaml").read_bytes()
    assert launcher_hint(prepare_home(settings) / "dagster.yaml") is None
    path = settings.dagster_home / "dagster.yaml"
    path.write_text("telemetry: {enabled: false}\n")
    hint = launcher_hint(prepare_home(settings) / "dagster.yaml")
    assert hint is not None
    assert str(path) in hint
    assert "run_launcher: {module: fitness_assets.orchestration.launcher" in hint
    assert path.read_text() == "telemetry: {enabled: false}\n"
    monkeypatch.setattr(instances, "_EARLIER", frozenset({instances.digest(path)}))
    assert prepare_home(settings) == settings.dagster_home
    assert path.read_bytes() == ours


@pytest.mark.parametrize(
    ("tags", "months"),
    [
        ({"dagster/partition": "2023-04"}, ["2023-04"]),
        (
            {
                "dagster/asset_partition_range_start": "2023-04",
                "dagster/asset_partition_range_end": "2023-06",
            },
            ["2023-04", "2023-05", "2023-06"],
        ),
        ({}, []),
    ],
)
def test_the_months_of_a_run(tags: dict[str, str], months: list[str]) -> None:
    assert months_of_run(dg.DagsterRun(job_name="job", tags=tags)) == months
