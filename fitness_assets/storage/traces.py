"""What identifies one user in text: pseudonyms, and names in all their spellings."""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from fitness_assets.record import raw
from fitness_assets.record.user_ids import normalize_user_id

T = TypeVar("T", bound=msgspec.Struct)

#: What replaces a pseudonym or a name in text that is kept.
REPLACEMENT = "forgotten-user"

_PSEUDONYM = re.compile(r"p[0-9a-f]{20}")
# Names with fewer characters are found in all kinds of text by chance.
_MIN_LENGTH = 4
# The same for bytes that are not text, of which any four occur in a large file.
_MIN_BINARY_LENGTH = 10
# Characters that `normalize_user_id` removes may be anywhere within a name.
_INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]*"
# What file names and links have in place of a space.
_SPACE = r"(?:[\s_.+-]|%20)+"
_WORD_START, _WORD_END = r"(?<![^\W_])", r"(?![^\W_])"
_UTF_16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class Traces:
    """Finds and replaces the pseudonyms and names of one user.

    Pseudonyms are found anywhere, names as whole words in any case and Unicode form. A name that is
    short, a number of few digits or a word of the platform, such as "steps", is found as a user id
    only: `unsearchable` lists it.

    Parameters
    ----------
    ids : iterable of str
        The ids under which the user is stored.
    names : iterable of str, optional
        The names of the user.
    files : iterable of str, optional
        Names of files that only this user delivered.
    own_paths : iterable of Path, optional
        Folders of the platform. Their paths may contain the name, since a user may keep the
        platform in the user's own folder.
    """

    def __init__(
        self,
        ids: Iterable[str],
        names: Iterable[str] = (),
        files: Iterable[str] = (),
        own_paths: Iterable[Path] = (),
    ) -> None:
        self.ids = frozenset(ids)
        pseudonyms = {each for each in self.ids if _PSEUDONYM.fullmatch(each)}
        named = {_normalized(each) for each in {*self.ids, *names} - pseudonyms}
        self.names = {each for each in named if is_searchable(each)}
        self.unsearchable = sorted(named - self.names)
        whole = [f"{_WORD_START}{_spelled(each)}{_WORD_END}" for each in sorted(self.names)]
        whole += [f"{_WORD_START}{re.escape(each)}" for each in sorted(set(files)) if each]
        found = "|".join([*sorted(pseudonyms), *whole]) or r"(?!)"
        kept = "|".join(re.escape(str(path)) for path in sorted(own_paths, reverse=True))
        own = f"(?:{kept})(?![^/\\\\\"'])" if kept else r"(?!)"
        self._pattern = re.compile(f"{own}|(?P<trace>{found})", re.IGNORECASE)
        binary = [*pseudonyms, *(each for each in self.names if len(each) >= _MIN_BINARY_LENGTH)]
        encoded = [
            re.escape(each.encode(form)) for each in binary for form in ("utf-8", "utf-16-le")
        ]
        self._binary = re.compile(b"|".join(sorted(encoded)) or rb"(?!)")

    def in_text(self, text: str) -> bool:
        """Whether `text` contains a trace."""
        return any(match["trace"] for match in self._pattern.finditer(text))

    def is_id(self, user: str) -> bool:
        """Whether `user` is an id of the user."""
        return user in self.ids

    def in_bytes(self, content: bytes) -> bool:
        """Whether `content` contains a trace: as text, if it is text."""
        text = decoded(content)
        return self._binary.search(content) is not None if text is None else self.in_text(text)

    def may_be_in_pages(self, content: bytes) -> bool:
        """Whether the bytes of a database may contain a trace, next to other values."""
        folded = content.lower()
        return any(each.lower().encode() in folded for each in {*self.ids, *self.names})

    def rewrite(self, text: str) -> str:
        """`text` with `REPLACEMENT` in place of each trace."""
        return self._pattern.sub(lambda match: REPLACEMENT if match["trace"] else match[0], text)

    def rewrite_bytes(self, content: bytes) -> bytes:
        """The same for the content of a text file; other content is returned as it is."""
        text = decoded(content)
        if text is None or not self.in_text(text):
            return content
        encoding = _UTF_16.get(content[:2], "utf-8")
        return self.rewrite(text).encode(encoding, "surrogateescape")

    def rewrite_document(self, document: T) -> T:
        """`document`, a structure, with `REPLACEMENT` in place of each trace in its strings."""
        rewritten = _rewritten(msgspec.to_builtins(document), self.rewrite)
        return msgspec.convert(rewritten, type(document))


def decoded(content: bytes) -> str | None:
    """`content` as text; None if it is not text."""
    if (encoding := _UTF_16.get(content[:2])) is not None:
        return content.decode(encoding, "replace")
    return None if b"\0" in content else content.decode("utf-8", "surrogateescape")


def is_searchable(name: str) -> bool:
    """Whether `name` is found in text by more than chance."""
    return (
        len(name) >= _MIN_LENGTH
        and not (name.isdecimal() and len(name) < _MIN_BINARY_LENGTH)
        and name.casefold() not in _vocabulary()
    )


def _normalized(name: str) -> str:
    try:
        return normalize_user_id(name)
    except ValueError:
        return name


def _spelled(name: str) -> str:
    """A pattern of the spellings of `name`, also in JSON and links."""
    forms = {name, unicodedata.normalize("NFD", name)}
    return f"(?:{'|'.join(_INVISIBLE.join(map(_letter, form)) for form in sorted(forms))})"


def _letter(letter: str) -> str:
    if letter == " ":
        return _SPACE
    if letter.isascii():
        return re.escape(letter)
    escaped = {re.escape(each) for each in (letter, json.dumps(letter)[1:-1], quote(letter))}
    return f"(?:{'|'.join(sorted(escaped))})"


def _vocabulary() -> Collection[str]:
    """Words that the platform itself writes, in lower case."""
    columns = {word for name in raw.FULL_SCHEMA.names for word in (name, *name.split("_"))}
    return columns | _WORDS


_WORDS = {
    *("january", "february", "march", "april", "june", "july", "august", "september", "october"),
    *("november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
    *("sunday", "walking", "running", "cycling", "swimming", "yoga", "daily", "model", "models"),
    *("segment", "segments", "release", "releases", "backtest", "report", "reports", "dashboard"),
    *("upload", "tidy", "fitabase", "fitbit", "garmin", "apple", "google", "fitness", "dagster"),
    *("original", "records", "people", "inbox", "home", "user", "users", "name", "file", "files"),
    *("manifest", "metrics", "checks", "traits", "latest", "export", "exports", "days"),
    *("import", "imports", "data", "true", "false", "null", "none", "forgotten", "total", "active"),
}


def _rewritten(value: Any, rewrite: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rewrite(value)
    if isinstance(value, dict):
        return {rewrite(key): _rewritten(each, rewrite) for key, each in value.items()}
    return [_rewritten(each, rewrite) for each in value] if isinstance(value, list) else value
