"""The gate in front of a web server, which refuses requests that pages of other sites make.

Neither Dagster's web server nor Streamlit has a login on loopback. Without the gate, any page that
is open in a browser of this machine could send them requests, or read them by DNS rebinding.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PORTS = {"http": 80, "https": 443}
#: `Sec-Fetch-Site` of a request by the page's own site, and of one that the user typed.
_OWN_REQUESTS = {"same-origin", "none"}
#: The Content-Security-Policy of an answer. A server's own policy applies as well.
POLICY = "frame-ancestors 'self'"
#: Set unless the server itself sets them.
_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


class OriginGate:
    """ASGI middleware that passes only requests of the server's own pages, and their websockets.

    A request is refused with status 403 if

    - its ``Host`` is neither a loopback name or address of the served port, nor the address that
      the connection was made to, nor `site`: with DNS rebinding it would be another name;
    - it has an ``Origin`` that is none of these;
    - ``Sec-Fetch-Site`` says that a page of another origin made it, unless the user follows a link
      to a page. Browsers send no ``Origin`` for images, scripts and forms with GET.

    Clients that are no browsers send neither ``Origin`` nor ``Sec-Fetch-Site``.

    Parameters
    ----------
    app : ASGI application
    site : str or None
        Origin of the proxy in front of the server, such as ``https://fitness.example.org``.
    data_paths : iterable of str
        Beginnings of paths that are no pages: a link of another site cannot open them.
    path_prefix : str
        The path that `data_paths` are below.
    policy : str
        The Content-Security-Policy of all answers, in addition to the application's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        site: str | None = None,
        data_paths: Iterable[str] = (),
        path_prefix: str = "",
        policy: str = POLICY,
    ) -> None:
        self._app = app
        self._site = parse_origin(site) if site else None
        self._data_paths = tuple(path_prefix + path for path in data_paths)
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the application, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif reason := self._refusal(scope):
            await refuse(scope, receive, send, HTTPStatus.FORBIDDEN, reason)
        elif scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send, self._policy))
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        """Why the request is refused; None if it is not."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own_host(scope, hosts[0]):
            return (
                "This address is not served under this name. FITNESS_SITE is the name of a proxy "
                "in front of it."
            )
        if not all(self._is_own_origin(scope, each) for each in headers.getlist("origin")):
            return "A page of another site made this request."
        if self._is_made_by_another_site(scope, headers):
            return "A page of another site made this request."
        return None

    def _is_own_host(self, scope: Scope, host: str) -> bool:
        # The scheme that the browser used is unknown behind a proxy.
        origins = (parse_origin(f"{scheme}://{host}") for scheme in _PORTS)
        return any(
            origin is not None and (_is_served(scope, origin) or self._is_site(origin))
            for origin in origins
        )

    def _is_own_origin(self, scope: Scope, text: str) -> bool:
        origin = parse_origin(text)
        return origin is not None and (_is_served(scope, origin) or self._is_site(origin))

    def _is_site(self, origin: tuple[str, str, int]) -> bool:
        return origin == self._site

    def _is_made_by_another_site(self, scope: Scope, headers: Headers) -> bool:
        if scope["type"] == "websocket":
            # Browsers send the Origin of every websocket.
            return False
        if set(headers.getlist("sec-fetch-site")) <= _OWN_REQUESTS:
            return False
        is_link = (
            scope["method"] == "GET"
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )
        return not is_link or str(scope["path"]).startswith(self._data_paths)


class JsonOnly:
    """ASGI middleware in front of Dagster: POST needs JSON, and GraphQL needs POST.

    Dagster executes a GraphQL query, mutations included, that is in the address of a GET or of a
    form, and takes any content type that contains ``application/json`` as JSON. Pages of other
    sites can send all of these without the permission that a browser asks for JSON (a CORS
    preflight).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to Dagster, or refuse it with status 405 or 415."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
                is_query = str(scope["path"]).rstrip("/").endswith("/graphql")
                # With text/html the answer is GraphiQL, a page which sends its queries by POST.
                if is_query and "text/html" not in headers.get("accept", ""):
                    status = HTTPStatus.METHOD_NOT_ALLOWED
                    await refuse(scope, receive, send, status, "Send GraphQL by POST, as JSON.")
                    return
            elif _media_types(headers) != ["application/json"]:
                status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
                await refuse(scope, receive, send, status, "Send JSON, as application/json.")
                return
        await self._app(scope, receive, send)


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: HTTPStatus, reason: str
) -> None:
    """Answer with `status` and one line, or close a websocket before it is accepted."""
    if scope["type"] == "websocket":
        # RFC 6455: 1008 is a violation of the policy. The client sees status 403.
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    response = PlainTextResponse(
        f"{reason}\n", status, _HEADERS | {"Content-Security-Policy": POLICY}
    )
    await response(scope, receive, send)


def parse_origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin such as ``https://name:8443``; None if it is none."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    rest = text.removeprefix(f"{parts.scheme}://")
    if parts.scheme not in _PORTS or not host or not text.isascii() or set(rest) & set("/?#@\\ "):
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]


def is_page_of_server(origin: str, host: str, site: str | None) -> bool:
    """Whether a browser opened a websocket from a page of the server itself.

    With DNS rebinding another site's name leads to this server, and `origin` and `host` are equal.
    So of the names only ``localhost``, IP addresses and `site` count.

    Parameters
    ----------
    origin, host : str
        The headers ``Origin`` and ``Host`` of the websocket.
    site : str or None
        Origin of the proxy in front of the server.
    """
    found = parse_origin(origin)
    if found is None:
        return False
    if site is not None and found == parse_origin(site):
        return True
    scheme, name, _ = found
    return found == parse_origin(f"{scheme}://{host}") and (name == "localhost" or _is_ip(name))


def _is_served(scope: Scope, origin: tuple[str, str, int]) -> bool:
    """Whether `origin` is this machine, at the port that the connection was made to."""
    address, port = scope.get("server") or ("", None)
    _, host, own_port = origin
    return own_port == port and (host in {"localhost", address} or is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _media_types(headers: Headers) -> list[str]:
    values = headers.getlist("content-type")
    return [value.partition(";")[0].strip().lower() for value in values]


def _with_headers(send: Send, policy: str) -> Callable[[Message], Awaitable[None]]:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.append("Content-Security-Policy", policy)
        await send(message)

    return send_with_headers
