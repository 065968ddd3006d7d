"""Lock files that name the process that holds them. A lock is released when its process ends."""

import fcntl
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents

#: Name of the lock file that `fitness serve` holds in the home and in Dagster's home.
SERVE_LOCK = "serve.lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds a lock.

    Attributes
    ----------
    host : str
        Host name.
    boot : str
        Identifies the host between two boots, also from inside containers; empty if unknown.
    pid : int or None
        Process id. None in the record of a run whose process has not taken its lock yet.
    since : datetime
    serve : str or None
        The `fitness serve` that started the process.
    """

    host: str
    boot: str
    pid: int | None
    since: datetime
    serve: str | None

    @classmethod
    def current(cls, serve: str | None = None, *, started: bool = True) -> Self:
        """The record of this process; without its id if it is not the holder itself."""
        return cls(
            host=socket.gethostname(),
            boot=_boot(),
            pid=os.getpid() if started else None,
            since=datetime.now(UTC),
            serve=serve,
        )

    def is_local(self) -> bool:
        """Whether it is a process of this machine, so that its lock can be tested."""
        return self.host == socket.gethostname() or bool(self.boot and self.boot == _boot())

    def shares_process_ids(self) -> bool:
        """Whether its id names it here, too. A container has its own ids and host name."""
        return self.host == socket.gethostname() and self.boot == _boot()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class HeldLock:
    """A lock that this process holds until `release` or its end."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Release the lock. The file stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Delete the file, then release the lock."""
        self.path.unlink(missing_ok=True)
        self.release()


def acquire(path: Path, holder: Holder) -> HeldLock | None:
    """Take the lock file `path` for this process; None if another process holds it."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    if not _try_lock(descriptor, fcntl.LOCK_EX):
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, documents.encode(holder), 0)
    return HeldLock(path, descriptor)


def replace(path: Path, holder: Holder) -> HeldLock:
    """Replace `path` by a lock file that this process holds. No other process may want it.

    Wherever the process is killed, `path` has either its old content or the new, locked.
    """
    staged = path.with_name(f".{path.name}-{os.getpid()}")
    lock = acquire(staged, holder)
    if lock is None:
        raise StorageError(f"{staged} is held by another process")
    staged.replace(path)
    lock.path = path
    return lock


def read_holder(path: Path) -> Holder | None:
    """The process that `path` names; None if there is no file, or it cannot be read."""
    with suppress(OSError, StorageError):
        return documents.decode(path.read_bytes(), Holder, str(path))
    return None


def is_held(path: Path) -> bool:
    """Whether a process of this machine holds `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
