"""The dashboard on a small host: ten people at once, and a release that changes under them.

A session speaks the protocol of the browser's side, so that what is measured is the server: a rerun
lasts from the click until the server has sent all that there is to draw.
"""

import asyncio
import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

LIMIT = 690_000_000
SESSIONS, SECONDS = 10, 180
#: Seconds that a person looks at a view before the next click.
LOOK = (1.0, 3.0)
USERS = 1959
_APP = Path(__file__).parents[1] / "dashboard" / "app.py"
_MEMORY = Path("/sys/fs/cgroup/memory")  # the first version of control groups
_UNIFIED = Path("/sys/fs/cgroup")  # the second
_UP = 60


def dashboard() -> "Iterator[Table]":
    """The dashboard in 690 MB of memory: ten sessions, all views, a new release in the middle."""
    from rich.table import Table

    from fitness_assets.release.store import ReleaseStore
    from fitness_assets.release.targets.folder import FolderTarget

    with tempfile.TemporaryDirectory() as folder:
        home, source, cache = (Path(folder, name) for name in ("home", "source", "cache"))
        fitness = Path(sys.executable).with_name("fitness")
        subprocess.run(
            [fitness, "backfill", "2023-04", "2023-05"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(FITNESS_HOME=str(home), FITNESS_COHORT_USERS=str(USERS)),
        )
        made, shown = ReleaseStore(home / "releases"), FolderTarget(source)
        shown.upload(made.open("2023-04"))
        with _group() as group, _serving(source, cache, group) as (process, address, began):
            cold = asyncio.run(_first(address, began))
            with _watching(process) as watched:
                change = threading.Timer(SECONDS / 2, lambda: shown.upload(made.open("2023-05")))
                change.start()
                took = asyncio.run(_people(address))
                change.join()
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
            used = group.most() if group else None
    memory = Table("memory", "MB", "ratio to the limit", title="dashboard: memory")
    memory.add_row("limit of the host", f"{LIMIT / 1e6:.0f}", "1.00")
    if used is None:
        memory.add_row("control group: not allowed here", "", "")
    else:
        memory.add_row("control group, with the page cache", f"{used / 1e6:.0f}", _share(used))
    peak = max(watched)
    memory.add_row("resident, highest", f"{peak / 1e6:.0f}", _share(peak))
    memory.add_row("resident, at the end", f"{watched[-1] / 1e6:.0f}", _share(watched[-1]))
    yield memory
    speed = Table("view", "reruns", "median ms", "95th ms", "ratio", title="dashboard: a rerun")
    first: float | None = None
    for name, times in took.items():
        median = statistics.median(times)
        first = first or median
        high = statistics.quantiles(times, n=20)[-1]
        speed.add_row(
            name,
            f"{len(times)}",
            f"{median * 1e3:.0f}",
            f"{high * 1e3:.0f}",
            f"{median / first:.2f}",
        )
    every = sorted(itertools.chain.from_iterable(took.values()))
    speed.add_row(
        "all",
        f"{len(every)}",
        f"{statistics.median(every) * 1e3:.0f}",
        f"{statistics.quantiles(every, n=20)[-1] * 1e3:.0f}",
        f"{statistics.median(every) / (first or 1):.2f}",
    )
    yield speed
    start = Table("from a cold start", "seconds", title="dashboard: the first page")
    start.add_row("until the overview is sent", f"{cold:.1f}")
    yield start


def _share(used: int) -> str:
    return f"{used / LIMIT:.2f}"


def _environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    return kept | settings


class _Group:
    """A control group whose processes may hold `LIMIT` bytes together."""

    def __init__(self, folder: Path, limit: str, most: str) -> None:
        self._folder, self._most = folder, most
        folder.mkdir()
        (folder / limit).write_text(str(LIMIT))

    def enter(self) -> None:
        (self._folder / "cgroup.procs").write_text("0")

    def most(self) -> int:
        return int((self._folder / self._most).read_text())

    def close(self) -> None:
        self._folder.rmdir()


@contextmanager
def _group() -> Iterator[_Group | None]:
    """A control group, or None where this may not make one."""
    name = f"fitness-bench-{os.getpid()}"
    kinds = [
        (_MEMORY / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        (_UNIFIED / name, "memory.max", "memory.peak"),
    ]
    found = None
    for folder, limit, most in kinds:
        with suppress(OSError):
            found = _Group(folder, limit, most)
            break
    if found is None:
        yield None
        return
    with closing(found):
        yield found


@contextmanager
def _serving(
    source: Path, cache: Path, group: _Group | None
) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """The server, its address, and when it was started."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", str(_APP), "--server.port", str(port)),
            *("--server.address", "127.0.0.1"),
        ],
        env=_environment(
            FITNESS_RELEASE_SOURCE=str(source),
            FITNESS_RELEASE_CACHE=str(cache),
            FITNESS_MEMORY=str(LIMIT),
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=group.enter if group else None,  # noqa: PLW1509 - before any thread is started
    )
    try:
        yield process, f"ws://127.0.0.1:{port}/_stcore/stream", began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def _watching(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """What the server holds, four times a second."""
    import psutil

    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(process.pid)
            while not over.wait(0.25):
                seen.append(server.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


async def _first(address: str, began: float) -> float:
    """Seconds since `began` until the server has sent a first page."""
    from websockets.asyncio.client import connect

    while True:
        try:
            async with connect(address, max_size=None) as socket:
                await _rerun(socket, "")
                return time.perf_counter() - began
        except OSError:
            if time.perf_counter() - began > _UP:
                raise
            await asyncio.sleep(0.05)


async def _people(address: str) -> dict[str, list[float]]:
    """Seconds of each rerun, by view."""
    took: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(_person(address, number, until, took) for number in range(SESSIONS)))
    return dict(sorted(took.items()))


async def _person(address: str, number: int, until: float, took: dict[str, list[float]]) -> None:
    from websockets.asyncio.client import connect

    draw = random.Random(number)  # noqa: S311 - not a secret
    await asyncio.sleep(draw.uniform(0, LOOK[1]))
    async with connect(address, max_size=None) as socket:
        pages = await _rerun(socket, "")
        # Each begins elsewhere and goes round.
        views = list(pages.items())
        for name, page in itertools.cycle(
            views[number % len(views) :] + views[: number % len(views)]
        ):
            await asyncio.sleep(draw.uniform(*LOOK))
            if time.perf_counter() > until:
                return
            began = time.perf_counter()
            await _rerun(socket, page)
            took[name].append(time.perf_counter() - began)


async def _rerun(socket: Any, page: str) -> dict[str, str]:
    """Ask for a page and read it to its end; the pages there are, by name."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    ask = BackMsg()
    ask.rerun_script.page_script_hash = page
    await socket.send(ask.SerializeToString())
    pages: dict[str, str] = {}
    async for content in socket:
        told = ForwardMsg.FromString(content)
        kind = told.WhichOneof("type")
        if kind == "navigation":
            pages = {each.page_name: each.page_script_hash for each in told.navigation.app_pages}
        elif kind == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
            raise RuntimeError(told.delta.new_element.exception.message)
        elif kind == "script_finished":
            if told.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                continue
            return pages
    raise RuntimeError("the server hung up")
