"""Requests to an ASGI application, without a server and with any headers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

#: Where the requests arrive.
OWN = "127.0.0.1:3000"
#: The body of every request.
BODY = b'{"query": "{ version }"}'
#: Names and values. Without a Host, that of `OWN` is sent.
Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What the application sent; the status of a websocket is 101 or 403."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)


def request(
    app: ASGIApp, url: str, headers: Headers = (), *, method: str = "GET", server: str = OWN
) -> Answer:
    """Send a request to the application at the address `server`."""
    scope = _scope(url, headers, server) | {
        "type": "http",
        "method": method,
        "http_version": "1.1",
    }
    return asyncio.run(_send(app, scope, [{"type": "http.request", "body": BODY}]))


def connect(app: ASGIApp, url: str, headers: Headers = (), text: str = "") -> Answer:
    """Open a websocket, send `text` if it is given, and leave."""
    scope = _scope(url, headers, OWN) | {"type": "websocket", "subprotocols": ["graphql-ws"]}
    messages: list[Message] = [{"type": "websocket.connect"}]
    if text:
        messages.append({"type": "websocket.receive", "text": text})
    messages.append({"type": "websocket.disconnect", "code": 1000})
    return asyncio.run(_send(app, scope, messages))


def _scope(url: str, headers: Headers, server: str) -> dict[str, Any]:
    path, _, query = url.partition("?")
    address, _, port = server.rpartition(":")
    if "host" not in dict(headers):
        headers = [("host", server), *headers]
    return {
        "asgi": {"version": "3.0"},
        "scheme": "http",
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "server": (address, int(port)),
        "client": ("127.0.0.1", 40000),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


async def _send(app: ASGIApp, scope: dict[str, Any], messages: list[Message]) -> Answer:
    answer = Answer()

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.sent.append(message)
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {
                name.decode().lower(): value.decode() for name, value in message["headers"]
            }
        elif not answer.status and message["type"].startswith("websocket."):
            answer.status = 101 if message["type"] == "websocket.accept" else 403

    await app(scope, receive, send)
    return answer
