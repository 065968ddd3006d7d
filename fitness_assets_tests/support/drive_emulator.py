"""A Google Drive on this machine, for clients that are to believe that they talk to the real one.

It listens as an HTTP proxy, ends the TLS of Google's hosts with a certificate of its own authority,
and answers there as Drive answers the API client and gdown. Both run unmodified: see
`DriveEmulator.environment`. What goes wrong is switched on by name: see `DriveEmulator.fail`.
"""

import hashlib
import itertools
import json
import re
import shutil
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import trustme
from google.auth import jwt

SCOPE = "https://www.googleapis.com/auth/drive.file"
ACCOUNT = "fitness@emulator.iam.gserviceaccount.com"
_API, _PAGES = "https://www.googleapis.com", "https://drive.google.com"
_TOKENS, _DOWNLOADS = "https://oauth2.googleapis.com", "https://drive.usercontent.google.com"
_HOSTS = [urlsplit(url).netloc for url in (_API, _PAGES, _TOKENS, _DOWNLOADS)]
_PATH = "fitness_assets_path"
#: Drive takes the chunks of an upload, but for the last, in multiples of this.
_GRAIN = 256 * 1024
#: Longer than any client waits.
_STALL = 60.0
_START = datetime(2023, 1, 1, tzinfo=UTC)

#: What a client may ask for.
Kind = Literal[
    "token",
    "session",  # the start of an upload
    "chunk",
    "state",  # how much of an upload has arrived
    "list",
    "get",
    "content",
    "delete",
    "permissions",
    "share",
    "page",  # that leads to a download
    "download",
]

#: What may go wrong; see `DriveEmulator.fail`.
Fault = Literal[
    "unauthorized",
    "forbidden",
    "not found",
    "storage quota",
    "rate limit",
    "user rate limit",
    "unavailable",
    "unknown account",
    "308 without range",
    "503 in mid-chunk",
    "corrupt",
    "session gone",
    "lost answer",
    "stall",
    "quota page",
    "html",
    "attached html",
    "truncate",
    "tamper",
    "swap",
    "replay",
]

#: Drive's own errors: status, reason and what it says.
_REFUSALS: dict[str, tuple[int, str, str]] = {
    "bad request": (400, "badRequest", "Bad Request"),
    "unauthorized": (401, "authError", "Invalid Credentials"),
    "forbidden": (403, "insufficientFilePermissions", "The user may not write this file."),
    "storage quota": (403, "storageQuotaExceeded", "Service Accounts do not have storage quota."),
    "user rate limit": (403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
    "not found": (404, "notFound", "File not found: ."),
    "rate limit": (429, "rateLimitExceeded", "Too many requests"),
    "unavailable": (503, "backendError", "Service Unavailable"),
}
_QUOTA_PAGE = (
    '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file now.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. '
    "Please try accessing the file again later.</p>"
)
_OF_API: tuple[Kind, ...] = tuple(
    kind for kind in get_args(Kind) if kind not in ("token", "page", "download")
)
#: Where a fault strikes unless told otherwise; the rest strike any request of the API.
_STRIKES: dict[Fault, tuple[Kind, ...]] = {
    "unknown account": ("token",),
    "storage quota": ("session",),
    "308 without range": ("chunk",),
    "503 in mid-chunk": ("chunk",),
    "corrupt": ("chunk",),
    "session gone": ("chunk",),
    "lost answer": ("chunk",),
    "stall": ("chunk", "download"),
    "quota page": ("download",),
    "html": ("download",),
    "attached html": ("download",),
    "truncate": ("download",),
    "tamper": ("download",),
    "swap": ("download",),
    "replay": ("download",),
}
_ROUTES: list[tuple[str, str, Kind]] = [
    ("POST", rf"{_TOKENS}/token", "token"),
    ("POST", rf"{_API}/upload/drive/v3/files", "session"),
    ("PATCH", rf"{_API}/upload/drive/v3/files/(?P<id>\w+)", "session"),
    ("PUT", rf"{_API}/upload/drive/v3/files(/(?P<id>\w+))?", "chunk"),
    ("GET", rf"{_API}/drive/v3/files", "list"),
    ("GET", rf"{_API}/drive/v3/files/(?P<id>\w+)", "get"),
    ("DELETE", rf"{_API}/drive/v3/files/(?P<id>\w+)", "delete"),
    ("GET", rf"{_API}/drive/v3/files/(?P<id>\w+)/permissions", "permissions"),
    ("POST", rf"{_API}/drive/v3/files/(?P<id>\w+)/permissions", "share"),
    ("GET", rf"{_PAGES}/uc", "page"),
    ("GET", rf"{_DOWNLOADS}/download", "download"),
]
_CLAUSE = re.compile(
    r"'(?P<parent>[^']*)' in parents|trashed = (?P<trashed>true|false)"
    r"|appProperties has \{ key='(?P<key>[^']*)' and value='(?P<value>[^']*)' \}"
)


@dataclass
class Item:
    """A file, with every content it ever had, the last of which it has now."""

    id: str
    path: str
    resource: dict[str, Any]
    contents: list[bytes] = field(default_factory=list)
    public: bool = False

    @property
    def content(self) -> bytes:
        return self.contents[-1]

    def described(self) -> dict[str, Any]:
        return {
            **self.resource,
            "id": self.id,
            "size": str(len(self.content)),
            "sha256Checksum": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass
class _Session:
    """An upload under way, of a new file or of new content for one."""

    item: Item
    total: int
    content: bytes = b""
    done: bool = False


@dataclass(frozen=True)
class _Request:
    kind: Kind
    id: str
    query: dict[str, str]
    headers: Message
    body: bytes


@dataclass(frozen=True)
class _Answer:
    """A status (none: 0), and a body of which only the first `sent` bytes may go out."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    then: Literal["drop", "stall"] = "drop"


_Handle = Callable[[_Request], _Answer]


@dataclass
class _Switched:
    fault: Fault
    on: tuple[Kind, ...]
    path: str | None
    times: float
    instead: str


class _Certificates(NamedTuple):
    authority: trustme.CA
    hosts: trustme.LeafCert
    #: Of the service account: the form in which google-auth takes a public key.
    account: trustme.LeafCert


@cache
def _certificates() -> _Certificates:
    """Made once a process: it takes a while."""
    authority = trustme.CA()
    account = authority.issue_cert(ACCOUNT, key_type=trustme.KeyType.RSA)
    return _Certificates(authority, authority.issue_cert(*_HOSTS), account)


class DriveEmulator:
    """The emulated Drive, with one folder, for as long as its context lasts.

    Attributes
    ----------
    folder : str
        Id of the folder, which is on a shared drive.
    large : int
        A file of so many bytes is downloaded after a confirmation only.
    page_size : int
        The most files that a list holds at once.
    log : list of (Kind, str)
        What was asked for, with the path of the file that it is about.
    received : int
        Bytes of content that were uploaded.
    """

    folder = "0AFitnessReleases"

    def __init__(self) -> None:
        self.large = 100_000_000
        self.page_size = 100
        self.log: list[tuple[Kind, str]] = []
        self.received = 0
        self._items: dict[str, Item] = {}
        self._sessions: dict[str, _Session] = {}
        self._tokens: set[str] = set()
        self._faults: list[_Switched] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._handlers: dict[Kind, _Handle] = {
            "token": self._token,
            "session": self._session,
            "chunk": self._chunk,
            "state": self._state,
            "list": self._list,
            "get": lambda request: _json(self._items[request.id].described()),
            "content": lambda request: _Answer(200, self._items[request.id].content),
            "delete": self._delete,
            "permissions": self._permissions,
            "share": self._share,
            "page": self._page,
            "download": self._download,
        }

    def __enter__(self) -> Self:
        certificates = _certificates()
        self._account = certificates.account
        self._home = Path(tempfile.mkdtemp(prefix="drive-emulator-"))
        self._authority = str(self._home / "authority.pem")
        certificates.authority.cert_pem.write_to_path(self._authority)
        self._server = _Server(self, certificates.hosts)
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
        """The variables that make the clients of a process talk to the emulator."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS"), self._authority),
        }

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the clients of this process talk to the emulator."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        # httplib2 reads its variable once, on import.
        monkeypatch.setattr("httplib2.CA_CERTS", self._authority)

    def credentials(
        self, folder: Path, kind: Literal["service_account", "authorized_user"] = "service_account"
    ) -> Path:
        """Write credentials that are accepted here, and return their file."""
        content = {
            "service_account": {
                "client_email": ACCOUNT,
                "private_key": self._account.private_key_pem.bytes().decode(),
                "token_uri": f"{_TOKENS}/token",
            },
            "authorized_user": {
                "client_id": "a client",
                "client_secret": "a secret",  # pragma: allowlist secret
                "refresh_token": "a refresh token",
            },
        }
        path = folder / f"{kind}.json"
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
        """Switch a fault on.

        As answers to any request of the API: ``unauthorized`` (401), ``forbidden`` (403),
        ``not found`` (404), ``rate limit`` (429, to be tried again after 7 s), ``user rate limit``
        (403), ``unavailable`` (503). To the start of an upload: ``storage quota`` (403). To a
        request for a token: ``unknown account`` (400).

        To a chunk of an upload: ``308 without range`` keeps nothing of it, ``503 in mid-chunk`` the
        first half; ``corrupt`` stores something else; ``session gone`` forgets the upload (404);
        ``lost answer`` does what was asked for and ends the connection; ``stall`` does nothing and
        is silent.

        To a download: ``quota page``; ``html`` and ``attached html`` (named as the file) instead of
        the file; ``truncate`` and ``stall`` after the first half; ``tamper`` changes one byte;
        ``swap`` serves another file; ``replay`` the first content that the file had.

        Parameters
        ----------
        fault : Fault
        on : Kind or None
            The requests that it strikes, if not the usual ones.
        path : str or None
            The file that they are about, such as ``2023-04/manifest.json``; None for any.
        times : float
            How often it strikes; ``math.inf`` for ever. The clients themselves try once more when
            a connection ends before there is any answer.
        instead : str
            Path of the file that ``swap`` serves.
        """
        struck = (on,) if on else _STRIKES.get(fault, _OF_API)
        self._faults.append(_Switched(fault, struck, path, times, instead))

    def mend(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def add(self, path: str, content: bytes, *, public: bool = True) -> str:
        """Put a file there, beside any of the same path, and return its id."""
        item = self._new({"name": path, "parents": [self.folder], "appProperties": {_PATH: path}})
        item.contents.append(content)
        item.public = public
        return self._items.setdefault(item.id, item).id

    def paths(self) -> list[str]:
        """The paths of all files in order; one that two files have comes twice."""
        return sorted(item.path for item in self._items.values())

    def item(self, path: str) -> Item:
        """The one file at `path`."""
        (item,) = (item for item in self._items.values() if item.path == path)
        return item

    def count(self, kind: Kind) -> int:
        """How many requests of this kind there were."""
        return [kind for kind, _ in self.log].count(kind)

    def answer(self, method: str, url: str, headers: Message, body: bytes) -> _Answer:
        """Do what a client asks for, or what a fault does instead."""
        with self._lock:
            request = self._understood(method, url, headers, body)
            if request is None:
                return _html("<title>Error 404 (Not Found)</title>", 404)
            path = self._path(request)
            self.log.append((request.kind, path))
            for due in self._faults:
                if request.kind in due.on and due.path in (None, path) and due.times > 0:
                    due.times -= 1
                    return self._spoiled(due, request)
            return self._served(request)

    def _understood(self, method: str, url: str, headers: Message, body: bytes) -> _Request | None:
        where, _, query = url.partition("?")
        asked = dict(parse_qsl(query))
        for verb, pattern, usually in _ROUTES:
            found = re.fullmatch(pattern, where)
            if found is None or verb != method:
                continue
            kind = usually
            file_id = found.groupdict().get("id") or asked.get("id", "")
            if kind == "get" and asked.get("alt") == "media":
                kind = "content"
            if kind == "chunk" and headers.get("Content-Range", "").startswith("bytes */"):
                kind = "state"
            if kind == "download" and file_id in self._items and "confirm" not in asked:
                kind = "page" if len(self._items[file_id].content) >= self.large else kind
            return _Request(kind, file_id, asked, headers, body)
        return None

    def _path(self, request: _Request) -> str:
        if request.id in self._items:
            return self._items[request.id].path
        if request.query.get("upload_id") in self._sessions:
            return self._sessions[request.query["upload_id"]].item.path
        if request.kind == "session" and not request.id:
            return str(json.loads(request.body)["appProperties"][_PATH])
        return ""

    def _served(self, request: _Request) -> _Answer:
        if request.kind in _OF_API:
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
                return _refusal("unauthorized")
            # Files on a shared drive do not exist for a client that does not ask for them.
            if request.query.get("supportsAllDrives") != "true":
                return _refusal("not found")
        if request.id and request.id not in self._items:
            return _refusal("not found") if request.kind in _OF_API else _html("Not Found", 404)
        return self._handlers[request.kind](request)

    def _spoiled(self, due: _Switched, request: _Request) -> _Answer:
        match due.fault:
            case fault if fault in _REFUSALS:
                answer = _refusal(fault)
            case "unknown account":
                answer = _json({"error": "invalid_grant", "error_description": "no account"}, 400)
            case "308 without range":
                answer = _Answer(308)
            case "503 in mid-chunk":
                half = len(request.body) // 2 // _GRAIN * _GRAIN
                self._chunk(replace(request, body=request.body[:half]))
                answer = _refusal("unavailable")
            case "corrupt":
                answer = self._served(replace(request, body=_flipped(request.body)))
            case "session gone":
                del self._sessions[request.query["upload_id"]]
                answer = _refusal("not found")
            case "lost answer":
                self._served(request)
                answer = _Answer(0, sent=0)
            case "stall" if request.kind != "download":
                answer = _Answer(0, sent=0, then="stall")
            case _:
                answer = self._spoiled_download(due, request)
        return answer

    def _spoiled_download(self, due: _Switched, request: _Request) -> _Answer:
        item = self._items[request.id]
        match due.fault:
            case "quota page":
                answer = _html(_QUOTA_PAGE)
            case "html":
                answer = _html("<p>One moment, please.</p>")
            case "attached html":
                answer = self._download(request, b"<html><p>One moment, please.</p></html>")
            case "tamper":
                answer = self._download(request, _flipped(item.content))
            case "swap":
                answer = self._download(request, self.item(due.instead).content)
            case "replay":
                answer = self._download(request, item.contents[0])
            case _:
                answer = self._download(request)
                then: Literal["drop", "stall"] = "stall" if due.fault == "stall" else "drop"
                answer = replace(answer, sent=len(answer.body) // 2, then=then)
        return answer

    def _token(self, request: _Request) -> _Answer:
        """A token, for a signed assertion or a refresh token."""
        form = dict(parse_qsl(request.body.decode()))
        if form["grant_type"] == "refresh_token":
            granted = (form["refresh_token"], form["client_secret"], form["scope"]) == (
                "a refresh token",
                "a secret",
                SCOPE,
            )
        else:
            certificate = self._account.cert_chain_pems[0].bytes()
            claims = jwt.decode(form["assertion"], certificate, audience=f"{_TOKENS}/token")
            granted = (claims["iss"], claims["scope"]) == (ACCOUNT, SCOPE)
        if not granted:
            return _json({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        token = f"token-{next(self._numbers)}"
        self._tokens.add(token)
        return _json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _session(self, request: _Request) -> _Answer:
        """Begin an upload."""
        metadata = json.loads(request.body)
        item = self._items.get(request.id)
        if item is None:
            if metadata["parents"] != [self.folder]:
                return _refusal("not found")
            item = self._new(metadata)
        upload = f"session-{next(self._numbers)}"
        total = int(request.headers["X-Upload-Content-Length"])
        self._sessions[upload] = _Session(item, total)
        query = urlencode({**request.query, "upload_id": upload})
        return _Answer(200, headers={"Location": f"{_API}/upload/drive/v3/files?{query}"})

    def _chunk(self, request: _Request) -> _Answer:
        """Take a part of an upload, and the file with the last."""
        session = self._sessions.get(request.query["upload_id"])
        if session is None:
            return _refusal("not found")
        self.received += len(request.body)
        if not session.done:
            told = request.headers.get("Content-Range", "bytes 0-0/0")
            begin = int(told.split()[1].split("-")[0])
            if begin > len(session.content):
                return _refusal("bad request")
            session.content = session.content[:begin] + request.body
            session.done = len(session.content) == session.total
            if session.done:
                session.item.contents.append(session.content)
                self._items[session.item.id] = session.item
            elif len(session.content) % _GRAIN:
                return _refusal("bad request")
        return self._state(request)

    def _state(self, request: _Request) -> _Answer:
        """How much of an upload there is."""
        session = self._sessions.get(request.query["upload_id"])
        if session is None:
            return _refusal("not found")
        if session.done:
            return _json(session.item.described())
        arrived = len(session.content)
        return _Answer(308, headers={"Range": f"bytes=0-{arrived - 1}"} if arrived else {})

    def _list(self, request: _Request) -> _Answer:
        """The files that a query describes, page by page, the newest first."""
        clauses = [_CLAUSE.fullmatch(text) for text in _clauses(request.query["q"])]
        if not clauses or None in clauses:
            return _refusal("bad request")
        asked = [clause.groupdict() for clause in clauses if clause]
        if any(clause["parent"] not in (None, self.folder) for clause in asked):
            return _refusal("not found")
        found = [
            item.described()
            for item in reversed(self._items.values())
            if request.query.get("includeItemsFromAllDrives") == "true"
            and all(
                clause["key"] is None
                or item.resource["appProperties"].get(clause["key"]) == clause["value"]
                for clause in asked
            )
        ]
        begin = int(request.query.get("pageToken", 0))
        end = begin + min(int(request.query.get("pageSize", 100)), self.page_size)
        more = {"nextPageToken": str(end)} if end < len(found) else {}
        return _json({"files": found[begin:end], **more})

    def _delete(self, request: _Request) -> _Answer:
        del self._items[request.id]
        return _Answer(204)

    def _permissions(self, request: _Request) -> _Answer:
        told = [{"id": "1", "type": "user", "role": "organizer"}]
        if self._items[request.id].public:
            told.append({"id": "anyoneWithLink", "type": "anyone", "role": "reader"})
        return _json({"permissions": told})

    def _share(self, request: _Request) -> _Answer:
        told = json.loads(request.body)
        if (told["type"], told["role"]) != ("anyone", "reader"):
            return _refusal("bad request")
        self._items[request.id].public = True
        return _json({"id": "anyoneWithLink", **told})

    def _page(self, request: _Request) -> _Answer:
        """The way to a download: straight on, or through the form that asks for confirmation."""
        item = self._items[request.id]
        if len(item.content) < self.large:
            query = urlencode({"id": item.id, "export": "download"})
            return _Answer(303, headers={"Location": f"{_DOWNLOADS}/download?{query}"})
        fields = {"id": item.id, "export": "download", "confirm": "t", "uuid": "0-0-0-0"}
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items()
        )
        return _html(
            f'<form id="download-form" action="{_DOWNLOADS}/download" method="get">'
            f'<input type="submit" id="uc-download-link" value="Download anyway"/>{hidden}</form>'
        )

    def _download(self, request: _Request, content: bytes | None = None) -> _Answer:
        """The content of a public file, or the part of it that was asked for."""
        item = self._items[request.id]
        if not item.public:
            return _html("<title>Google Drive: Sign-in</title>")
        content = item.content if content is None else content
        tag = f'"{hashlib.sha256(item.content).hexdigest()}"'
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{item.path}"',
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "Last-Modified": format_datetime(_START + timedelta(days=len(item.contents)), True),
        }
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked is None or request.headers.get("If-Range", tag) != tag:
            return _Answer(200, content, headers)
        begin = int(asked[1])
        headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return _Answer(206, content[begin:], headers)

    def _new(self, metadata: dict[str, Any]) -> Item:
        number = next(self._numbers)
        created = (_START + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        resource = {"kind": "drive#file", "trashed": False, **metadata, "createdTime": created}
        return Item(f"file{number:024}", metadata["appProperties"][_PATH], resource)


class _Server(ThreadingHTTPServer):
    """The proxy."""

    daemon_threads = False

    def __init__(self, drive: DriveEmulator, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.drive = drive
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self.tls)
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, which `stop` ends."""
        self._open.add(connection)
        if self.closing.is_set():
            _end(connection)

    def stop(self) -> None:
        """End all connections, and wait for whoever serves one."""
        self.closing.set()
        self.shutdown()
        for connection in tuple(self._open):
            _end(connection)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Keep what is wrong with the emulator; that a client goes away is not."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """A connection: as to a proxy at first, then as to the host that the client asks for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    host = ""

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        if self.host not in _HOSTS:
            self.send_error(502, f"{self.host} is not emulated")
            return
        self.send_response(200)
        self.end_headers()
        plain = self.connection
        self.connection = self.server.tls.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        self.server.opened(self.connection)
        self.connection.do_handshake()
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def serve(self) -> None:
        if hasattr(socket, "TCP_QUICKACK"):
            # A client may hold the body back until the head is acknowledged: at once, not in 40 ms.
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"https://{self.host}{self.path}"
        answer = self.server.drive.answer(self.command, url, self.headers, body)
        if answer.status:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.sent])
            self.wfile.flush()
        if answer.sent is not None:
            if answer.then == "stall":
                self.server.closing.wait(_STALL)
            _end(self.connection)
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - as http.server has it

    def log_message(self, *_: object) -> None:
        """Say nothing: `DriveEmulator.log` keeps it."""


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _clauses(query: str) -> list[str]:
    # The `and` within braces joins the two halves of one clause.
    return re.split(r" and (?![^{]*\})", query)


def _flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def _json(document: dict[str, Any], status: int = 200) -> _Answer:
    return _Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _html(page: str, status: int = 200) -> _Answer:
    content = f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
    return _Answer(status, content, {"Content-Type": "text/html; charset=utf-8"})


def _refusal(name: str) -> _Answer:
    status, reason, message = _REFUSALS[name]
    errors = [{"domain": "global", "reason": reason, "message": message}]
    answer = _json({"error": {"code": status, "message": message, "errors": errors}}, status)
    if name == "rate limit":
        answer.headers["Retry-After"] = "7"
    return answer
