"""The places to which a home was backed up, as the home remembers them."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from fitness_assets.storage import documents
from fitness_assets.storage.publication import locked, write_atomically

_NAME = "backups.json"


class BackupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A place to which the home was backed up.

    Attributes
    ----------
    made : datetime or None
        When the last backup was made; None if the first one was interrupted, and may be there.
    everything : bool
        Whether it includes what can be computed again.
    key : str or None
        The key of an encrypted backup, which is secret.
    recipients : tuple of str
        To whom the key was encrypted; empty with a passphrase.
    is_behind : bool
        Whether a user was forgotten who is still in the backup.
    """

    made: datetime | None = None
    everything: bool = False
    key: str | None = None
    recipients: tuple[str, ...] = ()
    is_behind: bool = False


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    places: Mapping[str, BackupRecord] = {}
    home: str = ""
    version: int = 1


class BackupRecords:
    """The record of each place, in a file of the home that is in no backup.

    Parameters
    ----------
    home : Path
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def all(self) -> Mapping[str, BackupRecord]:
        """The records, by path or URL.

        Raises
        ------
        StorageError
            If the file cannot be read.
        """
        return self._read().places

    def of(self, place: str) -> BackupRecord:
        """The record of a place; an empty one if there is none."""
        return self.all().get(place, BackupRecord())

    def home_id(self) -> str:
        """What the backups of this home are marked with, and those of no other home."""
        with locked(self._home):
            document = self._read()
            if not document.home:
                document = msgspec.structs.replace(document, home=secrets.token_hex(16))
                self._write(document)
        return document.home

    def put(self, place: str, record: BackupRecord) -> None:
        """Replace the record of a place."""
        with locked(self._home):
            document = self._read()
            places = {**document.places, place: record}
            self._write(msgspec.structs.replace(document, places=places))

    def _read(self) -> _Document:
        path = self._home / _NAME
        if not path.exists():
            return _Document()
        return documents.decode(path.read_bytes(), _Document, str(path))

    def _write(self, document: _Document) -> None:
        write_atomically(self._home / _NAME, documents.encode(document), 0o600)
