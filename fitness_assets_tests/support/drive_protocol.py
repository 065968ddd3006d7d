"""The requests, responses and faults of the emulated Google Drive."""

import json
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

SCOPE = "https://www.googleapis.com/auth/drive.file"
API, PAGES = "https://www.googleapis.com", "https://drive.google.com"
TOKENS, DOWNLOADS = "https://oauth2.googleapis.com", "https://drive.usercontent.google.com"
HOSTS = [urlsplit(url).netloc for url in (API, PAGES, TOKENS, DOWNLOADS)]
#: App property that holds the path of a file.
PATH = "fitness_assets_path"
#: Every chunk of an upload but the last must be a multiple of this size.
CHUNK_MULTIPLE = 256 * 1024

#: What a request asks for.
Kind = Literal[
    "token",
    "session",  # the start of an upload
    "chunk",
    "state",  # of an upload: the bytes that have arrived
    "list",
    "get",
    "content",
    "delete",
    "permissions",
    "share",
    "unshare",
    "page",  # that links to a download
    "download",
]

#: See `DriveEmulator.fail`.
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
    "lost response",
    "stall",
    "quota page",
    "html",
    "attached html",
    "truncate",
    "tamper",
    "swap",
    "replay",
]

#: Errors of the API: status, reason and message.
API_ERRORS: dict[str, tuple[int, str, str]] = {
    "bad request": (400, "badRequest", "Bad Request"),
    "unauthorized": (401, "authError", "Invalid Credentials"),
    "forbidden": (403, "insufficientFilePermissions", "The user may not write this file."),
    "storage quota": (403, "storageQuotaExceeded", "Service Accounts do not have storage quota."),
    "user rate limit": (403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
    "not found": (404, "notFound", "File not found: ."),
    "rate limit": (429, "rateLimitExceeded", "Too many requests"),
    "unavailable": (503, "backendError", "Service Unavailable"),
}
QUOTA_PAGE = (
    '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file now.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. '
    "Please try accessing the file again later.</p>"
)
API_KINDS: tuple[Kind, ...] = tuple(
    kind for kind in get_args(Kind) if kind not in ("token", "page", "download")
)
#: The requests that a fault applies to by default; other faults apply to every API request.
DEFAULT_KINDS: dict[Fault, tuple[Kind, ...]] = {
    "unknown account": ("token",),
    "storage quota": ("session",),
    "308 without range": ("chunk",),
    "503 in mid-chunk": ("chunk",),
    "corrupt": ("chunk",),
    "session gone": ("chunk",),
    "lost response": ("chunk",),
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
    ("POST", rf"{TOKENS}/token", "token"),
    ("POST", rf"{API}/upload/drive/v3/files", "session"),
    ("PATCH", rf"{API}/upload/drive/v3/files/(?P<id>\w+)", "session"),
    ("PUT", rf"{API}/upload/drive/v3/files(/(?P<id>\w+))?", "chunk"),
    ("GET", rf"{API}/drive/v3/files", "list"),
    ("GET", rf"{API}/drive/v3/files/(?P<id>\w+)", "get"),
    ("DELETE", rf"{API}/drive/v3/files/(?P<id>\w+)", "delete"),
    ("GET", rf"{API}/drive/v3/files/(?P<id>\w+)/permissions", "permissions"),
    ("POST", rf"{API}/drive/v3/files/(?P<id>\w+)/permissions", "share"),
    ("DELETE", rf"{API}/drive/v3/files/(?P<id>\w+)/permissions/(?P<part>\w+)", "unshare"),
    ("GET", rf"{PAGES}/uc", "page"),
    ("GET", rf"{DOWNLOADS}/download", "download"),
]


@dataclass(frozen=True)
class Request:
    """A request: what it asks for, the id of the file and of the permission, and the HTTP parts."""

    kind: Kind
    id: str
    query: dict[str, str]
    headers: Message
    body: bytes
    part: str = ""


@dataclass(frozen=True)
class Response:
    """A status (0: no response), and a body of which only the first `sent` bytes are sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    then: Literal["drop", "stall"] = "drop"


def parse_request(method: str, url: str, headers: Message, body: bytes) -> Request | None:
    """The request for `url`, or None if Drive has no such route."""
    address, _, query = url.partition("?")
    parameters = dict(parse_qsl(query))
    for verb, pattern, kind in _ROUTES:
        match = re.fullmatch(pattern, address)
        if match is None or verb != method:
            continue
        file_id = match.groupdict().get("id") or parameters.get("id", "")
        if kind == "get" and parameters.get("alt") == "media":
            kind = "content"  # noqa: PLW2901
        if kind == "chunk" and headers.get("Content-Range", "").startswith("bytes */"):
            kind = "state"  # noqa: PLW2901
        part = match.groupdict().get("part") or ""
        return Request(kind, file_id, parameters, headers, body, part)
    return None


def json_response(document: dict[str, Any], status: int = 200) -> Response:
    return Response(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def html_response(page: str, status: int = 200) -> Response:
    content = f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
    return Response(status, content, {"Content-Type": "text/html; charset=utf-8"})


def error_response(name: str) -> Response:
    status, reason, message = API_ERRORS[name]
    errors = [{"domain": "global", "reason": reason, "message": message}]
    response = json_response(
        {"error": {"code": status, "message": message, "errors": errors}}, status
    )
    if name == "rate limit":
        response.headers["Retry-After"] = "7"
    return response
