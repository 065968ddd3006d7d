"""Opens files of folders that others may write to: regular files only.

A symbolic link may lead out of the folder, and a pipe may block for ever.
"""

import os
import stat
from io import BufferedReader
from pathlib import Path

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Without O_NONBLOCK, opening a pipe waits for a writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class IrregularFileError(OSError):
    """A path is neither a regular file nor a folder where one of these is expected."""


def kind_of(mode: int) -> str | None:
    """What a path with the mode `mode` is; None for a regular file."""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)


def check(path: Path) -> None:
    """Raise OSError unless `path` is a regular file or a folder; links are not followed."""
    mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        _check_regular(mode)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, and not a link to one."""
    return path.is_dir() and not path.is_symlink()


def is_regular(path: Path) -> bool:
    """Whether `path` is a regular file, and not a link to one."""
    return path.is_file() and not path.is_symlink()


def open_regular(path: Path) -> BufferedReader:
    """Open the regular file `path` to read it.

    The file that is open is checked, and not only its path, which may be replaced meanwhile.

    Raises
    ------
    OSError
        If it cannot be opened, or is a link, a folder, a pipe, a device or a socket.
    """
    # Opening a device or a socket may have effects, so it is not tried.
    _check_regular(path.lstat().st_mode)
    descriptor = os.open(path, _FLAGS)
    try:
        _check_regular(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_text(path: Path, max_bytes: int) -> str:
    """The UTF-8 text of the regular file `path`.

    Raises
    ------
    OSError
        As `open_regular`.
    ValueError
        If it has more than `max_bytes` bytes, or is not UTF-8.
    """
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it has more than {max_bytes:,} bytes")
    return content.decode()


def _check_regular(mode: int) -> None:
    kind = kind_of(mode)
    if kind is not None:
        raise IrregularFileError(f"it is {kind}, which is not read")
