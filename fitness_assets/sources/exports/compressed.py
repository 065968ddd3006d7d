"""Files compressed with gzip, bzip2 or xz, which are read as a stream in bounded memory."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fitness_assets.regular_files import open_regular

_CHUNK_BYTES = 1 << 16
# xz needs the size of its dictionary: 64 MiB at the highest level. A file may declare 4 GiB.
_XZ_MEMORY = 100 << 20
_GZIP_WINDOW = 31

#: The end of the name that programs give to compressed files.
SUFFIXES = (".gz", ".bz2", ".xz")


def decompressor(head: bytes) -> Callable[[Path], io.BufferedReader] | None:
    """What opens a compressed file that begins with `head`; None if it is not compressed."""
    for magic, new_stream in _STREAMS:
        if head.startswith(magic):
            return lambda path: io.BufferedReader(Decompressed(path, new_stream), _CHUNK_BYTES)
    return None


class Decompressed(io.RawIOBase):
    """The uncompressed content of a file, of one or several streams.

    Parameters
    ----------
    path : Path
    new_stream : callable
        Returns the decompressor of one stream.
    """

    def __init__(self, path: Path, new_stream: Callable[[], Any]) -> None:
        self._file = open_regular(path)
        self._new_stream = new_stream
        self._stream = new_stream()
        self._input = b""

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`; the number of bytes. EOFError if a stream is cut off."""
        while True:
            if self._stream.eof:
                self._input = self._next_stream()
                if not self._input:
                    return 0
            elif self._needs_input():
                self._input = self._file.read(_CHUNK_BYTES)
                if not self._input:
                    raise EOFError("the compressed file ends before its end mark")
            data = self._stream.decompress(self._input, len(buffer))
            # The others keep what they have not decompressed.
            self._input = getattr(self._stream, "unconsumed_tail", b"")
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next_stream(self) -> bytes:
        """Begin the next stream; its first bytes, empty if there is none."""
        # Streams may be followed by zeros.
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest and (more := self._file.read(_CHUNK_BYTES)):
            rest = more.lstrip(b"\0")
        if rest:
            self._stream = self._new_stream()
        return bytes(rest)

    def _needs_input(self) -> bool:
        return not self._input and getattr(self._stream, "needs_input", True)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def _gzip() -> Any:
    return zlib.decompressobj(_GZIP_WINDOW)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_STREAMS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", _gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
)
