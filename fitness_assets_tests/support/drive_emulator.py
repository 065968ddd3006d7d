"""An emulator of Google Drive, for tests of unmodified clients.

It runs as an HTTP proxy that terminates the TLS of Google's hosts with its own certificate
authority, and responds to the API client and to gdown as Drive does: see
`DriveEmulator.environment`. Faults are injected by name: see `DriveEmulator.fail`.
"""

import hashlib
import itertools
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlencode

import pytest
from google.auth import jwt

from fitness_assets_tests.support.drive_protocol import (
    API,
    API_ERRORS,
    API_KINDS,
    CHUNK_MULTIPLE,
    DEFAULT_KINDS,
    DOWNLOADS,
    PATH,
    QUOTA_PAGE,
    SCOPE,
    TOKENS,
    Fault,
    Kind,
    Request,
    Response,
    error_response,
    html_response,
    json_response,
    parse_request,
)
from fitness_assets_tests.support.drive_proxy import ACCOUNT, ProxyServer, certificates

_START = datetime(2023, 1, 1, tzinfo=UTC)
_CLAUSE = re.compile(
    r"'(?P<parent>[^']*)' in parents|trashed = (?P<trashed>true|false)"
    r"|appProperties has \{ key='(?P<key>[^']*)' and value='(?P<value>[^']*)' \}"
)


@dataclass
class Item:
    """A file with the history of its content; the last one is current."""

    id: str
    path: str
    metadata: dict[str, Any]
    contents: list[bytes] = field(default_factory=list)
    public: bool = False
    #: Addresses of the accounts that it is shared with.
    readers: set[str] = field(default_factory=set)

    @property
    def content(self) -> bytes:
        return self.contents[-1]

    def resource(self) -> dict[str, Any]:
        return {
            **self.metadata,
            "id": self.id,
            "size": str(len(self.content)),
            "sha256Checksum": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass
class _Session:
    """An upload in progress, of a new file or of new content for one."""

    item: Item
    total: int
    content: bytes = b""
    done: bool = False


_Handler = Callable[[Request], Response]


@dataclass
class _ActiveFault:
    fault: Fault
    on: tuple[Kind, ...]
    path: str | None
    times: float
    instead: str


class DriveEmulator:
    """The emulated Drive, with one folder. A context manager, which runs the proxy.

    Attributes
    ----------
    folder : str
        Id of the folder, on a shared drive.
    large : int
        Files of at least this many bytes are downloaded only after a confirmation.
    page_size : int
        Number of files on one page of a list.
    log : list of (Kind, str)
        The requests, each with the path of the file that it is about.
    received : int
        Bytes of content that were received.
    folder_is_public : bool
        Whether anyone who has the link may read the folder, and so all files in it.
    """

    folder = "0AFitnessReleases"

    def __init__(self) -> None:
        self.large = 100_000_000
        self.page_size = 100
        self.log: list[tuple[Kind, str]] = []
        self.received = 0
        self.folder_is_public = False
        self._items: dict[str, Item] = {}
        self._sessions: dict[str, _Session] = {}
        #: The address of the account that a token was given to; "" for the user with a token.
        self._tokens: dict[str, str] = {}
        self._faults: list[_ActiveFault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._handlers: dict[Kind, _Handler] = {
            "token": self._token,
            "session": self._session,
            "chunk": self._chunk,
            "state": self._state,
            "list": self._list,
            "get": self._get,
            "content": self._content,
            "delete": self._delete,
            "permissions": self._permissions,
            "share": self._share,
            "unshare": self._unshare,
            "page": self._page,
            "download": self._download,
        }

    def __enter__(self) -> Self:
        issued = certificates()
        self._account = issued.account
        self._home = Path(tempfile.mkdtemp(prefix="drive-emulator-"))
        self._authority = str(self._home / "authority.pem")
        issued.authority.cert_pem.write_to_path(self._authority)
        self._server = ProxyServer(self.respond, issued.hosts)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._thread.join()
        shutil.rmtree(self._home)
        if self._server.errors:
            raise self._server.errors[0]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that connect the clients of a process to the emulator."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS"), self._authority),
        }

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Connect the clients of this process to the emulator."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        # httplib2 reads its variable only when it is imported.
        monkeypatch.setattr("httplib2.CA_CERTS", self._authority)

    def credentials(
        self,
        folder: Path,
        kind: Literal["service_account", "authorized_user"] = "service_account",
        account: str = ACCOUNT,
    ) -> Path:
        """Write credentials that the emulator accepts, and return their file.

        A service account other than the default one may read only what is shared with it.
        """
        content = {
            "service_account": {
                "client_email": account,
                "private_key": self._account.private_key_pem.bytes().decode(),
                "token_uri": f"{TOKENS}/token",
            },
            "authorized_user": {
                "client_id": "a client",
                "client_secret": "a secret",  # pragma: allowlist secret
                "refresh_token": "a refresh token",
            },
        }
        path = folder / (f"{kind}.json" if account == ACCOUNT else f"{account}.json")
        path.write_text(json.dumps({"type": kind, **content[kind]}))
        return path

    def fail(
        self,
        fault: Fault,
        *,
        on: Kind | None = None,
        path: str | None = None,
        times: float = 1,
        instead: str = "",
    ) -> None:
        """Inject a fault.

        As the response to any API request: ``unauthorized`` (401), ``forbidden`` (403),
        ``not found`` (404), ``rate limit`` (429, with a Retry-After of 7 s), ``user rate limit``
        (403), ``unavailable`` (503). To the start of an upload: ``storage quota`` (403). To a
        request for a token: ``unknown account`` (400).

        To a chunk of an upload: ``308 without range`` stores nothing of it, ``503 in mid-chunk``
        the first half; ``corrupt`` stores something else; ``session gone`` deletes the upload
        (404); ``lost response`` handles the request and closes the connection; ``stall`` neither
        handles it nor responds.

        To a download: ``quota page``; ``html`` and ``attached html`` (named as the file) instead of
        the file; ``truncate`` and ``stall`` after the first half; ``tamper`` changes one byte;
        ``swap`` serves another file; ``replay`` the first content that the file had.

        Parameters
        ----------
        fault : Fault
        on : Kind or None
            The requests that it applies to, if not the default ones.
        path : str or None
            The file that the requests are about, such as ``2023-04/manifest.json``; None for any.
        times : float
            How often it applies; ``math.inf`` for ever. The clients themselves retry once when a
            connection ends without a response.
        instead : str
            Path of the file that ``swap`` serves.
        """
        kinds = (on,) if on else DEFAULT_KINDS.get(fault, API_KINDS)
        self._faults.append(_ActiveFault(fault, kinds, path, times, instead))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def add(self, path: str, content: bytes, *, public: bool = True) -> str:
        """Add a file, even if another has the same path, and return its id."""
        item = self._new({"name": path, "parents": [self.folder], "appProperties": {PATH: path}})
        item.contents.append(content)
        item.public = public
        return self._items.setdefault(item.id, item).id

    def paths(self) -> list[str]:
        """The paths of all files in order, with duplicates."""
        return sorted(item.path for item in self._items.values())

    def item(self, path: str) -> Item:
        """The one file at `path`."""
        (item,) = (item for item in self._items.values() if item.path == path)
        return item

    def count(self, kind: Kind) -> int:
        """Number of requests of this kind."""
        return [kind for kind, _ in self.log].count(kind)

    def respond(self, method: str, url: str, headers: Message, body: bytes) -> Response:
        """Handle a request, or apply the fault that is due to it."""
        with self._lock:
            request = parse_request(method, url, headers, body)
            if request is None:
                return html_response("<title>Error 404 (Not Found)</title>", 404)
            if request.kind == "download" and self._needs_confirmation(request):
                request = replace(request, kind="page")
            path = self._path(request)
            self.log.append((request.kind, path))
            for fault in self._faults:
                if request.kind in fault.on and fault.path in (None, path) and fault.times > 0:
                    fault.times -= 1
                    return self._apply(fault, request)
            return self._handle(request)

    def _needs_confirmation(self, request: Request) -> bool:
        return (
            request.id in self._items
            and "confirm" not in request.query
            and len(self._items[request.id].content) >= self.large
        )

    def _path(self, request: Request) -> str:
        if request.id in self._items:
            return self._items[request.id].path
        if request.query.get("upload_id") in self._sessions:
            return self._sessions[request.query["upload_id"]].item.path
        if request.kind == "session" and not request.id:
            return str(json.loads(request.body)["appProperties"][PATH])
        return ""

    def _handle(self, request: Request) -> Response:
        if request.kind in API_KINDS:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self._tokens:
                return error_response("unauthorized")
            account = self._tokens[token]
            if account not in ("", ACCOUNT) and not self._may_read(account, request):
                return error_response("not found")
            # Without this parameter, Drive does not find files on a shared drive.
            if request.query.get("supportsAllDrives") != "true":
                return error_response("not found")
        of_folder = request.kind == "permissions" and request.id == self.folder
        if request.id and request.id not in self._items and not of_folder:
            return (
                error_response("not found")
                if request.kind in API_KINDS
                else html_response("Not Found", 404)
            )
        return self._handlers[request.kind](request)

    def _apply(self, active: _ActiveFault, request: Request) -> Response:
        match active.fault:
            case fault if fault in API_ERRORS:
                response = error_response(fault)
            case "unknown account":
                response = json_response(
                    {"error": "invalid_grant", "error_description": "no account"}, 400
                )
            case "308 without range":
                response = Response(308)
            case "503 in mid-chunk":
                half = len(request.body) // 2 // CHUNK_MULTIPLE * CHUNK_MULTIPLE
                self._chunk(replace(request, body=request.body[:half]))
                response = error_response("unavailable")
            case "corrupt":
                response = self._handle(replace(request, body=_with_flipped_bit(request.body)))
            case "session gone":
                del self._sessions[request.query["upload_id"]]
                response = error_response("not found")
            case "lost response":
                self._handle(request)
                response = Response(0, sent=0)
            case "stall" if request.kind != "download":
                response = Response(0, sent=0, then="stall")
            case _:
                response = self._apply_to_download(active, request)
        return response

    def _apply_to_download(self, active: _ActiveFault, request: Request) -> Response:
        item = self._items[request.id]
        match active.fault:
            case "quota page":
                response = html_response(QUOTA_PAGE)
            case "html":
                response = html_response("<p>One moment, please.</p>")
            case "attached html":
                response = self._download(request, b"<html><p>One moment, please.</p></html>")
            case "tamper":
                response = self._download(request, _with_flipped_bit(item.content))
            case "swap":
                response = self._download(request, self.item(active.instead).content)
            case "replay":
                response = self._download(request, item.contents[0])
            case _:
                response = self._download(request)
                then: Literal["drop", "stall"] = "stall" if active.fault == "stall" else "drop"
                response = replace(response, sent=len(response.body) // 2, then=then)
        return response

    def _token(self, request: Request) -> Response:
        """A token, for a signed assertion or a refresh token."""
        form = dict(parse_qsl(request.body.decode()))
        account = ""
        if form["grant_type"] == "refresh_token":
            granted = (form["refresh_token"], form["client_secret"], form["scope"]) == (
                "a refresh token",
                "a secret",
                SCOPE,
            )
        else:
            certificate = self._account.cert_chain_pems[0].bytes()
            claims = jwt.decode(form["assertion"], certificate, audience=f"{TOKENS}/token")
            granted = claims["scope"] == SCOPE
            account = claims["iss"]
        if not granted:
            return json_response(
                {"error": "invalid_grant", "error_description": "Bad Request"}, 400
            )
        token = f"token-{next(self._numbers)}"
        self._tokens[token] = account
        return json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _session(self, request: Request) -> Response:
        """Start an upload."""
        metadata = json.loads(request.body)
        item = self._items.get(request.id)
        if item is None:
            if metadata["parents"] != [self.folder]:
                return error_response("not found")
            item = self._new(metadata)
        upload = f"session-{next(self._numbers)}"
        total = int(request.headers["X-Upload-Content-Length"])
        self._sessions[upload] = _Session(item, total)
        query = urlencode({**request.query, "upload_id": upload})
        return Response(200, headers={"Location": f"{API}/upload/drive/v3/files?{query}"})

    def _chunk(self, request: Request) -> Response:
        """Store a chunk of an upload, and the file with the last one."""
        session = self._sessions.get(request.query["upload_id"])
        if session is None:
            return error_response("not found")
        self.received += len(request.body)
        if not session.done:
            content_range = request.headers.get("Content-Range", "bytes 0-0/0")
            begin = int(content_range.split()[1].split("-")[0])
            if begin > len(session.content):
                return error_response("bad request")
            session.content = session.content[:begin] + request.body
            session.done = len(session.content) == session.total
            if session.done:
                session.item.contents.append(session.content)
                self._items[session.item.id] = session.item
            elif len(session.content) % CHUNK_MULTIPLE:
                return error_response("bad request")
        return self._state(request)

    def _state(self, request: Request) -> Response:
        """The bytes of an upload that have arrived, or the file once it is complete."""
        session = self._sessions.get(request.query["upload_id"])
        if session is None:
            return error_response("not found")
        if session.done:
            return json_response(session.item.resource())
        arrived = len(session.content)
        return Response(308, headers={"Range": f"bytes=0-{arrived - 1}"} if arrived else {})

    def _list(self, request: Request) -> Response:
        """The files that match a query, page by page, newest first."""
        clauses = [_CLAUSE.fullmatch(text) for text in _clauses(request.query["q"])]
        if not clauses or None in clauses:
            return error_response("bad request")
        conditions = [clause.groupdict() for clause in clauses if clause]
        if any(clause["parent"] not in (None, self.folder) for clause in conditions):
            return error_response("not found")
        found = [
            item.resource()
            for item in reversed(self._items.values())
            if request.query.get("includeItemsFromAllDrives") == "true"
            and all(
                clause["key"] is None
                or item.metadata["appProperties"].get(clause["key"]) == clause["value"]
                for clause in conditions
            )
        ]
        begin = int(request.query.get("pageToken", 0))
        end = begin + min(int(request.query.get("pageSize", 100)), self.page_size)
        more = {"nextPageToken": str(end)} if end < len(found) else {}
        return json_response({"files": found[begin:end], **more})

    def _delete(self, request: Request) -> Response:
        del self._items[request.id]
        return Response(204)

    def _may_read(self, account: str, request: Request) -> bool:
        item = self._items.get(request.id)
        is_read = request.kind in ("get", "content")
        return item is not None and is_read and (self.is_public(item) or account in item.readers)

    def is_public(self, item: Item) -> bool:
        """Whether anyone who has the link may read `item`."""
        return item.public or self.folder_is_public

    def _get(self, request: Request) -> Response:
        return json_response(self._items[request.id].resource())

    def _content(self, request: Request) -> Response:
        return Response(200, self._items[request.id].content)

    def _permissions(self, request: Request) -> Response:
        item = self._items.get(request.id)
        permissions = [
            {"id": "1", "type": "user", "role": "organizer", "emailAddress": "owner@drive.example"}
        ]
        if self.folder_is_public or (item is not None and item.public):
            permissions.append({"id": "anyoneWithLink", "type": "anyone", "role": "reader"})
        permissions += [
            {"id": _permission(each), "type": "user", "role": "reader", "emailAddress": each}
            for each in (sorted(item.readers) if item else [])
        ]
        return json_response({"permissions": permissions})

    def _share(self, request: Request) -> Response:
        permission, item = json.loads(request.body), self._items[request.id]
        match permission:
            case {"type": "anyone", "role": "reader"}:
                item.public = True
                return json_response({"id": "anyoneWithLink", **permission})
            case {"type": "user", "role": "reader", "emailAddress": address}:
                # Drive would send an e-mail for each file.
                if request.query.get("sendNotificationEmail") != "false":
                    return error_response("bad request")
                item.readers.add(address)
                return json_response({"id": _permission(address), **permission})
            case _:
                return error_response("bad request")

    def _unshare(self, request: Request) -> Response:
        item = self._items[request.id]
        if request.part == "anyoneWithLink":
            item.public = False
        item.readers = {each for each in item.readers if _permission(each) != request.part}
        return Response(204)

    def _page(self, request: Request) -> Response:
        """The page of a file: a redirect to the download, or a form that asks for confirmation."""
        item = self._items[request.id]
        if len(item.content) < self.large:
            query = urlencode({"id": item.id, "export": "download"})
            return Response(303, headers={"Location": f"{DOWNLOADS}/download?{query}"})
        fields = {"id": item.id, "export": "download", "confirm": "t", "uuid": "0-0-0-0"}
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items()
        )
        return html_response(
            f'<form id="download-form" action="{DOWNLOADS}/download" method="get">'
            f'<input type="submit" id="uc-download-link" value="Download anyway"/>{hidden}</form>'
        )

    def _download(self, request: Request, content: bytes | None = None) -> Response:
        """The content of a public file, or the requested range of it."""
        item = self._items[request.id]
        if not self.is_public(item):
            return html_response("<title>Google Drive: Sign-in</title>")
        content = item.content if content is None else content
        tag = f'"{hashlib.sha256(item.content).hexdigest()}"'
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{item.path}"',
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "Last-Modified": format_datetime(_START + timedelta(days=len(item.contents)), True),
        }
        requested = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if requested is None or request.headers.get("If-Range", tag) != tag:
            return Response(200, content, headers)
        begin = int(requested[1])
        headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return Response(206, content[begin:], headers)

    def _new(self, metadata: dict[str, Any]) -> Item:
        number = next(self._numbers)
        created = (_START + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        metadata = {"kind": "drive#file", "trashed": False, **metadata, "createdTime": created}
        return Item(f"file{number:024}", metadata["appProperties"][PATH], metadata)


def _permission(address: str) -> str:
    """The id of the permission of an account."""
    return hashlib.sha256(address.encode()).hexdigest()[:20]


def _clauses(query: str) -> list[str]:
    # An `and` within braces belongs to one clause.
    return re.split(r" and (?![^{]*\})", query)


def _with_flipped_bit(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]
