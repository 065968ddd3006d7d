"""Files in one folder on Google Drive: list, read, upload, share and delete.

A file is identified by the path in its app properties and updated in place, so that its public link
stays the same. After an interrupted upload the client asks Drive what arrived before it sends
anything again, so that a retry never creates a second file.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fitness_assets.errors import DriveError
from fitness_assets.formatting import number
from fitness_assets.release.google_drive.credentials import load_credentials
from fitness_assets.release.google_drive.retry import (
    DEFAULT_RETRY_POLICY,
    Attempts,
    ErrorContext,
    RetryPolicy,
    client_errors,
    status_of,
)

_PATH = "fitness_assets_path"
_FIELDS = "id,size,sha256Checksum,createdTime,appProperties"
# Permissions of accounts that someone named; others are `anyone` and `domain`.
_NAMED = {"user", "group"}
# Drive requires multiples of 256 KiB. At most one chunk is sent again after a failure.
_CHUNK = 1024 * 1024
# Responses to an upload whose session has ended.
_SESSION_ENDED = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DriveFile:
    """A file on Drive: our path, Drive's id, and the hash and size that Drive reports."""

    path: str
    id: str
    sha256: str
    bytes: int


class DriveClient:
    """The files of this application in one folder on Google Drive.

    A context manager, which closes its connections.

    Parameters
    ----------
    folder : str
        Id of the folder.
    credentials : Path
        Key of a service account, or token of a user; a JSON file.
    log : callable
        Called with a message for each step and each retry.
    policy : RetryPolicy

    Raises
    ------
    DriveError
        On creation, if the credentials cannot be used. From each method, if Drive refuses the
        request, or the last attempt fails.
    """

    def __init__(
        self,
        folder: str,
        credentials: Path,
        log: Callable[[str], object] = _log.info,
        policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    ) -> None:
        from google_auth_httplib2 import AuthorizedHttp
        from googleapiclient.discovery import build
        from googleapiclient.http import build_http

        self._folder = folder
        self._context = ErrorContext(folder, credentials)
        self._log = log
        self._policy = policy
        http = build_http()
        http.timeout = policy.timeout
        self._service = build(
            "drive",
            "v3",
            http=AuthorizedHttp(load_credentials(credentials), http=http),
            cache_discovery=False,
            static_discovery=True,
        )
        # Each call of these builds a new class, which is slow.
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

    def list_files(self, path: str | None = None) -> dict[str, DriveFile]:
        """Our files in the folder by path, or only the one at `path`.

        If two files have the same path, which two concurrent writers may cause, the older one is
        used and the other is logged.
        """
        query = f"'{self._folder}' in parents and trashed = false"
        if path is not None:
            query += f" and appProperties has {{ key='{_PATH}' and value='{path}' }}"
        found: list[dict[str, Any]] = []
        token = None
        while True:
            page = self._execute(
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
                self._log(f"{at} is on Drive twice; using {files[at].id}, not {resource['id']}")
            elif at is not None:
                files[at] = _drive_file(at, resource)
        return files

    def read(self, file: DriveFile) -> bytes:
        """Content of `file`."""
        request = self._files.get_media(fileId=file.id, supportsAllDrives=True)
        content: bytes = self._execute(f"{file.path} cannot be read", request)
        return content

    def find(self, file_id: str, path: str) -> DriveFile:
        """The file with this id, which messages call `path`."""
        request = self._files.get(fileId=file_id, fields=_FIELDS, supportsAllDrives=True)
        return _drive_file(path, self._execute(f"{path} cannot be read", request))

    def put(self, path: str, content: bytes, known: DriveFile | None) -> DriveFile:
        """Create or update the file at `path`. Nothing is sent if the content is the same.

        Parameters
        ----------
        path : str
        content : bytes
        known : DriveFile or None
            The file at `path`, as returned by `list_files`.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if known and known.sha256 == sha256:
            return known
        stored = self._upload(path, content, known)
        if (stored.sha256, stored.bytes) != (sha256, len(content)):
            raise DriveError(
                f"{path} was corrupted by its upload: Google Drive has {number(stored.bytes)} "
                f"bytes with the SHA-256 {stored.sha256}, but {number(len(content))} with {sha256} "
                "were sent"
            )
        return stored

    def share(self, file: DriveFile) -> None:
        """Let anyone who has the link read `file`."""
        permissions = self._permissions_of(file.id, file.path)
        if not any(permission["type"] == "anyone" for permission in permissions):
            self._execute(
                f"{file.path} cannot be shared",
                self._permissions.create(
                    fileId=file.id,
                    body={"type": "anyone", "role": "reader"},
                    supportsAllDrives=True,
                ),
            )

    def check_private(self) -> None:
        """Check that not everyone may read the folder: its files would inherit that.

        Raises
        ------
        DriveError
            If a link or a whole domain may read it.
        """
        for permission in self._permissions_of(self._folder, "the folder"):
            if permission["type"] not in _NAMED:
                raise DriveError(
                    f"folder {self._folder} on Google Drive is shared with {permission['type']}, "
                    "and so would be rows of people: share it with named accounts only"
                )

    def share_with(self, file: DriveFile, readers: Sequence[str]) -> None:
        """Let exactly the accounts `readers` read `file`, besides those that manage it.

        Parameters
        ----------
        file : DriveFile
        readers : sequence of str
            E-mail addresses.
        """
        stale, missing = [], {reader.lower() for reader in readers}
        for permission in self._permissions_of(file.id, file.path):
            address = permission.get("emailAddress", "").lower()
            if address in missing:
                missing.discard(address)
            elif permission["role"] == "reader" or permission["type"] not in _NAMED:
                stale.append(permission["id"])
        for permission_id in stale:
            self._execute(
                f"the reader {permission_id} of {file.path} cannot be removed",
                self._permissions.delete(
                    fileId=file.id, permissionId=permission_id, supportsAllDrives=True
                ),
                missing_ok=True,
            )
        for reader in sorted(missing):
            self._execute(
                f"{file.path} cannot be shared with {reader}",
                self._permissions.create(
                    fileId=file.id,
                    body={"type": "user", "role": "reader", "emailAddress": reader},
                    sendNotificationEmail=False,
                    supportsAllDrives=True,
                ),
            )

    def _permissions_of(self, file_id: str, name: str) -> list[dict[str, str]]:
        response = self._execute(
            f"the permissions of {name} cannot be read",
            self._permissions.list(
                fileId=file_id,
                fields="permissions(id,type,role,emailAddress)",
                pageSize=100,
                supportsAllDrives=True,
            ),
        )
        permissions: list[dict[str, str]] = response["permissions"]
        return permissions

    def delete(self, file: DriveFile) -> None:
        """Delete `file`, if it still exists."""
        request = self._files.delete(fileId=file.id, supportsAllDrives=True)
        self._execute(f"{file.path} cannot be deleted", request, missing_ok=True)

    @staticmethod
    def link(file: DriveFile) -> str:
        """The public link of `file`, once it is shared."""
        return f"https://drive.google.com/uc?id={file.id}"

    def _upload(self, path: str, content: bytes, known: DriveFile | None) -> DriveFile:
        attempts = self._attempts(f"{path} cannot be uploaded")
        request = self._upload_request(path, content, known)
        while True:
            before = request.resumable_progress
            try:
                # Without retries of its own, a request that failed asks Drive what arrived when it
                # is called again. With them it sends an empty body and fails.
                _, stored = request.next_chunk(num_retries=0)
            except client_errors() as error:
                ended = request.resumable_uri is not None and status_of(error) in _SESSION_ENDED
                attempts.failed(error, retry=ended)
                if ended:
                    # The upload may be complete and only the last response lost.
                    known = self.list_files(path).get(path)
                    if known and known.sha256 == hashlib.sha256(content).hexdigest():
                        return known
                    request = self._upload_request(path, content, known)
                continue
            if stored:
                self._log(f"sent {path}, {number(len(content))} bytes")
                return _drive_file(path, stored)
            sent = request.resumable_progress
            if sent > before:
                self._log(f"sent {number(sent)} of {number(len(content))} bytes of {path}")
            else:
                attempts.failed("Google Drive stored none of the bytes that were sent")

    def _upload_request(self, path: str, content: bytes, known: DriveFile | None) -> Any:
        """A request that creates or updates the file at `path`. Nothing is sent yet."""
        from googleapiclient.http import MediaInMemoryUpload

        class Content(MediaInMemoryUpload):  # type: ignore[misc, unused-ignore]
            def has_stream(self) -> bool:
                # httplib2 sends the same body again when a connection ends without a response.
                # A stream would be at its end by then.
                return False

        media = Content(
            content, mimetype="application/octet-stream", chunksize=_CHUNK, resumable=True
        )
        options = {"media_body": media, "fields": _FIELDS, "supportsAllDrives": True}
        if known:
            return self._files.update(fileId=known.id, body={}, **options)
        body = {"name": path, "parents": [self._folder], "appProperties": {_PATH: path}}
        return self._files.create(body=body, **options)

    def _execute(self, problem: str, request: Any, *, missing_ok: bool = False) -> Any:
        attempts = self._attempts(problem)
        while True:
            try:
                return request.execute(num_retries=0)
            except client_errors() as error:
                if missing_ok and status_of(error) == HTTPStatus.NOT_FOUND:
                    return None
                attempts.failed(error)

    def _attempts(self, problem: str) -> Attempts:
        return Attempts(problem, self._context, self._policy, self._log)


def _drive_file(path: str, resource: Mapping[str, str]) -> DriveFile:
    sha256 = resource.get("sha256Checksum", "")
    return DriveFile(path, resource["id"], sha256, int(resource["size"]))
