"""The services that `fitness serve` starts, watches and stops together."""

import importlib.util
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import dagster as dg
import yaml
from sqlalchemy.exc import SQLAlchemyError

import fitness_assets
from fitness_assets.cli.ownership import kill_processes, served_home
from fitness_assets.cli.service import Service
from fitness_assets.errors import FitnessError
from fitness_assets.formatting import seconds
from fitness_assets.orchestration.instance import launcher_hint, open_instance, prepare_home
from fitness_assets.orchestration.liveness import cancel_runs, end_dead_runs, interrupt_runs
from fitness_assets.settings import SERVE_VARIABLE, Settings

# A limit for a machine under heavy load; it is not waited for otherwise.
_START_TIMEOUT_SECONDS = 300.0
_POLL_SECONDS = 0.2
_LIVENESS_SECONDS = 15.0
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound
_DEFINITIONS = "fitness_assets.definitions"
_SOCKET = "code.sock"
_STOPPED = "fitness serve was stopped during this run"

#: Host and port, or the path of a socket.
Address = tuple[str, int] | Path


def require_free_ports(settings: Settings) -> None:
    """Check that nothing listens on the ports of the services.

    Raises
    ------
    FitnessError
        If something does. Names the setting of the port.
    """
    for (name, (host, port)), variable in zip(
        _addresses(settings).items(),
        ("FITNESS_DAGSTER_PORT", "FITNESS_DASHBOARD_PORT"),
        strict=True,
    ):
        if _is_listening((host, port)):
            raise FitnessError(
                f"{name}: port {port} on {host} is in use; set {variable}, or end what uses it"
            )


def _addresses(settings: Settings) -> dict[str, tuple[str, int]]:
    """Host and port of each service with a page."""
    return {
        "Dagster": (settings.host, settings.dagster_port),
        "dashboard": (settings.host, settings.dashboard_port),
    }


def run_services(settings: Settings, log: Callable[[str], None]) -> int:
    """Run the services until a signal arrives. One that ends is started again.

    Parameters
    ----------
    settings : Settings
        Host, ports and home.
    log : callable
        Called with each line for the user.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if a service did not start, or ended too often.
    """
    addresses = _addresses(settings)
    with _signal_flag() as stopped, served_home(settings) as serve, ExitStack() as stack:
        require_free_ports(settings)
        if hint := launcher_hint(prepare_home(settings) / "dagster.yaml"):
            log(hint)
        # Creates the storage of a new home: if two services created it at once, one would fail.
        instance = stack.enter_context(open_instance(settings))
        _end_dead_runs(instance, serve, log)
        stack.callback(_cancel_runs, instance, serve, log)
        # The path of a socket has at most about 100 characters: it is not below the home.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fitness-")))
        environment = settings.environment() | {SERVE_VARIABLE: serve}
        services = {
            name: Service(name, command, environment)
            for name, command in _commands(settings, folder).items()
        }
        stack.enter_context(services["code server"])
        # It waits for its runs. They are interrupted when the daemon can launch no other.
        stack.callback(_interrupt_runs, instance, serve, log)
        for name in ("webserver", "daemon", "dashboard"):
            stack.enter_context(services[name])

        def ended() -> bool:
            return stopped() or any(service.has_ended() for service in services.values())

        services["code server"].start()
        services["dashboard"].start()
        _wait_for({"code server": folder / _SOCKET}, ended)
        if not ended():
            services["webserver"].start()
            services["daemon"].start()
        _wait_for(addresses, ended, log)
        if not ended():
            log("Press Ctrl-C to stop.")
        is_started = not ended()
        checked = time.monotonic()
        while not stopped():
            for service in services.values():
                if service.has_ended() and not (is_started and service.restart(log)):
                    log(f"the {service.name} ended with status {service.status()}; stopping")
                    return 1
            if time.monotonic() - checked > _LIVENESS_SECONDS:
                _end_dead_runs(instance, serve, log)
                checked = time.monotonic()
            time.sleep(_POLL_SECONDS)
    log("stopped")
    return 0


def _wait_for(
    addresses: Mapping[str, Address],
    ended: Callable[[], bool],
    log: Callable[[str], None] | None = None,
) -> None:
    """Wait until all services listen, or one of them has `ended`."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    waiting = dict(addresses)
    while waiting and not ended():
        if time.monotonic() > deadline:
            raise FitnessError(
                f"{', '.join(waiting)} did not start in {seconds(_START_TIMEOUT_SECONDS)}"
            )
        for name, address in list(waiting.items()):
            if _is_listening(address):
                if log is not None and isinstance(address, tuple):
                    log(f"{name:<10} http://{_reachable(address[0])}:{address[1]}")
                del waiting[name]
        time.sleep(_POLL_SECONDS)


def _end_dead_runs(instance: dg.DagsterInstance, serve: str, log: Callable[[str], None]) -> None:
    try:
        lines = end_dead_runs(instance, serve=serve)
    except SQLAlchemyError as error:
        # SQLite may be locked by a run; the next check is soon.
        lines = [f"the runs could not be checked: {error}"]
    for line in lines:
        log(line)


def _interrupt_runs(instance: dg.DagsterInstance, serve: str, log: Callable[[str], None]) -> None:
    try:
        lines = interrupt_runs(instance, serve, _STOPPED)
    except SQLAlchemyError as error:
        lines = [f"the runs could not be canceled, and will be killed: {error}"]
    for line in lines:
        log(line)


def _cancel_runs(instance: dg.DagsterInstance, serve: str, log: Callable[[str], None]) -> None:
    """End what the services left behind, then mark its runs. Queued runs stay queued."""
    kill_processes(serve)
    for line in cancel_runs(instance, serve, _STOPPED):
        log(line)


def _commands(settings: Settings, folder: Path) -> dict[str, list[str]]:
    """The command of each service. `folder` is for the socket of the code server.

    Dagster's webserver and daemon could each start a code server, but would not start it again if
    it was killed. They connect again to one that they did not start.
    """
    spec = importlib.util.find_spec("dashboard.server")
    if spec is None or spec.origin is None:
        raise FitnessError("the package `dashboard` is not installed")
    app = Path(spec.origin)
    host = settings.host
    server = {"socket": str(folder / _SOCKET), "location_name": _DEFINITIONS}
    workspace = folder / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    return {
        "code server": [
            *(sys.executable, "-m", "dagster", "api", "grpc", "--socket", server["socket"]),
            "--use-python-environment-entry-point",
            # Without -d Dagster imports the definitions from the working folder first.
            *("-m", _DEFINITIONS, "-d", str(Path(fitness_assets.__path__[0]).parent)),
            *("--location-name", _DEFINITIONS),
        ],
        "webserver": [
            *(sys.executable, "-m", "fitness_assets.web.dagster_ui", "-w", str(workspace)),
            *("-h", host, "-p", str(settings.dagster_port)),
        ],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
        "dashboard": [
            *(sys.executable, "-m", "streamlit", "run", str(app)),
            *("--server.address", host, "--server.port", str(settings.dashboard_port)),
        ],
    }


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


def _is_listening(address: Address) -> bool:
    if isinstance(address, Path):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(address)) == 0
    try:
        with socket.create_connection((_reachable(address[0]), address[1]), timeout=0.5):
            return True
    except OSError:
        return False
