"""Webserver, daemon and dashboard: the processes that `fitness serve` starts and stops together."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

import fitness_assets
from fitness_assets.cli.ownership import kill_processes, served_home
from fitness_assets.errors import FitnessError
from fitness_assets.orchestration.instance import launcher_hint, open_instance
from fitness_assets.orchestration.liveness import cancel_runs, end_dead_runs
from fitness_assets.settings import SERVE_VARIABLE, Settings

# Both are limits for a machine under heavy load; neither is waited for otherwise.
_START_TIMEOUT_SECONDS = 300.0
_STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.2
_LIVENESS_SECONDS = 15.0
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound
_DEFINITIONS = "fitness_assets.definitions"


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
    with _signal_flag() as stopped, served_home(settings) as serve, ExitStack() as stack:
        for name, address in addresses.items():
            if _is_listening(address):
                raise FitnessError(f"{name}: port {address[1]} on {address[0]} is in use")
        if hint := launcher_hint(settings):
            log(hint)
        # Creates the storage of a new home: if two services created it at once, one would fail.
        instance = stack.enter_context(open_instance(settings))
        _end_dead_runs(instance, serve, log)
        stack.callback(_cancel_runs, instance, serve, log)
        environment = settings.environment() | {SERVE_VARIABLE: serve}
        running = {
            name: stack.enter_context(_process(command, environment))
            for name, command in _commands(settings).items()
        }

        def ended() -> str | None:
            return next((name for name, p in running.items() if p.poll() is not None), None)

        _wait_for_ports(addresses, lambda: stopped() or ended() is not None, log)
        checked = time.monotonic()
        while not stopped() and ended() is None:
            if time.monotonic() - checked > _LIVENESS_SECONDS:
                _end_dead_runs(instance, serve, log)
                checked = time.monotonic()
            time.sleep(_POLL_SECONDS)
        service = ended()
        if service is not None and not stopped():
            log(f"the {service} ended with status {running[service].returncode}; stopping")
            return 1
    log("stopped")
    return 0


def _wait_for_ports(
    addresses: Mapping[str, tuple[str, int]],
    ended: Callable[[], bool],
    log: Callable[[str], None],
) -> None:
    """Wait until all services listen, or one of them has `ended`."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    waiting = dict(addresses)
    while waiting and not ended():
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


def _end_dead_runs(instance: dg.DagsterInstance, serve: str, log: Callable[[str], None]) -> None:
    try:
        lines = end_dead_runs(instance, serve=serve)
    except SQLAlchemyError as error:
        # SQLite may be locked by a run; the next check is soon.
        lines = [f"the runs could not be checked: {error}"]
    for line in lines:
        log(line)


def _cancel_runs(instance: dg.DagsterInstance, serve: str, log: Callable[[str], None]) -> None:
    """End what the services left behind, then mark its runs. Queued runs stay queued."""
    kill_processes(serve)
    for line in cancel_runs(instance, serve, "fitness serve was stopped during this run"):
        log(line)


def _commands(settings: Settings) -> dict[str, list[str]]:
    spec = importlib.util.find_spec("dashboard.server")
    if spec is None or spec.origin is None:
        raise FitnessError("the package `dashboard` is not installed")
    app = Path(spec.origin)
    host = settings.host
    # Without -d Dagster imports the definitions from the working folder first.
    definitions = ["-m", _DEFINITIONS, "-d", str(Path(fitness_assets.__path__[0]).parent)]
    return {
        "webserver": [
            *(sys.executable, "-m", "fitness_assets.web.dagster_ui", *definitions),
            *("-h", host, "-p", str(settings.dagster_port)),
        ],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", *definitions],
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
