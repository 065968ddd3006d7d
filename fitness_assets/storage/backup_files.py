"""The files of a home that are backed up."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import Timeout

from fitness_assets.errors import StorageError
from fitness_assets.storage.publication import LOCK, MANIFEST, STAGING, locked


def files_of(home: Path, parts: Sequence[str]) -> Iterator[Path]:
    """The files of `parts`, without locks and what is being staged.

    Links are followed: what is on another disk belongs to the home too. While the files of a
    published folder are passed on, its lock is held.

    Raises
    ------
    StorageError
        If something cannot be backed up, or a folder is being written all the time. What is left
        out of a backup would be deleted from it.
    OSError
        If a folder cannot be read.
    """
    for part in parts:
        root = home / part
        _check(root)
        if root.is_file():
            yield root
        elif root.exists():
            for folder, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
                folders[:] = sorted(name for name in folders if not name.startswith(STAGING))
                for name in folders:
                    _check(Path(folder, name))
                yield from _files(Path(folder), is_published=MANIFEST in files)


def _files(folder: Path, *, is_published: bool) -> Iterator[Path]:
    try:
        with locked(folder) if is_published else nullcontext():
            for path in sorted(folder.iterdir()):
                hidden = path.name.startswith(STAGING) or path.suffix == ".lock"
                if not hidden and path.name != LOCK and not path.is_dir():
                    _check(path)
                    yield path
    except Timeout as error:
        raise StorageError(
            f"{error.lock_file} is held by another process; run the command again once it has ended"
        ) from None


def _check(path: Path) -> None:
    """Raise StorageError for what is neither a file nor a folder, or a folder without an end."""
    if path.is_symlink():
        target = path.resolve()
        if not target.exists():
            raise StorageError(
                f"{path} is a link to {target}, which does not exist: mount its disk, or delete it"
            )
        if target.is_dir() and path.parent.resolve().is_relative_to(target):
            raise StorageError(f"{path} is a link to a folder that it is in; delete it")
    elif path.exists() and not path.is_file() and not path.is_dir():
        raise StorageError(f"{path} is not a file and cannot be backed up; delete it")


def _refuse(error: OSError) -> None:
    raise error


@contextmanager
def unchanged(home: Path) -> Iterator[None]:
    """Explain that a file of `home` was deleted while it was read."""
    try:
        yield
    except FileNotFoundError as error:
        if error.filename is None or not Path(os.fsdecode(error.filename)).is_relative_to(home):
            raise
        raise StorageError(
            f"{os.fsdecode(error.filename)} was deleted while it was backed up; run the command "
            "again"
        ) from None
