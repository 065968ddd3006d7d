"""Limits on archives, checked before what they declare takes memory, disk space or time."""

import io
import os
import struct
import tarfile
import zipfile
from typing import IO

from fitness_assets.errors import SourceError

#: Text compresses to about 1/20 and padded text to 1/100; zip bombs approach the 1/1000 that
#: deflate allows.
MAX_RATIO = 200
#: Smaller files and archives are not checked for their ratio.
RATIO_MIN_BYTES = 16 << 20
#: Of all members of zips together, read or not: the largest exports, with photos, are below.
MAX_ZIP_BYTES = 256 << 30
#: The list of a zip's members, of which each takes at least 46 bytes and the length of its name.
#: A member takes up to 15 times as much in memory.
MAX_DIRECTORY_BYTES = 16 << 20
#: Headers of a tar that are read as a whole: long names, and attributes of members.
MAX_TAR_HEADER_BYTES = 1 << 20

_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
# The largest end of a zip: with a comment of 64 kB, and the end of a zip64 before it.
_END_BYTES = (1 << 16) + 1024
_DIRECTORY_AT, _DIRECTORY_64_AT = 12, 40
_IS_64 = 0xFFFFFFFF
_LONG_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


def limit_of(compressed_bytes: int) -> int:
    """The bytes to which so many may unpack."""
    return max(RATIO_MIN_BYTES, MAX_RATIO * compressed_bytes)


def check_directory(file: IO[bytes], name: str) -> None:
    """Raise SourceError if the list of the members of a zip is too long to be read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    end = file.read()
    file.seek(0)
    at = end.rfind(_END)
    if at < 0 or len(end) < at + _DIRECTORY_AT + 4:
        return
    (directory,) = struct.unpack_from("<L", end, at + _DIRECTORY_AT)
    at_64 = end.rfind(_END_64, 0, at)
    if at_64 >= 0 and len(end) >= at_64 + _DIRECTORY_64_AT + 8:
        (large,) = struct.unpack_from("<Q", end, at_64 + _DIRECTORY_64_AT)
        directory = large if directory == _IS_64 else max(large, directory)
    if directory > MAX_DIRECTORY_BYTES:
        raise SourceError(
            f"{name} has a list of files of {min(directory, size):,} bytes; the limit is "
            f"{MAX_DIRECTORY_BYTES:,}"
        )


def check_total(entries: list[zipfile.ZipInfo], archive_bytes: int, name: str) -> int:
    """The uncompressed bytes of the members of a zip, without those over the limit of one.

    Raises
    ------
    SourceError
        If they are more than the archive can hold without members that share their content.
    """
    sizes = [each.file_size for each in entries if each.file_size <= limit_of(each.compress_size)]
    total = sum(sizes)
    if total > limit_of(archive_bytes):
        raise SourceError(
            f"{name} would unpack to {total:,} bytes, over {MAX_RATIO} times its size"
        )
    return total


class BoundedTarInfo(tarfile.TarInfo):
    """A header of a tar, of which the long kinds are bounded."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Read the content that belongs to a header; ReadError if it is too long.

        There is no public method between a header and its content: Python's later releases do not
        call `frombuf`.
        """
        if self.type in _LONG_HEADERS and self.size > MAX_TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of it has {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


class Limited(io.RawIOBase):
    """A stream that raises SourceError after `limit` bytes.

    Attributes
    ----------
    last_block : bytes
        The last block of a tar that was read; zeros mark its end.
    """

    def __init__(self, file: IO[bytes], name: str, limit: int) -> None:
        self._file = file
        self._name = name
        self._limit = self._left = limit
        self.last_block = b""

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        self.last_block = data[-tarfile.BLOCKSIZE :] or self.last_block
        if self._left < 0:
            raise SourceError(
                f"{self._name} would unpack to over {self._limit:,} bytes, {MAX_RATIO} times its "
                "compressed size"
            )
        return data
