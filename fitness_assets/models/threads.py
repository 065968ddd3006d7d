"""Computing in several threads, with results that do not depend on their number."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sklearn
from threadpoolctl import threadpool_limits

from fitness_assets.models.one_thread import one_thread

T = TypeVar("T")


def in_threads(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """The results of `tasks`, in order; as many run at the same time as there are cores.

    Each task uses one thread of BLAS and OpenMP, and the configuration of scikit-learn of the
    caller.

    Parameters
    ----------
    tasks : sequence of callable
        None may fit a forest: scikit-learn then changes the warning filters, which all threads
        share.
    """
    configuration = sklearn.get_config()

    def run(task: Callable[[], T]) -> T:
        with sklearn.config_context(**configuration):
            return task()

    # OpenMP has a limit for each thread, BLAS one for all, which the block restores.
    with (
        one_thread(),
        ThreadPoolExecutor(os.cpu_count(), initializer=threadpool_limits, initargs=(1,)) as pool,
    ):
        return list(pool.map(run, tasks))
