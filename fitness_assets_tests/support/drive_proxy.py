"""An HTTP proxy that terminates the TLS of Google's hosts and responds in their place."""

import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import trustme

from fitness_assets_tests.support.drive_protocol import HOSTS, Response

#: The service account that the emulator knows.
ACCOUNT = "fitness@emulator.iam.gserviceaccount.com"
#: Longer than the timeout of any client.
_STALL = 60.0

Respond = Callable[[str, str, Message, bytes], Response]


class Certificates(NamedTuple):
    authority: trustme.CA
    hosts: trustme.LeafCert
    #: Of the service account, in the form that google-auth expects of a public key.
    account: trustme.LeafCert


@cache
def certificates() -> Certificates:
    """Created once a process, because it is slow."""
    authority = trustme.CA()
    account = authority.issue_cert(ACCOUNT, key_type=trustme.KeyType.RSA)
    return Certificates(authority, authority.issue_cert(*HOSTS), account)


class ProxyServer(ThreadingHTTPServer):
    """The proxy, on a free port of 127.0.0.1."""

    daemon_threads = False

    def __init__(self, respond: Respond, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self.tls)
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()

    def register(self, connection: socket.socket) -> None:
        """Register a connection, for `stop` to close."""
        self._open.add(connection)
        if self.closing.is_set():
            _shut_down(connection)

    def stop(self) -> None:
        """Close all connections, and wait for their threads."""
        self.closing.set()
        self.shutdown()
        for connection in tuple(self._open):
            _shut_down(connection)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Keep errors of the emulator itself. A client that disconnects is not one."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """A connection: first to the proxy, then, after CONNECT, to the host that it names."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ProxyServer
    host = ""

    def setup(self) -> None:
        super().setup()
        self.server.register(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        if self.host not in HOSTS:
            self.send_error(502, f"{self.host} is not emulated")
            return
        self.send_response(200)
        self.end_headers()
        plain = self.connection
        self.connection = self.server.tls.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        self.server.register(self.connection)
        self.connection.do_handshake()
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def serve(self) -> None:
        if hasattr(socket, "TCP_QUICKACK"):
            # A client may wait for the acknowledgement of the headers before it sends the body:
            # acknowledge at once instead of after 40 ms.
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"https://{self.host}{self.path}"
        response = self.server.respond(self.command, url, self.headers, body)
        if response.status:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body[: response.sent])
            self.wfile.flush()
        if response.sent is not None:
            if response.then == "stall":
                self.server.closing.wait(_STALL)
            _shut_down(self.connection)
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Log nothing here: see `DriveEmulator.log`."""


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
