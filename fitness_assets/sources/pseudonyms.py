"""Pseudonyms of users, and the users whose data must not be imported again."""

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.errors import SourceError
from fitness_assets.record.user_ids import normalize_user_id
from fitness_assets.storage.publication import locked, write_atomically

_KEY = "pseudonyms.key"
_FORGOTTEN = "forgotten.json"
_KEY_BYTES = 32
# Hexadecimal digits of a pseudonym (80 bits): the probability that any two of a million users have
# the same pseudonym is 4e-13 (birthday bound).
_DIGITS = 20


class Pseudonyms:
    """Pseudonyms by a secret key, and the list of forgotten users.

    Parameters
    ----------
    folder : Path
        Holds the key, which is generated when the first pseudonym is needed. With the key, anyone
        can check whether a name belongs to a pseudonym. Without it nobody can, and the same name
        gets another pseudonym.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pseudonym(self, name: str) -> str:
        """The pseudonym of `name`, by HMAC-SHA256 (RFC 2104) under the key.

        Names that differ only in spaces, invisible characters or Unicode form have the same.

        Raises
        ------
        SourceError
            If `name` is blank, or lost a character.
        """
        try:
            return self.pseudonym_as_written(normalize_user_id(name))
        except ValueError as error:
            raise SourceError(str(error)) from error

    def pseudonym_as_written(self, name: str) -> str:
        """The pseudonym that versions before 0.3 gave to `name`, without normalizing it."""
        digest = hmac.new(self._key(), name.encode(), hashlib.sha256).hexdigest()
        return f"p{digest[:_DIGITS]}"

    def release_id(self, release: str, user: str) -> str:
        """The id of a user in one release; nobody without the key can relate two of them."""
        message = f"release\0{release}\0{user}".encode()
        return f"r{hmac.new(self._key(), message, hashlib.sha256).hexdigest()[:_DIGITS]}"

    def possible_ids(self, name: str) -> list[str]:
        """The user ids that `name` can refer to: itself, and its pseudonym if there is a key."""
        return [name, self.pseudonym(name)] if (self._folder / _KEY).exists() else [name]

    def forgotten_users(self) -> frozenset[str]:
        """Ids of the users whose data must not be imported."""
        path = self._folder / _FORGOTTEN
        return frozenset(json.loads(path.read_bytes())) if path.exists() else frozenset()

    def forget(self, user: str) -> None:
        """Import no data of `user` from now on."""
        with locked(self._folder):
            users = sorted(self.forgotten_users() | {user})
            write_atomically(self._folder / _FORGOTTEN, (json.dumps(users) + "\n").encode())

    def drop_forgotten(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records of `batch` without those of forgotten users."""
        if not (forgotten := self.forgotten_users()):
            return batch
        users = pa.array(sorted(forgotten), pa.string())
        return batch.filter(pc.invert(pc.is_in(batch.column("user_id"), value_set=users)))

    def _key(self) -> bytes:
        path = self._folder / _KEY
        if not path.exists():
            # The first process creates the key; an existing key must never be replaced.
            with locked(self._folder):
                if not path.exists():
                    self._create(path)
        return path.read_bytes()

    def _create(self, path: Path) -> None:
        staged = path.with_name(f".{_KEY}-{secrets.token_hex(4)}")
        descriptor = os.open(staged, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
