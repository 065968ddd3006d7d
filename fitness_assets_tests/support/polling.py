"""A reader of a month in a loop, while writers publish it or are killed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets_tests.support import crash

MONTH = "2023-04"


def contents(lake: Lake[TableInfo]) -> set[int]:
    """The contents that the rows of the month have: one, unless publications are mixed."""
    table = lake.scan([MONTH]).table
    assert table.num_rows == crash.FILES * crash.ROWS
    return set(table["content"].to_pylist())


@contextmanager
def polled(lake: Lake[TableInfo], pause: float = 0.0, least: int = 0) -> Iterator[list[set[int]]]:
    """The `contents` that a reader sees in a loop while the body runs; its errors are raised.

    Parameters
    ----------
    lake : Lake
    pause : float
        Seconds between two reads.
    least : int
        Fewer reads are an error.
    """
    seen: list[set[int]] = []
    errors: list[Exception] = []
    done = threading.Event()

    def poll() -> None:
        try:
            while not done.wait(pause):
                seen.append(contents(lake))
        except Exception as error:  # noqa: BLE001 - raised in the other thread
            errors.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield seen
    finally:
        done.set()
        reader.join()
    assert not errors, errors
    assert len(seen) >= least
