"""The page of the dashboard without the preload of its font.

Streamlit's page asks for a font of 170 kB before the scripts that draw the title. On a slow line
they wait for it. Without the preload the browser fetches the font when text is drawn in it.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PRELOAD = re.compile(rb'<link\s[^>]*rel="preload"[^>]*as="font"[^>]*>\s*')


class LateFont:
    """ASGI middleware that removes preloads of fonts from pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the application, and change its answer if it is a page."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def send_without(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                # The length is known when the page is complete.
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    page = _PRELOAD.sub(b"", b"".join(parts))
                    if "content-length" in MutableHeaders(scope=start) and page:
                        MutableHeaders(scope=start)["content-length"] = str(len(page))
                    await send(start)
                    await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, send_without)


def _is_page(start: Message) -> bool:
    headers = MutableHeaders(scope=start)
    return (
        headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
    )
