"""Releases: what the dashboard reads. One bundle a month, and a pointer to the current one."""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.storage.models import METRICS, load, verify
from fitness_assets.storage.publication import (
    Manifest,
    StoredFile,
    Writer,
    locked,
    read_bytes,
    read_manifest,
    write_atomically,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MANIFEST = "manifest.json"
LATEST = "latest.json"
#: Version of what a release holds; a reader refuses one that it does not know.
SCHEMA_VERSION = 4
_POINTER_FORMAT = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pointer:
    """Which releases there are, which of them is current, and the digest that each must have.

    Attributes
    ----------
    serial : int
        One more with each change, so that an older pointer is known as one.
    month : str or None
        The current release; None where none is left.
    releases : dict
        SHA-256 of the manifest, by month.
    ids : dict
        Where each file is, by its path, on a target that does not know paths.
    """

    serial: int
    month: str | None
    releases: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes, name: str) -> "Pointer":
        """The pointer in `content`.

        Raises
        ------
        ReleaseError
            If `content` is not one. `name` is what the message calls it.
        """
        try:
            document = json.loads(content)
            known = document.pop("format") == _POINTER_FORMAT
            pointer = cls(**document)
            whole = (
                known
                and type(pointer.serial) is int
                and (pointer.month in pointer.releases or not (pointer.month or pointer.releases))
                and all(map(months.start, pointer.releases))
                and all(map(_DIGEST.fullmatch, pointer.releases.values()))
                and all(isinstance(text, str) for text in pointer.ids.values())
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ReleaseError(f"{name} is not a pointer to a release: {error}") from error
        if not whole:
            raise ReleaseError(
                f"{name} is not a pointer to a release: it does not say what one says"
            )
        return pointer

    def content(self) -> bytes:
        """The pointer as a file."""
        document = {"format": _POINTER_FORMAT, **asdict(self)}
        return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()

    def showing(self, month: str) -> "Pointer":
        """The same with `month` as the current one.

        Raises
        ------
        ReleaseError
            If there is no release of `month`.
        """
        if month not in self.releases:
            raise ReleaseError(
                f"there is no release of {month}; there are {', '.join(sorted(self.releases))}"
            )
        return self if month == self.month else replace(self, serial=self.serial + 1, month=month)

    def without(self, month: str) -> "Pointer":
        """The same without the release of `month`; the newest of the others is current then."""
        if month not in self.releases:
            return self
        releases = {name: digest for name, digest in self.releases.items() if name != month}
        ids = {path: at for path, at in self.ids.items() if not path.startswith(f"{month}/")}
        current = self.month if self.month in releases else max(releases, default=None)
        return Pointer(self.serial + 1, current, releases, ids)


def pointed(
    before: Pointer | None, month: str, digest: str, ids: Mapping[str, str] | None = None
) -> Pointer:
    """`before` after the release of `month` was published, its manifest with this `digest`.

    New content of the current month or a later one becomes current. The same content again changes
    nothing, and so leaves an older month current that someone went back to.
    """
    ids = dict(ids or {})
    if before is None:
        return Pointer(1, month, {month: digest}, ids)
    if before.releases.get(month) == digest and before.ids == ids:
        return before
    known = before.releases.get(month) == digest
    return Pointer(
        before.serial + 1,
        before.month if known else max(before.month or month, month),
        before.releases | {month: digest},
        ids,
    )


@dataclass(frozen=True)
class UploadResult:
    """What became of a release at a target.

    Attributes
    ----------
    link : str
        Where a consumer finds the pointer.
    sent : int
        Bytes of content that were not there already.
    manifest : Manifest
        As published there.
    """

    link: str
    sent: int
    manifest: Manifest


def served(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was measured of the model that a release carries, or None where it carries none.

    Parameters
    ----------
    told : mapping
        Of `Release.metrics`, what it says of that model: of the month's own, and where that was not
        released of an earlier month's in its ``stand_in``, with the ``month``.
    """
    return dict(told) if told["released"] else told.get("stand_in")


@dataclass(frozen=True)
class Release:
    """One published bundle. Every read is verified against the manifest.

    Attributes
    ----------
    month : str
        The month it is of.
    folder : Path
        Where its files are.
    manifest : Manifest
        Its files, and in `info` the months, versions and summary it was made from.
    """

    month: str
    folder: Path
    manifest: Manifest

    def metrics(self) -> dict[str, Any]:
        """What was measured of each model, by the asset's name."""
        document: dict[str, Any] = json.loads(self._read(METRICS))
        return document

    def model_file(self, name: str) -> StoredFile | None:
        """The file of the model called `name`, or None where the release has none."""
        files = {file.name: file for file in self.manifest.files}
        return files.get(f"{name}.skops")

    def model(self, name: str) -> "Pipeline | None":
        """The model called `name`, or None where the release has none."""
        file = self.model_file(name)
        return load(self._read(file.name), f"{self.month} {file.name}") if file else None

    def has_table(self, name: str) -> bool:
        """Whether there is a serving table called `name`."""
        return any(file.name == f"{name}.parquet" for file in self.manifest.files)

    def table(
        self, name: str, columns: Sequence[str] | None = None, user: str | None = None
    ) -> pd.DataFrame:
        """The serving table called `name`, or these columns of it, or the rows of one user.

        No row group is decoded that has no row of the user.
        """
        content = io.BytesIO(self._read(f"{name}.parquet"))
        wanted = None if user is None else [("user_id", "==", user)]
        names = None if columns is None else list(columns)
        frame: pd.DataFrame = pq.read_table(content, columns=names, filters=wanted).to_pandas()
        return frame

    def table_bytes(self, names: Sequence[str]) -> int:
        """What is read from disk for the tables called `names`: their files, which are verified."""
        return sum(self.manifest.file(f"{name}.parquet").bytes for name in names)

    def _read(self, name: str) -> bytes:
        try:
            return read_bytes(self.folder, self.manifest.file(name))
        except FileNotFoundError as error:
            raise StorageError(f"{self.folder} lacks {name}, which its manifest names") from error


class Target(Protocol):
    """Where releases are published to."""

    def receive(
        self, release: Release, tell: Callable[[str], object] | None = None, /
    ) -> UploadResult:
        """Publish `release` there, and `tell` of the progress in words.

        Raises
        ------
        FitnessError
            If it cannot be. Then what was published there before stands.
        """
        ...

    def show(self, month: str) -> None:
        """Make the release of `month` the current one there."""

    def withdraw(self, month: str) -> None:
        """Remove the release of `month`, if there is one."""

    def manifest(self, month: str) -> Manifest | None:
        """What was published there for `month`, or None."""


class ReleaseStore:
    """The releases in one folder, which is a producer's, a target's, or a consumer's copy.

    Parameters
    ----------
    root : Path
        A folder with a folder a month, and ``latest.json``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def months(self) -> list[str]:
        """The months that have a release, in order."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}"))

    def open(self, month: str) -> Release:
        """The release of `month`.

        Raises
        ------
        StorageError
            If there is none, or it is of a version that is not known here.
        """
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root} has no release of {month}")
        version = manifest.info.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StorageError(
                f"the release of {month} has schema version {version}, not {SCHEMA_VERSION}"
            )
        return Release(month, self.root / month, manifest)

    def manifest(self, month: str) -> Manifest | None:
        """What is published for `month`, or None."""
        return read_manifest(self.root / month, MANIFEST)

    def digest(self, month: str) -> str | None:
        """SHA-256 of the manifest of `month`, or None where nothing is published."""
        path = self.root / month / MANIFEST
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

    def pointer(self) -> Pointer | None:
        """What ``latest.json`` says, or None where there is none.

        Raises
        ------
        ReleaseError
            If it cannot be understood.
        """
        path = self.root / LATEST
        return Pointer.parse(path.read_bytes(), str(path)) if path.is_file() else None

    def keep(self, month: str, files: Mapping[str, bytes], info: Mapping[str, Any]) -> Release:
        """Publish the release of `month`, and leave the pointer as it is.

        Raises
        ------
        StorageError
            If the files do not read back as they were given, or a model may not be loaded. Then
            what was released before stands.
        """
        months.start(month)
        with Writer(self.root / month, MANIFEST) as writer:
            for name, content in files.items():
                path = writer.staging / name
                path.write_bytes(content)
                if path.read_bytes() != content:
                    raise StorageError(f"{path} does not read back as it was written")
                if path.suffix == ".skops":
                    verify(content, f"{month} {name}")
            writer.publish({"schema_version": SCHEMA_VERSION, "month": month, **info})
        return self.open(month)

    def publish(self, month: str, files: Mapping[str, bytes], info: Mapping[str, Any]) -> Release:
        """Publish the release of `month`, then point to it if it is new and the newest.

        Each model is loaded once before.

        Raises
        ------
        StorageError
            As `keep`, or if a model cannot be loaded.
        """
        for name, content in files.items():
            if name.endswith(".skops"):
                load(content, f"{month} {name}")
        release = self.keep(month, files, info)

        def published(before: Pointer | None) -> Pointer:
            return pointed(before, month, self.digest(month) or "")

        self._repoint(published)
        return release

    def receive(
        self,
        release: Release,
        tell: Callable[[str], object] | None = None,  # noqa: ARG002 - it is done at once
    ) -> UploadResult:
        """Publish a copy of `release` here."""
        before = self.manifest(release.month)
        known = {file.sha256 for file in before.files} if before else set()
        sent = sum(file.bytes for file in release.manifest.files if file.sha256 not in known)
        files = {file.name: read_bytes(release.folder, file) for file in release.manifest.files}
        copy = self.publish(release.month, files, release.manifest.info)
        return UploadResult(str(self.root / LATEST), sent, copy.manifest)

    def show(self, month: str) -> None:
        """Make the release of `month` the current one, whichever is the newest.

        Raises
        ------
        ReleaseError
            If there is none of `month`.
        """

        def shown(before: Pointer | None) -> Pointer:
            if before is None:
                raise ReleaseError(f"{self.root} holds no release yet")
            return before.showing(month)

        self._repoint(shown)

    def withdraw(self, month: str) -> None:
        """Remove the release of `month`, if there is one, and name it no more."""
        if self.pointer() is not None:
            self._repoint(lambda before: before and before.without(month))
        shutil.rmtree(self.root / month, ignore_errors=True)

    def _repoint(self, change: Callable[[Pointer | None], Pointer | None]) -> None:
        with locked(self.root):
            try:
                stored = before = self.pointer()
            except ReleaseError:
                # Damaged, or of another version: what is here tells what it said.
                stored = before = None
                for month in self.months():
                    before = pointed(before, month, self.digest(month) or "")
            after = change(before)
            if after is not None and after != stored:
                write_atomically(self.root / LATEST, after.content())
