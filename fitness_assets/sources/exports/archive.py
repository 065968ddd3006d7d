"""Opens a file, a folder or a zip as one list of members. Names of members are never paths."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.callbacks import Quarantine

#: Called with the number of bytes each time that some are read.
OnRead = Callable[[int], object]

MAX_MEMBERS = 200_000
#: Text compresses to about 1/20 and padded text to 1/100; zip bombs approach the 1/1000 that
#: deflate allows.
MAX_RATIO = 200
# Smaller members are not checked for their ratio.
_RATIO_MIN_BYTES = 16 << 20
_HEAD_BYTES = 64 << 10
_BUFFER_BYTES = 1 << 18

# What zipfile and zlib raise on damaged files.
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Member:
    """One file of an export.

    Attributes
    ----------
    name : str
        Its name in messages. Some formats identify the stream by it, or use it as the source of
        readings.
    size : int
        Uncompressed size in bytes.
    """

    name: str
    size: int
    _open: Callable[[], IO[bytes]]
    _on_read: OnRead

    def open(self) -> io.BufferedReader:
        """Open the uncompressed content; damage raises SourceError, here or while reading."""
        try:
            content = _CheckedFile(self._open(), self.name, self._on_read)
        except _DAMAGE as error:
            raise _unreadable(self.name, error) from error
        return io.BufferedReader(content, _BUFFER_BYTES)

    def head(self) -> bytes:
        """The first bytes. They do not count as read."""
        try:
            with self._open() as file:
                return file.read(_HEAD_BYTES)
        except _DAMAGE as error:
            raise _unreadable(self.name, error) from error


class _CheckedFile(io.RawIOBase):
    """Counts the bytes read, and turns errors of zipfile and zlib into SourceError."""

    def __init__(self, file: IO[bytes], name: str, on_read: OnRead) -> None:
        self._file = file
        self._name = name
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except _DAMAGE as error:
            raise _unreadable(self._name, error) from error

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except _DAMAGE as error:
            raise _unreadable(self._name, error) from error
        buffer[: len(data)] = data
        self._on_read(len(data))
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _unreadable(name: str, error: BaseException) -> SourceError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return SourceError(f"{name} cannot be read: {reason}")


@contextmanager
def open_members(path: Path, quarantine: Quarantine, on_read: OnRead) -> Iterator[list[Member]]:
    """The members of `path`, sorted by name, which can be read while the context is open.

    Zips in a folder are opened too, since large exports come in several. Zips within a zip are
    not.

    Raises
    ------
    SourceError
        If `path` cannot be read, or is a zip over the limits.
    """
    with ExitStack() as stack:
        members: list[Member] = []
        if path.is_dir():
            for file in _files_below(path):
                name = _printable(file.relative_to(path).as_posix())
                try:
                    for member in _members_of_file(file, name, stack, quarantine, on_read):
                        # Two zips may hold members of the same name: the zip's name keeps them
                        # apart.
                        prefix = "" if member.name == name else f"{name}/"
                        members.append(replace(member, name=f"{prefix}{member.name}"))
                except SourceError as error:
                    quarantine(name, "", str(error))
        else:
            members += _members_of_file(path, _printable(path.name), stack, quarantine, on_read)
        yield sorted(members, key=lambda member: member.name)


def read_each(
    members: Iterable[Member], read_member: Callable[[Member], object], quarantine: Quarantine
) -> None:
    """Call `read_member` for each member; report those that raise SourceError to `quarantine`."""
    for member in members:
        try:
            read_member(member)
        except SourceError as error:
            quarantine(member.name, "", str(error))


def _files_below(folder: Path) -> Iterator[Path]:
    """Regular files below `folder`. Links are not followed: they may lead out of the folder."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file


def _members_of_file(
    file: Path, name: str, stack: ExitStack, quarantine: Quarantine, on_read: OnRead
) -> Iterator[Member]:
    """The file itself, or the members of a zip, which `stack` closes."""
    try:
        if not zipfile.is_zipfile(file):
            yield Member(name, file.stat().st_size, lambda: file.open("rb"), on_read)
            return
        archive = stack.enter_context(zipfile.ZipFile(file))
        entries = archive.infolist()
    except _DAMAGE as error:
        raise _unreadable(name, error) from error
    if len(entries) > MAX_MEMBERS:
        raise SourceError(f"{name} holds {len(entries):,} files; the limit is {MAX_MEMBERS:,}")
    # Of entries with the same name, the last one is the current one.
    for entry in {entry.filename: entry for entry in entries}.values():
        if entry.filename.endswith("/") or not entry.filename:
            continue
        inside = _printable(entry.filename)
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            quarantine(inside, "", "its compression method is not supported")
        elif entry.file_size > max(_RATIO_MIN_BYTES, MAX_RATIO * entry.compress_size):
            reason = f"it would unpack to {entry.file_size:,} bytes"
            quarantine(inside, "", f"{reason}, over {MAX_RATIO} times its compressed size")
        else:
            yield Member(inside, entry.file_size, partial(archive.open, entry), on_read)


def _printable(name: str) -> str:
    """`name` without control characters, which could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
