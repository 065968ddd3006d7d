"""A standalone Spark cluster on loopback: real daemons, started here, ended here."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fitness_assets.resources.workspace import Workspace
from fitness_assets.settings import Settings
from fitness_assets_tests.conftest import MONTHS, USERS, MakeSettings
from fitness_assets_tests.test_cli import FITNESS
from fitness_assets_tests.test_served import free_port, wait_for

WORKERS = 2


@contextmanager
def cluster(settings: Settings, folder: Path) -> Iterator[str]:
    """A master and two workers of one core each; the master's URL."""
    port = free_port()
    environment = {
        **os.environ,
        "FITNESS_HOME": str(settings.home),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_MASTER_WEBUI_PORT": "0",
        "SPARK_WORKER_WEBUI_PORT": "0",
    }
    start = [str(FITNESS), "spark"]
    place = ("--host", "127.0.0.1")
    url = f"spark://127.0.0.1:{port}"
    commands = [
        [*start, "master", "--port", str(port), *place],
        *[[*start, "worker", "--cores", "1", "--memory", "1g", *place, url]] * WORKERS,
    ]
    log = folder / "daemons.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        for command in commands:
            daemon = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
            stack.callback(daemon.wait)
            stack.callback(daemon.terminate)
            if command is commands[0]:
                wait_for("the master", lambda: listens(port), 60)
        wait_for("the workers", lambda: log.read_text().count("Registering worker") == WORKERS, 60)
        yield url


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_cluster_writes_what_local_mode_writes(
    make_settings: MakeSettings, tmp_path: Path, released: Settings
) -> None:
    settings = make_settings(tmp_path / "home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    with cluster(settings, tmp_path) as url:
        run = subprocess.run(
            [
                FITNESS,
                *("backfill", *MONTHS, "--select", "+daily_activity"),
            ],
            check=False,
            capture_output=True,
            text=True,
            env={
                **kept,
                "FITNESS_HOME": str(settings.home),
                "FITNESS_LAST_MONTH": settings.last_month,
                "FITNESS_COHORT_USERS": str(USERS),
                "FITNESS_SPARK_MASTER": url,
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
        )
    assert run.returncode == 0, run.stdout + run.stderr
    executed = [path for path in settings.home.glob("spark/app-*/*") if path.is_dir()]
    assert len(executed) == WORKERS, "each worker started an executor"
    local, distributed = (Workspace.of(each).daily for each in (released, settings))
    for month in MONTHS:
        assert distributed.published(month) == local.published(month)
