"""A folder, of this machine or of an object store, as a release target."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fitness_assets.errors import ReleaseError
from fitness_assets.formatting import number
from fitness_assets.regular_files import is_folder, open_regular
from fitness_assets.release.bundle import Release
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import MAX_POINTER_BYTES, UploadResult
from fitness_assets.storage.locations import Location, ObjectPath, location
from fitness_assets.storage.publication import read_bytes

SOURCE = "the path of a folder or its URL (s3://bucket/folder)"


class FolderSettings(Protocol):
    """The settings that configure this target."""

    @property
    def upload_folder(self) -> Location:
        """The folder to upload to."""

    @property
    def storage(self) -> Location:
        """The private place of all that is published."""


class FolderTarget(ReleaseStore):
    """A folder as an upload target."""

    def upload(
        self,
        release: Release,
        log: Callable[[str], object] | None = None,  # noqa: ARG002 - a copy has no steps to log
        /,
    ) -> UploadResult:
        """Copy `release` and update the pointer.

        Raises
        ------
        StorageError
            If a file of `release` does not match its manifest. Nothing is changed then.
        """
        before = self.manifest(release.month)
        known = {file.sha256 for file in before.files} if before else set()
        sent = sum(file.bytes for file in release.manifest.files if file.sha256 not in known)
        files = {file.name: read_bytes(release.folder, file) for file in release.manifest.files}
        manifest = release.manifest
        copy = self.write(release.month, files, manifest.info, manifest.inputs)
        self.point_to(release.month)
        return UploadResult(str(self.root / LATEST), sent, copy.manifest)


class FolderOrigin:
    """Releases in a folder, such as the platform's own.

    Parameters
    ----------
    root : Path or ObjectPath
    """

    def __init__(self, root: Location) -> None:
        self._root = root

    def pointer(self) -> bytes | None:
        """The content of ``latest.json``, or None if nothing has been released."""
        file = self._root / LATEST
        if isinstance(file, ObjectPath):
            found = file.store.read(file.key, MAX_POINTER_BYTES)
            return None if found is None else found.content
        return self._content(file, MAX_POINTER_BYTES) if os.path.lexists(file) else None

    def read(
        self,
        path: str,
        pointer: Pointer,  # noqa: ARG002 - files are found by path
        max_bytes: int,
    ) -> bytes:
        """The content of the file at `path`, of at most `max_bytes` bytes."""
        file = self._root / path
        if isinstance(file, ObjectPath):
            found = file.store.read(file.key, max_bytes)
            if found is None:
                raise ReleaseError(f"{file} is missing")
            return found.content
        if not is_folder(file.parent):
            raise ReleaseError(f"{file.parent} is not a folder")
        return self._content(file, max_bytes)

    def _content(self, path: Path, max_bytes: int) -> bytes:
        try:
            with open_regular(path) as file:
                content = file.read(max_bytes + 1)
        except OSError as error:
            raise ReleaseError(f"{path} cannot be read: {error.strerror or error}") from error
        if len(content) > max_bytes:
            raise ReleaseError(f"{path} is larger than the expected {number(max_bytes)} bytes")
        return content


def origin(
    source: str,
    credentials: Path | None = None,  # noqa: ARG001 - the file system decides who may read
    /,
) -> FolderOrigin:
    """The origin in the folder `source`; ValueError if it is a URL that cannot be used."""
    return FolderOrigin(location(source))


def upload_target(settings: FolderSettings) -> FolderTarget:
    """The target in the configured folder."""
    return FolderTarget(settings.upload_folder)


def people_target(settings: FolderSettings) -> FolderTarget:
    """The target of rows of people: a folder next to the other, for its owner only.

    Who may read the objects of a bucket is decided by its rules, and the upload folder may be open
    to all. Rows of people then stay with all else that is published, and are never uploaded there.
    """
    folder = settings.upload_folder
    if isinstance(folder, ObjectPath):
        return FolderTarget(settings.storage / "drive-people", private=True)
    return FolderTarget(folder.with_name(f"{folder.name}-people"), private=True)
