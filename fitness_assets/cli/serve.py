"""Webserver, daemon and dashboard: started together, stopped together."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import dagster as dg

from fitness_assets.errors import FitnessError
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings

_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 20.0
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - recognised, not bound
_MODULE = "fitness_assets.definitions"
_RUNNING = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# On a run: where the server listened that started its process.
_LAUNCHED_HERE = ".dagster/grpc_info"


def serve(settings: Settings, tell: Callable[[str], None]) -> int:
    """Serve until interrupted, terminated, or one of the three ends.

    Parameters
    ----------
    settings : Settings
        Host, ports and home.
    tell : callable
        Given each line for the user.

    Returns
    -------
    int
        0 after a signal; 1 if one of the three ended by itself.
    """
    places = {
        "Dagster": (settings.host, settings.dagster_port),
        "dashboard": (settings.host, settings.dashboard_port),
    }
    for name, place in places.items():
        if _listens(place):
            raise FitnessError(f"{name}: port {place[1]} on {place[0]} is in use")

    # Of two that find a home without storage at once, one would fail to make it.
    open_instance(settings).dispose()
    environment = settings.environment()
    with _stopped_by_signal() as stopped, ExitStack() as stack:
        stack.callback(_cancel_runs, settings, tell)
        running = {
            name: stack.enter_context(_process(command, environment))
            for name, command in _commands(settings).items()
        }

        def ended() -> str | None:
            return next((name for name, p in running.items() if p.poll() is not None), None)

        deadline = time.monotonic() + _START_TIMEOUT
        waiting = dict(places)
        while waiting and not stopped() and ended() is None:
            if time.monotonic() > deadline:
                raise FitnessError(f"{', '.join(waiting)} did not start in {_START_TIMEOUT:.0f} s")
            for name, place in list(waiting.items()):
                if _listens(place):
                    tell(f"{name:<10} http://{_reachable(place[0])}:{place[1]}")
                    del waiting[name]
            time.sleep(0.2)
        if not waiting:
            tell("Ctrl-C stops all of it.")
        while not stopped() and ended() is None:
            time.sleep(0.2)
        gone = ended()
        if gone is not None and not stopped():
            tell(f"the {gone} ended by itself with status {running[gone].returncode}; stopping")
            return 1
    tell("stopped")
    return 0


def _cancel_runs(settings: Settings, tell: Callable[[str], None]) -> None:
    """Mark what was running as canceled, once its process is gone. What is queued stays queued."""
    with open_instance(settings) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_RUNNING)):
            # That of another command has no such tag, and may go on.
            if _LAUNCHED_HERE in run.tags:
                instance.report_run_canceled(run, "fitness serve was stopped while this ran")
                month = run.tags.get("dagster/partition", "")
                tell(f"canceled   {month} of {run.job_name}, run {run.run_id}".rstrip())


def _commands(settings: Settings) -> dict[str, list[str]]:
    spec = importlib.util.find_spec("dashboard.app")
    if spec is None or spec.origin is None:
        raise FitnessError("the dashboard is not installed beside fitness_assets")
    app = Path(spec.origin)
    host = settings.host
    return {
        "webserver": [
            *(sys.executable, "-m", "dagster_webserver", "-m", _MODULE),
            *("-h", host, "-p", str(settings.dagster_port)),
        ],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-m", _MODULE],
        "dashboard": [
            *(sys.executable, "-m", "streamlit", "run", str(app)),
            *("--server.address", host, "--server.port", str(settings.dashboard_port)),
        ],
    }


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, ended with everything it has started."""
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT)
        # What it had started and has not ended itself, and itself where it did not end in time.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _stopped_by_signal() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a flag, so that the processes are ended in order."""
    received: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)

    before = {s: signal.signal(s, remember) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reachable(host: str) -> str:
    """Where a browser on this machine finds what is bound to `host`."""
    return "127.0.0.1" if host == _ANY_ADDRESS else host


def _listens(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection((_reachable(place[0]), place[1]), timeout=0.5):
            return True
    except OSError:
        return False
