"""How a setting is declared, and how its text is parsed.

A parser raises ValueError with the rest of a sentence that begins with the variable.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_assets import months
from fitness_assets.errors import ReleaseError, SettingsError
from fitness_assets.formatting import number
from fitness_assets.release.people import PeopleMode
from fitness_assets.storage.locations import Location

SourceName = Literal["cohort", "folder", "exports"]

#: Values of FITNESS_LAST_MONTH for a range that continues with every month.
WITHOUT_END = ("open", "now")
# The user and password of a URL.
_CREDENTIALS = re.compile(r"://[^/]*@")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """How one setting is read, and what it means.

    Attributes
    ----------
    variable : str
        Name of the environment variable.
    default : str or None
        Value of a variable that is not set or is empty, parsed like any other; ``HOME/x`` means
        ``x`` below FITNESS_HOME, and ``STATE/x`` below FITNESS_STATE. ``HOME`` means FITNESS_HOME,
        or ``.fitness`` if that is not a local folder. None means that the setting is None.
    meaning : str
        One sentence for users, as in docs/reference/settings.md.
    parse : callable
        Converts the text. Raises ValueError with the rest of a sentence that begins with the
        variable, such as ``is not a month``.
    secret : bool
        Whether the value must not appear in a message, a log or a `repr`.
    """

    variable: str
    default: str | None
    meaning: str
    parse: Callable[[str], object]
    secret: bool

    def read(
        self,
        environ: Mapping[str, str],
        home: Location | None = None,
        state: Path | None = None,
    ) -> object:
        """The value in `environ`, or the default.

        Parameters
        ----------
        environ : mapping
        home, state : Path or ObjectPath, optional
            The values of FITNESS_HOME and FITNESS_STATE, where they are known.

        Raises
        ------
        SettingsError
            If the value cannot be used. The message names the variable.
        """
        text = environ.get(self.variable, "").strip() or self._default(home, state)
        if text is None:
            return None
        try:
            return self.parse(text)
        except ValueError as error:
            is_shown = not self.secret and not _CREDENTIALS.search(text)
            shown = f"{self.variable}={text!r}" if is_shown else self.variable
            raise SettingsError(f"{shown} {error}") from None

    def _default(self, home: Location | None, state: Path | None) -> str | None:
        """The default as a user could have written it."""
        if self.default == "HOME":
            return str(home) if isinstance(home, Path) else ".fitness"
        place, _, rest = (self.default or "").partition("/")
        folder = {"HOME": home, "STATE": state}.get(place)
        return self.default if folder is None else str(folder / rest)


def setting(
    variable: str,
    default: str | None,
    meaning: str,
    parse: Callable[[str], object] = str,
    *,
    secret: bool = False,
) -> Any:
    """A dataclass field that carries its `Declaration`."""
    declaration = Declaration(
        variable=variable, default=default, meaning=meaning, parse=parse, secret=secret
    )
    return field(repr=not secret, metadata={"declaration": declaration})


def declarations(cls: type) -> dict[str, Declaration]:
    """The declaration of each field of `cls`, by attribute name."""
    return {each.name: each.metadata["declaration"] for each in fields(cls)}


def parse_path(text: str) -> Path:
    """A path without ``~``, absolute."""
    return Path(text).expanduser().absolute()


def parse_release_source(text: str) -> str:
    """A link that a release target knows, unchanged, or the absolute path of a folder."""
    # `fitness --help` reads no settings, and starts faster without the targets.
    from fitness_assets.release.registry import is_link, origin_of

    if not is_link(text):
        return str(parse_path(text))
    try:
        origin_of(text)
    except ReleaseError as error:
        raise ValueError(f"is not a release source: {error}") from None
    return text


def parse_site(text: str) -> str:
    """The origin of a site that is given by its name or its origin, as Caddy takes it."""
    origin = text.lower().rstrip("/")
    if "://" not in origin:
        origin = f"https://{origin}"
    if not re.fullmatch(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", origin):
        raise ValueError("is not the name of a site, such as fitness.example.org")
    return origin


def parse_webhook(text: str) -> str:
    """The address of a web server."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("does not begin with http:// or https://")
    return text


def parse_month(text: str) -> str:
    """A month, as YYYY-MM."""
    try:
        months.check(text)
    except ValueError:
        raise ValueError("is not a month; write it as YYYY-MM, for example 2023-04") from None
    return text


def parse_last_month(text: str) -> str:
    """A month, or a word of `WITHOUT_END`."""
    return text if text in WITHOUT_END else parse_month(text)


def parse_source(text: str) -> str:
    """The name of a source."""
    if text not in get_args(SourceName):
        raise ValueError(f"is not a source; choose one of {', '.join(get_args(SourceName))}")
    return text


def parse_people(text: str) -> str:
    """Where releases have rows of people."""
    if text not in get_args(PeopleMode):
        raise ValueError(f"is not one of {', '.join(get_args(PeopleMode))}")
    return text


def parse_names(text: str) -> tuple[str, ...]:
    """Names, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_addresses(text: str) -> tuple[str, ...]:
    """E-mail addresses, separated by commas."""
    values = parse_names(text)
    for value in values:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise ValueError(f"holds {value!r}, which is not an e-mail address")
    return values


def parse_timezone(text: str) -> ZoneInfo:
    """A time zone of the IANA database."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone such as Europe/Berlin") from None


def parse_integer_within(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number from {low} to {number(high)}")
        return int(text)

    return parse


def parse_share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("is not a number from 0 to 1")
    return number


def parse_digests(text: str) -> tuple[str, ...]:
    """SHA-256 digests, separated by commas."""
    values = tuple(part.strip().lower() for part in text.split(",") if part)
    for value in values:
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise ValueError(f"holds {value!r}, which is not a SHA-256 of 64 hexadecimal digits")
    return values


parse_bytes = parse_integer_within(1, 10**9)
parse_port = parse_integer_within(1, 65535)


def timezone_of(name: str, value: str) -> ZoneInfo:
    """The time zone called `value`.

    Raises
    ------
    SettingsError
        If there is no such time zone. The message calls the setting `name`.
    """
    try:
        return parse_timezone(value)
    except ValueError as error:
        raise SettingsError(f"{name}={value!r} {error}") from None
