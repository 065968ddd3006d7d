"""Detection of the encoding of text files.

UTF-16 and UTF-32 are recognized by their byte order mark or their zero bytes, and every member in
them is read as UTF-8. Other text is UTF-8, or Windows-1252 if no part of it can be UTF-8. Nothing
else is guessed: in text of another 8-bit encoding, the rows with other bytes than ASCII are
refused, unless a layout declares the encoding.
"""

import codecs
import io
import re
from typing import IO, Any

UTF_8 = "utf-8-sig"
WINDOWS_1252 = "cp1252"

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that are looked at for zeros, in the absence of a byte order mark.
_PROBE_BYTES = 16
_PRINTABLE = frozenset((*b"\t\r\n", *range(0x20, 0x7F)))
_CHUNK_BYTES = 1 << 18
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_UTF_8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)


def wide_encoding(head: bytes) -> str | None:
    """The encoding of text of two or four bytes a character; None for any other content."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    probe = head[:_PROBE_BYTES]
    first, second = probe[::2], probe[1::2]
    if len(probe) == _PROBE_BYTES:
        if not any(second) and _PRINTABLE.issuperset(first):
            return "utf-16-le"
        if not any(first) and _PRINTABLE.issuperset(second):
            return "utf-16-be"
    return None


def to_utf_8(head: bytes) -> bytes:
    """The first bytes of a file, as UTF-8 if they are UTF-16 or UTF-32."""
    encoding = wide_encoding(head)
    if encoding is None:
        return head
    text = codecs.getincrementaldecoder(encoding)("surrogatepass").decode(head)
    return text.encode("utf-8", "surrogatepass")


class Utf8Reader(io.RawIOBase):
    """The content of a file in `encoding`, as UTF-8. Half a character at the end is dropped."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._rest = b""

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`; the number of bytes."""
        while not self._rest:
            data = self._file.read(_CHUNK_BYTES)
            if not data:
                return 0
            self._rest = self._decoder.decode(data).encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def text_encoding(file: IO[bytes]) -> str:
    """The encoding of the text in `file`, `UTF_8` or `WINDOWS_1252`.

    It is Windows-1252 if no byte above ASCII is part of valid UTF-8, and the bytes are letters
    that mostly stand alone, as in western European words. In words of another script, such as
    Cyrillic in Windows-1251, they follow each other.
    """
    alone = together = 0
    while chunk := file.read(_CHUNK_BYTES):
        # A character that the end of a chunk divides is completed.
        while chunk[-1] & 0x80 and (more := file.read(1)):
            chunk += more
        for match in _HIGH_BYTES.finditer(chunk):
            run = match[0]
            if _UTF_8_SEQUENCE.search(run):
                return UTF_8
            try:
                is_text = run.decode(WINDOWS_1252).isalpha()
            except ValueError:
                is_text = False
            if is_text and len(run) == 1:
                alone += 1
            else:
                together += 1
    return WINDOWS_1252 if alone > together else UTF_8
