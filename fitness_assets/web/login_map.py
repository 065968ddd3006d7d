"""The login map: which user's days an e-mail address may see, and which addresses may see all.

It is a TOML file on the host of the dashboard::

    analysts = ["ben@example.org"]

    [users]
    "anna@example.org" = "p-1a2b3c4d"
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitness_assets.errors import SettingsError

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_TABLES = {"analysts", "users"}


@dataclass(frozen=True)
class LoginMap:
    """What each e-mail address may see. All addresses are as `normalized` returns them.

    Attributes
    ----------
    users : mapping
        User id, as in the lake, by e-mail address.
    analysts : frozenset of str
        E-mail addresses that may see all users.
    """

    users: Mapping[str, str]
    analysts: frozenset[str]


def normalized(address: str) -> str | None:
    """`address` in lower case; None if it is no e-mail address of ASCII characters.

    Other characters are refused: some of them become ASCII in lower case, so that two addresses
    would be one.
    """
    if not address.isascii() or not _ADDRESS.fullmatch(address):
        return None
    return address.lower()


def read_login_map(path: Path) -> LoginMap:
    """Read the login map.

    Raises
    ------
    SettingsError
        If it cannot be read, or an entry cannot be used. The message names the file and the entry.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise SettingsError(f"{path} is not TOML: {error}") from None
    if unknown := sorted(content.keys() - _TABLES):
        raise SettingsError(
            f"{path} has {unknown[0]!r}; it may have the list `analysts` and the table `users`"
        )
    analysts = content.get("analysts", [])
    if not isinstance(analysts, list):
        raise SettingsError(f"{path}: `analysts` is not a list of e-mail addresses")
    users = content.get("users", {})
    if not isinstance(users, dict):
        raise SettingsError(f"{path}: `users` is not a table of user ids by e-mail address")
    return LoginMap(
        _users(path, users), frozenset(_address(path, "analysts", each) for each in analysts)
    )


def _users(path: Path, table: Mapping[str, Any]) -> dict[str, str]:
    users: dict[str, str] = {}
    for text, value in table.items():
        address = _address(path, "users", text)
        if address in users:
            raise SettingsError(f"{path}: `users` has {address!r} twice, in upper and lower case")
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(f"{path}: `users` has no user id for {text!r}, but {value!r}")
        users[address] = value.strip()
    return users


def _address(path: Path, table: str, text: object) -> str:
    address = normalized(text) if isinstance(text, str) else None
    if address is None:
        raise SettingsError(
            f"{path}: `{table}` has {text!r}, which is not an e-mail address of ASCII characters"
        )
    return address
