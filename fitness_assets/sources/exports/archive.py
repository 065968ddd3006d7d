"""A file, a folder or a zip as one list of members, whose names are never used as paths."""

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
from fitness_assets.sources.exports.options import Quarantine

#: Told of bytes as they are read.
Count = Callable[[int], object]

MOST_MEMBERS = 200_000
#: Text packs to a twentieth and padded text to a hundredth; bombs come near the thousandth that
#: deflate allows.
MOST_RATIO = 200
_RATIO_FROM = 16 << 20
_HEAD = 64 << 10

# What zipfile and zlib raise on bytes that are not what they claim to be.
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
        What people are told, and what adapters tell streams apart by.
    size : int
        Bytes, unpacked.
    """

    name: str
    size: int
    _open: Callable[[], IO[bytes]]
    _count: Count

    def open(self) -> io.BufferedReader:
        """The content, unpacked as it is read; SourceError where it is damaged."""
        try:
            return io.BufferedReader(_Guarded(self._open(), self.name, self._count), 1 << 18)
        except _DAMAGE as error:
            raise _unread(self.name, error) from error

    def head(self) -> bytes:
        """The first bytes, which are not counted as read."""
        try:
            with self._open() as file:
                return file.read(_HEAD)
        except _DAMAGE as error:
            raise _unread(self.name, error) from error


class _Guarded(io.RawIOBase):
    """Counts what is read, and tells of damage in our own words."""

    def __init__(self, file: IO[bytes], name: str, count: Count) -> None:
        self._file = file
        self._name = name
        self._count = count

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except _DAMAGE as error:
            raise _unread(self._name, error) from error

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except _DAMAGE as error:
            raise _unread(self._name, error) from error
        buffer[: len(data)] = data
        self._count(len(data))
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _unread(name: str, error: BaseException) -> SourceError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return SourceError(f"{name} cannot be read: {reason}")


@contextmanager
def opened(path: Path, quarantine: Quarantine, count: Count) -> Iterator[list[Member]]:
    """The members of `path`, in the order of their names, while the context lasts.

    Zips that lie in a folder are opened like folders, since large exports come in several; zips
    within a zip are not.

    Raises
    ------
    SourceError
        If `path` cannot be read, or is a zip that cannot be trusted.
    """
    with ExitStack() as stack:
        members: list[Member] = []
        if path.is_dir():
            for file in _files(path):
                name = _told(file.relative_to(path).as_posix())
                try:
                    for member in _of_file(file, name, stack, quarantine, count):
                        # Two exports hold members of one name, and must not be taken for one.
                        within = "" if member.name == name else f"{name}/"
                        members.append(replace(member, name=f"{within}{member.name}"))
                except SourceError as error:
                    quarantine(name, "", str(error))
        else:
            members += _of_file(path, _told(path.name), stack, quarantine, count)
        yield sorted(members, key=lambda member: member.name)


def each(
    members: Iterable[Member], take: Callable[[Member], object], quarantine: Quarantine
) -> None:
    """Let `take` have each of `members`; what cannot be read is told of, and the rest goes on."""
    for member in members:
        try:
            take(member)
        except SourceError as error:
            quarantine(member.name, "", str(error))


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below `folder`; links are not followed, since they may lead anywhere."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file


def _of_file(
    file: Path, name: str, stack: ExitStack, quarantine: Quarantine, count: Count
) -> Iterator[Member]:
    try:
        if not zipfile.is_zipfile(file):
            yield Member(name, file.stat().st_size, lambda: file.open("rb"), count)
            return
        archive = stack.enter_context(zipfile.ZipFile(file))
        entries = archive.infolist()
    except _DAMAGE as error:
        raise _unread(name, error) from error
    if len(entries) > MOST_MEMBERS:
        raise SourceError(f"{name} holds {len(entries):,} files, more than any export")
    for entry in {entry.filename: entry for entry in entries}.values():
        if entry.filename.endswith("/") or not entry.filename:
            continue
        inside = _told(entry.filename)
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            quarantine(inside, "", "it is packed in a way that exports are not")
        elif entry.file_size > max(_RATIO_FROM, MOST_RATIO * entry.compress_size):
            quarantine(inside, "", f"it would unpack to {entry.file_size:,} bytes")
        else:
            yield Member(inside, entry.file_size, partial(archive.open, entry), count)


def _told(name: str) -> str:
    """A name fit to be shown: nothing that would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
