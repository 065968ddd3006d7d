"""Atomic publication of a folder, used by the lake, the model store and the releases.

A writer locks the folder, writes files to a staging folder inside it, renames them so that their
names contain their hash, moves them into the folder next to the files that readers may have open,
and replaces the manifest atomically. Readers go through the manifest, so they see either the old
content or the new. After the manifest is replaced, the old files are deleted: between publications
the folder contains exactly the files of the manifest, so that tools that do not read manifests,
such as Spark, are right too.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import msgspec
from filelock import FileLock, Timeout

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents
from fitness_assets.system_errors import cause_of

#: Spark, Arrow and Hive treat names with a leading underscore as hidden.
MANIFEST = "_manifest.json"
#: Name of the lock file of a folder.
LOCK = "_lock"
#: How names of files and folders begin that are not published yet.
STAGING = "_staging-"
_FORMAT = 1
# Limit on the size of a manifest. A reader of other machines' manifests limits them further.
_MAX_MANIFEST_BYTES = 50_000_000
# A file name without a folder.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)

#: Points of a publication at which a process may be killed. Tests kill it at each of them.
CrashPoint = Literal[
    "files staged",
    "file moved",
    "files moved",
    "content written",
    "manifest replaced",
    "old file deleted",
]


def reached(point: CrashPoint) -> None:
    """Do nothing; tests replace this function to kill the process at `point`."""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published file.

    Attributes
    ----------
    name : str
        The name by which readers ask for it.
    path : str
        Its file name in the folder, which contains the hash.
    sha256 : str
    bytes : int
        Its size.
    """

    name: str
    path: str
    sha256: str
    bytes: Annotated[int, msgspec.Meta(ge=0)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one publication.

    Attributes
    ----------
    data_version : str
        Hash of `files` and `info`: equal exactly when the content is equal.
    files : tuple of StoredFile
        Sorted by name.
    info : mapping
        The writer's description of the content, as JSON values. Read it with `documents.convert`.
    inputs : mapping or None
        Data versions of what the content was made from, by name. Not part of the data version:
        the same content may come of other inputs. None if they were not recorded.
    """

    data_version: str
    files: tuple[StoredFile, ...]
    info: Mapping[str, object]
    inputs: Mapping[str, str] | None = None

    def file(self, name: str) -> StoredFile:
        """The file with this name; StorageError if there is none."""
        for file in self.files:
            if file.name == name:
                return file
        raise StorageError(f"no file {name!r} in this publication")

    @property
    def bytes(self) -> int:
        """Total size of the files."""
        return sum(file.bytes for file in self.files)


class _Document(Manifest, frozen=True, kw_only=True):
    """A manifest as it is stored."""

    format: int


def read_manifest(folder: Path, manifest_name: str = MANIFEST) -> Manifest | None:
    """The manifest of `folder`, or None if nothing has been published there.

    Raises
    ------
    StorageError
        If the manifest cannot be read, or does not match its own hash.
    """
    path = folder / manifest_name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_manifest(content, str(path))


# A command reads the manifests of a month's inputs again for each of its assets.
@lru_cache(maxsize=512)
def parse_manifest(content: bytes, name: str) -> Manifest:
    """The manifest in `content`, which messages call `name`.

    Raises
    ------
    StorageError
        If it cannot be read, names a file outside its folder, or does not match its own hash.
    """
    document = documents.decode(content, _Document, name, _MAX_MANIFEST_BYTES)
    if document.format != _FORMAT:
        raise StorageError(f"{name} has format {document.format}; this version reads {_FORMAT}")
    if not all(
        _NAME.fullmatch(file.path) and _NAME.fullmatch(file.name) for file in document.files
    ):
        raise StorageError(f"{name} names a file that is not inside its folder")
    if document.data_version != _data_version(document.files, document.info):
        raise StorageError(f"{name} was changed after it was written")
    return Manifest(
        data_version=document.data_version,
        files=document.files,
        info=document.info,
        inputs=document.inputs,
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of the file of `manifest`."""
    return documents.encode({"format": _FORMAT, **documents.plain(manifest)})


def is_of(content: bytes, file: StoredFile) -> bool:
    """Whether `content` has the size and hash of `file`."""
    return len(content) == file.bytes and hashlib.sha256(content).hexdigest() == file.sha256


def read_bytes(folder: Path, file: StoredFile) -> bytes:
    """The content of `file`, verified against its size and hash.

    Raises
    ------
    FileNotFoundError
        If the file was deleted by a later publication; read the manifest again.
    StorageError
        If the content differs from the manifest.
    """
    content = (folder / file.path).read_bytes()
    if not is_of(content, file):
        raise StorageError(f"{folder / file.path} differs from its manifest")
    return content


def verify(path: Path, file: StoredFile) -> None:
    """Raise StorageError unless `path` has the size and hash of `file`."""
    if path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
        raise StorageError(f"{path} differs from its manifest")


class Writer:
    """The only writer of a folder, as a context manager that holds its lock.

    If the body does not call `publish`, the folder stays unchanged.

    Parameters
    ----------
    folder : Path
        The folder to publish to; created if missing.
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
        self._lock = FileLock(folder / LOCK)
        self.staging: Path

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=self._wait)
        except Timeout:
            raise StorageError(
                f"{self._folder} is still being written by another run after {self._wait:.0f} s"
            ) from None
        # An earlier writer was killed; its staged files were never published.
        for stale in self._folder.glob(f"{STAGING}*"):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        self.staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=self._folder))
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
                f"{self._folder} cannot be written: {cause_of(error)}; its published content is "
                "unchanged"
            ) from error

    def publish(
        self, info: msgspec.Struct | Mapping[str, object], inputs: Mapping[str, str] | None = None
    ) -> Manifest:
        """Replace the content of the folder by the files in `staging`.

        Nothing on disk changes if the folder already has this content, made from these inputs.

        Parameters
        ----------
        info : Struct or mapping
            Stored in the manifest and part of the data version; JSON values only.
        inputs : mapping, optional
            Data versions of what the content was made from. Stored in the manifest only.
        """
        plain = documents.plain(info)
        staged = sorted(path for path in self.staging.iterdir() if path.is_file())
        files = tuple(_stored(path) for path in staged)
        manifest = Manifest(
            data_version=_data_version(files, plain), files=files, info=plain, inputs=inputs
        )
        current = None
        # A manifest that cannot be read is replaced, like any other.
        with suppress(StorageError):
            current = read_manifest(self._folder, self._manifest_name)
        same = current is not None and (
            (current.data_version, current.inputs) == (manifest.data_version, manifest.inputs)
        )
        unchanged = same and all(
            (self._folder / file.path).is_file()
            and _sha256(self._folder / file.path) == file.sha256
            for file in files
        )
        if not unchanged:
            encoded = encode_manifest(manifest)
            reached("files staged")
            for path, file in zip(staged, files, strict=True):
                _sync(path)
                path.replace(self._folder / file.path)
                reached("file moved")
            _sync(self._folder)
            reached("files moved")
            write_atomically(self._folder / self._manifest_name, encoded)
            reached("manifest replaced")
        keep = {file.path for file in files} | {self._manifest_name, LOCK, self.staging.name}
        for path in self._folder.iterdir():
            if path.is_file() and path.name not in keep:
                path.unlink()
                reached("old file deleted")
        return manifest


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` during a short change to a file in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK, timeout=60):
        yield


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the content of `path`; a reader finds either the old content or the new.

    Parameters
    ----------
    path : Path
    content : bytes
    mode : int
        Permissions of the file. By default it is readable by all, as published files are.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=STAGING, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # A temporary file is readable by its owner only.
            Path(file.name).chmod(mode)
            reached("content written")
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync(path.parent)


#: Errors of a file system that has no hard links, or has no room for another one.
_NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no hard links.

    Raises
    ------
    FileExistsError
        If there is a `target`.
    FileNotFoundError
        If there is no `source`.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
    else:
        return
    with source.open("rb") as content, target.open("xb") as copied:
        shutil.copyfileobj(content, copied)


def _stored(path: Path) -> StoredFile:
    """`path` under its published name, which contains the first twelve digits of its hash."""
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


def _data_version(files: tuple[StoredFile, ...], info: Mapping[str, object]) -> str:
    hashed = [documents.plain(files), dict(info)]
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:32]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
