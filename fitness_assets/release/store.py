"""The releases in one folder: a platform's, an upload target's, or the dashboard's copy."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fitness_assets import months
from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.release.bundle import MANIFEST, Release, ReleaseInfo, read_info
from fitness_assets.release.pointer import LATEST, Pointer, updated_pointer
from fitness_assets.storage.locations import Location, folder_names, read, remove_folder
from fitness_assets.storage.publication import Manifest, read_manifest, update
from fitness_assets.storage.writer import Writer


class ReleaseStore:
    """The releases in one folder.

    Parameters
    ----------
    root : Path or ObjectPath
        Holds one folder a month, and ``latest.json``.
    private : bool
        Whether only the owner of the files may read them.
    """

    def __init__(self, root: Location, *, private: bool = False) -> None:
        self.root = root
        self._private = private

    def create(self) -> None:
        """Create the folder if it is missing, for its owner only if the releases are private.

        An object store has no folders, and its own rules decide who reads what is in it.
        """
        if not isinstance(self.root, Path):
            return
        self.root.mkdir(parents=True, exist_ok=True)
        if self._private:
            self.root.chmod(0o700)

    def months(self) -> list[str]:
        """The months that have a release, in order."""
        names = filter(months.is_month, folder_names(self.root))
        return [name for name in names if (self.root / name / MANIFEST).is_file()]

    def open(self, month: str) -> Release:
        """The release of `month`.

        Raises
        ------
        StorageError
            If there is none, or its schema version is not the current one.
        """
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root} has no release of {month}")
        read_info(manifest, month)
        return Release(month, self.root / month, manifest)

    def folder(self, month: str) -> Location:
        """The folder of `month`."""
        return self.root / month

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of the release of `month`, or None if there is none."""
        return read_manifest(self.root / month, MANIFEST)

    def digest(self, month: str) -> str | None:
        """SHA-256 of the manifest of `month`, or None if there is none."""
        content = read(self.root / month / MANIFEST)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def pointer(self) -> Pointer | None:
        """The content of ``latest.json``, or None if there is none.

        Raises
        ------
        ReleaseError
            If it is not a valid pointer.
        """
        return self._parsed(read(self.root / LATEST))

    def _parsed(self, content: bytes | None) -> Pointer | None:
        return None if content is None else Pointer.parse(content, str(self.root / LATEST))

    def write(
        self,
        month: str,
        files: Mapping[str, bytes],
        info: Mapping[str, Any],
        inputs: Mapping[str, str] | None = None,
    ) -> Release:
        """Publish the release of `month` without changing the pointer.

        Parameters
        ----------
        month : str
        files : mapping
            Content by file name.
        info : mapping
            The manifest's ``info``: the fields of `ReleaseInfo` as plain values.
        inputs : mapping, optional
            The manifest's ``inputs``.

        Raises
        ------
        StorageError
            If a file does not read back as written. The previous release of `month` is kept.
        """
        months.check(month)
        self.create()
        with Writer(self.root / month, MANIFEST) as writer:
            for name, content in files.items():
                path = writer.staging / name
                path.write_bytes(content)
                if path.read_bytes() != content:
                    raise StorageError(f"{path} does not read back as it was written")
            writer.publish(info, inputs)
        return self.open(month)

    def publish(
        self,
        files: Mapping[str, bytes],
        info: ReleaseInfo,
        inputs: Mapping[str, str] | None = None,
    ) -> Release:
        """Publish a release and update the pointer, see `updated_pointer`.

        Each model is loaded once before anything is published.

        Raises
        ------
        StorageError
            As `write`, or if a model cannot be loaded.
        """
        from fitness_assets.storage.models import load

        for name, content in files.items():
            if name.endswith(".skops"):
                load(content, f"{info.month} {name}")
        release = self.write(info.month, files, msgspec.to_builtins(info), inputs)
        self.point_to(info.month)
        return release

    def point_to(self, month: str) -> None:
        """Update the pointer after `month` was written, see `updated_pointer`."""
        self._update_pointer(
            lambda before: updated_pointer(before, month, self.digest(month) or "")
        )

    def set_current(self, month: str) -> None:
        """Make the release of `month` the current one, even if it is not the newest.

        Raises
        ------
        ReleaseError
            If there is no release of `month`.
        """

        def change(before: Pointer | None) -> Pointer:
            if before is None:
                raise ReleaseError(f"{self.root} has no release yet")
            return before.with_current(month)

        self._update_pointer(change)

    def remove(self, month: str) -> None:
        """Remove the release of `month`, if there is one, from the pointer and then from disk."""
        if self.pointer() is not None:
            self._update_pointer(lambda before: before and before.without(month))
        remove_folder(self.root / month, MANIFEST)

    def _update_pointer(self, change: Callable[[Pointer | None], Pointer | None]) -> None:
        def changed(content: bytes | None) -> bytes | None:
            try:
                before = self._parsed(content)
            except ReleaseError:
                # Damaged, or of another format: rebuild it from the releases on disk.
                before = None
                for month in self.months():
                    before = updated_pointer(before, month, self.digest(month) or "")
            after = change(before)
            return None if after is None else after.encode()

        update(self.root / LATEST, changed)
