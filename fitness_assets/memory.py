"""What this process holds of the machine's memory, and how to give some of it back."""

import ctypes
import gc
import os
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident() -> int | None:
    """Bytes of this process in memory now, or None where the system does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak(process: int | str = "self") -> int | None:
    """Bytes of a process in memory at most, or None where the system does not say.

    Unlike what `getrusage` gives, it does not count what the process was forked from.
    """
    try:
        told = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    # Of a process that has ended and was not waited for nothing is said.
    held = [line.split()[1] for line in told.splitlines() if line.startswith("VmHWM:")]
    return int(held[0]) * 1024 if held else None


def trim() -> None:
    """Hand what the allocator keeps of freed memory back to the system, where it can be asked to.

    `gc.collect` frees objects; glibc keeps their pages until it is told not to.
    """
    if sys.platform == "linux":
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if release is not None:
            release(0)


def give_back() -> None:
    """Free what nothing refers to any more, and hand it back to the system."""
    gc.collect()
    trim()
