"""The members of an export: the files of a folder, of archives, or one file.

Zip and tar archives are opened, also within a folder, and one level of archives within them.
Names of members are never used as paths.
"""

import io
import lzma
import os
import re
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

from fitness_assets.errors import SourceError
from fitness_assets.regular_files import is_folder, kind_of, open_regular
from fitness_assets.sources.exports import compressed
from fitness_assets.sources.exports.archive_limits import (
    MAX_RATIO,
    MAX_ZIP_BYTES,
    BoundedTarInfo,
    Limited,
    check_directory,
    check_total,
    limit_of,
)
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.encodings import Utf8Reader, to_utf_8, wide_encoding
from fitness_assets.sources.exports.report import Usage

#: Called with the number of bytes each time that some are read.
OnRead = Callable[[int], object]

MAX_MEMBERS = 200_000
#: Members of tar archives, and archives within archives, are unpacked to temporary files.
MAX_UNPACKED_BYTES = 32 << 30
_HEAD_BYTES = 64 << 10
_BUFFER_BYTES = 1 << 18
_PROBE_BYTES = 64
_MAX_NAME = 512

_ZIP_MAGIC = b"PK\x03\x04"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_E_MAIL = re.compile(r"[^/\s_]+@[^/\s_@]+?\.[^/\s_@.]{2,}(?=[_/\s]|$)")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", *compressed.SUFFIXES)
#: A member of every Office document, which is a zip too.
_OFFICE_MEMBER = "[Content_Types].xml"

# What zipfile, tarfile and the decompressors raise on damaged files.
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
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
    usage : Usage
        What was used of it.
    """

    name: str
    size: int
    _open: Callable[[], IO[bytes]]
    _on_read: OnRead
    usage: Usage = field(default_factory=Usage, compare=False)

    def open(self, *, counted: bool = True) -> io.BufferedReader:
        """Open the uncompressed content; UTF-16 and UTF-32 text is given as UTF-8.

        Damage raises SourceError, here or while reading.

        Parameters
        ----------
        counted : bool
            Whether the bytes count as read, for the progress of the import.
        """
        try:
            content = _CheckedFile(self._open(), self.name, self._on_read if counted else None)
        except _DAMAGE as error:
            raise _unreadable(self.name, error) from error
        reader: io.BufferedReader = io.BufferedReader(content, _BUFFER_BYTES)
        encoding = wide_encoding(reader.peek(_PROBE_BYTES)[:_PROBE_BYTES])
        if encoding is not None:
            return io.BufferedReader(Utf8Reader(reader, encoding), _BUFFER_BYTES)
        return reader

    def head(self) -> bytes:
        """The first bytes; UTF-16 and UTF-32 text as UTF-8. They do not count as read."""
        try:
            with self._open() as file:
                return to_utf_8(file.read(_HEAD_BYTES))
        except _DAMAGE as error:
            raise _unreadable(self.name, error) from error


class _CheckedFile(io.RawIOBase):
    """Counts the bytes read, and turns errors of damaged archives into SourceError."""

    def __init__(self, file: IO[bytes], name: str, on_read: OnRead | None) -> None:
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
        if self._on_read is not None:
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

    Raises
    ------
    SourceError
        If `path` cannot be read, or is an archive over the limits.
    """
    with ExitStack() as stack:
        members: list[Member] = []
        opener = _Opener(stack, quarantine, on_read)
        if is_folder(path):
            for file in _files_below(path, quarantine):
                members += opener.quarantining(file, _name_below(path, file))
        else:
            members += opener.members(path, _printable(path.name), is_nested=False)
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


def _files_below(folder: Path, quarantine: Quarantine) -> Iterator[Path]:
    """Regular files below `folder`. Links are not followed: they may lead out of the folder.

    Links, pipes, devices, sockets and folders that cannot be read are quarantined.
    """

    def quarantine_folder(error: OSError) -> None:
        name = _name_below(folder, Path(os.fsdecode(error.filename)))
        quarantine(name, "", f"the folder cannot be read: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=quarantine_folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted((*folders, *names)):
            file = Path(parent, name)
            if name.startswith("."):
                continue
            try:
                kind = kind_of(file.lstat().st_mode)
            except OSError as error:
                quarantine(_name_below(folder, file), "", str(error.strerror))
                continue
            if kind is None:
                yield file
            elif name not in folders or file.is_symlink():
                quarantine(_name_below(folder, file), "", f"it is {kind}, which is not read")


def _name_below(folder: Path, file: Path) -> str:
    return _printable(file.relative_to(folder).as_posix())


class _Readable(Protocol):
    """A binary file, of which only `read` is used."""

    def read(self, size: int, /) -> bytes: ...


class _Opener:
    """Opens files and archives, within limits for all archives together."""

    def __init__(self, stack: ExitStack, quarantine: Quarantine, on_read: OnRead) -> None:
        self._stack = stack
        self._quarantine = quarantine
        self._on_read = on_read
        self._bytes_left = MAX_UNPACKED_BYTES
        self._zip_bytes_left = MAX_ZIP_BYTES
        self._members = self._unpacked = 0
        self._folder: Path | None = None

    def quarantining(self, file: Path, name: str, *, is_nested: bool = False) -> list[Member]:
        """The members of a file of several; one that cannot be opened is quarantined.

        The name of an archive keeps members of the same name in two archives apart.
        """
        members: list[Member] = []
        try:
            for member in self.members(file, name, is_nested=is_nested):
                prefix = "" if member.name == name else f"{name}/"
                members.append(replace(member, name=f"{prefix}{member.name}"))
        except SourceError as error:
            self._quarantine(name, "", str(error))
        return members

    def members(self, file: Path, name: str, *, is_nested: bool) -> Iterator[Member]:
        """The file itself, or the members of an archive, which the stack closes."""
        try:
            with open_regular(file) as content:
                head = content.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
                size = os.fstat(content.fileno()).st_size
                is_zip = zipfile.is_zipfile(content)
            if is_zip:
                opened = self._stack.enter_context(open_regular(file))
                check_directory(opened, name)
                archive = self._stack.enter_context(zipfile.ZipFile(opened))
                if _OFFICE_MEMBER not in archive.namelist():
                    self._count_members(name, len(archive.infolist()))
                    self._zip_bytes_left -= check_total(archive.infolist(), size, name)
                    if self._zip_bytes_left < 0:
                        raise SourceError(
                            f"{name} would unpack to more than {MAX_ZIP_BYTES:,} bytes"
                        )
                    yield from self._zip_members(archive, is_nested=is_nested)
                    return
            elif head.startswith(_ZIP_MAGIC):
                raise SourceError(
                    f"{name} is a zip that is cut off or damaged: copy or download it again"
                )
            else:
                decompress = compressed.decompressor(head)
                open_content = decompress or open_regular
                start = _start(open_content, file)
                if start is not None and start[_TAR_MAGIC_AT:] == _TAR_MAGIC:
                    yield from self._tar_members(file, open_content, name, is_nested=is_nested)
                    return
                if start is not None and decompress is not None:
                    yield from self._compressed_file(file, decompress, name, is_nested=is_nested)
                    return
            yield Member(name, size, partial(open_regular, file), self._on_read)
        except _DAMAGE as error:
            raise _unreadable(name, error) from error

    def _zip_members(self, archive: zipfile.ZipFile, *, is_nested: bool) -> Iterator[Member]:
        entries = archive.infolist()
        # Of entries with the same name, the last one is the current one.
        for entry in {entry.filename: entry for entry in entries}.values():
            if entry.filename.endswith("/") or _is_of_archiver(entry.filename):
                continue
            inside = _printable(entry.filename)
            if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                self._quarantine(inside, "", "its compression method is not supported")
            elif entry.file_size > limit_of(entry.compress_size):
                size = f"{entry.file_size:,} bytes, over {MAX_RATIO} times its compressed size"
                self._quarantine(inside, "", f"it would unpack to {size}")
            elif not is_nested and inside.lower().endswith(_ARCHIVES):
                yield from self._nested_members(partial(archive.open, entry), inside)
            else:
                open_entry = partial(archive.open, entry)
                yield Member(inside, entry.file_size, open_entry, self._on_read)

    def _tar_members(
        self, file: Path, decompress: Callable[[Path], IO[bytes]], name: str, *, is_nested: bool
    ) -> Iterator[Member]:
        """The members of a tar, unpacked: a compressed one can only be read from its start."""
        unpacked: dict[str, Path] = {}
        limit = limit_of(file.stat().st_size)
        try:
            with decompress(file) as content:
                stream = Limited(content, name, limit)
                with tarfile.open(fileobj=stream, mode="r|", tarinfo=BoundedTarInfo) as archive:
                    for entry in archive:
                        # Folders and links count too: a tar keeps all of them in memory.
                        self._count_members(name, 1)
                        data = archive.extractfile(entry) if entry.isreg() else None
                        if data is not None and not _is_of_archiver(entry.name):
                            unpacked[_printable(entry.name)] = self._unpack(data, name)
                if any(stream.last_block):
                    raise tarfile.ReadError("it has no end mark")
        except _DAMAGE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            self._quarantine(
                name, "", f"it is cut off or damaged after {len(unpacked):,} files: {reason}"
            )
        for inside, path in unpacked.items():
            if not is_nested and inside.lower().endswith(_ARCHIVES):
                yield from self.quarantining(path, inside, is_nested=True)
            else:
                size = path.stat().st_size
                yield Member(inside, size, partial(open_regular, path), self._on_read)

    def _compressed_file(
        self, file: Path, decompress: Callable[[Path], IO[bytes]], name: str, *, is_nested: bool
    ) -> list[Member]:
        """The members of a file that is compressed: itself, or those of an archive."""
        limit = limit_of(file.stat().st_size)
        with decompress(file) as content:
            path = self._unpack(Limited(content, name, limit), name)
        inside = name
        for suffix in compressed.SUFFIXES:
            inside = inside.removesuffix(suffix)
        if is_nested:
            size = path.stat().st_size
            return [Member(inside or name, size, partial(open_regular, path), self._on_read)]
        return self.quarantining(path, inside or name, is_nested=True)

    def _nested_members(self, open_archive: Callable[[], IO[bytes]], name: str) -> list[Member]:
        try:
            with open_archive() as content:
                path = self._unpack(content, name)
        except _DAMAGE as error:
            self._quarantine(name, "", str(_unreadable(name, error)))
            return []
        return self.quarantining(path, name, is_nested=True)

    def _unpack(self, content: _Readable, name: str) -> Path:
        """Write `content` to a temporary file."""
        if self._folder is None:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._unpacked += 1
        path = self._folder / str(self._unpacked)
        with path.open("wb") as file:
            while data := content.read(_BUFFER_BYTES):
                self._bytes_left -= len(data)
                if self._bytes_left < 0:
                    raise SourceError(
                        f"{name} would unpack to more than {MAX_UNPACKED_BYTES:,} bytes"
                    )
                file.write(data)
        return path

    def _count_members(self, name: str, count: int) -> None:
        self._members += count
        if self._members > MAX_MEMBERS:
            raise SourceError(f"{name} holds {self._members:,} files; the limit is {MAX_MEMBERS:,}")


def _start(open_content: Callable[[Path], IO[bytes]], file: Path) -> bytes | None:
    """The first bytes of the content of `file`; None if it is damaged."""
    try:
        with open_content(file) as content:
            return content.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
    except _DAMAGE:
        return None


def _is_of_archiver(name: str) -> bool:
    """Whether a member was added by the program that wrote the archive."""
    first, last = name.partition("/")[0], name.rpartition("/")[2]
    return not name or first == "__MACOSX" or last.startswith("._") or last == ".DS_Store"


def _printable(name: str) -> str:
    """`name` in composed Unicode, without e-mail addresses, which some exports put in names.

    Control characters, which could steer a terminal, are replaced.
    """
    # Looking for addresses takes a time that grows with the square of the length.
    if len(name) > _MAX_NAME:
        name = f"…{name[-_MAX_NAME:]}"
    composed = _E_MAIL.sub("…", unicodedata.normalize("NFC", name))
    return "".join(letter if letter.isprintable() else "?" for letter in composed)
