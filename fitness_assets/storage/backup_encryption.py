"""Encryption of backups, in the format of age (https://age-encryption.org/v1).

Each encrypted backup has a key of its own, an X25519 identity. Contents and the manifest are
encrypted to it. It is in the home, and at the place of the backup encrypted to the recipients, or
with the passphrase, of whoever may restore it. So a backup needs no secret but those of the home,
and a restore needs a secret that the home does not have.
"""

import hashlib
import hmac
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fitness_assets.errors import SettingsError, StorageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NAMES = b"fitness_assets: names of the contents of a backup"
#: A key file has a few lines; an SSH key of RSA has 3 kB.
_MAX_KEY_FILE = 100_000


class Readable(Protocol):
    """Gives content in pieces."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        ...


class Sink(Protocol):
    """Receives content in pieces."""

    def write(self, content: bytes, /) -> int:
        """Receive the next piece, and return its length."""
        ...

    def flush(self) -> object:
        """Do nothing; called after the last piece."""


@dataclass(frozen=True)
class Protection:
    """Who may restore an encrypted backup: the owners of keys, or who knows a passphrase.

    Attributes
    ----------
    recipients : tuple of str
        Public keys: ``age1…``, ``ssh-ed25519 …`` or ``ssh-rsa …``.
    passphrase : str or None
    """

    recipients: tuple[str, ...] = ()
    passphrase: str | None = None

    def check(self) -> None:
        """Raise SettingsError if a recipient cannot be used."""
        for recipient in self.recipients:
            _recipient(recipient)


@dataclass(frozen=True)
class Secrets:
    """What opens an encrypted backup.

    Attributes
    ----------
    identities : tuple of Path
        Files with keys of age, or an SSH key.
    passphrase : str or None
    """

    identities: tuple[Path, ...] = ()
    passphrase: str | None = None


def read_passphrase(path: Path) -> str:
    """The first line of a file.

    Raises
    ------
    SettingsError
        If it is empty, or not text.
    """
    line = _key_text(path).partition("\n")[0].strip("\r")
    if not line.strip():
        raise SettingsError(f"the first line of {path} is empty; it must be the passphrase")
    return line


class BackupKey:
    """The key of one backup.

    Parameters
    ----------
    text : str
        The identity, as it is stored.

    Raises
    ------
    StorageError
        If it is none.
    """

    def __init__(self, text: str) -> None:
        from pyrage import IdentityError, x25519

        try:
            self._identity = x25519.Identity.from_str(text)
        except IdentityError:
            raise StorageError("the key of the backup is damaged") from None
        self._names = hmac.new(text.encode(), _NAMES, hashlib.sha256).digest()

    @classmethod
    def generate(cls) -> "BackupKey":
        """A new key."""
        from pyrage import x25519

        return cls(str(x25519.Identity.generate()))

    @property
    def text(self) -> str:
        """The identity, which is secret."""
        return str(self._identity)

    def name_of(self, sha256: str) -> str:
        """The name of a content by HMAC-SHA256 (RFC 2104), in hexadecimal.

        Without the key nobody can check by the name whether a backup holds a file that they have.
        """
        return hmac.new(self._names, sha256.encode(), hashlib.sha256).hexdigest()

    def encrypt(self, source: Readable, target: Sink) -> None:
        """Encrypt `source` to `target`."""
        import pyrage

        pyrage.encrypt_io(source, target, [self._identity.to_public()])

    def decrypt(self, chunks: Iterator[bytes], target: Sink, name: str) -> None:
        """Decrypt `chunks` to `target`; `name` is that of the content in messages.

        Raises
        ------
        StorageError
            If the content is damaged or truncated, or encrypted to another key. What `target` has
            received is then not to be used.
        """
        import pyrage

        source = _Chunks(chunks)
        try:
            pyrage.decrypt_io(io.BufferedReader(source), target, [self._identity])
        except (pyrage.DecryptError, OSError) as error:
            if source.error is not None:
                raise source.error from None
            # An error of the system, such as a full disk, has a number.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise StorageError(f"{name} is damaged or truncated") from None

    def encrypt_bytes(self, content: bytes) -> bytes:
        """`content`, encrypted."""
        target = io.BytesIO()
        self.encrypt(io.BytesIO(content), target)
        return target.getvalue()

    def decrypt_bytes(self, content: bytes, name: str) -> bytes:
        """`content`, decrypted. Errors are those of `decrypt`."""
        target = io.BytesIO()
        self.decrypt(iter([content]), target, name)
        return target.getvalue()

    def wrap(self, protection: Protection) -> bytes:
        """The key, encrypted for those who may restore the backup."""
        import pyrage

        if protection.passphrase is not None:
            content: bytes = pyrage.passphrase.encrypt(self.text.encode(), protection.passphrase)
        else:
            recipients = [_recipient(each) for each in protection.recipients]
            content = pyrage.encrypt(self.text.encode(), recipients)
        return content

    @classmethod
    def unwrap(cls, content: bytes, secrets: Secrets, name: str) -> "BackupKey":
        """The key that `wrap` encrypted; `name` is that of its file in messages.

        Raises
        ------
        StorageError
            If `secrets` are not those that open it.
        SettingsError
            If a file of `secrets` cannot be used.
        """
        import pyrage

        by_passphrase = b"-> scrypt " in content[:200]
        if by_passphrase and secrets.passphrase is None:
            raise StorageError(
                f"{name} is encrypted with a passphrase; name its file with --passphrase-file"
            )
        if not by_passphrase and not secrets.identities:
            raise StorageError(f"{name} is encrypted; name the file of your key with --identity")
        try:
            if by_passphrase:
                text: bytes = pyrage.passphrase.decrypt(content, secrets.passphrase)
            else:
                identities = [each for path in secrets.identities for each in _identities(path)]
                text = pyrage.decrypt(content, identities)
        except pyrage.DecryptError as error:
            if "header" in str(error).lower() or "buffer" in str(error):
                raise StorageError(f"{name} is damaged or truncated") from None
            which = "passphrase" if by_passphrase else "key"
            raise StorageError(f"{name} cannot be opened with this {which}") from None
        return cls(text.decode("ascii", "replace"))


class _Chunks(io.RawIOBase):
    """A file that gives `chunks`; `error` is what was raised while they were read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer)
        try:
            while not self._left:
                self._left = memoryview(next(self._chunks))
        except StopIteration:
            return 0
        except Exception as error:
            self.error = error
            raise
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _recipient(text: str) -> Any:
    from pyrage import RecipientError, ssh, x25519

    kind = ssh if text.startswith("ssh-") else x25519
    try:
        return kind.Recipient.from_str(text)
    except RecipientError as error:
        raise SettingsError(
            f"{text!r} is not a recipient: it must be a public key of age (age1…) or SSH"
        ) from error


def _identities(path: Path) -> Sequence[Any]:
    """The keys in a file: lines AGE-SECRET-KEY-1…, or one SSH key."""
    from pyrage import IdentityError, ssh, x25519

    text = _key_text(path)
    try:
        if text.startswith("-----BEGIN"):
            return [ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        found = [x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"]
    except IdentityError:
        found = []
    if not found:
        raise SettingsError(
            f"{path} holds no key: it must have lines AGE-SECRET-KEY-1…, or be an SSH key that "
            "is not encrypted"
        )
    return found


def _key_text(path: Path) -> str:
    try:
        # It may be a link, as the secrets of a container are.
        with path.open("rb") as file:
            return file.read(_MAX_KEY_FILE).decode()
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not a text file") from None
