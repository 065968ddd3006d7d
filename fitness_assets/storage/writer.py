"""The writer of a folder: publishes its files and then a manifest that names them."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec
from filelock import FileLock, Timeout

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents, publication
from fitness_assets.storage.locations import Location, ObjectPath
from fitness_assets.storage.object_folder import ObjectFolder
from fitness_assets.storage.publication import (
    LOCK,
    MANIFEST,
    STAGING,
    Manifest,
    StoredFile,
    data_version_of,
    encode_manifest,
    parse_manifest,
    sha256_of,
    sync,
    write_atomically,
)
from fitness_assets.system_errors import cause_of


class Writer:
    """The writer of a folder, as a context manager.

    In a folder of the file system it holds a lock, and another writer waits. In an object store,
    which has no locks, the writer that publishes first wins; see `ObjectFolder`.

    If the body does not call `publish`, the folder stays unchanged.

    Parameters
    ----------
    folder : Path or ObjectPath
        The folder to publish to; created if missing.
    manifest_name : str
        Name of the manifest file.
    wait : float
        Seconds to wait for another writer of the same folder before giving up.

    Attributes
    ----------
    staging : Path
        A folder of the file system for the files to publish.
    """

    def __init__(
        self, folder: Location, manifest_name: str = MANIFEST, wait: float = 600.0
    ) -> None:
        self._name = str(folder)
        self._folder: _Folder = (
            ObjectFolder(folder, manifest_name)
            if isinstance(folder, ObjectPath)
            else _LocalFolder(folder, manifest_name, wait)
        )
        self.staging: Path

    def __enter__(self) -> Self:
        self.staging = self._folder.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self._folder.end()
        if isinstance(error, OSError):
            raise StorageError(
                f"{self._name} cannot be written: {cause_of(error)}; its published content is "
                "unchanged"
            ) from error

    def publish(
        self, info: msgspec.Struct | Mapping[str, object], inputs: Mapping[str, str] | None = None
    ) -> Manifest:
        """Replace the content of the folder by the files in `staging`.

        Nothing is written if the folder already has this content, made from these inputs.

        Parameters
        ----------
        info : Struct or mapping
            Stored in the manifest and part of the data version; JSON values only.
        inputs : mapping, optional
            Data versions of what the content was made from. Stored in the manifest only.

        Raises
        ------
        StorageError
            If it cannot be written, or another writer of an object store was faster.
        """
        plain = documents.plain(info)
        staged = sorted(path for path in self.staging.iterdir() if path.is_file())
        files = tuple(_stored(path) for path in staged)
        manifest = Manifest(
            data_version=data_version_of(files, plain), files=files, info=plain, inputs=inputs
        )
        current = self._parsed(self._folder.manifest())
        same = current is not None and (
            (current.data_version, current.inputs) == (manifest.data_version, manifest.inputs)
        )
        if not (
            same
            and all(self._folder.has(file.path, file.bytes, file.sha256) for file in files)
            and self._folder.is_unchanged()
        ):
            encoded = encode_manifest(manifest)
            publication.reached("files staged")
            for path, file in zip(staged, files, strict=True):
                self._folder.add(path, file.path)
                publication.reached("file moved")
            self._folder.sync()
            publication.reached("files moved")
            self._folder.replace_manifest(encoded, partial(self._is_of, manifest.data_version))
            publication.reached("manifest replaced")
        for name in self._folder.unneeded({file.path for file in files}):
            self._folder.remove(name)
            publication.reached("old file deleted")
        return manifest

    def _is_of(self, data_version: str, content: bytes) -> bool:
        found = self._parsed(content)
        return found is not None and found.data_version == data_version

    def _parsed(self, content: bytes | None) -> Manifest | None:
        # A manifest that cannot be read is replaced, like any other.
        with suppress(StorageError):
            return None if content is None else parse_manifest(content, self._name)
        return None


class _Folder(Protocol):
    """How a writer changes a folder of one kind."""

    def begin(self) -> Path:
        """Prepare a publication, and return the folder to stage files in."""
        ...

    def end(self) -> None:
        """Let other writers begin."""

    def manifest(self) -> bytes | None:
        """The published manifest, or None."""

    def is_unchanged(self) -> bool:
        """Whether no other writer has published since `begin`."""
        ...

    def has(self, name: str, size: int, sha256: str) -> bool:
        """Whether a published file is as it was published."""
        ...

    def add(self, staged: Path, name: str) -> None:
        """Add a staged file, which no manifest names yet."""

    def sync(self) -> None:
        """Return when the files that were added outlast a failure of power."""

    def replace_manifest(self, content: bytes, is_same: Callable[[bytes], bool]) -> None:
        """Replace the manifest, unless another writer did since `begin`.

        That is an error unless `is_same` says of its manifest that it has the same content.
        """

    def unneeded(self, published: AbstractSet[str]) -> list[str]:
        """The names of the files that are not `published` and that no reader needs."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""


class _LocalFolder:
    """A folder of the file system, with a lock, renames and an atomic replacement."""

    def __init__(self, folder: Path, manifest_name: str, wait: float) -> None:
        self._folder = folder
        self._manifest_name = manifest_name
        self._wait = wait
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / LOCK)

    def begin(self) -> Path:
        try:
            self._lock.acquire(timeout=self._wait)
        except Timeout:
            raise StorageError(
                f"{self._folder} is still being written by another run after {self._wait:.0f} s"
            ) from None
        # An earlier writer was killed; its staged files were never published.
        for stale in self._folder.glob(f"{STAGING}*"):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        return Path(tempfile.mkdtemp(prefix=STAGING, dir=self._folder))

    def end(self) -> None:
        self._lock.release()

    def manifest(self) -> bytes | None:
        try:
            return (self._folder / self._manifest_name).read_bytes()
        except FileNotFoundError:
            return None

    def is_unchanged(self) -> bool:
        # The lock excludes other writers.
        return True

    def has(self, name: str, size: int, sha256: str) -> bool:
        path = self._folder / name
        return path.is_file() and path.stat().st_size == size and sha256_of(path) == sha256

    def add(self, staged: Path, name: str) -> None:
        sync(staged)
        staged.replace(self._folder / name)

    def sync(self) -> None:
        sync(self._folder)

    def replace_manifest(
        self,
        content: bytes,
        is_same: Callable[[bytes], bool],  # noqa: ARG002 - the lock excludes other writers
    ) -> None:
        write_atomically(self._folder / self._manifest_name, content)

    def unneeded(self, published: AbstractSet[str]) -> list[str]:
        keep = {*published, self._manifest_name, LOCK}
        return [
            path.name for path in self._folder.iterdir() if path.is_file() and path.name not in keep
        ]

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()


def _stored(path: Path) -> StoredFile:
    """`path` under its published name, which contains the first twelve digits of its hash."""
    sha256 = sha256_of(path)
    return StoredFile(
        name=path.name,
        path=f"{path.stem}-{sha256[:12]}{path.suffix}",
        sha256=sha256,
        bytes=path.stat().st_size,
    )
