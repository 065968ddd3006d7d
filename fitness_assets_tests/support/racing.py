"""Writers of an object store that publish a month at the same time, while a reader reads it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fitness_assets.errors import StorageError
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets_tests.support import crash
from fitness_assets_tests.support.polling import MONTH, contents, polled

WRITERS = 8


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
            ended(race(pool, lake, number * WRITERS), _one(contents(lake)))
    return {_one(each) for each in seen}


def _one(found: set[int]) -> int:
    (content,) = found
    return content
