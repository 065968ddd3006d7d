"""A home in an object store: racing writers, and its times compared with those of a local disk."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from shutil import which

import pytest
from rich.table import Table

from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.locations import Location, location
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.azurite import running_azurite
from fitness_assets_tests.support.google_storage import running_google_storage
from fitness_assets_tests.support.object_store import Server, running_s3
from fitness_assets_tests.support.racing import WRITERS, run_rounds
from fitness_assets_tests.support.seaweedfs import running_seaweedfs

_ROUNDS = 100
_MONTHS = ("2023-04", "2023-05")
_REPEATS = 20
_BACKFILL = [sys.executable, "-c", "from fitness_assets.cli.main import main; main()", "backfill"]
_AZURITE = which("azurite-blob")
_SERVERS = ("SeaweedFS", "moto", *(["Azurite"] if _AZURITE else []))


def object_store() -> Iterator[Table]:
    """A home in an object store: racing writers, and times compared with a local disk."""
    with tempfile.TemporaryDirectory() as folder:
        yield _races(Path(folder))
        yield _times(Path(folder))


def _races(folder: Path) -> Table:
    table = Table(
        "server",
        "rounds",
        "one winner",
        "its content published",
        "other contents read",
        "ms a round",
        title=f"rounds of {WRITERS} writers of one month",
    )
    # That of Google's API is of the tests and stores nothing on a disk.
    for name in (*_SERVERS, "Google's API"):
        rounds: list[tuple[list[int], int]] = []
        with _prefix(name, folder) as root:
            began = time.perf_counter()
            seen = run_rounds(Lake(root, TableInfo), _ROUNDS, partial(_append, rounds))
            took = (time.perf_counter() - began) / _ROUNDS
        published = {content for _, content in rounds}
        table.add_row(
            name,
            str(len(rounds)),
            str(sum(len(winners) == 1 for winners, _ in rounds)),
            str(sum(winners[-1:] == [content] for winners, content in rounds)),
            str(len(seen - published - {-1})),
            f"{1000 * took:.0f}",
        )
    return table


def _append(rounds: list[tuple[list[int], int]], winners: list[int], content: int) -> None:
    rounds.append((winners, content))


def _times(folder: Path) -> Table:
    table = Table(
        "home",
        "two months, s",
        "manifest, ms",
        "scan of 60,000 rows, ms",
        "state of 2 months, ms",
        title="two months of 1,959 users, all stages",
    )
    _run(table, "local disk", folder / "home", folder / "home")
    for name in _SERVERS:
        with _prefix(name, folder) as root:
            _run(table, name, root, folder / name)
    return table


def _run(table: Table, name: str, home: Location, state: Path) -> None:
    """Add a row to `table`: two months, and single requests of them."""
    environ = os.environ | {
        "FITNESS_HOME": str(home),
        "FITNESS_STATE": str(state),
        "FITNESS_LAST_MONTH": _MONTHS[-1],
    }
    began = time.perf_counter()
    # The JVM of a process keeps the variables of the server that was used first.
    subprocess.run(_BACKFILL, env=environ, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    workspace = Workspace.of(Settings.from_env(environ))
    table.add_row(
        name,
        f"{took:.1f}",
        _milliseconds(lambda: workspace.daily.manifest(_MONTHS[0])),
        _milliseconds(lambda: workspace.daily.scan([_MONTHS[0]], ["user_id", "date", "steps"])),
        _milliseconds(lambda: read_state(workspace, _MONTHS)),
    )


def _milliseconds(call: Callable[[], object]) -> str:
    """The median of some calls."""
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return f"{1000 * sorted(times)[_REPEATS // 2]:.3g}"


@contextmanager
def _prefix(name: str, folder: Path) -> Iterator[Location]:
    """A prefix on the server called `name`, and the variables by which clients find it."""
    with ExitStack() as stack:
        data = Path(tempfile.mkdtemp(dir=folder))
        servers = {
            "SeaweedFS": partial(running_seaweedfs, which("weed") or "weed", data),
            "moto": running_s3,
            "Google's API": partial(running_google_storage, data),
            "Azurite": partial(running_azurite, _AZURITE or "azurite-blob", data),
        }
        server: Server = stack.enter_context(servers[name]())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        yield location(server.use(patch))
