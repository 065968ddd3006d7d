"""Google Drive as a target of releases.

A file is known by the path that its app property holds, so that it is updated where it is, under
the link that it has. An upload may be cut off anywhere: what arrived is asked for before anything
is sent again, so that no file is ever there twice.
"""

import hashlib
import json
import logging
import random
import ssl
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fitness_assets.errors import DriveError, ReleaseError, StorageError
from fitness_assets.release.store import LATEST, MANIFEST, Pointer, Release, UploadResult, pointed
from fitness_assets.storage.publication import Manifest, locked, parse_manifest, read_bytes

#: No more than the files that were made with it.
SCOPE = "https://www.googleapis.com/auth/drive.file"
_PATH = "fitness_assets_path"
_FIELDS = "id,size,sha256Checksum,createdTime,appProperties"
# A multiple of 256 KiB, as Drive asks; what a failure costs at most.
_CHUNK = 1024 * 1024
_LONGEST_PAUSE = 64.0
_log = logging.getLogger(__name__)

#: What to do about an error of Drive's, by the reason that it gives.
_ADVICE = {
    "storageQuotaExceeded": "a service account owns no storage and a user's may be full: use a "
    "folder on a shared drive, or the token of a user with room",
    "insufficientFilePermissions": "let the account manage the content of the folder",
    "insufficientPermissions": f"the token must be for the scope {SCOPE}",
    "accessNotConfigured": "enable the Drive API in the account's project",
}
_OVER = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_RATE_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded"}


@dataclass(frozen=True)
class DriveFile:
    """A file on Drive: where it is, and what Drive says that it holds."""

    path: str
    id: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Attributes
    ----------
    attempts : int
        How often one thing is tried in all.
    timeout : float
        Seconds to wait for the next bytes.
    sleep : callable
        Waits so many seconds between two attempts.
    """

    attempts: int = 8
    timeout: float = 60.0
    sleep: Callable[[float], object] = time.sleep


PATIENT = Patience()


class Drive:
    """Our files in one folder on Google Drive. A context manager, which closes its connections.

    Parameters
    ----------
    folder : str
        Id of the folder.
    credentials : Path
        Key of a service account, or token of a user; a JSON file.
    tell : callable
        Is told of the progress, and of what goes wrong on the way.
    patience : Patience

    Raises
    ------
    DriveError
        Here if the credentials are of no known kind. By each method if Drive refuses what is asked
        of it, or still fails after the last attempt.
    """

    def __init__(
        self,
        folder: str,
        credentials: Path,
        tell: Callable[[str], object] = _log.info,
        patience: Patience = PATIENT,
    ) -> None:
        from google_auth_httplib2 import AuthorizedHttp
        from googleapiclient.discovery import build
        from googleapiclient.http import build_http

        self._folder = folder
        self._credentials = credentials
        self._tell = tell
        self._patience = patience
        http = build_http()
        http.timeout = patience.timeout
        self._service = build(
            "drive",
            "v3",
            http=AuthorizedHttp(_credentials(credentials), http=http),
            cache_discovery=False,
            static_discovery=True,
        )
        # Each of these is a new class, and takes its time to make.
        self._files = self._service.files()
        self._permissions = self._service.permissions()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._service.close()

    def listing(self, path: str | None = None) -> dict[str, DriveFile]:
        """Our files in the folder by their paths, or the one at `path`.

        Of two at the same path, which two writers at once may leave, it is the older.
        """
        query = f"'{self._folder}' in parents and trashed = false"
        if path is not None:
            query += f" and appProperties has {{ key='{_PATH}' and value='{path}' }}"
        found: list[dict[str, Any]] = []
        token = None
        while True:
            page = self._call(
                "the folder cannot be listed",
                self._files.list(
                    q=query,
                    fields=f"nextPageToken,files({_FIELDS})",
                    pageSize=1000,
                    pageToken=token,
                    supportsAllDrives=True,
                    includeItemsFromAllDrives=True,
                ),
            )
            found += page["files"]
            token = page.get("nextPageToken")
            if token is None:
                break
        files: dict[str, DriveFile] = {}
        for resource in sorted(found, key=lambda each: (each["createdTime"], each["id"])):
            at = resource.get("appProperties", {}).get(_PATH)
            if at in files:
                self._tell(f"{at} is on Drive twice; {files[at].id} is used, not {resource['id']}")
            elif at is not None:
                files[at] = _described(at, resource)
        return files

    def read(self, file: DriveFile) -> bytes:
        """Content of `file`."""
        request = self._files.get_media(fileId=file.id, supportsAllDrives=True)
        content: bytes = self._call(f"{file.path} cannot be read", request)
        return content

    def put(self, path: str, content: bytes, known: DriveFile | None) -> DriveFile:
        """Make `content` that of the file at `path`. Nothing is sent if it is that already.

        Parameters
        ----------
        path : str
        content : bytes
        known : DriveFile or None
            What is at `path`, as `listing` has it.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if known and known.sha256 == sha256:
            return known
        stored = self._upload(path, content, known)
        if (stored.sha256, stored.bytes) != (sha256, len(content)):
            raise DriveError(
                f"{path} did not reach Google Drive as it was sent: it has {stored.bytes:,} bytes "
                f"with the SHA-256 {stored.sha256}, not {len(content):,} with {sha256}"
            )
        return stored

    def share(self, file: DriveFile) -> None:
        """Let anyone who has the link read `file`."""
        told = self._call(
            f"who may read {file.path} cannot be told",
            self._permissions.list(
                fileId=file.id, fields="permissions(type)", supportsAllDrives=True
            ),
        )
        if not any(permission["type"] == "anyone" for permission in told["permissions"]):
            self._call(
                f"{file.path} cannot be shared",
                self._permissions.create(
                    fileId=file.id,
                    body={"type": "anyone", "role": "reader"},
                    supportsAllDrives=True,
                ),
            )

    def delete(self, file: DriveFile) -> None:
        """Delete `file`, if it is still there."""
        request = self._files.delete(fileId=file.id, supportsAllDrives=True)
        self._call(f"{file.path} cannot be deleted", request, or_gone=True)

    @staticmethod
    def link(file: DriveFile) -> str:
        """Where anyone finds `file`, once it is shared."""
        return f"https://drive.google.com/uc?id={file.id}"

    def _upload(self, path: str, content: bytes, known: DriveFile | None) -> DriveFile:
        failed = self._failing(f"{path} cannot be uploaded")
        request = self._uploading(path, content, known)
        while True:
            before = request.resumable_progress
            try:
                # One that failed is asked what arrived when it is called again. With retries of its
                # own it would not ask.
                _, stored = request.next_chunk(num_retries=0)
            except _client_errors() as error:
                over = request.resumable_uri is not None and _status(error) in _OVER
                failed(error, again=over)
                if over:
                    # What was lost may have been the last answer and not the file.
                    known = self.listing(path).get(path)
                    if known and known.sha256 == hashlib.sha256(content).hexdigest():
                        return known
                    request = self._uploading(path, content, known)
                continue
            if stored:
                self._tell(f"sent {path}, {len(content):,} bytes")
                return _described(path, stored)
            so_far = request.resumable_progress
            if so_far > before:
                self._tell(f"sent {so_far:,} of {len(content):,} bytes of {path}")
            else:
                failed("Google Drive kept nothing of what was sent")

    def _uploading(self, path: str, content: bytes, known: DriveFile | None) -> Any:
        """A request that creates or updates the file at `path`. Nothing is sent yet."""
        from googleapiclient.http import MediaInMemoryUpload

        class Content(MediaInMemoryUpload):  # type: ignore[misc, unused-ignore]
            def has_stream(self) -> bool:
                # When a connection ends without an answer, httplib2 sends the same body once more.
                # Of a stream there would be nothing left to send.
                return False

        kind = "application/octet-stream"
        media = Content(content, mimetype=kind, chunksize=_CHUNK, resumable=True)
        told = {"media_body": media, "fields": _FIELDS, "supportsAllDrives": True}
        if known:
            return self._files.update(fileId=known.id, body={}, **told)
        body = {"name": path, "parents": [self._folder], "appProperties": {_PATH: path}}
        return self._files.create(body=body, **told)

    def _call(self, what: str, request: Any, *, or_gone: bool = False) -> Any:
        failed = self._failing(what)
        while True:
            try:
                return request.execute(num_retries=0)
            except _client_errors() as error:
                if or_gone and _status(error) == HTTPStatus.NOT_FOUND:
                    return None
                failed(error)

    def _failing(self, what: str) -> Callable[..., None]:
        """What to call after each failure: it waits for the next attempt, or raises DriveError.

        That error has no cause: the client's own would take addresses and answers into the log.
        """
        count = 0

        def failed(error: Exception | str, *, again: bool = False) -> None:
            nonlocal count
            count += 1
            reason, passes = (error, True) if isinstance(error, str) else self._reason(error)
            told = textwrap.shorten(f"{what}: {reason}", 1000)
            if not (passes or again):
                raise DriveError(told) from None
            if count == self._patience.attempts:
                raise DriveError(f"{told}; tried {count} times") from None
            pause = random.uniform(0, 2**count)  # noqa: S311 - so that not all come back at once
            pause = min(max(pause, _retry_after(error)), _LONGEST_PAUSE)
            self._tell(f"{told}; trying again in {pause:.0f} s")
            self._patience.sleep(pause)

        return failed

    def _reason(self, error: Exception) -> tuple[str, bool]:
        """What went wrong, in words, and whether it may pass."""
        from google.auth.exceptions import RefreshError
        from googleapiclient.errors import HttpError

        if isinstance(error, RefreshError):
            told = f"Google does not accept the credentials in {self._credentials}: {error.args[0]}"
            return told, error.retryable
        if not isinstance(error, HttpError):
            told = f"Google Drive cannot be reached: {error}"
            return told, not isinstance(error, ssl.SSLCertVerificationError)
        status, reasons = error.resp.status, _reasons(error.content)
        busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        advice = [text for reason, text in _ADVICE.items() if reason in reasons]
        if status == HTTPStatus.UNAUTHORIZED:
            advice = [f"make {self._credentials} anew"]
        if status == HTTPStatus.NOT_FOUND:
            account = f"the account of {self._credentials}"
            advice = [f"{account} must reach folder {self._folder} with the scope {SCOPE}"]
        told = "; ".join([f"Google Drive says {status}, {error.reason}", *advice])
        return told, busy or bool(reasons & _RATE_LIMITS)


class DriveTarget:
    """Releases on Google Drive.

    The files are those of a folder of releases, at the same paths. ``latest.json`` says under which
    id each is found, and is the last to change; files that it named before and does not name any
    more go after that.

    Parameters
    ----------
    folder : str
        Id of the folder.
    credentials : Path
        Key of a service account, or token of a user; a JSON file.
    state : Path
        A local folder. Its lock keeps two runs from changing ``latest.json`` at once.
    patience : Patience
    """

    def __init__(
        self, folder: str, credentials: Path, state: Path, patience: Patience = PATIENT
    ) -> None:
        self._folder = folder
        self._credentials = credentials
        self._state = state
        self._patience = patience

    def receive(
        self, release: Release, tell: Callable[[str], object] | None = None, /
    ) -> UploadResult:
        """Publish `release` there, and `tell` of the progress in words.

        Raises
        ------
        DriveError
            If it cannot be. Then ``latest.json`` stands as it was.
        StorageError
            If `release` is not what its manifest says.
        """
        month = release.month
        content = (release.folder / MANIFEST).read_bytes()
        if parse_manifest(content, str(release.folder / MANIFEST)) != release.manifest:
            raise StorageError(f"{release.folder} was published anew; open the release again")
        digest = hashlib.sha256(content).hexdigest()
        ids: dict[str, str] = {}
        sent = 0
        with self._drive(tell) as drive:
            there = drive.listing()

            def put(path: str, content: bytes) -> None:
                file = drive.put(path, content, there.get(path))
                drive.share(file)
                ids[path] = file.id

            for file in release.manifest.files:
                path = f"{month}/{file.path}"
                if path not in there or there[path].sha256 != file.sha256:
                    sent += file.bytes
                put(path, read_bytes(release.folder, file))
            put(f"{month}/{MANIFEST}", content)

            def published(before: Pointer | None) -> Pointer:
                others = {
                    path: known
                    for path, known in (before.ids if before else {}).items()
                    if not path.startswith(f"{month}/")
                }
                return pointed(before, month, digest, others | ids)

            latest = self._repoint(drive, published)
            for path, known in there.items():
                if path.startswith(f"{month}/") and path not in ids:
                    drive.delete(known)
        return UploadResult(drive.link(latest), sent, release.manifest)

    def show(self, month: str) -> None:
        """Make the release of `month` the current one there.

        Raises
        ------
        ReleaseError
            If there is none of `month`.
        """
        with self._drive() as drive:
            self._repoint(drive, lambda before: before and before.showing(month))

    def withdraw(self, month: str) -> None:
        """Remove the release of `month`, if there is one, once ``latest.json`` names it no more."""
        with self._drive() as drive:
            there = drive.listing()
            if LATEST in there:
                self._repoint(drive, lambda before: before and before.without(month))
            for path, known in there.items():
                if path.startswith(f"{month}/"):
                    drive.delete(known)

    def manifest(self, month: str) -> Manifest | None:
        """What was published there for `month`, or None."""
        path = f"{month}/{MANIFEST}"
        with self._drive() as drive:
            file = drive.listing(path).get(path)
            return parse_manifest(drive.read(file), path) if file else None

    def _drive(self, tell: Callable[[str], object] | None = None) -> Drive:
        return Drive(self._folder, self._credentials, tell or _log.info, self._patience)

    def _repoint(
        self, drive: Drive, change: Callable[[Pointer | None], Pointer | None]
    ) -> DriveFile:
        with locked(self._state):
            there = drive.listing()
            after = change(_pointer(drive, there))
            if after is None:
                raise ReleaseError(f"folder {self._folder} on Google Drive holds no release yet")
            latest = drive.put(LATEST, after.content(), there.get(LATEST))
            drive.share(latest)
        return latest


def _pointer(drive: Drive, there: Mapping[str, DriveFile]) -> Pointer | None:
    """What ``latest.json`` says, or where it cannot be understood, what the manifests say."""
    if LATEST in there:
        with suppress(ReleaseError):
            return Pointer.parse(drive.read(there[LATEST]), LATEST)
    ids = {path: file.id for path, file in there.items() if path != LATEST}
    pointer: Pointer | None = None
    for path, file in sorted(there.items()):
        if path.endswith(f"/{MANIFEST}"):
            pointer = pointed(pointer, path.removesuffix(f"/{MANIFEST}"), file.sha256, ids)
    return pointer


def _credentials(path: Path) -> Any:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account

    try:
        told = json.loads(path.read_bytes())
        # What google-auth itself writes of a user's token names no type.
        kind = told.get("type", "authorized_user")
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(told, scopes=[SCOPE])
        if kind == "authorized_user":
            return credentials.Credentials.from_authorized_user_info(told, scopes=[SCOPE])
    except OSError as error:
        raise DriveError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, GoogleAuthError):
        pass  # and what it complains of may be a secret
    raise DriveError(f"{path} is neither the key of a service account nor the token of a user")


def _client_errors() -> tuple[type[Exception], ...]:
    """What the client raises when a request fails."""
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error

    return (HttpError, GoogleAuthError, HttpLib2Error, HTTPException, OSError)


def _status(error: Exception) -> int | None:
    return getattr(error, "status_code", None)


def _retry_after(error: Exception | str) -> float:
    """Seconds that the server asks for before the next attempt."""
    told = getattr(error, "resp", {}).get("retry-after", "")
    return float(told) if told.isdecimal() else 0.0


def _reasons(content: bytes) -> set[str]:
    """The reasons that Drive's answer gives for an error."""
    try:
        return {error["reason"] for error in json.loads(content)["error"]["errors"]}
    except (ValueError, KeyError, TypeError):
        return set()


def _described(path: str, resource: Mapping[str, str]) -> DriveFile:
    sha256 = resource.get("sha256Checksum", "")
    return DriveFile(path, resource["id"], sha256, int(resource["size"]))
