"""Text that comes from a file, a release or a user, made safe to print and to show as Markdown."""

import re
import unicodedata

#: Joiners within words and emoji: the only format characters that change nothing but their looks.
_JOINERS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}
#: Control, format (such as bidi overrides), surrogates (undecodable bytes of a file name), and
#: separators of lines and paragraphs.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_BYTE = 0xFF
_MAX_SHOWN = 40
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

# Words with punctuation that means nothing to Streamlit's Markdown: no emphasis, code, link, image,
# HTML, mathematics, directive such as ":red[...]", emoji, arrow, list, heading or table.
_WORDS = re.compile(
    r"""(?:[^\W_]|[^\x00-\x7f])(?:[^\W_]|[^\x00-\x7f]|[ ,;()%+'"?]|\.(?!\S)|(?<=\d)\.(?=\d)|"""
    r""":(?=\s|$)|-(?!-)|/(?!/))*"""
)
_LIST = re.compile(r"\d+[.)](?!\S)")


def printable(text: str) -> str:
    r"""`text` on one line, without characters that a terminal or a browser would act upon.

    Line breaks and tabs become a space; other control and format characters are shown as escapes,
    such as ``\x1b``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escaped(character) if _is_unprintable(character) else character
        for character in _BREAKS.sub(" ", text)
    )


def shorten(value: object) -> str:
    """A value or an error for use in a message: short, and on one line."""
    if isinstance(value, str | bytes):
        value = value[: _MAX_SHOWN + 1]
    try:
        text = str(value) if isinstance(value, Exception) else repr(value)
    except (RecursionError, ValueError):
        # Values nested too deeply, and whole numbers of too many digits.
        return f"a {type(value).__name__} that is too large to show"
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def verbatim(text: object) -> str:
    """Markdown that shows text of a release as it is, whatever it contains.

    Plain words are unchanged. Other text is shown as code, in which Streamlit renders nothing: not
    HTML, links, images or mathematics, and no directive for colours and icons.
    """
    shown = " ".join(printable(str(text)).split())
    if not shown or (_WORDS.fullmatch(shown) and not _LIST.match(shown)):
        return shown
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}"
