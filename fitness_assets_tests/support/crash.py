"""A process that publishes a month and is killed at a crash point.

Run as `python -m fitness_assets_tests.support.crash ROOT MONTH CONTENT POINT`.
"""

import os
import signal
import sys
from pathlib import Path

import pyarrow as pa

from fitness_assets.storage import publication
from fitness_assets.storage.lake import Lake, TableInfo, describe, part, write_rows

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


def main(root: str, month: str, content: str, fatal: str) -> None:
    """Publish, and kill the process when it reaches `fatal`."""

    def die(point: publication.CrashPoint) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    publication.reached = die
    publish(Lake(Path(root), TableInfo), month, int(content))


if __name__ == "__main__":
    main(*sys.argv[1:])
