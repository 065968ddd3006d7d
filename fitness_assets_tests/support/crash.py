"""A process of its own that publishes a month and is killed on the way: `python -m ... --help`."""

import os
import signal
import sys
from pathlib import Path

import pyarrow as pa

from fitness_assets.storage import publication
from fitness_assets.storage.lake import Lake, describe, part, write_rows

#: Files of a month here, so that a crash can fall between two of them.
FILES = 3
ROWS = 1_000


def table(content: int) -> pa.Table:
    """What a file of the month holds: `content` in every row, so that a mixture shows."""
    return pa.table({"content": [content] * ROWS})


def publish(lake: Lake, month: str, content: int) -> None:
    with lake.writer(month) as writer:
        for number in range(FILES):
            rows = table(content)
            write_rows(writer.staging / part(number), rows.to_batches(), rows.schema)
        writer.publish(describe(writer.staging))


def main(root: str, month: str, content: str, fatal: str) -> None:
    """Publish, and die by SIGKILL when `fatal` is passed for the first time."""

    def die(point: publication.CrashPoint) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    publication.reached = die
    publish(Lake(Path(root)), month, int(content))


if __name__ == "__main__":
    main(*sys.argv[1:])
