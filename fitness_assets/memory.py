"""The memory of processes: how often they look for garbage, how much they use, how to return it."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATM = Path("/proc/self/statm")
#: The blocks in which the garbage collector skips old objects.
_blocks: list[object] = []


def resident() -> int | None:
    """Return the resident memory of this process in bytes, or None if the system has no /proc."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak(process: int | str = "self") -> int | None:
    """Return the peak resident memory of a process in bytes, or None if it is not known.

    Unlike `getrusage`, it does not include the memory of the process that it was forked from.

    Parameters
    ----------
    process : int or str
        Process id.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    # A zombie process has no such line.
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) * 1024 if sizes else None


def collect_rarely() -> None:
    """Look for garbage after 50,000 new objects, not after 700 as Python 3.11 does; at exit, never.

    The imports of Dagster, pandas and scikit-learn, definitions and events of runs leave hardly
    any, and each collection takes time.
    """
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    exit_without_collecting()


def exit_without_collecting() -> None:
    """When Python exits, do not look for garbage among all objects of all modules."""
    atexit.register(gc.freeze)


@contextmanager
def without_old_garbage() -> Iterator[None]:
    """Let the garbage collector skip all objects that exist before.

    It would look at all modules and definitions again and again.
    """
    if not _blocks:
        gc.freeze()
    block = object()
    _blocks.append(block)
    try:
        yield
    finally:
        _blocks.remove(block)
        # What an outer block skips stays so.
        if not _blocks:
            gc.unfreeze()


def trim() -> None:
    """Return freed memory to the system, where the allocator has a function for it.

    `gc.collect` frees objects, but glibc keeps their pages until `malloc_trim` is called.
    """
    if sys.platform == "linux":
        import ctypes

        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim is not None:
            malloc_trim(0)


def collect_and_trim() -> None:
    """Free the objects that nothing refers to, and return their memory to the system."""
    gc.collect()
    trim()
