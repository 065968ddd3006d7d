"""The names under which users were imported, by pseudonym. They stay in the home."""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from fitness_assets.storage import documents
from fitness_assets.storage.publication import locked, write_atomically
from fitness_assets.text import printable

_FILE = "names.json"
_OWNER_ONLY = 0o600
#: Names of more users are not stored: a dashboard names a user in homes of few users.
MAX_NAMES = 1_000
_MAX_LENGTH = 200


class _Names(msgspec.Struct, frozen=True, kw_only=True):
    names: dict[str, str]
    version: int = 1


class ImportedNames:
    """The names of users in one folder, which only its owner may read.

    Parameters
    ----------
    folder : Path
        ``HOME/people``, which also holds the key of the pseudonyms.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def all(self) -> Mapping[str, str]:
        """The names by pseudonym.

        Raises
        ------
        StorageError
            If the document cannot be read.
        """
        if not self._path.is_file():
            return {}
        return documents.decode(self._path.read_bytes(), _Names, str(self._path)).names

    def add(self, names: Mapping[str, str]) -> None:
        """Store `names`, by pseudonym. A user keeps the name of the first import."""
        shown = {user: printable(name).strip()[:_MAX_LENGTH] for user, name in names.items()}
        with locked(self._path.parent):
            stored = self.all()
            added = {**shown, **stored}
            if added != stored and len(added) <= MAX_NAMES:
                self._write(added)

    def forget(self, users: Collection[str]) -> None:
        """Remove the names of the pseudonyms `users`."""
        if not self._path.is_file():
            return
        with locked(self._path.parent):
            stored = self.all()
            kept = {user: name for user, name in stored.items() if user not in users}
            if kept != stored:
                self._write(kept)

    def _write(self, names: Mapping[str, str]) -> None:
        content = documents.encode(_Names(names=dict(names)))
        write_atomically(self._path, content, _OWNER_ONLY)
