"""Webserver, daemon and dashboard: the processes that `fitness serve` starts and stops together."""

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

# Both are limits for a machine under heavy load; neither is waited for otherwise.
_START_TIMEOUT_SECONDS = 300.0
_STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.2
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound
_DEFINITIONS = "fitness_assets.definitions"
_RUNNING = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Tag of a run that a code server launched: the address of that server.
_SERVER_TAG = ".dagster/grpc_info"


def run_services(settings: Settings, log: Callable[[str], None]) -> int:
    """Run the three services until a signal arrives or one of them ends.

    Parameters
    ----------
    settings : Settings
        Host, ports and home.
    log : callable
        Called with each line for the user.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if a service ended without one.
    """
    addresses = {
        "Dagster": (settings.host, settings.dagster_port),
        "dashboard": (settings.host, settings.dashboard_port),
    }
    for name, address in addresses.items():
        if _is_listening(address):
            raise FitnessError(f"{name}: port {address[1]} on {address[0]} is in use")

    # Creates the storage of a new home: if two services created it at once, one would fail.
    open_instance(settings).dispose()
    environment = settings.environment()
    with _signal_flag() as stopped, ExitStack() as stack:
        stack.callback(_cancel_runs, settings, log)
        running = {
            name: stack.enter_context(_process(command, environment))
            for name, command in _commands(settings).items()
        }

        def ended() -> str | None:
            return next((name for name, p in running.items() if p.poll() is not None), None)

        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        waiting = dict(addresses)
        while waiting and not stopped() and ended() is None:
            if time.monotonic() > deadline:
                raise FitnessError(
                    f"{', '.join(waiting)} did not start in {_START_TIMEOUT_SECONDS:.0f} s"
                )
            for name, address in list(waiting.items()):
                if _is_listening(address):
                    log(f"{name:<10} http://{_reachable(address[0])}:{address[1]}")
                    del waiting[name]
            time.sleep(_POLL_SECONDS)
        if not waiting:
            log("Press Ctrl-C to stop.")
        while not stopped() and ended() is None:
            time.sleep(_POLL_SECONDS)
        service = ended()
        if service is not None and not stopped():
            log(f"the {service} ended with status {running[service].returncode}; stopping")
            return 1
    log("stopped")
    return 0


def _cancel_runs(settings: Settings, log: Callable[[str], None]) -> None:
    """Mark the runs whose processes were stopped as canceled. Queued runs stay queued."""
    with open_instance(settings) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_RUNNING)):
            # A run of another command has no such tag and may continue.
            if _SERVER_TAG in run.tags:
                instance.report_run_canceled(run, "fitness serve was stopped during this run")
                month = run.tags.get("dagster/partition", "")
                log(f"canceled   {month} of {run.job_name}, run {run.run_id}".rstrip())


def _commands(settings: Settings) -> dict[str, list[str]]:
    spec = importlib.util.find_spec("dashboard.app")
    if spec is None or spec.origin is None:
        raise FitnessError("the package `dashboard` is not installed")
    app = Path(spec.origin)
    host = settings.host
    return {
        "webserver": [
            *(sys.executable, "-m", "dagster_webserver", "-m", _DEFINITIONS),
            *("-h", host, "-p", str(settings.dagster_port)),
        ],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-m", _DEFINITIONS],
        "dashboard": [
            *(sys.executable, "-m", "streamlit", "run", str(app)),
            *("--server.address", host, "--server.port", str(settings.dashboard_port)),
        ],
    }


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own group; on exit the whole group is ended."""
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_SECONDS)
        # Children that it left behind, and the process if it did not end in time.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _signal_flag() -> Iterator[Callable[[], bool]]:
    """Record SIGINT and SIGTERM instead of ending, so that the services are stopped in order."""
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
    """The address at which a browser on this machine reaches a server bound to `host`."""
    return "127.0.0.1" if host == _ANY_ADDRESS else host


def _is_listening(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection((_reachable(address[0]), address[1]), timeout=0.5):
            return True
    except OSError:
        return False
