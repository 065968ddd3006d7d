"""Runs whose process ended: a run whose lock file no process holds is dead.

A run that a launcher starts is recorded before its process exists. The process replaces the record
by a lock that it holds until it ends. A file that stays behind is of a process that was killed.
"""

import atexit
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.events import EngineEventData
from filelock import FileLock, Timeout

from fitness_assets.orchestration import locks
from fitness_assets.orchestration.locks import HeldLock, Holder
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG, describe_run
from fitness_assets.settings import current_serve
from fitness_assets.storage import documents
from fitness_assets.storage.publication import write_atomically

#: How long a launched process may take until it is recorded that it started.
_LAUNCH_TIMEOUT = timedelta(seconds=40)
#: How long it may take to take its lock if it is known to have started, and is not known to have
#: ended: it imports the definitions first.
_START_TIMEOUT = timedelta(seconds=120)
_MESSAGE = "The process of this run ended before the run did"

#: Held until this process ends.
_held: list[HeldLock] = []


def record_launch(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record that a process is about to be started for a run."""
    holder = Holder.current(current_serve(), started=False)
    write_atomically(_lock_file(instance, run_id), documents.encode(holder))


def hold_until_exit(instance: dg.DagsterInstance, run_id: str) -> None:
    """Hold the lock of a run until this process ends."""
    lock = locks.replace(_lock_file(instance, run_id), Holder.current(current_serve()))
    _held.append(lock)
    # Not called if the process is killed: the file stays, and no process holds it.
    atexit.register(lock.remove)


@contextmanager
def holding(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run that this process executes itself."""
    lock = locks.replace(_lock_file(instance, run_id), Holder.current(current_serve()))
    try:
        yield
    except BaseException:
        # The run may not have ended. Without a holder it is found and marked.
        lock.release()
        raise
    lock.remove()


def end_dead_runs(instance: dg.DagsterInstance, *, serve: str | None = None) -> list[str]:
    """Mark the runs whose process ended.

    They fail with the tag `PROCESS_ENDED_TAG`; runs that were being canceled are canceled. Runs of
    another machine, and runs without a lock file, are left alone.

    Parameters
    ----------
    instance : DagsterInstance
    serve : str, optional
        The running `fitness serve`, if the caller holds its lock: what another one started and no
        process holds is dead, also if it had just been launched.

    Returns
    -------
    list of str
        A line for each run that was marked.
    """
    folder = _folder(instance)
    if not any(_is_dead(instance, path, serve) for path in folder.glob("*.lock")):
        return []
    try:
        # Another process that marks the same runs would report them twice.
        with FileLock(folder / "_lock", timeout=0):
            found = sorted(folder.glob("*.lock"))
            dead = [path for path in found if _is_dead(instance, path, serve)]
            lines = [_end(instance, path) for path in dead]
    except Timeout:
        return []
    return [line for line in lines if line is not None]


def interrupt_runs(instance: dg.DagsterInstance, serve: str, reason: str) -> list[str]:
    """Cancel the unfinished runs that the `fitness serve` with this id started.

    Their processes are interrupted, and not waited for.

    Returns
    -------
    list of str
        A line for each run that is being canceled.
    """
    lines = []
    for path in sorted(_folder(instance).glob("*.lock")):
        holder = holder_of(instance, path.stem)
        run = instance.get_run_by_id(path.stem)
        if holder is None or holder.serve != serve or run is None or run.is_finished:
            continue
        if run.status != dg.DagsterRunStatus.CANCELING:
            # Before the process ends: it records a run that was being canceled as canceled.
            instance.report_run_canceling(run, reason)
        if interrupt(holder):
            lines.append(f"canceling  {describe_run(run)}, run {run.run_id}")
    return lines


def cancel_runs(instance: dg.DagsterInstance, serve: str, reason: str) -> list[str]:
    """Mark the unfinished runs that the `fitness serve` with this id started as canceled.

    Their processes have ended.

    Returns
    -------
    list of str
        A line for each run that was marked.
    """
    lines = []
    for path in sorted(_folder(instance).glob("*.lock")):
        holder = locks.read_holder(path)
        if holder is None or holder.serve != serve or locks.is_held(path):
            continue
        run = instance.get_run_by_id(path.stem)
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, reason)
            lines.append(f"canceled   {describe_run(run)}, run {run.run_id}")
        path.unlink(missing_ok=True)
    return lines


def is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process of a run is known to have ended before the run."""
    return _is_dead(instance, _lock_file(instance, run_id), None)


def holder_of(instance: dg.DagsterInstance, run_id: str) -> Holder | None:
    """The process that holds the lock of a run; None if none does, or it is not known."""
    path = _lock_file(instance, run_id)
    holder = locks.read_holder(path)
    if holder is None or holder.pid is None or (holder.is_local() and not locks.is_held(path)):
        return None
    return holder


def interrupt(holder: Holder) -> bool:
    """Interrupt a process, as Ctrl-C does. Returns whether it could be."""
    if holder.pid is None or not holder.shares_process_ids():
        return False
    try:
        os.kill(holder.pid, signal.SIGINT)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _is_dead(instance: dg.DagsterInstance, path: Path, serve: str | None) -> bool:
    holder = locks.read_holder(path)
    if holder is None or not holder.is_local() or locks.is_held(path):
        return False
    if holder.pid is not None:
        return True
    if serve is not None and holder.serve is not None and holder.serve != serve:
        return True
    waited = datetime.now(UTC) - holder.since
    if waited > _START_TIMEOUT:
        return True
    pid = _started_pid(instance, path.stem)
    if pid is None:
        return waited > _LAUNCH_TIMEOUT
    # Ids of processes in other containers say nothing here.
    return holder.serve is not None and not psutil.pid_exists(pid)


def _started_pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The id of the process of a run, which Dagster records when the process has started."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        data = event.event_specific_data if event else None
        pid = data.metadata.get("pid") if isinstance(data, EngineEventData) else None
        if pid is not None:
            return int(str(pid.value))
    return None


def _end(instance: dg.DagsterInstance, path: Path) -> str | None:
    run = instance.get_run_by_id(path.stem)
    line = None
    if run is not None and run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, _MESSAGE)
        line = f"canceled   {describe_run(run)}, run {run.run_id}: its process has ended"
    elif run is not None and not run.is_finished:
        # Before it fails: whoever counts its failures sees both or neither.
        instance.add_run_tags(run.run_id, {PROCESS_ENDED_TAG: "true"})
        instance.report_run_failed(run, _MESSAGE)
        line = f"failed     {describe_run(run)}, run {run.run_id}: its process has ended"
    elif run is not None and _failed_without_error(instance, run):
        # The code server saw its process end, and marked it.
        instance.add_run_tags(run.run_id, {PROCESS_ENDED_TAG: "true"})
    path.unlink(missing_ok=True)
    return line


def _failed_without_error(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return run.status == dg.DagsterRunStatus.FAILURE and not instance.all_logs(
        run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE
    )


def _folder(instance: dg.DagsterInstance) -> Path:
    folder = Path(instance.root_directory) / "alive"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lock_file(instance: dg.DagsterInstance, run_id: str) -> Path:
    return _folder(instance) / f"{run_id}.lock"
