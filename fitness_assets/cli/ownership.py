"""The lock of a served home, and the processes that belong to its `fitness serve`."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from fitness_assets.errors import FitnessError
from fitness_assets.orchestration import locks
from fitness_assets.orchestration.locks import SERVE_LOCK, Holder
from fitness_assets.settings import SERVE_VARIABLE, Settings

_KILL_TIMEOUT_SECONDS = 20.0


@contextmanager
def served_home(settings: Settings) -> Iterator[str]:
    """Hold the locks of the home and of Dagster's home, and yield the id of this `fitness serve`.

    Processes that an earlier one left behind, because it was killed, are ended first.

    Raises
    ------
    FitnessError
        If another `fitness serve` holds a lock. The message names its process.
    """
    dagster_home = str(settings.dagster_home.resolve())
    with ExitStack() as stack:
        for folder in sorted({settings.home.resolve(), settings.dagster_home.resolve()}):
            folder.mkdir(parents=True, exist_ok=True)
            lock = locks.acquire(folder / SERVE_LOCK, Holder.current())
            if lock is None:
                holder = locks.read_holder(folder / SERVE_LOCK)
                raise FitnessError(
                    f"{folder} is served by another `fitness serve`, {holder or 'just started'}"
                )
            stack.callback(lock.release)
        kill_processes(f"{dagster_home}#")
        yield f"{dagster_home}#{secrets.token_hex(4)}"


def is_served(settings: Settings) -> bool:
    """Whether a `fitness serve` of this home is running."""
    return locks.is_held(settings.dagster_home / SERVE_LOCK)


def kill_processes(prefix: str) -> None:
    """Kill the processes that were started by a `fitness serve` whose id begins with `prefix`.

    Wherever they are in the tree of processes: children of a process that was killed have no
    parent that would end them. Returns when they have ended.

    Raises
    ------
    FitnessError
        If one of them does not end.
    """
    deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
    # A process may start another one while it is being killed.
    while found := [process for process in psutil.process_iter() if _is_of(process, prefix)]:
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in found)
            raise FitnessError(f"processes of an earlier `fitness serve` do not end: {pids}")
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=1)


def _is_of(process: psutil.Process, prefix: str) -> bool:
    try:
        return (
            process.pid != psutil.Process().pid
            and process.environ().get(SERVE_VARIABLE, "").startswith(prefix)
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, OSError):
        # It has ended, or belongs to another user.
        return False
