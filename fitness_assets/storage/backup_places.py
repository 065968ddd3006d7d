"""Where backups are: a folder, or a prefix of an object store."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from filelock import Timeout

from fitness_assets.errors import ObjectChangedError, SettingsError, StorageError
from fitness_assets.storage.object_store import ObjectStore, Version, is_object_url
from fitness_assets.storage.publication import LOCK, STAGING, locked, reached, write_atomically
from fitness_assets.storage.restoring import entries
from fitness_assets.system_errors import cause_of

_CHUNK = 1 << 20


class Place(Protocol):
    """Holds the files of one backup by name, such as ``contents/ab/abcd``."""

    @property
    def name(self) -> str:
        """The path or URL, as it is shown and recorded."""
        ...

    @property
    def staging(self) -> Path | None:
        """Where to stage a file before `add`; None for any folder."""
        ...

    def locked(self, manifests: Sequence[str]) -> AbstractContextManager[None]:
        """Be the only writer until one of `manifests` is published.

        Raises
        ------
        StorageError
            If another process writes.
        """
        ...

    def explaining(self) -> AbstractContextManager[None]:
        """Raise StorageError, which names the place, for errors of its file system."""
        ...

    def first_names(self) -> set[str]:
        """The first parts of the names of what is there."""
        ...

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """The content of a small file; None if there is none."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file in pieces; StorageError if there is none."""
        ...

    def stored(self, folder: str) -> dict[str, int]:
        """The names and sizes of the files in `folder`."""
        ...

    def add(self, name: str, staged: Path) -> None:
        """Move a staged file to `name`, whole or not at all."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        ...

    def publish(self, name: str, content: bytes) -> None:
        """As `write`, of the manifest; StorageError if another process replaced it."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Delete files, and what killed writers left."""
        ...


def open_place(text: str) -> Place:
    """The place of a backup that a command names: a path, or the URL of an object store.

    Raises
    ------
    SettingsError, StorageError
        As `ObjectStore`.
    """
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if is_object_url(text):
        return ObjectPlace(text)
    if "://" in text:
        scheme = text.partition("://")[0]
        raise SettingsError(
            f"{text}: there are no backups to {scheme}://; name a folder, or a URL with s3://, "
            "gs:// or az://"
        )
    return FolderPlace(Path(text))


class FolderPlace:
    """A folder, readable by its owner only.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """The path."""
        return str(self.root.absolute())

    @property
    def staging(self) -> Path | None:
        """The folder itself, so that a staged file only needs to be renamed."""
        return self.root

    @contextmanager
    def locked(self, manifests: Sequence[str]) -> Iterator[None]:  # noqa: ARG002 - one lock for all
        """Hold the lock of the folder, which is created."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        try:
            with locked(self.root):
                yield
        except Timeout as error:
            raise StorageError(
                f"{error.lock_file} is held by another process; run the command again once it has "
                "ended"
            ) from None

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Name the folder where the error does not, as if the disk is full."""
        try:
            yield
        except OSError as error:
            path = self.root if error.filename is None else Path(os.fsdecode(error.filename))
            if not path.is_relative_to(self.root):
                raise
            cause = cause_of(error).partition("; ")[0]
            raise StorageError(
                f"{path}: {cause}; correct that, or back up to another place"
            ) from None

    def first_names(self) -> set[str]:
        """The names of files and folders in it, without the lock."""
        if not self.root.exists():
            return set()
        return {path.name for path in entries(self.root)} - {LOCK}

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """The content of a file; None if there is none."""
        try:
            with (self.root / name).open("rb") as file:
                content = file.read(max_bytes + 1)
        except FileNotFoundError:
            return None
        if len(content) > max_bytes:
            raise StorageError(f"{self.root / name} has more than {max_bytes:,} bytes")
        return content

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file in pieces."""
        try:
            with (self.root / name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise StorageError(f"{self.root / name} is missing") from None

    def stored(self, folder: str) -> dict[str, int]:
        """The files two levels below `folder`."""
        return {
            path.relative_to(self.root).as_posix(): path.stat().st_size
            for path in (self.root / folder).glob("*/*")
        }

    def add(self, name: str, staged: Path) -> None:
        """Rename a staged file."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.replace(target)
        reached("file moved")

    def write(self, name: str, content: bytes) -> None:
        """Write a file that only its owner may read."""
        write_atomically(self.root / name, content, 0o600)

    def publish(self, name: str, content: bytes) -> None:
        """Replace the manifest."""
        self.write(name, content)
        reached("manifest replaced")

    def delete(self, names: Sequence[str]) -> None:
        """Delete files, and what killed writers left."""
        for name in names:
            (self.root / name).unlink()
        for left in self.root.rglob(f"{STAGING}*"):
            left.unlink()


class ObjectPlace:
    """A prefix of an object store.

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str) -> None:
        self._store = ObjectStore(url)
        self._versions: dict[str, Version | None] = {}

    @property
    def name(self) -> str:
        """The URL."""
        return self._store.url

    @property
    def staging(self) -> Path | None:
        """Any folder."""
        return None

    @contextmanager
    def locked(self, manifests: Sequence[str]) -> Iterator[None]:
        """Remember the versions of the manifests, which `publish` compares.

        An object store has no locks that end with a process.
        """
        for name in manifests:
            found = self._store.read(name)
            self._versions[name] = found.version if found else None
        yield

    def explaining(self) -> AbstractContextManager[None]:
        """Do nothing: `ObjectStore` explains its errors, and others are of the home."""
        return nullcontext()

    def first_names(self) -> set[str]:
        """The first parts of the names of all objects."""
        return {each.name.partition("/")[0] for each in self._store.list()}

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """The content of an object; None if there is none."""
        found = self._store.read(name, max_bytes)
        return found.content if found else None

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of an object in pieces."""
        return self._store.chunks(name)

    def stored(self, folder: str) -> dict[str, int]:
        """The objects below `folder`."""
        return {each.name: each.bytes for each in self._store.list(folder)}

    def add(self, name: str, staged: Path) -> None:
        """Upload a staged file."""
        self._store.write(name, staged)

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        self._store.write(name, content)

    def publish(self, name: str, content: bytes) -> None:
        """Replace the manifest, unless another process did so since `locked`."""
        version = self._versions.get(name)
        try:
            if version is None:
                self._store.create(name, content)
            else:
                self._store.replace(name, content, version)
        except ObjectChangedError:
            # By a request of this process that was repeated, since its answer was lost.
            found = self._store.read(name)
            if found is not None and found.content == content:
                return
            raise StorageError(
                f"another process backs up to {self.name}; run the command again once it has ended"
            ) from None

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects."""
        self._store.delete(names)


@contextmanager
def staged_file(folder: Path) -> Iterator[Path]:
    """An empty file in `folder`, deleted if it was not moved."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=STAGING)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
