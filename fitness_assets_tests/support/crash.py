"""Processes that publish a month, and are killed at a crash point or at any time."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.process import BaseProcess
from typing import Any

import pyarrow as pa

from fitness_assets.storage import object_folder, publication
from fitness_assets.storage.lake import Lake, TableInfo, describe
from fitness_assets.storage.locations import Location
from fitness_assets.storage.object_folder import GRACE
from fitness_assets.storage.rows import part, write_rows

#: Files of a month: several, so that a crash can happen between two of them.
FILES = 3
ROWS = 1_000


def table(content: int) -> pa.Table:
    """One file of the month: `content` in every row, so that a mixture of two is detected."""
    return pa.table({"content": [content] * ROWS})


def publish(
    lake: Lake[TableInfo], month: str, content: int, began: Callable[[], object] = lambda: None
) -> None:
    """Publish `content`; `began` is called when the writer has begun."""
    with lake.writer(month) as writer:
        began()
        for number in range(FILES):
            rows = table(content)
            write_rows(writer.staging / part(number), rows.to_batches(), rows.schema)
        writer.publish(describe(writer.staging))


def start(
    lake: Lake[TableInfo],
    month: str,
    contents: list[int],
    fatal: str = "never",
    grace: timedelta = GRACE,
) -> BaseProcess:
    """Start a process that publishes each of `contents`, and is killed when it reaches `fatal`.

    It removes files of an object store that are older than `grace`.
    """
    # Its processes are copies of one that has imported this module.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here = {"environ": dict(os.environ), "grace": grace}
    process = context.Process(
        target=_publish_all,
        args=(lake.root, month, contents, fatal, here),
    )
    process.start()
    return process


def exit_status(process: BaseProcess) -> int | None:
    """Wait for the end of `process`: 0, or the negative signal that killed it."""
    process.join(60)
    return process.exitcode


def _publish_all(
    root: Location, month: str, contents: list[int], fatal: str, here: dict[str, Any]
) -> None:
    # These processes are copies of one that was started before variables of a server were set.
    os.environ.update(here["environ"])
    object_folder.GRACE = here["grace"]

    def die(point: publication.CrashPoint) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    publication.reached = die
    for content in contents:
        publish(Lake(root, TableInfo), month, content)
