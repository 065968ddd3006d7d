"""Atomic publication of a folder, used by the lake, the model store and the releases.

A writer locks the folder, writes files to a staging folder inside it, renames them so that their
names contain their hash, moves them into the folder next to the files that readers may have open,
and replaces the manifest atomically. Readers go through the manifest, so they see either the old
content or the new. After the manifest is replaced, the old files are deleted: between publications
the folder contains exactly the files of the manifest, so that tools that do not read manifests,
such as Spark, are right too.

`writer` has the writer, and `object_folder` what it does where there are no locks and renames.
"""

import hashlib
import json
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from filelock import FileLock

from fitness_assets.errors import ObjectChangedError, StorageError
from fitness_assets.storage import documents
from fitness_assets.storage.locations import Location, ObjectPath, read

#: Spark, Arrow and Hive treat names with a leading underscore as hidden.
MANIFEST = "_manifest.json"
#: Name of the lock file of a folder.
LOCK = "_lock"
#: How names of files and folders begin that are not published yet.
STAGING = "_staging-"
_FORMAT = 1
# How often a writer of an object store tries to change a file that others change as well.
_UPDATES = 20
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


def read_manifest(folder: Location, manifest_name: str = MANIFEST) -> Manifest | None:
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
    if document.data_version != data_version_of(document.files, document.info):
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


def read_bytes(folder: Location, file: StoredFile) -> bytes:
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
    if path.stat().st_size != file.bytes or sha256_of(path) != file.sha256:
        raise StorageError(f"{path} differs from its manifest")


def update(path: Location, change: Callable[[bytes | None], bytes | None]) -> None:
    """Replace the content of a file by what `change` makes of it, as if there were one writer.

    Parameters
    ----------
    path : Path or ObjectPath
    change : callable
        Is given the content, or None if there is no file, and returns the new content, or None if
        nothing is to be changed. In an object store it may be called several times.

    Raises
    ------
    StorageError
        If other writers of an object store were faster each time.
    """
    if isinstance(path, ObjectPath):
        _update_object(path, change)
        return
    with locked(path.parent):
        before = read(path)
        after = change(before)
        if after is not None and after != before:
            write_atomically(path, after)


def _update_object(path: ObjectPath, change: Callable[[bytes | None], bytes | None]) -> None:
    for attempt in range(_UPDATES):
        found = path.store.read(path.key)
        after = change(found.content if found else None)
        if after is None or (found and after == found.content):
            return
        try:
            if found is None:
                path.store.create(path.key, after)
            else:
                path.store.replace(path.key, after, found.version)
        except ObjectChangedError:
            # By another writer, or by this one in a request that was repeated: the next reading
            # shows it. Writers that wait for random times do not meet again and again.
            time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311
        else:
            return
    raise StorageError(f"{path} was changed by other writers {_UPDATES} times; run it again")


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
    sync(path.parent)


def sha256_of(path: Path) -> str:
    """SHA-256 of the content of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def data_version_of(files: tuple[StoredFile, ...], info: Mapping[str, object]) -> str:
    """The data version of these files and this info."""
    hashed = [documents.plain(files), dict(info)]
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:32]


def sync(path: Path) -> None:
    """Return when a file, or the list of the files of a folder, outlasts a failure of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
