"""Who is who: pseudonyms for people, and those who are to be forgotten."""

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.storage.publication import locked, write_atomically

_KEY = "pseudonyms.key"
_FORGOTTEN = "forgotten.json"
_KEY_BYTES = 32
# As many hexadecimal digits: among a million people two are alike once in four million times.
_DIGITS = 20


class Pseudonyms:
    """Pseudonyms by a key that is kept below `home`, and who is forgotten.

    Parameters
    ----------
    home : Path
        Made when the first pseudonym is asked for. Whoever has the key can tell whether a name is
        behind a pseudonym; without it nobody can, and no name gets its pseudonym again.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def pseudonym(self, name: str) -> str:
        """The same for the same name, by HMAC-SHA256 (RFC 2104) under the key."""
        digest = hmac.new(self._key(), name.encode(), hashlib.sha256).hexdigest()
        return f"p{digest[:_DIGITS]}"

    def known_as(self, name: str) -> list[str]:
        """The ids that the person called `name` may have: the name itself, and its pseudonym."""
        return [name, self.pseudonym(name)] if (self._home / _KEY).exists() else [name]

    def forgotten(self) -> frozenset[str]:
        """The ids of people of whom nothing may be taken in."""
        path = self._home / _FORGOTTEN
        return frozenset(json.loads(path.read_bytes())) if path.exists() else frozenset()

    def forget(self, user: str) -> None:
        """Take in nothing of `user` from now on."""
        with locked(self._home):
            users = sorted(self.forgotten() | {user})
            write_atomically(self._home / _FORGOTTEN, (json.dumps(users) + "\n").encode())

    def without_forgotten(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records of `batch` that are of no one who is forgotten."""
        if not (gone := self.forgotten()):
            return batch
        users = pa.array(sorted(gone), pa.string())
        return batch.filter(pc.invert(pc.is_in(batch.column("user_id"), value_set=users)))

    def _key(self) -> bytes:
        path = self._home / _KEY
        if not path.exists():
            self._home.mkdir(parents=True, exist_ok=True)
            # Whoever comes first makes it; a key must never be replaced.
            waiting = path.with_name(f".{_KEY}-{secrets.token_hex(4)}")
            descriptor = os.open(waiting, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                path.hardlink_to(waiting)
            except FileExistsError:
                pass
            finally:
                waiting.unlink()
        return path.read_bytes()
