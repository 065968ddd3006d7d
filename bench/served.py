"""A running `fitness serve`, and the GraphQL API of its Dagster."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from fitness_assets_tests.support.platform import free_port, quick_daemon, wait_for

_FITNESS = Path(sys.executable).with_name("fitness")
_LIMIT_SECONDS = 600


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[int]:
    """Start `fitness serve`, and yield the port of Dagster's web server when it answers."""
    ports = {"FITNESS_DAGSTER_PORT": free_port(), "FITNESS_DASHBOARD_PORT": free_port()}
    environment |= {name: str(port) for name, port in ports.items()}
    process = subprocess.Popen(
        [_FITNESS, "serve"],
        env={**environment, **quick_daemon(environment)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    port = ports["FITNESS_DAGSTER_PORT"]

    def answers() -> bool:
        try:
            return bool(ask(port, "{ version }"))
        except OSError:
            return False

    try:
        wait_for("Dagster's web server", answers, _LIMIT_SECONDS)
        yield port
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        for child in children:
            if child.is_running():
                child.kill()


def ask(port: int, query: str) -> Any:
    """What the API at `port` answers to a query."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/graphql", json.dumps({"query": query}), headers)
    return json.load(connection.getresponse())["data"]
