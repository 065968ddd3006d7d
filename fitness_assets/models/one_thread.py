"""Computing in one thread, so that results do not depend on the number of cores."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread in the block, or in the decorated function.

    The last digits of a parallel sum depend on the order of its parts. Forests are grown in threads
    of joblib, which this does not limit and on which their bytes do not depend.
    """
    with threadpool_limits(1):
        yield
