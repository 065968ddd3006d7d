"""A small cohort, runs of the monthly job, free ports, a quick daemon, and waiting for a state."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import dagster as dg
import pytest

from fitness_assets.definitions import MONTHLY_JOB, build_defs
from fitness_assets.settings import Settings

MONTHS = ("2023-04", "2023-05")
#: So many that some are held out: cross-validated scores of fewer users take three times as long.
USERS = 110

#: Short-lived JVMs are faster without the optimizing compiler. They say that they use it.
QUICK_JAVA = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

MakeSettings = Callable[..., Settings]


def materialize(
    settings: Settings,
    month: str,
    instance: dg.DagsterInstance,
    assets: list[str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run the monthly job in this process. Raises the error of a step that fails."""
    selection = [dg.AssetKey(name) for name in assets] if assets else None
    job = build_defs(settings).resolve_job_def(MONTHLY_JOB)
    return job.execute_in_process(instance=instance, partition_key=month, asset_selection=selection)


def free_port() -> int:
    """A port of the loopback interface that is not in use now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a server answers at `url`, be it with an error: it may want a signature."""
    try:
        with urlopen(url):
            return True
    except HTTPError:
        return True
    except (URLError, ConnectionError):
        return False


@contextmanager
def running_server(command: list[str], folder: Path, endpoint: str) -> Iterator[None]:
    """Run a program that serves `endpoint` from the data in `folder`, which also gets its log."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(endpoint, lambda: answers(endpoint), seconds=120, pause=0.2)
        yield
    finally:
        # To end gracefully takes time, and nothing of it is needed again.
        process.kill()
        process.wait(10)


def quick_daemon(environ: Mapping[str, str]) -> dict[str, str]:
    """With it Dagster's daemon looks for backfills every 5 seconds, and not every 30.

    Parameters
    ----------
    environ : mapping
        The environment of the daemon.
    """
    path = [str(Path(__file__).with_name("quick_daemon")), environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def wait_for(
    what: str, ready: Callable[[], bool], seconds: float = 600, pause: float = 0.5
) -> None:
    """Wait until `ready` returns true; fail if it takes too long.

    Parameters
    ----------
    what : str
        The awaited state, for the message.
    ready : callable
    seconds : float
        The limit. Generous, since the machine may be busy with other work.
    pause : float
        Seconds between two looks at the state.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} took more than {seconds:.0f} s")
        time.sleep(pause)


def original_lake() -> Path:
    """The raw data of the original project. Skips the test if it is missing."""
    declared = os.environ.get("FITNESS_SHARED_DATA")
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = (Path(declared) if declared else default) / "original-lake"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set FITNESS_SHARED_DATA)")
    return folder
