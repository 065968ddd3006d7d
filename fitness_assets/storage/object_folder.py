"""Publication in an object store, which has neither renames nor locks.

A writer reads the manifest when it begins, uploads its files under names that contain their hash,
and then writes the manifest on the condition that it is still the one that was read: of several
writers at the same time one wins, and the others learn of it. A file stays for a while after the
manifest that names it was replaced, so that its readers can read on.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from fitness_assets.errors import ObjectChangedError, StorageError, UnavailableError
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.object_store import StoredObject, Version
from fitness_assets.storage.publication import LOCK, STAGING, parse_manifest

#: How long a file stays that no manifest names any more, or yet: longer than a reader takes for the
#: files of one manifest, and than a writer from its first file to the manifest.
GRACE = timedelta(hours=1)
# A writer that takes longer gives up. So no other writer has removed its files before.
_LONGEST_UPLOAD = GRACE / 2
# How often the manifest is written. The client repeats no conditional request that had no answer,
# as it does not look whether the request was done.
_ATTEMPTS = 3
# How the names of temporary folders of writers begin.
_STAGED = "fitness-staged-"


def _plain(tag: str | None) -> str | None:
    """An e-tag as of any answer: in listings some services write it without quotation marks."""
    return tag and tag.strip('"')


def _remove_abandoned() -> None:
    """Remove the temporary folders of writers that were killed: they hold rows of people."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_STAGED}*"):
        with suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder)


class ObjectFolder:
    """What a writer does in a folder of an object store.

    Parameters
    ----------
    folder : ObjectPath
    manifest_name : str
        Name of the manifest object.
    """

    def __init__(self, folder: ObjectPath, manifest_name: str) -> None:
        self._folder = folder
        self._store = folder.store
        self._manifest = folder / manifest_name
        self._before: StoredObject | None = None
        self._version: Version | None = None
        self._began_to_add: float | None = None
        self._staged: Path
        self._lock: FileLock

    def begin(self) -> Path:
        """Read the manifest, and return a temporary folder of this machine."""
        self._before = self._store.read(self._manifest.key)
        self._version = self._before.version if self._before else None
        _remove_abandoned()
        # Under its own name only once it is locked, so that nobody takes it for abandoned.
        folder = Path(tempfile.mkdtemp(prefix="fitness-"))
        self._lock = FileLock(folder / LOCK)
        self._lock.acquire()
        self._staged = folder.rename(folder.with_name(folder.name.replace("fitness-", _STAGED)))
        files = self._staged / "files"
        files.mkdir()
        return files

    def end(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._staged, ignore_errors=True)
        self._lock.release()

    def manifest(self) -> bytes | None:
        """The manifest that was published when the writer began."""
        return self._before.content if self._before else None

    def is_unchanged(self) -> bool:
        """Whether the manifest is still the one that was published when the writer began."""
        found = self._store.read(self._manifest.key)
        return found == self._before

    def has(self, name: str, size: int, sha256: str) -> bool:  # noqa: ARG002 - the store verifies it
        """Whether there is a file of this size. Its content is in its name, and never replaced."""
        return self._store.size((self._folder / name).key) == size

    def add(self, staged: Path, name: str) -> None:
        """Upload a file, also if it is there: it may be about to be removed.

        Raises
        ------
        UnavailableError
            If it cannot be written.
        """
        if self._began_to_add is None:
            self._began_to_add = time.monotonic()
        try:
            self._store.write((self._folder / name).key, staged)
        except UnavailableError as error:
            raise UnavailableError(f"{error}; the published content is unchanged") from None

    def sync(self) -> None:
        """Do nothing: what was answered is stored."""

    def replace_manifest(self, content: bytes, is_same: Callable[[bytes], bool]) -> None:
        """Write the manifest if it is still the one that was read.

        Raises
        ------
        StorageError
            If another writer was faster, or if the store does not answer. The content that is
            published then stands, and no file is removed.
        """
        began = self._began_to_add
        if began is not None and time.monotonic() - began > _LONGEST_UPLOAD.total_seconds():
            raise StorageError(
                f"{self._folder}: the upload took more than {_LONGEST_UPLOAD}, after which its "
                "files may be removed; the published content is unchanged"
            )
        error: StorageError | None = None
        for _ in range(_ATTEMPTS):
            try:
                self._put_manifest(content)
            except (ObjectChangedError, UnavailableError) as raised:
                error = raised
            else:
                return
            # An answer that was lost may have been a success, also of a request that was repeated.
            found = self._look_again(error)
            if found is not None and (found.content == content or is_same(found.content)):
                self._version = found.version
                return
            if found is None and self._version is not None:
                raise StorageError(
                    f"{self._folder} was removed while this run worked, and its content is "
                    "discarded; run it again if it is to be there"
                )
            version = found.version if found else None
            if isinstance(error, ObjectChangedError) or version != self._version:
                raise StorageError(
                    f"{self._folder} was published by another run while this one worked. What the "
                    "other run published stands, and the content of this one is discarded"
                )
        raise UnavailableError(f"{error}; the published content is unchanged")

    def _put_manifest(self, content: bytes) -> None:
        key = self._manifest.key
        if self._version is None:
            self._version = self._store.create(key, content)
        else:
            self._version = self._store.replace(key, content, self._version)

    def _look_again(self, error: StorageError) -> StoredObject | None:
        try:
            return self._store.read(self._manifest.key)
        except UnavailableError:
            raise UnavailableError(
                f"{error}; whether this content is published cannot be known before the store "
                "answers. No file was removed; run it again then"
            ) from None

    def unneeded(self, published: AbstractSet[str]) -> list[str]:
        """The names of the files that no manifest has named for longer than `GRACE`.

        The time is that of the store's clock: at least what has passed until the newest file in
        the folder, which is the manifest if it was just written. None if another run has published
        since, which names other files, or if the store does not answer: what was published is
        published, and a later publication removes them.
        """
        prefix = f"{self._folder.key}/"
        try:
            found = {
                each.name.removeprefix(prefix): each for each in self._store.list(self._folder.key)
            }
        except UnavailableError:
            return []
        manifest = found.pop(self._manifest.name, None)
        own = self._version.tag if self._version else None
        if manifest is None or _plain(manifest.tag) != _plain(own):
            return []
        now = max([manifest.modified, *(each.modified for each in found.values())])
        named = self._named_before()

        def unnamed_since(name: str, modified: datetime) -> datetime:
            # What the manifest before does not name was not named when that was written.
            if self._before is None:
                return modified
            return now if named is None or name in named else max(modified, self._before.modified)

        return [
            name
            for name, each in found.items()
            if name not in published
            # Of a folder in this one only what was staged there, such as by executors of Spark.
            and ("/" not in name or name.startswith(STAGING))
            and now - unnamed_since(name, each.modified) > GRACE
        ]

    def _named_before(self) -> set[str] | None:
        """The files of the manifest that was published before; None if it cannot be read."""
        with suppress(StorageError):
            content = self.manifest() or b""
            return {file.path for file in parse_manifest(content, str(self._manifest)).files}
        return None

    def remove(self, name: str) -> None:
        """Remove a file, or leave it to a later publication if the store does not answer."""
        with suppress(UnavailableError):
            self._store.delete([(self._folder / name).key])
