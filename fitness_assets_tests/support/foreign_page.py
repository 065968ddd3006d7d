"""A page of another site that tries to reach the servers of `fitness serve` through the browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from playwright.sync_api import Page

_PAGE = b"<!doctype html><title>Another site</title><iframe name=frame></iframe>"

#: Sends every kind of request that needs no permission of the server, and returns what it got.
_ATTACK = """
async ([dagster, dashboard, mutation, reads]) => {
    const got = [];
    const settled = [];
    const graphql = `${dagster}/graphql`;
    const address = `${graphql}?query=${encodeURIComponent(mutation)}`;
    const body = JSON.stringify({query: mutation});
    const note = what => answer => got.push([what, String(answer)]);
    const fetched = (what, url, options) =>
        settled.push(fetch(url, options).then(a => a.text()).then(
            text => text && note(what)(text), () => null));
    const element = (tag, url) => settled.push(new Promise(done => {
        const made = document.createElement(tag);
        made.onload = () => { note(tag)(url); done(); };
        made.onerror = () => done();
        made[tag === 'link' ? 'href' : 'src'] = url;
        if (tag === 'link') made.rel = 'stylesheet';
        document.body.append(made);
    }));
    for (const type of ['text/plain', 'text/plain; a=application/json',
                        'application/x-www-form-urlencoded', 'application/json'])
        for (const mode of ['no-cors', 'cors'])
            for (const url of [graphql, address])
                fetched(`POST ${type}`, url, {
                    method: 'POST', mode, body, headers: {'Content-Type': type},
                    credentials: 'include',
                });
    for (const mode of ['no-cors', 'cors'])
        for (const url of [address, ...reads])
            fetched('GET', url, {mode, credentials: 'include'});
    fetched('event', `${dagster}/report_asset_materialization/raw_telemetry?partition=2023-04`,
            {method: 'POST', mode: 'no-cors'});
    for (const url of [address, ...reads])
        for (const tag of ['img', 'script', 'link'])
            element(tag, url);
    const submit = (method, enctype) => {
        const form = document.createElement('form');
        Object.assign(form, {method, enctype, target: 'frame', action: address});
        const field = document.createElement('input');
        Object.assign(field, {name: 'query', value: mutation});
        form.append(field);
        document.body.append(form);
        form.submit();
    };
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded']) {
        submit('POST', enctype);
        await new Promise(done => setTimeout(done, 300));
    }
    submit('GET', 'application/x-www-form-urlencoded');
    for (const [url, protocol] of [[graphql, 'graphql-ws'],
                                   [`${dashboard}/_stcore/stream`, 'streamlit']])
        settled.push(new Promise(done => {
            const socket = new WebSocket(url.replace('http', 'ws'), protocol);
            socket.onopen = () => { note('websocket')(url); done(); };
            socket.onerror = () => done();
        }));
    await Promise.all(settled);
    return got;
}
"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def other_site() -> Iterator[str]:
    """Serve a page of another site; yields its address.

    To a browser, localhost and 127.0.0.1 are two sites.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attack(
    page: "Page", dagster: str, dashboard: str, mutation: str, reads: list[str]
) -> tuple[list[tuple[str, str]], set[int]]:
    """Attack from the page of another site that is open in `page`.

    Parameters
    ----------
    page : Page
    dagster, dashboard : str
        The addresses of the servers.
    mutation : str
        The GraphQL mutation to send.
    reads : list of str
        The addresses to read.

    Returns
    -------
    tuple of list and set
        What the page received, and the statuses of all answers of the servers.
    """
    statuses = set()

    def listen(response: Any) -> None:
        if response.url.startswith((dagster, dashboard)):
            statuses.add(response.status)

    page.on("response", listen)
    got = page.evaluate(_ATTACK, [dagster, dashboard, mutation, reads])
    # A link, and a window that the page opens: navigations to what is no page.
    for url in (f"{dagster}/graphql?query={quote(mutation)}", *reads):
        with page.expect_popup() as popup:
            page.evaluate("url => { window.open(url); }", url)
        popup.value.wait_for_load_state()
        if "another site made this request" not in popup.value.content():
            got.append(("window", url))
        popup.value.close()
    return [(str(what), str(answer)) for what, answer in got], statuses
