"""Pseudonyms of users, and the users whose data must not be imported again."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.user_ids import normalize_user_id, spellings
from fitness_assets.storage import documents
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets.storage.publication import locked, write_atomically

_KEY = "pseudonyms.key"
_FORGOTTEN = "forgotten.json"
_KEY_BYTES = 32
# Hexadecimal digits of a pseudonym (80 bits): the probability that any two of a million users have
# the same pseudonym is 4e-13 (birthday bound).
_DIGITS = 20
_SALT_BYTES = 16
# Each forgotten user takes 70 bytes.
_MAX_FORGOTTEN_BYTES = 100_000_000


class _Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """Salted SHA-256 of the ids of forgotten users: the list itself must not name them.

    Version 1 was a JSON list of the ids.

    Attributes
    ----------
    unfinished : list of str
        Those whose data has not all been removed yet.
    """

    salt: str
    hashes: list[str]
    unfinished: list[str]
    version: int = 2

    def hash_of(self, user: str) -> str:
        return hashlib.sha256(f"{self.salt}\0{user}".encode()).hexdigest()

    def including(self, users: Iterable[str]) -> "_Forgotten":
        added = set(map(self.hash_of, users))
        return msgspec.structs.replace(
            self,
            hashes=sorted(added.union(self.hashes)),
            unfinished=sorted(added.union(self.unfinished)),
        )


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
        """The user ids that `name` can refer to.

        They are its spellings, their pseudonyms if there is a key, and those of earlier versions.
        """
        try:
            written = [name, *sorted(spellings(name) - {name})]
        except ValueError as error:
            raise SourceError(str(error)) from error
        if not (self._folder / _KEY).exists():
            return written
        earlier = [self.pseudonym_as_written(each) for each in written]
        return list(dict.fromkeys([*written, self.pseudonym(name), *earlier]))

    def forgotten(self) -> Callable[[str], bool]:
        """A function that says whether the data of a user id must not be imported."""
        found = self._forgotten()
        if not found.hashes:
            return lambda _user: False
        hashes = frozenset(found.hashes)

        def is_forgotten(user: str) -> bool:
            ids = {user}
            with suppress(ValueError):
                ids.add(normalize_user_id(user))
            return any(found.hash_of(each) in hashes for each in ids)

        return is_forgotten

    def forget(self, *users: str) -> None:
        """Import no data of the user ids `users` from now on."""
        with locked(self._folder):
            content = documents.encode(self._forgotten().including(users))
            write_atomically(self._folder / _FORGOTTEN, content)

    def forget_those_of(self, list_file: Path) -> None:
        """Import no data of the users in the list of another state of the same home.

        Parameters
        ----------
        list_file : Path
            A copy of its list, ``people/forgotten.json``.

        Raises
        ------
        SourceError
            If it is the list of another home.
        StorageError
            If it cannot be read.
        """
        other = read_forgotten(list_file)
        with locked(self._folder):
            own = self._forgotten()
            if own.hashes and own.salt != other.salt:
                raise SourceError(f"{list_file} is the list of another home than the backup")
            merged = msgspec.structs.replace(
                other, hashes=sorted({*own.hashes, *other.hashes}), unfinished=own.unfinished
            )
            write_atomically(self._folder / _FORGOTTEN, documents.encode(merged))

    def finish_forgetting(self, *users: str) -> None:
        """Record that nothing of `users` is left."""
        with locked(self._folder):
            found = self._forgotten()
            unfinished = set(found.unfinished).difference(map(found.hash_of, users))
            finished = msgspec.structs.replace(found, unfinished=sorted(unfinished))
            write_atomically(self._folder / _FORGOTTEN, documents.encode(finished))

    def is_unfinished(self, *users: str) -> bool:
        """Whether one of `users` was given to `forget`, and not to `finish_forgetting`."""
        found = self._forgotten()
        return not set(found.unfinished).isdisjoint(map(found.hash_of, users))

    def drop_forgotten(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records of `batch` without those of forgotten users."""
        is_forgotten = self.forgotten()
        users = batch.column("user_id").dictionary_encode()
        kept = [not is_forgotten(user) for user in users.dictionary.to_pylist()]
        if all(kept):
            return batch
        return batch.filter(pa.array(kept).take(users.indices))

    def _forgotten(self) -> _Forgotten:
        path = self._folder / _FORGOTTEN
        if not path.exists():
            return _Forgotten(salt=secrets.token_hex(_SALT_BYTES), hashes=[], unfinished=[])
        return read_forgotten(path)

    def check(self) -> None:
        """Raise SourceError if the key is missing that users of the home have pseudonyms of.

        StorageError if the list of their names, or of forgotten users, cannot be read.
        """
        self._forgotten()
        path = self._folder / _KEY
        names = ImportedNames(self._folder).all()
        if names and (not path.exists() or path.stat().st_size != _KEY_BYTES):
            raise SourceError(
                f"{path}, the key of the pseudonyms, is missing or damaged; restore it from a "
                "backup, or remove names.json next to it to give all users new pseudonyms"
            )

    def _key(self) -> bytes:
        path = self._folder / _KEY
        if not path.exists():
            # The first process creates the key; an existing key must never be replaced.
            with locked(self._folder):
                if not path.exists():
                    self.check()
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


def read_forgotten(path: Path) -> _Forgotten:
    """The list of forgotten users in a file; StorageError if it is none."""
    content = path.read_bytes()
    if content.lstrip().startswith(b"["):
        ids = documents.decode(content, list[str], str(path), _MAX_FORGOTTEN_BYTES)
        return _Forgotten(salt=secrets.token_hex(_SALT_BYTES), hashes=[], unfinished=[]).including(
            ids
        )
    return documents.decode(content, _Forgotten, str(path), _MAX_FORGOTTEN_BYTES)
