"""A server that passes requests on to another one, and answers some of them with an error."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from fitness_assets_tests.support.object_store import S3Server

#: What is wrong with the answer to a request: an error of the server, nothing before the client
#: gives up, or an error although the request was done.
Fault = Literal["500", "503", "slow", "lost"]
#: The fault of a request with this method and path, or None.
Choose = Callable[[str, str], Fault | None]

_SLOW = 1.5


class FaultyServer(S3Server):
    """Answers like the server behind it, unless `choose` names a fault.

    Attributes
    ----------
    choose : callable
        No fault at first.
    requests : int
        How many requests had a fault.
    """

    choose: Choose
    requests: int


@contextmanager
def faulty(behind: S3Server) -> Iterator[FaultyServer]:
    """Start such a server in front of `behind`."""
    target = urlsplit(behind.endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = server.choose(self.command, self.path)
            server.requests += fault is not None
            if fault == "slow":
                time.sleep(_SLOW)
                self.close_connection = True
                return
            status, headers, content = 500, [], b""
            if fault in {None, "lost"}:
                connection = HTTPConnection(target)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                status, headers, content = answer.status, answer.getheaders(), answer.read()
                connection.close()
            if fault is not None:
                status, headers, content = int(fault) if fault.isdecimal() else 500, [], b""
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {"connection", "content-length", "date", "server"}:
                    self.send_header(name, value)
            is_head = self.command == "HEAD"
            length = dict(headers).get("Content-Length", "0") if is_head else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """No line for each request."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = FaultyServer(f"http://127.0.0.1:{listener.server_address[1]}")
    server.choose, server.requests = lambda *_: None, 0
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
