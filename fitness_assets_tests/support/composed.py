"""`deploy/compose.yaml` without containers: its services as processes, each on a loopback address.

Commands, environments, health checks, order and mounted files are those of the compose file. Names
of services are replaced by addresses, and absolute paths by paths in a folder of the test.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
import yaml

from fitness_assets_tests.support.platform import QUICK_JAVA, quick_daemon

#: Limit for a service to become healthy or to exit. Generous: the machine may be busy.
_TIMEOUT_SECONDS = 600
_STOP_TIMEOUT_SECONDS = 60

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: A second container of a service, as `docker compose up --scale` starts it.
SECOND = "spark-worker.2"
#: A variable that compose.yaml takes from .env and that has no default.
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
# The port in the command of a health check.
_PORT = re.compile(r"(?:127\.0\.0\.1:|-p )(\d+)")


def find_postgres() -> Path | None:
    """The folder with the programs of the newest PostgreSQL of Debian or the ``PATH``, if any."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parts[-2]))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


def stage(name: str) -> dict[str, list[str]]:
    """The last exec-form ENTRYPOINT and HEALTHCHECK command of a stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    _, _, after = text.partition(f" AS {name}\n")
    body = re.split(r"^FROM ", after, maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^(ENTRYPOINT|HEALTHCHECK)[^\[\n]*(\[.*\])$", body, re.MULTILINE)
    return {keyword: json.loads(value) for keyword, value in found}


class Composed:
    """The services of compose.yaml. A context manager that stops those that were started.

    Parameters
    ----------
    folder : Path
        The services write only here. Other users must be able to enter it: if this process runs
        as root, PostgreSQL runs as another user.
    dotenv : mapping
        The variables of ``.env``.
    """

    def __init__(self, folder: Path, dotenv: Mapping[str, str]) -> None:
        self.folder = folder
        self._dotenv = dotenv
        self._logs = folder / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # A network for each test process, so that services use the ports of the containers.
        network = f"127.{64 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
        self.address = {name: f"{network}.{1 + i}" for i, name in enumerate([*SERVICES, SECOND])}

    def __enter__(self) -> Self:
        self._logs.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
        deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
        for name, process in self._processes.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill(name)

    def up(self, *names: str) -> None:
        """Start services, each after its dependencies are healthy or have exited."""
        for name in names:
            for other, needed in _service(name).get("depends_on", {}).items():
                if other not in self._processes:
                    self.up(other)
                if needed["condition"] == "service_healthy":
                    self.wait(other)
            self.start(name)

    def start(self, name: str) -> None:
        """Start the service `name`; if it runs only once, wait until it has exited."""
        if name == "database":
            command = self._create_database()
        else:
            command = self._here(name, self._command(name))
        self._mount(name)
        with (self._logs / name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment(name),
                # The image contains the sources in its working directory, too.
                cwd=ROOT,
                start_new_session=True,
                user=postgres_user() if name == "database" else None,
            )
        if _service(name).get("restart") == "no":
            assert self._processes[name].wait(_TIMEOUT_SECONDS) == 0, self.log(name)

    def wait(self, name: str) -> None:
        """Wait until the health check of the service `name` passes."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        own = _service(name).get("healthcheck", {}).get("test")
        check = own[1:] if own else stage(name)["HEALTHCHECK"]
        port = _PORT.search(" ".join(check))
        error = "nothing listens"
        while True:
            # Some checks take seconds of the processor, which the start of the service needs.
            if port is None or self._listens(name, int(port[1])):
                result = subprocess.run(
                    self._here(name, check),
                    check=False,
                    capture_output=True,
                    text=True,
                    env=self.environment(name),
                    cwd=self.folder,
                )
                if result.returncode == 0:
                    return
                error = result.stderr[-500:]
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{name} is not healthy: {error}\n{self.log(name)}")
            time.sleep(0.5)

    def _listens(self, name: str, port: int) -> bool:
        try:
            socket.create_connection((self.address[name], port), 5).close()
        except OSError:
            return False
        return True

    def kill(self, name: str) -> None:
        """Kill the service and its descendants with SIGKILL."""
        process = self._processes[name]
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def descendants(self, name: str) -> dict[int, psutil.Process]:
        """The descendants of the service, by process id."""
        found = psutil.Process(self._processes[name].pid).children(recursive=True)
        return {process.pid: process for process in found}

    def log(self, name: str) -> str:
        """The end of the log of the service."""
        return (self._logs / name).read_text(errors="replace")[-4000:]

    def environment(self, name: str) -> dict[str, str]:
        """The environment of the service `name`, with the variables of ours that it needs here."""
        kept = {"HOME", "LANG", "JAVA_HOME", "PYTHONPATH", "TMPDIR"}
        postgres = find_postgres()
        path = [str(Path(sys.executable).parent), *([str(postgres)] if postgres else [])]
        declared = {
            variable: self._dotenv.get(variable) if value is None else str(value)
            for variable, value in _service(name).get("environment", {}).items()
        }
        return {
            **{variable: os.environ[variable] for variable in kept & os.environ.keys()},
            **quick_daemon(os.environ),
            "PATH": os.pathsep.join([*path, os.environ["PATH"]]),
            # A container has only one address; here Spark must know which to use.
            "SPARK_LOCAL_IP": self.address[name],
            **QUICK_JAVA,
            "STREAMLIT_SERVER_ADDRESS": self.address[name],
            **{
                variable: self._text(name, value)
                for variable, value in declared.items()
                if value is not None
            },
        }

    def _command(self, name: str) -> list[str]:
        service = _service(name)
        if "command" in service:
            return list(service["command"])
        entry = stage(name)["ENTRYPOINT"]
        return entry[entry.index("--") + 1 :]

    def _create_database(self) -> list[str]:
        environment = self.environment("database")
        user, folder = postgres_user(), Path(environment["PGDATA"])
        if user:
            shutil.chown(folder, user)
        password = self.folder / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        programs = find_postgres()
        assert programs is not None
        create = f"CREATE DATABASE {environment['POSTGRES_DB']}\n".encode()
        arguments: list[str | Path] = ["-D", folder, "-U", environment["POSTGRES_USER"]]
        for program, options, text in (
            ("initdb", [*arguments, "-A", "scram-sha-256", f"--pwfile={password}"], b""),
            ("postgres", ["--single", "-D", folder, "postgres"], create),
        ):
            subprocess.run(
                [programs / program, *options],
                input=text,
                check=True,
                capture_output=True,
                env=environment,
                user=user,
            )
        address = ("-h", self.address["database"], "-k", str(folder))
        return [str(programs / "postgres"), "-D", str(folder), *address, "-c", "fsync=off"]

    def _mount(self, name: str) -> None:
        """Write the configuration files of a service to their targets."""
        for config in _service(name).get("configs", ()):
            path = Path(self._text(name, config["target"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            source = DEPLOY / COMPOSE["configs"][config["source"]]["file"]
            if source.suffix == ".yaml":
                document = self._here(name, yaml.safe_load(source.read_text()))
                path.write_text(yaml.safe_dump(document))
            else:
                # The directive has another name in the Caddy of Debian.
                text = source.read_text().replace("basic_auth", "basicauth")
                path.write_text(self._text(name, text))

    def _here(self, name: str, value: Any) -> Any:
        """`value`, of any YAML type, with names and paths replaced in its strings."""
        if isinstance(value, dict):
            return {key: self._here(name, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._here(name, each) for each in value]
        return self._text(name, value) if isinstance(value, str) else value

    def _text(self, name: str, value: str) -> str:
        value = REQUIRED.sub(lambda found: self._dotenv[found[1]], value)
        if value in self.address:
            return self.address[value]
        value = re.sub(
            rf"(?<![\w.-])({'|'.join(self.address)})(?=:\d)",
            lambda found: self.address[found[1]],
            value,
        )
        value = re.sub(r"(?<![\w.])(0\.0\.0\.0|127\.0\.0\.1)(?![\w.])", self.address[name], value)
        return re.sub(r"(?<![\w.:/])/(state|etc|tmp)(?=/|$)", rf"{self.folder}/\1", value)


def _service(name: str) -> dict[str, Any]:
    return SERVICES[name.partition(".")[0]]


def postgres_user() -> str | None:
    """The user of PostgreSQL, which refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None
