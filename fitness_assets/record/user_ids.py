"""The normal form of user ids, so that two spellings that look the same are one user."""

import unicodedata

_REPLACEMENT = "\ufffd"
_SPACES = {"Zs", "Zl", "Zp"}
# Controls, format characters such as the byte order mark and zero-width spaces, and surrogates.
_INVISIBLE = {"Cc", "Cf", "Cs"}


def normalize_user_id(user_id: str) -> str:
    """Return `user_id` in composed Unicode (NFC), without invisible characters, trimmed.

    Spaces of any width and runs of them are one plain space.

    Raises
    ------
    ValueError
        If nothing is left, or it holds the replacement character �: two users whose names lost a
        character to it would become one.
    """
    if _REPLACEMENT in user_id or any("\ud800" <= letter <= "\udfff" for letter in user_id):
        raise ValueError("the user id lost a character: it holds one that cannot be read")
    spaced = "".join(
        " " if letter.isspace() or unicodedata.category(letter) in _SPACES else letter
        for letter in user_id
    )
    visible = "".join(letter for letter in spaced if unicodedata.category(letter) not in _INVISIBLE)
    normalized = " ".join(unicodedata.normalize("NFC", visible).split())
    if not normalized:
        raise ValueError("the user id is blank")
    return normalized


def spellings(user_id: str) -> set[str]:
    """Ways to write `user_id` that have the same normal form: those that exports use.

    Versions before 0.3 did not normalize names, so that each of them was another user.

    Raises
    ------
    ValueError
        As `normalize_user_id`.
    """
    normalized = normalize_user_id(user_id)
    decomposed = unicodedata.normalize("NFD", normalized)
    return {user_id, normalized, decomposed, f"\ufeff{normalized}", f"{normalized}\u00a0"}
