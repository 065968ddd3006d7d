"""Downloads that only the browser with the login of their owner can fetch.

Streamlit serves a download to whoever has its address. The type of a download names its owner, and
the middleware refuses requests without the owner's login.
"""

import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fitness_assets.web.gate import refuse

#: Cookies with this prefix are the login: Streamlit splits it if it is long.
_LOGIN = "_streamlit_user"
_OWNER = re.compile(rb";\s*owner=([0-9a-f]+)")


def owned_type(media_type: str, cookies: Mapping[str, str]) -> str:
    """`media_type` with the owner of a download, whose login is in `cookies`.

    Without a login it has no owner, and who has the address may fetch it.
    """
    owner = _owner(cookies)
    return f"{media_type}; owner={owner}" if owner else media_type


class OwnedMedia:
    """ASGI middleware that refuses downloads of others with status 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the application, and its answer to the owner only."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visitor = _owner(HTTPConnection(scope).cookies)
        refused = False

        async def send_to_owner(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                types = [value for name, value in message["headers"] if name == b"content-type"]
                owners = {each.decode() for value in types for each in _OWNER.findall(value)}
                refused = not owners <= {visitor}
                if owners:
                    # No cache gives it to the next visitor of this browser.
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
                if refused:
                    reason = "This download is for another login."
                    await refuse(scope, receive, send, HTTPStatus.FORBIDDEN, reason)
            if not refused:
                await send(message)

        await self._app(scope, receive, send_to_owner)


def _owner(cookies: Mapping[str, str]) -> str:
    """A digest of the login in `cookies`; empty without one."""
    login = sorted((name, value) for name, value in cookies.items() if name.startswith(_LOGIN))
    return hashlib.blake2b(repr(login).encode(), digest_size=16).hexdigest() if login else ""
