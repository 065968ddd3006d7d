"""Streams XML of any size, and continues after an element that is not well-formed.

The document type declaration is removed: some phones write an invalid one, it is not needed, and
without it no entity can expand.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.parsers import expat

from fitness_assets.errors import SourceError

#: The start tag of an element: its name, its attributes and its place in the batch.
Element = tuple[str, dict[str, str], int]
#: Called with the line and the reason, for each place that is not well-formed.
OnMalformed = Callable[[int, str], None]

_DOCTYPE_START = b"<!DOCTYPE"
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL)
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
# The first characters of XML in UTF-16 without a byte order mark.
_UTF_16 = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
# XML does not allow control characters, but some phones write them: they are replaced by spaces.
_SPACE = 0x20
_WITHOUT_CONTROLS = bytes(
    _SPACE if byte < _SPACE and byte not in b"\t\n\r" else byte for byte in range(256)
)
# The first chunk must hold the whole document type declaration.
_FIRST_CHUNK_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
MAX_ELEMENT_BYTES = 1 << 20
_MAX_DEPTH = 64
_TOO_LARGE = "an element is too long or nested too deeply"


class XmlStream:
    """Reads the start tags of a file.

    After a place that is not well-formed, reading continues at the next element of `resume_at`:
    what is between them is left out.

    Parameters
    ----------
    name : str
        Name of the file in error messages.
    root : str
        Name of the root element.
    resume_at : tuple of str
        Names of the elements directly below the root.
    on_malformed : callable
    """

    def __init__(
        self,
        name: str,
        root: str,
        resume_at: tuple[str, ...],
        on_malformed: OnMalformed,
    ) -> None:
        self._name = name
        self._wrapper = f"<{root}>".encode()
        self._resume_at = re.compile(rf"<(?:{'|'.join((root, *resume_at))})[\s/>]".encode())
        self._on_malformed = on_malformed
        self._parser = expat.ParserCreate("UTF-8")
        # Whether elements are skipped up to one at which reading can continue.
        self._is_skipping = False
        self._bytes_fed = 0
        # Elements of the current chunk, and the names of those that were closed in it.
        self._elements: list[Element] = []
        self._closed: list[str] = []
        self._open_elements = 0
        # The current chunk, and the lines and bytes before it.
        self._chunk = b""
        self._lines_before = 0
        self._bytes_before = 0
        self._last_error = -1
        self._set_handlers()

    def read(self, file: BinaryIO) -> Iterator[list[Element]]:
        """The elements of `file` in their order, in batches.

        Raises
        ------
        SourceError
            If it cannot be read, or has a document type declaration after its first MB.
        """
        rest = b""
        for chunk in _utf8_chunks(file):
            text = rest + chunk
            # Whole tags, so that an error is found in the chunk in which it is.
            end = text.rfind(b">") + 1 or len(text)
            rest = text[end:]
            self._feed(text[:end].translate(_WITHOUT_CONTROLS))
            yield self._taken_elements()
        self._feed(rest.translate(_WITHOUT_CONTROLS))
        yield self._taken_elements()
        if not self._is_skipping:
            try:
                self._parser.Parse(b"", True)
            except expat.ExpatError as error:
                reason = f"the file is cut off ({expat.ErrorString(error.code)})"
                self._on_malformed(self.line(len(self._chunk)), reason)

    def line(self, place: int) -> int:
        """The line of a place in the batch that was read last."""
        return self._lines_before + self._chunk.count(b"\n", 0, max(place, 0)) + 1

    def _feed(self, chunk: bytes) -> None:
        self._lines_before += self._chunk.count(b"\n")
        self._bytes_before += len(self._chunk)
        self._chunk = chunk
        position = 0
        is_resumed = False
        while position < len(chunk):
            if self._is_skipping:
                match = self._resume_at.search(chunk, position)
                if match is None:
                    break
                position, is_resumed = match.start(), True
                self._resume()
            self._collect_elements(position - self._bytes_fed)
            started = len(self._elements)
            try:
                self._parser.Parse(memoryview(chunk)[position:], False)
            except expat.ExpatError as error:
                found = position + self._parser.ErrorByteIndex - self._bytes_fed
                found = max(found, position)
                self._report(found, f"not well-formed: {expat.ErrorString(error.code)}")
                # An element at which reading was resumed is not tried again.
                position = max(found, position + is_resumed)
            else:
                self._bytes_fed += len(chunk) - position
                self._open_elements += len(self._elements) - started - len(self._closed)
                self._closed.clear()
                pending_bytes = self._bytes_fed - self._parser.CurrentByteIndex
                if self._open_elements > _MAX_DEPTH or pending_bytes > MAX_ELEMENT_BYTES:
                    self._report(len(chunk), _TOO_LARGE)
                break

    def _report(self, found: int, reason: str) -> None:
        """Report an error at `found` in the chunk, unless it is the last one found again."""
        self._is_skipping = True
        if self._bytes_before + found != self._last_error:
            self._on_malformed(self.line(found), reason)
        self._last_error = self._bytes_before + found

    def _resume(self) -> None:
        """Continue with a new parser."""
        self._is_skipping = False
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.Parse(self._wrapper, False)
        self._bytes_fed = len(self._wrapper)
        self._open_elements = 0
        self._closed.clear()
        self._set_handlers()

    def _taken_elements(self) -> list[Element]:
        taken = self._elements.copy()
        self._elements.clear()
        return taken

    def _set_handlers(self) -> None:
        self._parser.EndElementHandler = self._closed.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def _collect_elements(self, first: int) -> None:
        """Collect elements; `first` is the place in the chunk of the parser's first byte."""
        parser, append = self._parser, self._elements.append

        # The place is much faster to find than the line.
        def start_element(name: str, attributes: dict[str, str]) -> None:
            append((name, attributes, first + parser.CurrentByteIndex))

        parser.StartElementHandler = start_element

    def _refuse_doctype(self, *_: object) -> None:
        raise SourceError(f"{self._name} has a document type declaration in an unexpected place")


def encoding_of(head: bytes) -> str:
    """The encoding of an XML file, from its first bytes; ``utf-8`` if nothing says another."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return "utf-16"
    if head[:2] in _UTF_16:
        return _UTF_16[head[:2]]
    match = _DECLARED_ENCODING.match(head.removeprefix(codecs.BOM_UTF8))
    try:
        encoding = codecs.lookup(match[1].decode()).name if match else "utf-8"
        # A file that can be read so far is not in UTF-16, whatever it declares.
        return "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
    except LookupError:
        return "utf-8"


def _utf8_chunks(file: BinaryIO) -> Iterator[bytes]:
    """The content of `file` in UTF-8, the first chunk without a document type declaration."""
    chunk = file.read(_FIRST_CHUNK_BYTES)
    encoding = encoding_of(chunk)
    decoder = None
    if encoding != "utf-8":
        decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = chunk if decoder is None else decoder.decode(chunk).encode()
    yield _without_doctype(text)
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk if decoder is None else decoder.decode(chunk).encode()
    if decoder is not None:
        yield decoder.decode(b"", True).encode()


def _without_doctype(text: bytes) -> bytes:
    """`text` without its first document type declaration, and with its line breaks.

    Only the first is looked for: many that do not end would take a time that grows with the square
    of their number.
    """
    start = text.find(_DOCTYPE_START)
    match = _DOCTYPE.match(text, start) if start >= 0 else None
    if match is None:
        return text
    return text[:start] + b"\n" * match[0].count(b"\n") + text[match.end() :]
