"""Processes that publish a month, and are killed at a crash point or at any time."""

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow as pa

from fitness_assets.storage import publication
from fitness_assets.storage.lake import Lake, TableInfo, describe
from fitness_assets.storage.rows import part, write_rows

#: Files of a month: several, so that a crash can happen between two of them.
FILES = 3
ROWS = 1_000


def table(content: int) -> pa.Table:
    """One file of the month: `content` in every row, so that a mixture of two is detected."""
    return pa.table({"content": [content] * ROWS})


def publish(lake: Lake[TableInfo], month: str, content: int) -> None:
    with lake.writer(month) as writer:
        for number in range(FILES):
            rows = table(content)
            write_rows(writer.staging / part(number), rows.to_batches(), rows.schema)
        writer.publish(describe(writer.staging))


def start(
    lake: Lake[TableInfo], month: str, contents: list[int], fatal: str = "never"
) -> BaseProcess:
    """Start a process that publishes each of `contents`, and is killed when it reaches `fatal`."""
    # Its processes are copies of one that has imported this module.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_publish_all, args=(lake.root, month, contents, fatal))
    process.start()
    return process


def exit_status(process: BaseProcess) -> int | None:
    """Wait for the end of `process`: 0, or the negative signal that killed it."""
    process.join(60)
    return process.exitcode


def _publish_all(root: Path, month: str, contents: list[int], fatal: str) -> None:
    def die(point: publication.CrashPoint) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    publication.reached = die
    for content in contents:
        publish(Lake(root, TableInfo), month, content)
