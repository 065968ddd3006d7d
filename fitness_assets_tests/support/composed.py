"""`deploy/compose.yaml` without containers: its services as processes, each on a loopback address.

The commands, environments, health checks, order and mounted files are those of the compose file.
What differs is where things are: a service's name becomes its address, its paths lie in a folder.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Another container of a service, as `docker compose up --scale` makes it.
SECOND = "spark-worker.2"
#: What compose.yaml takes from .env and has no default for.
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")


def find_postgres() -> Path | None:
    """The folder of the newest PostgreSQL's programs, where Debian or the ``PATH`` has one."""
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
    """The services of compose.yaml. A context manager; whatever was started is ended with it.

    Parameters
    ----------
    folder : Path
        Holds all that the services write. Others must be able to enter it: PostgreSQL runs as
        another user where this process is root's.
    dotenv : mapping
        What ``.env`` would say.
    """

    def __init__(self, folder: Path, dotenv: Mapping[str, str]) -> None:
        self.folder = folder
        self._dotenv = dotenv
        self._logs = folder / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # A network of our own, so that ports are what they are in containers.
        network = f"127.{64 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
        self.address = {name: f"{network}.{1 + i}" for i, name in enumerate([*SERVICES, SECOND])}

    def __enter__(self) -> Self:
        self._logs.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
        deadline = time.monotonic() + 20
        for name, process in self._processes.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill(name)

    def up(self, *names: str) -> None:
        """Start services, each after what it depends on; every one is waited for."""
        for name in names:
            for other, needed in _service(name).get("depends_on", {}).items():
                if other not in self._processes:
                    self.up(other)
                if needed["condition"] == "service_healthy":
                    self.wait(other)
            self.start(name)

    def start(self, name: str) -> None:
        """Start the service `name`, and wait for it if it is one that ends."""
        if name == "database":
            command = self._make_database()
        else:
            command = self._here(name, self._command(name))
        self._mount(name)
        with (self._logs / name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment(name),
                # Where the image has the sources too.
                cwd=ROOT,
                start_new_session=True,
                user=_postgres_user() if name == "database" else None,
            )
        if _service(name).get("restart") == "no":
            assert self._processes[name].wait(120) == 0, self.log(name)

    def wait(self, name: str, seconds: float = 120) -> None:
        """Wait until the health check of the service `name` passes."""
        deadline = time.monotonic() + seconds
        own = _service(name).get("healthcheck", {}).get("test")
        check = own[1:] if own else stage(name)["HEALTHCHECK"]
        while True:
            told = subprocess.run(
                self._here(name, check),
                check=False,
                capture_output=True,
                text=True,
                env=self.environment(name),
                cwd=self.folder,
            )
            if told.returncode == 0:
                return
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{name} is not healthy: {told.stderr[-500:]}\n{self.log(name)}")
            time.sleep(1)

    def kill(self, name: str) -> None:
        """Kill the service and all that it has started, with -9."""
        process = self._processes[name]
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def descendants(self, name: str) -> dict[int, psutil.Process]:
        """The processes that the service has started, by their ids."""
        found = psutil.Process(self._processes[name].pid).children(recursive=True)
        return {process.pid: process for process in found}

    def log(self, name: str) -> str:
        """The end of what the service has printed."""
        return (self._logs / name).read_text(errors="replace")[-4000:]

    def environment(self, name: str) -> dict[str, str]:
        """The environment of the service `name`, and no more of ours than it needs to run here."""
        kept = {"HOME", "LANG", "JAVA_HOME", "PYTHONPATH", "TMPDIR"}
        postgres = find_postgres()
        path = [str(Path(sys.executable).parent), *([str(postgres)] if postgres else [])]
        said = {
            variable: self._dotenv.get(variable) if value is None else str(value)
            for variable, value in _service(name).get("environment", {}).items()
        }
        return {
            **{variable: os.environ[variable] for variable in kept & os.environ.keys()},
            "PATH": os.pathsep.join([*path, os.environ["PATH"]]),
            # A container has one address, and nothing needs to be told which.
            "SPARK_LOCAL_IP": self.address[name],
            # JVMs that live for seconds are through sooner if they do not optimize.
            "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "STREAMLIT_SERVER_ADDRESS": self.address[name],
            **{
                variable: self._text(name, value)
                for variable, value in said.items()
                if value is not None
            },
        }

    def _command(self, name: str) -> list[str]:
        service = _service(name)
        if "command" in service:
            return list(service["command"])
        entry = stage(name)["ENTRYPOINT"]
        return entry[entry.index("--") + 1 :]

    def _make_database(self) -> list[str]:
        environment = self.environment("database")
        user, folder = _postgres_user(), Path(environment["PGDATA"])
        if user:
            shutil.chown(folder, user)
        password = self.folder / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        programs = find_postgres()
        assert programs is not None
        create = f"CREATE DATABASE {environment['POSTGRES_DB']}\n".encode()
        made: list[str | Path] = ["-D", folder, "-U", environment["POSTGRES_USER"]]
        for program, arguments, told in (
            ("initdb", [*made, "-A", "scram-sha-256", f"--pwfile={password}"], b""),
            ("postgres", ["--single", "-D", folder, "postgres"], create),
        ):
            subprocess.run(
                [programs / program, *arguments],
                input=told,
                check=True,
                capture_output=True,
                env=environment,
                user=user,
            )
        address = ("-h", self.address["database"], "-k", str(folder))
        return [str(programs / "postgres"), "-D", str(folder), *address, "-c", "fsync=off"]

    def _mount(self, name: str) -> None:
        """Write the configuration files of a service to where it looks for them."""
        for config in _service(name).get("configs", ()):
            path = Path(self._text(name, config["target"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            source = DEPLOY / COMPOSE["configs"][config["source"]]["file"]
            if source.suffix == ".yaml":
                document = self._here(name, yaml.safe_load(source.read_text()))
                path.write_text(yaml.safe_dump(document))
            else:
                # Debian's Caddy knows the directive by its former name.
                text = source.read_text().replace("basic_auth", "basicauth")
                path.write_text(self._text(name, text))

    def _here(self, name: str, value: Any) -> Any:
        """`value`, of whatever kind YAML has, with its texts as they are to be here."""
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


def _postgres_user() -> str | None:
    """Who runs PostgreSQL, which refuses to be root's."""
    return "postgres" if os.geteuid() == 0 else None
