"""The dashboard on a small host: ten concurrent sessions, and a new release while they run.

A session uses the protocol of the browser, so that only the server is measured: a rerun lasts from
the click until the server has sent all content of the page.
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
#: Seconds between two clicks of a session.
THINK_SECONDS = (1.0, 3.0)
USERS = 1959
_APP = Path(__file__).parents[1] / "dashboard" / "app.py"
_CGROUP_V1 = Path("/sys/fs/cgroup/memory")
_CGROUP_V2 = Path("/sys/fs/cgroup")
_START_SECONDS = 60


def dashboard() -> "Iterator[Table]":
    """The dashboard with 690 MB of memory: ten sessions, all views, a new release halfway."""
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
        releases, target = ReleaseStore(home / "releases"), FolderTarget(source)
        target.upload(releases.open("2023-04"))
        with _control_group() as group, _server(source, cache, group) as (process, address, began):
            cold = asyncio.run(_first_page(address, began))
            with _memory_samples(process) as samples:
                change = threading.Timer(
                    SECONDS / 2, lambda: target.upload(releases.open("2023-05"))
                )
                change.start()
                times_by_view = asyncio.run(_run_sessions(address))
                change.join()
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
            used = group.peak() if group else None
    memory = Table("memory", "MB", "ratio to the limit", title="dashboard: memory")
    memory.add_row("limit of the host", f"{LIMIT / 1e6:.0f}", "1.00")
    if used is None:
        memory.add_row("control group: not permitted", "", "")
    else:
        memory.add_row("control group, with the page cache", f"{used / 1e6:.0f}", _share(used))
    peak = max(samples)
    memory.add_row("resident, peak", f"{peak / 1e6:.0f}", _share(peak))
    memory.add_row("resident, at the end", f"{samples[-1] / 1e6:.0f}", _share(samples[-1]))
    yield memory
    speed = Table(
        "view", "reruns", "median ms", "95th percentile ms", "ratio", title="dashboard: a rerun"
    )
    first: float | None = None
    for name, times in times_by_view.items():
        median = statistics.median(times)
        first = first or median
        percentile_95 = statistics.quantiles(times, n=20)[-1]
        speed.add_row(
            name,
            f"{len(times)}",
            f"{median * 1e3:.0f}",
            f"{percentile_95 * 1e3:.0f}",
            f"{median / first:.2f}",
        )
    all_times = sorted(itertools.chain.from_iterable(times_by_view.values()))
    speed.add_row(
        "all",
        f"{len(all_times)}",
        f"{statistics.median(all_times) * 1e3:.0f}",
        f"{statistics.quantiles(all_times, n=20)[-1] * 1e3:.0f}",
        f"{statistics.median(all_times) / (first or 1):.2f}",
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


class _ControlGroup:
    """A control group that limits the memory of its processes to `LIMIT` bytes."""

    def __init__(self, folder: Path, limit_file: str, peak_file: str) -> None:
        self._folder, self._peak_file = folder, peak_file
        folder.mkdir()
        (folder / limit_file).write_text(str(LIMIT))

    def enter(self) -> None:
        (self._folder / "cgroup.procs").write_text("0")

    def peak(self) -> int:
        return int((self._folder / self._peak_file).read_text())

    def close(self) -> None:
        self._folder.rmdir()


@contextmanager
def _control_group() -> Iterator[_ControlGroup | None]:
    """A new control group; None if the process may not create one."""
    name = f"fitness-bench-{os.getpid()}"
    kinds = [
        (_CGROUP_V1 / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        (_CGROUP_V2 / name, "memory.max", "memory.peak"),
    ]
    found = None
    for folder, limit_file, peak_file in kinds:
        with suppress(OSError):
            found = _ControlGroup(folder, limit_file, peak_file)
            break
    if found is None:
        yield None
        return
    with closing(found):
        yield found


@contextmanager
def _server(
    source: Path, cache: Path, group: _ControlGroup | None
) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """Start the server; the process, its address and its start time."""
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
def _memory_samples(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Resident memory of the server, sampled four times a second."""
    import psutil

    samples: list[int] = []
    stop = threading.Event()

    def sample() -> None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(process.pid)
            while not stop.wait(0.25):
                samples.append(server.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


async def _first_page(address: str, began: float) -> float:
    """Seconds from `began` until the server has sent the first page."""
    from websockets.asyncio.client import connect

    while True:
        try:
            async with connect(address, max_size=None) as socket:
                await _rerun(socket, "")
                return time.perf_counter() - began
        except OSError:
            if time.perf_counter() - began > _START_SECONDS:
                raise
            await asyncio.sleep(0.05)


async def _run_sessions(address: str) -> dict[str, list[float]]:
    """Seconds of each rerun, by view."""
    times_by_view: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + SECONDS
    await asyncio.gather(
        *(_session(address, number, until, times_by_view) for number in range(SESSIONS))
    )
    return dict(sorted(times_by_view.items()))


async def _session(
    address: str, number: int, until: float, times_by_view: dict[str, list[float]]
) -> None:
    from websockets.asyncio.client import connect

    draw = random.Random(number)  # noqa: S311 - not a secret
    await asyncio.sleep(draw.uniform(0, THINK_SECONDS[1]))
    async with connect(address, max_size=None) as socket:
        pages = await _rerun(socket, "")
        # Each session starts at another view and visits all of them in turn.
        views = list(pages.items())
        for name, page in itertools.cycle(
            views[number % len(views) :] + views[: number % len(views)]
        ):
            await asyncio.sleep(draw.uniform(*THINK_SECONDS))
            if time.perf_counter() > until:
                return
            began = time.perf_counter()
            await _rerun(socket, page)
            times_by_view[name].append(time.perf_counter() - began)


async def _rerun(socket: Any, page: str) -> dict[str, str]:
    """Request a page and receive all of it; the available pages, by name."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    request = BackMsg()
    request.rerun_script.page_script_hash = page
    await socket.send(request.SerializeToString())
    pages: dict[str, str] = {}
    async for content in socket:
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        if kind == "navigation":
            pages = {each.page_name: each.page_script_hash for each in message.navigation.app_pages}
        elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
            raise RuntimeError(message.delta.new_element.exception.message)
        elif kind == "script_finished":
            if message.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                continue
            return pages
    raise RuntimeError("the server closed the connection")
