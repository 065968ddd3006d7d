"""The requests of Google Cloud Storage's XML API that clients of objects send, in this process.

https://docs.cloud.google.com/storage/docs/xml-api/overview. No emulator that can be installed from
PyPI has this API.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

_NONE: Mapping[str, str] = {}
_buckets = count()


@dataclass
class GoogleStorage:
    """A server whose service account file is `account`."""

    account: Path

    def use(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Set the variable, and return the URL of an empty prefix."""
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(self.account))
        return f"gs://google-bucket-{next(_buckets)}/some/prefix"


@contextmanager
def running_google_storage(folder: Path) -> Iterator[GoogleStorage]:
    """Start a server on a free port; its service account file is in `folder`."""
    account = {
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",  # pragma: allowlist secret
        "private_key_id": "",
    }
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        path = folder / "service-account.json"
        url = f"http://127.0.0.1:{server.server_port}"
        path.write_text(json.dumps(account | {"gcs_base_url": url}))
        try:
            yield GoogleStorage(path)
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class _Object:
    content: bytes
    generation: int
    modified: datetime

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'

    @property
    def headers(self) -> dict[str, str]:
        return {
            "ETag": self.tag,
            "x-goog-generation": str(self.generation),
            "Last-Modified": format_datetime(self.modified, usegmt=True),
        }


class _Server(ThreadingHTTPServer):
    """The objects of all buckets, by bucket and name, and those that are sent in parts."""

    def __init__(self, address: tuple[str, int], handler: type["_Handler"]) -> None:
        super().__init__(address, handler)
        self.objects: dict[str, _Object] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._lock = threading.Lock()
        self._numbers = count(1)

    def put(self, name: str, content: bytes, generation: int | None = None) -> _Object | None:
        """Store an object if its generation is this one, 0 if there must be none; else None."""
        with self._lock:
            before = self.objects.get(name)
            if generation is not None and generation != (before.generation if before else 0):
                return None
            stored = _Object(content, next(self._numbers), datetime.now(UTC))
            self.objects[name] = stored
            return stored

    def begin(self) -> str:
        """Begin an object in parts; its id."""
        upload = str(next(self._numbers))
        self._uploads[upload] = {}
        return upload

    def add_part(self, upload: str, number: int, content: bytes) -> None:
        """Add a part."""
        self._uploads[upload][number] = content

    def complete(self, upload: str, name: str) -> _Object | None:
        """Store the object in parts."""
        parts = self._uploads.pop(upload)
        return self.put(name, b"".join(parts[number] for number in sorted(parts)))

    def listing(self, bucket: str, prefix: str, delimiter: str | None) -> str:
        """The objects of a bucket whose names begin with `prefix`."""
        contents, folders = "", set()
        for path, stored in sorted(self.objects.items()):
            place, _, name = path.partition("/")
            if place != bucket or not name.startswith(prefix):
                continue
            first, found, _ = name.removeprefix(prefix).partition(delimiter or "\0")
            if found:
                folders.add(prefix + first + found)
                continue
            contents += (
                f"<Contents><Key>{escape(name)}</Key><Size>{len(stored.content)}</Size>"
                f"<LastModified>{stored.modified.isoformat()}</LastModified>"
                f"<ETag>{escape(stored.tag)}</ETag></Contents>"
            )
        for each in sorted(folders):
            contents += f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>"
        return contents


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # answers would wait 40 ms for the client's acknowledgement
    server: _Server

    def do_PUT(self) -> None:
        name, asked = self._asked()
        content = self._body()
        if part := asked.get("partNumber"):
            self.server.add_part(asked["uploadId"], int(part), content)
            self._answer(200, headers={"ETag": f'"{part}"'})
            return
        required = self.headers.get("x-goog-if-generation-match")
        stored = self.server.put(name, content, None if required is None else int(required))
        if stored is None:
            self._answer(412, "<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._answer(200, headers=stored.headers)

    def do_POST(self) -> None:
        name, asked = self._asked()
        self._body()
        if "uploads" in asked:
            upload = f"<UploadId>{self.server.begin()}</UploadId>"
            self._answer(
                200, f"<InitiateMultipartUploadResult>{upload}</InitiateMultipartUploadResult>"
            )
            return
        stored = self.server.complete(asked["uploadId"], name)
        assert stored is not None
        tag = f"<ETag>{escape(stored.tag)}</ETag>"
        self._answer(
            200,
            f"<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>",
            stored.headers,
        )

    def do_GET(self) -> None:
        name, asked = self._asked()
        found = self.server.objects.get(name)
        if "/" not in name:
            listed = self.server.listing(name, asked.get("prefix", ""), asked.get("delimiter"))
            self._answer(200, f"<ListBucketResult>{listed}</ListBucketResult>")
        elif found is None:
            self._answer(404, "<Error><Code>NoSuchKey</Code></Error>")
        elif span := self.headers.get("Range"):
            first, _, last = span.removeprefix("bytes=").partition("-")
            part = found.content[int(first) : int(last) + 1]
            end = int(first) + len(part) - 1
            place = {"Content-Range": f"bytes {first}-{end}/{len(found.content)}"}
            self._answer(206, part, found.headers | place)
        else:
            self._answer(200, found.content, found.headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        name, _ = self._asked()
        self._answer(404 if self.server.objects.pop(name, None) is None else 204)

    def _asked(self) -> tuple[str, dict[str, str]]:
        """The bucket with the name, and the query."""
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        return unquote(url.path).strip("/"), {key: values[0] for key, values in query.items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(
        self, status: int, body: bytes | str = b"", headers: Mapping[str, str] = _NONE
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            # A client that has read enough closes the connection.
            with suppress(ConnectionError):
                self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print no line for each request."""
