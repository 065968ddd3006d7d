"""Google Drive as a release target: upload by its API, download by the public link with gdown."""

import hashlib
import logging
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.formatting import number, seconds
from fitness_assets.release.bundle import MANIFEST, Release
from fitness_assets.release.google_drive.client import DriveClient, DriveFile
from fitness_assets.release.google_drive.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from fitness_assets.release.pointer import LATEST, Pointer, updated_pointer
from fitness_assets.release.target import MAX_POINTER_BYTES, UploadResult
from fitness_assets.storage.publication import Manifest, locked, parse_manifest, read_bytes

SOURCE = "the public link of a file on Google Drive"
_LINK = re.compile(r"https://drive\.google\.com/(?:file/d/|(?:uc|open)\?(?:.*&)?id=)([\w-]+)")
# Of the paths of private bundles.
_PEOPLE = "people/"
_log = logging.getLogger(__name__)


class DriveSettings(Protocol):
    """The settings that configure this target."""

    @property
    def drive_folder(self) -> str | None:
        """Id of the folder on Google Drive."""

    @property
    def drive_credentials(self) -> Path | None:
        """Key of a service account, or token of a user; a JSON file."""

    @property
    def drive_readers(self) -> tuple[str, ...]:
        """E-mail addresses of those who may read rows of people."""

    @property
    def home(self) -> Path:
        """A local folder, for the lock."""


class DriveTarget:
    """Releases in a folder on Google Drive.

    The files have the same paths as in a local folder of releases. ``latest.json`` lists their ids
    and is updated last; files that it no longer lists are deleted after that.

    Parameters
    ----------
    folder : str
        Id of the folder.
    credentials : Path
        Key of a service account, or token of a user; a JSON file.
    lock_folder : Path
        A local folder whose lock keeps two runs from updating ``latest.json`` at once.
    policy : RetryPolicy
    readers : tuple of str, optional
        E-mail addresses. If given, the target holds the private bundles: below ``people/``, with a
        ``latest.json`` of their own, and readable by these accounts only. Otherwise anyone who has
        the link may read the releases.
    """

    def __init__(
        self,
        folder: str,
        credentials: Path,
        lock_folder: Path,
        policy: RetryPolicy = DEFAULT_RETRY_POLICY,
        *,
        readers: tuple[str, ...] | None = None,
    ) -> None:
        self._readers = readers
        self._folder = folder
        self._credentials = credentials
        self._lock_folder = lock_folder
        self._policy = policy

    def upload(
        self, release: Release, log: Callable[[str], object] | None = None, /
    ) -> UploadResult:
        """Upload `release` and update ``latest.json`` last.

        Parameters
        ----------
        release : Release
        log : callable, optional
            Called with a message for each step of the upload.

        Raises
        ------
        DriveError
            If the upload fails. ``latest.json`` is unchanged then.
        StorageError
            If a file of `release` does not match its manifest.
        """
        month = release.month
        content = (release.folder / MANIFEST).read_bytes()
        if parse_manifest(content, str(release.folder / MANIFEST)) != release.manifest:
            raise StorageError(f"{release.folder} was republished; open the release again")
        digest = hashlib.sha256(content).hexdigest()
        ids: dict[str, str] = {}
        sent = 0
        with self._client(log) as client:
            if self._readers is not None:
                client.check_private()
            stored = self._stored(client)

            def put(path: str, content: bytes) -> None:
                ids[path] = self._put(client, path, content, stored).id

            for file in release.manifest.files:
                path = f"{month}/{file.path}"
                if path not in stored or stored[path].sha256 != file.sha256:
                    sent += file.bytes
                put(path, read_bytes(release.folder, file))
            put(f"{month}/{MANIFEST}", content)

            def change(before: Pointer | None) -> Pointer:
                others = {
                    path: id_
                    for path, id_ in (before.ids if before else {}).items()
                    if not path.startswith(f"{month}/")
                }
                return updated_pointer(before, month, digest, others | ids)

            latest = self._update_pointer(client, change)
            for path, known in stored.items():
                if path.startswith(f"{month}/") and path not in ids:
                    client.delete(known)
        return UploadResult(client.link(latest), sent, release.manifest)

    def set_current(self, month: str) -> None:
        """Make the release of `month` the current one.

        Raises
        ------
        ReleaseError
            If there is no release of `month`.
        """
        with self._client() as client:
            self._update_pointer(client, lambda before: before and before.with_current(month))

    def remove(self, month: str) -> None:
        """Remove the release of `month`, if there is one: from ``latest.json``, then its files."""
        with self._client() as client:
            stored = self._stored(client)
            if LATEST in stored:
                self._update_pointer(client, lambda before: before and before.without(month))
            for path, file in stored.items():
                if path.startswith(f"{month}/"):
                    client.delete(file)

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of the release of `month`, or None if there is none."""
        path = f"{month}/{MANIFEST}"
        with self._client() as client:
            file = client.list_files(self._path(path)).get(self._path(path))
            return parse_manifest(client.read(file), path) if file else None

    def _client(self, log: Callable[[str], object] | None = None) -> DriveClient:
        return DriveClient(self._folder, self._credentials, log or _log.info, self._policy)

    def _update_pointer(
        self, client: DriveClient, change: Callable[[Pointer | None], Pointer | None]
    ) -> DriveFile:
        with locked(self._lock_folder):
            stored = self._stored(client)
            after = change(_pointer(client, stored))
            if after is None:
                raise ReleaseError(f"folder {self._folder} on Google Drive has no release yet")
            return self._put(client, LATEST, after.encode(), stored)

    def _path(self, path: str) -> str:
        return path if self._readers is None else _PEOPLE + path

    def _stored(self, client: DriveClient) -> dict[str, DriveFile]:
        """The files of this target by their path in it, without those of the other bundles."""
        files = client.list_files()
        if self._readers is None:
            return {path: file for path, file in files.items() if not path.startswith(_PEOPLE)}
        return {
            path.removeprefix(_PEOPLE): file
            for path, file in files.items()
            if path.startswith(_PEOPLE)
        }

    def _put(
        self, client: DriveClient, path: str, content: bytes, stored: Mapping[str, DriveFile]
    ) -> DriveFile:
        """Create or update the file at `path` of this target, and let its readers read it."""
        file = client.put(self._path(path), content, stored.get(path))
        if self._readers is None:
            client.share(file)
        else:
            client.share_with(file, self._readers)
        return file


def _pointer(client: DriveClient, stored: Mapping[str, DriveFile]) -> Pointer | None:
    """The pointer on Drive, rebuilt from the manifests if it is missing or damaged."""
    if LATEST in stored:
        with suppress(ReleaseError):
            return Pointer.parse(client.read(stored[LATEST]), LATEST)
    ids = {path: file.id for path, file in stored.items() if path != LATEST}
    pointer: Pointer | None = None
    for path, file in sorted(stored.items()):
        if path.endswith(f"/{MANIFEST}"):
            pointer = updated_pointer(pointer, path.removesuffix(f"/{MANIFEST}"), file.sha256, ids)
    return pointer


class DriveOrigin:
    """Releases on Google Drive, read by the public link of their ``latest.json``.

    Parameters
    ----------
    file_id : str
        Id of ``latest.json``.
    timeout : float
        Seconds to wait for the next bytes.
    deadline : float
        Seconds that the download of one file may take in total.
    retries : int
        Retries after a network failure.
    """

    def __init__(
        self, file_id: str, timeout: float = 20, deadline: float = 120, retries: int = 2
    ) -> None:
        self._id = file_id
        self._timeout = timeout
        self._deadline = deadline
        self._retries = retries

    def pointer(self) -> bytes:
        """The content of ``latest.json``."""
        return self._download(self._id, LATEST, MAX_POINTER_BYTES)

    def read(self, path: str, pointer: Pointer, max_bytes: int) -> bytes:
        """The content of the file at `path`, of at most `max_bytes` bytes."""
        if path not in pointer.ids:
            raise ReleaseError(f"{LATEST} has no file id for {path}")
        return self._download(pointer.ids[path], path, max_bytes)

    def _download(self, file_id: str, name: str, max_bytes: int) -> bytes:
        import gdown  # takes a second to import, which a local folder does not need
        import requests

        end = time.monotonic() + self._deadline

        def check(so_far: int, total: int | None) -> None:
            if max(so_far, total or 0) > max_bytes:
                raise ReleaseError(f"{name} is larger than the expected {number(max_bytes)} bytes")
            if time.monotonic() > end:
                raise ReleaseError(f"{name} was not downloaded within {seconds(self._deadline)}")

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
                    progress=check,
                )
                return target.read_bytes()
            except (gdown.exceptions.DownloadError, requests.RequestException, OSError) as error:
                reason = " ".join(str(error).split())
                raise ReleaseError(
                    f"{name} cannot be downloaded from Google Drive: {reason}"
                ) from error


class ReaderOrigin:
    """Private bundles on Google Drive, read by the API as an account that may read them.

    Parameters
    ----------
    file_id : str
        Id of ``latest.json``.
    credentials : Path
        Key of a service account, or token of a user; a JSON file.
    policy : RetryPolicy
    """

    def __init__(
        self, file_id: str, credentials: Path, policy: RetryPolicy = DEFAULT_RETRY_POLICY
    ) -> None:
        self._id = file_id
        self._credentials = credentials
        self._policy = policy

    def pointer(self) -> bytes:
        """The content of ``latest.json``."""
        return self._read(self._id, LATEST, MAX_POINTER_BYTES)

    def read(self, path: str, pointer: Pointer, max_bytes: int) -> bytes:
        """The content of the file at `path`, of at most `max_bytes` bytes."""
        if path not in pointer.ids:
            raise ReleaseError(f"{LATEST} has no file id for {path}")
        return self._read(pointer.ids[path], path, max_bytes)

    def _read(self, file_id: str, name: str, max_bytes: int) -> bytes:
        with DriveClient("", self._credentials, _log.info, self._policy) as client:
            file = client.find(file_id, name)
            if file.bytes > max_bytes:
                raise ReleaseError(f"{name} is larger than the expected {number(max_bytes)} bytes")
            return client.read(file)


def origin(source: str, credentials: Path | None = None, /) -> DriveOrigin | ReaderOrigin | None:
    """The origin behind a link as ``https://drive.google.com/uc?id=…`` or ``…/file/d/…/view``.

    Without `credentials` it is read by the public link.
    """
    link = _LINK.match(source)
    if link is None:
        return None
    return ReaderOrigin(link[1], credentials) if credentials else DriveOrigin(link[1])


def upload_target(settings: DriveSettings) -> DriveTarget | None:
    """The target in the configured folder on Google Drive, if there is one."""
    if settings.drive_folder is None or settings.drive_credentials is None:
        return None
    return DriveTarget(settings.drive_folder, settings.drive_credentials, settings.home / "drive")


def people_target(settings: DriveSettings) -> DriveTarget | None:
    """The target of rows of people in the same folder, if there is one."""
    if settings.drive_folder is None or settings.drive_credentials is None:
        return None
    return DriveTarget(
        settings.drive_folder,
        settings.drive_credentials,
        settings.home / "drive",
        readers=settings.drive_readers,
    )
