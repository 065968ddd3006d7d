"""Where files are stored: a path of the file system, or the same below the URL of an object store.

`ObjectPath` has those methods of `pathlib.Path` that readers of published files need. The functions
of this module are for what folders of the two kinds do differently: an object store has no folders,
only objects whose names contain slashes.
"""

import io
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import urlsplit

from fitness_assets.errors import StorageError
from fitness_assets.storage.object_store import ObjectInfo, ObjectStore, is_object_url

# Bytes of the smallest request. A request takes as long as the transfer of some 100 kB.
_BLOCK = 1 << 20


@dataclass(frozen=True, order=True)
class ObjectPath:
    """An object, or the folder of all objects whose names begin with its name and a slash.

    It can be pickled, and is opened again in the other process. Nothing is read until it is used.

    Attributes
    ----------
    bucket : str
        The URL of the bucket, such as ``s3://bucket``.
    key : str
        The name in the bucket, without a slash at its ends; empty for all of the bucket.
    """

    bucket: str
    key: str

    def __str__(self) -> str:
        """The URL."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def __truediv__(self, name: str) -> "ObjectPath":
        """The object called `name` in this folder."""
        return ObjectPath(self.bucket, f"{self.key}/{name}" if self.key else name)

    @property
    def name(self) -> str:
        """The last part of the name."""
        return PurePosixPath(self.key).name

    @property
    def parent(self) -> "ObjectPath":
        """The folder that it is in."""
        return ObjectPath(self.bucket, self.key.rpartition("/")[0])

    @property
    def store(self) -> ObjectStore:
        """The objects of the bucket."""
        return _store(self.bucket)

    def read_bytes(self) -> bytes:
        """The content; FileNotFoundError if there is no such object."""
        found = self.store.read(self.key)
        if found is None:
            raise FileNotFoundError(f"{self} is missing")
        return found.content

    def is_file(self) -> bool:
        """Whether there is such an object."""
        return self.store.size(self.key) is not None

    def open_ranges(self) -> "ObjectFile":
        """Open it to read parts of it; FileNotFoundError if there is no such object."""
        size = self.store.size(self.key)
        if size is None:
            raise FileNotFoundError(f"{self} is missing")
        return ObjectFile(self, size)

    def download(self, target: Path) -> None:
        """Write the content to a file; FileNotFoundError if there is no such object."""
        if not self.is_file():
            raise FileNotFoundError(f"{self} is missing")
        with target.open("wb") as file:
            for chunk in self.store.chunks(self.key):
                file.write(chunk)

    def children(self) -> tuple[Sequence[ObjectInfo], Sequence[str]]:
        """The objects in this folder itself, and the names of the folders in it."""
        return self.store.children(self.key)


#: A path of the file system, or of an object store.
Location: TypeAlias = Path | ObjectPath


class ObjectFile(io.RawIOBase):
    """An object that is read in parts, with few requests for small parts next to each other.

    Parameters
    ----------
    path : ObjectPath
    size : int
        In bytes.
    """

    def __init__(self, path: ObjectPath, size: int) -> None:
        super().__init__()
        self._path = path
        self._size = size
        self._position = 0
        self._block, self._block_start = b"", 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from any position: yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes from the position; all that follow if it is negative or None."""
        left = max(0, self._size - self._position)
        length = left if size is None or size < 0 else min(size, left)
        start = self._position - self._block_start
        if start < 0 or start + length > len(self._block):
            self._request(length)
            start = self._position - self._block_start
        content = self._block[start : start + length]
        self._position += len(content)
        return content

    def _request(self, length: int) -> None:
        """Read a block with the next `length` bytes; all of a small object."""
        start = 0 if self._size <= _BLOCK else self._position
        length = min(max(length, _BLOCK), self._size - start)
        block = self._path.store.read_range(self._path.key, start, length)
        if block is None:
            raise FileNotFoundError(f"{self._path} is missing")
        self._block, self._block_start = block, start


@lru_cache(maxsize=16)
def _store(bucket: str) -> ObjectStore:
    return ObjectStore(bucket)


def location(text: str) -> Location:
    """The location that `text` names: a URL of an object store, or a path, which is made absolute.

    Raises
    ------
    ValueError
        If it is a URL of another kind, or holds credentials; the message is the rest of a sentence
        that begins with the setting.
    """
    if not is_object_url(text):
        return Path(text).expanduser().absolute()
    parts = urlsplit(text)
    if parts.scheme == "file":
        raise ValueError("is a folder of this machine; write its path without file://")
    bucket = f"{parts.scheme}://{parts.netloc}"
    if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "is not the URL of a bucket and a prefix, such as s3://bucket/prefix; credentials are "
            "in variables of their own"
        )
    return ObjectPath(bucket, "/".join(filter(None, parts.path.split("/"))))


def read(path: Location) -> bytes | None:
    """The content of a file, or None if there is no such file."""
    if isinstance(path, ObjectPath):
        found = path.store.read(path.key)
        return None if found is None else found.content
    return path.read_bytes() if path.is_file() else None


def file_names(folder: Location) -> set[str]:
    """The names of the files in `folder`; none if there is no such folder."""
    if isinstance(folder, ObjectPath):
        return {PurePosixPath(each.name).name for each in folder.children()[0]}
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if path.is_file()}


def folder_names(folder: Location) -> list[str]:
    """The names of the folders in `folder`, in order; none if there is no such folder."""
    if isinstance(folder, ObjectPath):
        return sorted(folder.children()[1])
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def remove_folder(folder: Location, first: str | None = None) -> None:
    """Remove `folder` and all that is in it.

    Parameters
    ----------
    folder : Path or ObjectPath
        It may be missing.
    first : str, optional
        The manifest, which is removed from an object store before the others: readers that find it
        find its files.
    """
    if isinstance(folder, ObjectPath):
        if not folder.key:
            raise StorageError(f"{folder} is a whole bucket, which is not removed")
        names = [each.name for each in folder.store.list(folder.key)]
        if first is not None:
            names.sort(key=lambda name: name != (folder / first).key)
        folder.store.delete(names)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def open_ranges(path: Location) -> io.RawIOBase:
    """Open a file to read parts of it; FileNotFoundError if there is no such file."""
    return path.open_ranges() if isinstance(path, ObjectPath) else io.FileIO(path)
