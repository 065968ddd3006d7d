"""Progress bars, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fitness_assets.text import printable


@contextmanager
def bytes_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of the file `name`; its function takes the bytes read and their total."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task(printable(name), total=None)

    def show(done: int, total: int) -> None:
        # A file that is not found or not recognized has no bar.
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def steps_bar() -> Progress:
    """A progress bar of the assets of a plan."""
    return Progress(
        TextColumn("{task.description}", justify="left", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
