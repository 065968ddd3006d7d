"""Why a file is in no known format, from its first bytes."""

from fitness_assets.sources.exports.tables import csv_header

#: What to do about columns that are not known.
LAYOUT_CAN_DESCRIBE = (
    "a layout can describe them, and `fitness import --explain` writes one to begin with"
)
_MAX_COLUMNS = 8
_MAX_LENGTH = 120
# Where a kind of file has a signature, and what it is.
_SIGNATURES = (
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it, or pack it as a zip"),
    (0, b"Rar!", "a RAR archive: unpack it, or pack it as a zip"),
    (0, b"\x1f\x8b", "compressed with gzip: unpack it"),
    (0, b"BZh", "compressed with bzip2, and damaged: unpack it"),
    (
        0,
        b"\xfd7zXZ\0",
        "compressed with xz, and damaged or in need of more than 100 MB of memory: unpack it",
    ),
    (0, b"SQLite format 3\0", "an SQLite database of no known format"),
    (0, b"%PDF", "a PDF"),
    (0, b"\xff\xd8\xff", "an image"),
    (0, b"\x89PNG", "an image"),
    (0, b"GIF8", "an image"),
    (8, b"WEBP", "an image"),
    (4, b"ftyp", "an image or a video"),
)
_ZIP = b"PK\x03\x04"
_TEXT_STARTS = (
    ("<!doctype html", "a web page"),
    ("<html", "a web page"),
    ("<gpx", "a GPX track"),
    ("<?xml", "XML of no known format"),
    ("<", "XML or HTML of no known format"),
    ("{", "JSON of no known format"),
    ("[", "JSON of no known format"),
)


def is_table(head: bytes) -> bool:
    """Whether a file looks like a CSV with several columns."""
    names = csv_header(head)
    is_other = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"<", b"{", b"["}
    printable = all(each.isprintable() and "\ufffd" not in each for each in names)
    return len(names) > 1 and printable and not is_other


def describe(name: str, head: bytes) -> str:
    """What a file of no known format is, as a reason to leave it out."""
    if not head.strip():
        return "it is empty"
    for at, signature, what in _SIGNATURES:
        if head[at:].startswith(signature):
            return f"no format reads it: it is {what}"
    if head.startswith(_ZIP):
        is_document = b"[Content_Types].xml" in head
        what = "an Office document: save its table as CSV" if is_document else "an archive too deep"
        return f"no format reads it: it is {what}"
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \r\n\t").lower()
    for start, what in _TEXT_STARTS:
        if text.startswith(start):
            return f"no format reads it: it is {what}"
    names = csv_header(head)
    if is_table(head):
        shown = ", ".join(names[:_MAX_COLUMNS]) + (", …" if len(names) > _MAX_COLUMNS else "")
        shown = shown if len(shown) <= _MAX_LENGTH else f"{shown[:_MAX_LENGTH]}…"
        return f"no format has its columns ({shown}): {LAYOUT_CAN_DESCRIBE}"
    suffix = name.rpartition(".")[2] if "." in name else ""
    return f"no format reads it{f' (.{suffix})' if suffix.isalnum() else ''}"
