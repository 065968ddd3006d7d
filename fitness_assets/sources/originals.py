"""The files of an export, from outside: their digest, the copy that is kept, and their removal.

Links, pipes, devices and sockets are never opened.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from fitness_assets.errors import SourceError
from fitness_assets.regular_files import check, is_folder, is_regular, open_regular

_ORIGINAL = "original"
_SUFFIX = re.compile(r"\.\w{1,10}", re.ASCII)
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNREADABLE = {errno.EACCES, errno.EPERM, errno.EIO}

#: By path, what changes when a file is written: inode, size and the times of the last change.
Snapshot = dict[Path, tuple[int, int, int, int]]


class ExportChangedError(SourceError):
    """An export was changed while it was imported."""


def snapshot(path: Path) -> Snapshot:
    """The state of the files of an export, to find out whether they changed since.

    Raises
    ------
    OSError
        If `path` is not a regular file or a folder.
    """
    check(path)
    found: Snapshot = {}
    for file in [path] if is_regular(path) else _files(path):
        state = file.lstat()
        found[file] = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return found


def check_unchanged(path: Path, before: Snapshot) -> None:
    """Raise ExportChangedError if files of `path` were added, removed or written since `before`."""
    try:
        if snapshot(path) == before:
            return
    except OSError:
        pass
    raise ExportChangedError(
        f"{path} changed while it was imported: import it once it is copied completely"
    )


def digest(path: Path) -> str:
    """SHA-256 of a file; for a folder, of its files' names and hashes.

    Files of a folder that cannot be read do not count.
    """
    if not is_folder(path):
        with open_regular(path) as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    found = hashlib.sha256()
    for file in _readable(path):
        name = os.fsencode(file.relative_to(path).as_posix())
        found.update(name + f"\0{digest(file)}\n".encode())
    return found.hexdigest()


def copy(path: Path, folder: Path) -> None:
    """Copy a file to `folder`; a folder becomes an uncompressed zip of the files that can be read.

    Raises
    ------
    OSError
        If the file cannot be read, or the copy cannot be written.
    """
    if not is_folder(path):
        suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ""
        with open_regular(path) as content, (folder / f"{_ORIGINAL}{suffix}").open("wb") as kept:
            shutil.copyfileobj(content, kept)
        return
    with zipfile.ZipFile(folder / f"{_ORIGINAL}.zip", "w", strict_timestamps=False) as archive:
        for file in _readable(path):
            # Names that are not text are kept as escapes.
            encoded = os.fsencode(file.relative_to(path).as_posix())
            name = encoded.decode(errors="backslashreplace")
            with open_regular(file) as content, archive.open(name, "w", force_zip64=True) as kept:
                shutil.copyfileobj(content, kept)


def check_readable(path: Path) -> None:
    """Raise OSError unless `path`, and in a folder every file and folder of it, can be opened."""
    if not is_folder(path):
        open_regular(path).close()
        return
    for parent, _, names in os.walk(path, onerror=_raise):
        for file in (Path(parent, name) for name in names):
            if is_regular(file):
                open_regular(file).close()


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its content. The target of a link stays."""
    remove_below(path.parent, path)


def remove_below(root: Path, path: Path) -> None:
    """Remove `path` below the folder `root`, also if a folder between is replaced by a link.

    Raises
    ------
    OSError
        If it cannot be removed, or a folder between is a link.
    """
    *parents, name = path.relative_to(root).parts
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for each in parents:
            inner = os.open(each, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if is_regular(path))


def _readable(folder: Path) -> Iterator[Path]:
    """The regular files below `folder` that can be opened. The import reports the others."""
    for file in _files(folder):
        try:
            open_regular(file).close()
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
        else:
            yield file


def _raise(error: OSError) -> None:
    raise error
