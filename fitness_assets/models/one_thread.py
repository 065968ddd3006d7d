"""Computing in one thread, so that results do not depend on the number of cores."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread in the block, or in the decorated function.

    The last digits of a parallel sum depend on the order of its parts. Forests are grown in threads
    of joblib, which this does not limit and on which their bytes do not depend.
    """
    # Its search of all loaded libraries takes milliseconds. Only imports load more of them.
    with _controller(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _controller(_: int) -> ThreadpoolController:
    return ThreadpoolController()
