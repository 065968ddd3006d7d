"""A consumer's own copy of the releases: fetched, verified, and kept when the next is refused.

Nothing is taken from an origin but bytes whose digest is known beforehand: that of a file from its
manifest, that of a manifest from the pointer or from the consumer's pins. Only the pointer itself
is believed as it comes, the first time at least; after that, none that is older.
"""

import hashlib
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from fitness_assets.errors import FitnessError, ReleaseError, StorageError
from fitness_assets.release.store import LATEST, MANIFEST, SCHEMA_VERSION, Pointer, ReleaseStore
from fitness_assets.storage.publication import is_of, parse_manifest, read_bytes, write_atomically

#: The most that is ever read of a pointer, of a manifest, and of the files of one release.
_POINTER_BYTES, _MANIFEST_BYTES, _RELEASE_BYTES = 1_000_000, 1_000_000, 200_000_000
_LOCK = "_mirror"
#: Seconds to wait for another's first copy.
_FIRST = 60
_LINK = re.compile(r"https://drive\.google\.com/(?:file/d/|(?:uc|open)\?(?:.*&)?id=)([\w-]+)")


class Origin(Protocol):
    """Where releases come from."""

    def pointer(self) -> bytes | None:
        """The content of ``latest.json``, or None where nothing has been released."""

    def read(self, path: str, pointer: Pointer, size: int) -> bytes:
        """The file at `path` of an origin with this `pointer`, of at most `size` bytes.

        Raises
        ------
        ReleaseError
            If it cannot be had, or is larger.
        """
        ...


class FolderOrigin:
    """Releases in a folder, such as the one that the platform writes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pointer(self) -> bytes | None:
        """The content of ``latest.json``, or None where nothing has been released."""
        if not (self._root / LATEST).is_file():
            return None
        return self._content(self._root / LATEST, _POINTER_BYTES)

    def read(self, path: str, pointer: Pointer, size: int) -> bytes:  # noqa: ARG002 - needs no ids
        """The file at `path`, of at most `size` bytes."""
        return self._content(self._root / path, size)

    def _content(self, path: Path, size: int) -> bytes:
        try:
            with path.open("rb") as file:
                content = file.read(size + 1)
        except OSError as error:
            raise ReleaseError(f"{path} cannot be read: {error.strerror}") from error
        if len(content) > size:
            raise ReleaseError(f"{path} is larger than the {size:,} bytes that it should have")
        return content


class DriveOrigin:
    """Releases on Google Drive, by the public link of their ``latest.json``.

    Parameters
    ----------
    link : str
        As ``https://drive.google.com/uc?id=...`` or ``https://drive.google.com/file/d/.../view``.
    timeout : float
        Seconds to wait for the next bytes.
    deadline : float
        Seconds that one file may take in all.
    retries : int
        Further attempts after a network failure.

    Raises
    ------
    ReleaseError
        If `link` names no file on Google Drive.
    """

    def __init__(
        self, link: str, timeout: float = 20, deadline: float = 120, retries: int = 2
    ) -> None:
        found = _LINK.match(link)
        if found is None:
            raise ReleaseError(f"{link} is not the link of a file on Google Drive")
        self._id = found[1]
        self._timeout = timeout
        self._deadline = deadline
        self._retries = retries

    def pointer(self) -> bytes:
        """The content of ``latest.json``."""
        return self._download(self._id, LATEST, _POINTER_BYTES)

    def read(self, path: str, pointer: Pointer, size: int) -> bytes:
        """The file at `path`, of at most `size` bytes."""
        if path not in pointer.ids:
            raise ReleaseError(f"the pointer does not say where {path} is")
        return self._download(pointer.ids[path], path, size)

    def _download(self, file_id: str, name: str, size: int) -> bytes:
        import gdown  # a second of imports that a local folder does not need
        import requests

        end = time.monotonic() + self._deadline

        def watch(so_far: int, total: int | None) -> None:
            if max(so_far, total or 0) > size:
                raise ReleaseError(f"{name} is larger than the {size:,} bytes that it should have")
            if time.monotonic() > end:
                raise ReleaseError(f"{name} did not arrive in {self._deadline:.0f} s")

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "content"
            try:
                gdown.download(
                    id=file_id,
                    output=str(target),
                    quiet=True,
                    use_cookies=False,
                    timeout=self._timeout,
                    retries=self._retries,
                    progress=watch,
                )
                return target.read_bytes()
            except (gdown.exceptions.DownloadError, requests.RequestException, OSError) as error:
                reason = " ".join(str(error).split())
                raise ReleaseError(f"{name} cannot be had from Google Drive: {reason}") from error


@dataclass(frozen=True)
class State:
    """What a consumer has after a look at the origin.

    Attributes
    ----------
    months : tuple of str
        The releases that may be shown, in order.
    current : str or None
        The one to show first.
    refused : dict
        Why a month's newest release, or under ``latest.json`` the pointer, was not taken; what was
        there before stands.
    """

    months: tuple[str, ...]
    current: str | None
    refused: dict[str, str]


class Mirror:
    """The verified copy in one folder.

    Parameters
    ----------
    origin : Origin
    root : Path
        The folder of the copy.
    digests : tuple of str
        SHA-256 of the manifests that may be taken. Empty: whatever the pointer names.
    """

    def __init__(self, origin: Origin, root: Path, digests: tuple[str, ...] = ()) -> None:
        self._origin = origin
        self._digests = digests
        self.store = ReleaseStore(root)

    def refresh(self) -> State:
        """Take over what is new at the origin.

        Never raises for what the origin does or holds: it is refused, and the reason told.
        """
        root = self.store.root
        refused: dict[str, str] = {}
        try:
            root.mkdir(parents=True, exist_ok=True)
            # Whoever comes second need not wait for the other's download, unless there is nothing
            # else to show yet.
            with FileLock(root / _LOCK, timeout=0 if self._accepted() else _FIRST):
                refused = self._take()
        except Timeout:
            pass
        except (FitnessError, OSError) as error:
            refused = {LATEST: str(error)}
        return self._state(refused)

    def _take(self) -> dict[str, str]:
        content = self._origin.pointer()
        if content is None:
            return {}
        pointer = Pointer.parse(content, LATEST)
        before = self._accepted()
        if before is not None and pointer != before and pointer.serial <= before.serial:
            raise ReleaseError(
                f"{LATEST} has serial {pointer.serial}, but {before.serial} was there already: it "
                f"is an older one. If it is right, remove {self.store.root}"
            )
        refused = {}
        for month, digest in pointer.releases.items():
            if self.store.digest(month) == digest:
                continue
            try:
                self._fetch(month, digest, pointer)
            except (FitnessError, OSError) as error:
                refused[month] = str(error)
        if pointer != before:
            write_atomically(self.store.root / LATEST, pointer.content())
        # What is withdrawn is not kept either: it may have been for someone's sake.
        for month in set(self.store.months()) - pointer.releases.keys():
            shutil.rmtree(self.store.root / month)
        return refused

    def _fetch(self, month: str, digest: str, pointer: Pointer) -> None:
        """Take over the release of `month` whose manifest has this `digest`."""
        if self._digests and digest not in self._digests:
            raise ReleaseError(
                f"the release of {month} has the digest {digest}, which is not pinned "
                "(FITNESS_RELEASE_DIGESTS)"
            )
        name = f"{month}/{MANIFEST}"
        content = self._origin.read(name, pointer, _MANIFEST_BYTES)
        if hashlib.sha256(content).hexdigest() != digest:
            raise ReleaseError(f"{name} is not the manifest that {LATEST} names")
        manifest = parse_manifest(content, name)
        if (manifest.info.get("schema_version"), manifest.info.get("month")) != (
            SCHEMA_VERSION,
            month,
        ):
            raise ReleaseError(
                f"{name} is of month {manifest.info.get('month')}, schema version "
                f"{manifest.info.get('schema_version')}, not of {month}, {SCHEMA_VERSION}"
            )
        if manifest.bytes > _RELEASE_BYTES:
            raise ReleaseError(
                f"the release of {month} has {manifest.bytes:,} bytes, more than {_RELEASE_BYTES:,}"
            )
        files = {}
        for file in manifest.files:
            try:
                files[file.name] = read_bytes(self.store.root / month, file)
            except (OSError, StorageError):  # it is not here yet
                content = self._origin.read(f"{month}/{file.path}", pointer, file.bytes)
                if not is_of(content, file):
                    raise ReleaseError(
                        f"{month}/{file.path} is not what its manifest says"
                    ) from None
                files[file.name] = content
        self.store.keep(month, files, manifest.info)

    def _accepted(self) -> Pointer | None:
        # One that cannot be read says nothing of what was there; the releases say it themselves.
        with suppress(ReleaseError):
            return self.store.pointer()
        return None

    def _state(self, refused: dict[str, str]) -> State:
        pointer = self._accepted()
        known = pointer.releases if pointer else {}
        here = tuple(
            month
            for month in self.store.months()
            if month in known and (not self._digests or self.store.digest(month) in self._digests)
        )
        current = pointer.month if pointer and pointer.month in here else None
        return State(here, current or (here[-1] if here else None), refused)


def origin_of(source: str) -> Origin:
    """The origin that a setting names: a link on Google Drive, or a folder.

    Raises
    ------
    ReleaseError
        If it is another link.
    """
    return DriveOrigin(source) if source.startswith("https://") else FolderOrigin(Path(source))
