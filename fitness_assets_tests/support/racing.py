"""Writers of an object store that publish a month at the same time, while a reader reads it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from fitness_assets.errors import StorageError
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets_tests.support import crash

MONTH = "2023-04"
WRITERS = 8


def whole(lake: Lake[TableInfo]) -> int:
    """The content of every row of the month."""
    table = lake.scan([MONTH]).table
    assert table.num_rows == crash.FILES * crash.ROWS
    (found,) = set(table["content"].to_pylist())
    return int(found)


@contextmanager
def polled(lake: Lake[TableInfo]) -> Iterator[set[int]]:
    """What a reader sees in a loop while the body runs; its errors are raised at the end."""
    seen: set[int] = set()
    errors: list[Exception] = []
    done = threading.Event()

    def poll() -> None:
        try:
            while not done.is_set():
                seen.add(whole(lake))
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


def race(pool: ThreadPoolExecutor, lake: Lake[TableInfo], first: int) -> list[int]:
    """Let writers publish the contents from `first` at the same time; those that succeeded."""
    together = threading.Barrier(WRITERS)

    def write(number: int) -> str:
        try:
            crash.publish(lake, MONTH, number, together.wait)
        except StorageError as error:
            return str(error)
        return ""

    numbers = range(first, first + WRITERS)
    outcomes = dict(zip(numbers, pool.map(write, numbers), strict=True))
    lost = "was published by another run"
    assert all(lost in error for error in outcomes.values() if error), outcomes
    return [number for number, error in outcomes.items() if not error]


def run_rounds(
    lake: Lake[TableInfo], rounds: int, ended: Callable[[list[int], int], None]
) -> set[int]:
    """Race `rounds` times; all contents that a reader saw meanwhile.

    Parameters
    ----------
    lake : Lake
    rounds : int
    ended : callable
        Called after each round with those who succeeded, and with what is published.
    """
    crash.publish(lake, MONTH, -1)
    with polled(lake) as seen, ThreadPoolExecutor(WRITERS) as pool:
        for number in range(rounds):
            ended(race(pool, lake, number * WRITERS), whole(lake))
    return seen
