"""One folder, published whole or not at all. The lake, the model store and releases all use it.

A writer holds the folder's lock, prepares files in a staging folder inside it, gives them names
that carry their hash, moves them beside the files that readers may have open, and then swaps one
manifest in, atomically. Readers go through the manifest, so they see the old content or the new.
Once the manifest is swapped the old files go, so that at rest the folder holds just what the
manifest names, and a reader that knows nothing of manifests is right too.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from filelock import FileLock, Timeout

from fitness_assets.errors import StorageError

#: Readers that ignore hidden files (Spark, Arrow, Hive) ignore names that begin with an underscore.
MANIFEST = "_manifest.json"
_LOCK = "_lock"
_STAGING = "_staging-"
_FORMAT = 1
#: A file's name and nothing that leads elsewhere.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)

#: The moments of a publication at which a process may die; a test kills it at each.
CrashPoint = Literal[
    "files staged",
    "file moved",
    "files moved",
    "content written",
    "manifest swapped",
    "old file removed",
]


def reached(point: CrashPoint) -> None:
    """Pass a crash point. A test that wants to die there puts itself in place of this."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a publication: what it is called, where it is, and what it must contain."""

    name: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What one publication holds.

    Attributes
    ----------
    data_version : str
        Hash of everything else here: equal exactly when the content is equal.
    files : tuple of StoredFile
        In the order of their names.
    info : dict
        What the writer has to say of the content; JSON values only.
    """

    data_version: str
    files: tuple[StoredFile, ...]
    info: dict[str, Any]

    def file(self, name: str) -> StoredFile:
        """The file called `name`; StorageError if there is none."""
        for file in self.files:
            if file.name == name:
                return file
        raise StorageError(f"no file {name!r} in this publication")

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


def read_manifest(folder: Path, manifest_name: str = MANIFEST) -> Manifest | None:
    """The manifest of `folder`, or None where nothing has been published.

    Raises
    ------
    StorageError
        If there is a manifest but it cannot be understood, or its own hash does not fit.
    """
    path = folder / manifest_name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_manifest(content, str(path))


def parse_manifest(content: bytes, name: str) -> Manifest:
    """The manifest in `content`, which messages call `name`.

    Raises
    ------
    StorageError
        If it cannot be understood, names a file outside its folder, or its own hash does not fit.
    """
    try:
        document = json.loads(content)
        manifest = Manifest(
            data_version=document["data_version"],
            files=tuple(StoredFile(**file) for file in document["files"]),
            info=document["info"],
        )
        known = document["format"] == _FORMAT
        inside = all(
            _NAME.fullmatch(file.path) and _NAME.fullmatch(file.name) for file in manifest.files
        )
        sized = all(type(file.bytes) is int and file.bytes >= 0 for file in manifest.files)
        same = manifest.data_version == _data_version(manifest.files, manifest.info)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{name} is not a manifest: {error}") from error
    if not known:
        raise StorageError(f"{name} has format {document['format']}, this version reads {_FORMAT}")
    if not inside:
        raise StorageError(f"{name} names a file that is not inside its folder")
    if not same or not sized:
        raise StorageError(f"{name} was changed after it was written")
    return manifest


def is_of(content: bytes, file: StoredFile) -> bool:
    """Whether `content` has the size and the hash of `file`."""
    return len(content) == file.bytes and hashlib.sha256(content).hexdigest() == file.sha256


def read_bytes(folder: Path, file: StoredFile) -> bytes:
    """Content of `file`, verified against its size and hash.

    Raises
    ------
    FileNotFoundError
        If the file has gone: the folder was published anew, read its manifest again.
    StorageError
        If the content is not what the manifest says.
    """
    content = (folder / file.path).read_bytes()
    if not is_of(content, file):
        raise StorageError(f"{folder / file.path} is not what its manifest says")
    return content


def verify(path: Path, file: StoredFile) -> None:
    """Raise StorageError unless `path` holds what `file` says."""
    if path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
        raise StorageError(f"{path} is not what its manifest says")


class Writer:
    """The one writer of a folder, from staging to publication.

    Use it as a context manager. Leaving without `publish` leaves the folder as it was.

    Parameters
    ----------
    folder : Path
        The folder to publish; made if missing.
    manifest_name : str
        Name of the manifest file.
    wait : float
        Seconds to wait for another writer of the same folder before giving up.
    """

    def __init__(self, folder: Path, manifest_name: str = MANIFEST, wait: float = 600.0) -> None:
        self._folder = folder
        self._manifest_name = manifest_name
        self._wait = wait
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / _LOCK)
        self.staging: Path

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=self._wait)
        except Timeout:
            raise StorageError(
                f"{self._folder} is still being written by another run after {self._wait:.0f} s"
            ) from None
        # Whoever held the lock before is gone; what it left unpublished is of no use to anyone.
        for left in self._folder.glob(f"{_STAGING}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self.staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self._lock.release()
        if isinstance(error, OSError):
            raise StorageError(
                f"{self._folder} cannot be written: {error}; what was published there stands"
            ) from error

    def publish(self, info: Mapping[str, Any]) -> Manifest:
        """Make the files in `staging` the content of the folder.

        Nothing on disk changes when the content is already there.

        Parameters
        ----------
        info : mapping
            Kept in the manifest, and part of the data version; JSON values only.
        """
        staged = sorted(path for path in self.staging.iterdir() if path.is_file())
        files = tuple(_stored(path) for path in staged)
        manifest = Manifest(_data_version(files, info), files, dict(info))
        current = None
        # A manifest that cannot be read is replaced, like any older one.
        with suppress(StorageError):
            current = read_manifest(self._folder, self._manifest_name)
        whole = current == manifest and all(
            (self._folder / file.path).is_file()
            and _sha256(self._folder / file.path) == file.sha256
            for file in files
        )
        if not whole:
            reached("files staged")
            for path, file in zip(staged, files, strict=True):
                _sync(path)
                path.replace(self._folder / file.path)
                reached("file moved")
            _sync(self._folder)
            document = {"format": _FORMAT, **asdict(manifest)}
            reached("files moved")
            write_atomically(
                self._folder / self._manifest_name,
                (json.dumps(document, indent=2, sort_keys=True) + "\n").encode(),
            )
            reached("manifest swapped")
        keep = {file.path for file in files} | {self._manifest_name, _LOCK, self.staging.name}
        for path in self._folder.iterdir():
            if path.is_file() and path.name not in keep:
                path.unlink()
                reached("old file removed")
        return manifest


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` for a short change to a file in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _LOCK, timeout=60):
        yield


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader finds the old or the new, whole."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_STAGING, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # A temporary file is private to its owner; what is published is for every reader.
            Path(file.name).chmod(0o644)
            reached("content written")
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync(path.parent)


def _stored(path: Path) -> StoredFile:
    """Describe `path`, whose published name carries the first twelve digits of its hash."""
    sha256 = _sha256(path)
    return StoredFile(
        name=path.name,
        path=f"{path.stem}-{sha256[:12]}{path.suffix}",
        sha256=sha256,
        bytes=path.stat().st_size,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _data_version(files: tuple[StoredFile, ...], info: Mapping[str, Any]) -> str:
    described = [[asdict(file) for file in files], dict(info)]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
