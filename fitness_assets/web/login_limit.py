"""Limits login attempts at the proxy, which asks before it checks a password.

``uvicorn fitness_assets.web.login_limit:app`` is a service of the deployment. The proxy sends it
the headers of each request that has credentials (Caddy's ``forward_auth``).
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from fitness_assets.formatting import plural

#: Different credentials that a client may try in the window, in seconds.
CREDENTIALS = 10
WINDOW = 600.0
# Bounds the memory: about 1 kB a client.
_CLIENTS = 20_000
# The smallest IPv6 network that is assigned to one client.
_IPV6_PREFIX = 64


class LoginLimit:
    """ASGI application: status 204 if the credentials may be checked, else 429.

    It counts the different credentials of a client. So it needs no answer of the proxy, parallel
    requests cannot outrun it, and a client that is logged in stays so while others at the same
    address are refused. Credentials are kept as hashes, under a key of this process.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        #: When each of the credentials of a client was last sent; the latest client is the last.
        self._sent: OrderedDict[str, dict[bytes, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the proxy."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        client = headers.get("x-forwarded-for", "")
        # Only the proxy reaches this service; the last address is the one that it saw.
        wait = self.wait(client.rpartition(",")[2].strip(), headers.getlist("authorization"))
        if wait:
            text = f"Too many login attempts. Try again in {plural(wait, 'second')}.\n"
            retry = {"Retry-After": str(round(wait))}
            answer = PlainTextResponse(text, HTTPStatus.TOO_MANY_REQUESTS, retry)
        else:
            answer = PlainTextResponse(status_code=HTTPStatus.NO_CONTENT)
        await answer(scope, receive, send)

    def wait(self, client: str, credentials: list[str]) -> float:
        """Seconds until `client` may try these credentials; 0 if it may now, which is recorded."""
        if not credentials:
            return 0
        now = self._clock()
        network = _network(client)
        sent = self._sent.pop(network, {})
        sent = {each: at for each, at in sent.items() if at > now - WINDOW}
        self._sent[network] = sent
        if len(self._sent) > _CLIENTS:
            self._sent.popitem(last=False)
        tried = hashlib.blake2b("\n".join(credentials).encode(), key=self._key).digest()
        if tried not in sent and len(sent) >= CREDENTIALS:
            return max(1.0, min(sent.values()) + WINDOW - now)
        sent[tried] = now
        return 0


def _network(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


app = LoginLimit()
