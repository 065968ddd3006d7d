"""The gate in front of the web servers: which requests of a browser reach them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp

from fitness_assets.errors import SettingsError
from fitness_assets.settings import DashboardSettings
from fitness_assets.web.dagster_ui import DATA_PATHS, create_gated_app
from fitness_assets.web.gate import OriginGate, is_page_of_server, parse_origin
from fitness_assets_tests.support.asgi import OWN, connect, request

PORT = 3000
SITE = "https://fitness.example.org"
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
MUTATION = 'mutation { deletePipelineRun(runId: "r") { __typename } }'
JSON = {"content-type": "application/json"}


def status(app: ASGIApp, headers: dict[str, str], path: str = "/", *, method: str = "GET") -> int:
    return request(app, path, list(headers.items()), method=method).status


def gate(site: str | None = SITE) -> OriginGate:
    return OriginGate(PlainTextResponse("passed"), site, DATA_PATHS)


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        (OWN, True),
        (f"localhost:{PORT}", True),
        (f"LOCALHOST:{PORT}", True),
        (f"127.1.2.3:{PORT}", True),
        (f"[::1]:{PORT}", True),
        ("fitness.example.org", True),
        ("fitness.example.org:443", True),
        ("fitness.example.org:8443", False),
        ("localhost", False),
        ("localhost:3001", False),
        (f"evil.example:{PORT}", False),
        (f"localhost.evil.example:{PORT}", False),
        (f"127.0.0.1.evil.example:{PORT}", False),
        (f"evil.localhost:{PORT}", False),
        (f"192.168.1.7:{PORT}", False),
        (f"0.0.0.0:{PORT}", False),
        (f"evil.example@127.0.0.1:{PORT}", False),
        (f"127.0.0.1:{PORT}/", False),
        (f"127.0.0.1:{PORT}, evil.example", False),
        ("127.0.0.1:port", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_a_host_must_be_a_loopback_name_or_the_site(host: str, passes: bool) -> None:
    assert status(gate(), {"host": host}) == (200 if passes else 403)


def test_without_a_site_only_loopback_and_the_own_address_are_served() -> None:
    assert status(gate(None), {"host": "fitness.example.org"}) == 403
    assert status(gate(None), {}) == 200
    lan = f"192.168.1.7:{PORT}"
    assert request(gate(None), "/", server=lan).status == 200
    other = [("host", f"router.example:{PORT}")]
    assert request(gate(None), "/", other, server=lan).status == 403


@pytest.mark.parametrize("site", ["http://proxy:8080", "http://proxy"])
def test_a_site_may_be_without_tls(site: str) -> None:
    host = site.removeprefix("http://")
    assert status(gate(site), {"host": host, "origin": site}) == 200
    assert status(gate(site), {"host": host, "origin": site.replace("http", "https")}) == 403


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": f"http://{OWN}"}, True),
        ({"origin": f"http://localhost:{PORT}"}, True),
        ({"origin": SITE}, True),
        ({"origin": SITE.replace("https", "http")}, False),
        ({"origin": "http://localhost:8501"}, False),
        ({"origin": "http://localhost"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": f"https://evil.example:{PORT}"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": f"http://{OWN} https://evil.example"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none", **LINK}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, False),
        ({"sec-fetch-site": "cross-site", **LINK}, True),
        ({"sec-fetch-site": "cross-site", **FRAME}, False),
        ({"sec-fetch-site": "unknown"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "cross-site", **LINK, "origin": "https://evil.example"}, False),
    ],
)
def test_a_request_of_another_origin_is_refused(headers: dict[str, str], passes: bool) -> None:
    assert status(gate(), headers) == (200 if passes else 403)
    if "sec-fetch-site" in headers:
        return
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert status(gate(), headers, method=method) == (200 if passes else 403)


def test_a_link_of_another_site_opens_pages_only() -> None:
    link = {"sec-fetch-site": "cross-site", **LINK}
    assert status(gate(), link, "/runs/1") == 200
    assert status(gate(), link, "/runs/1", method="POST") == 403
    for path in DATA_PATHS:
        assert status(gate(), link, f"{path}x") == 403


def test_a_header_that_is_sent_twice_is_refused() -> None:
    own = [("host", OWN), ("origin", f"http://{OWN}")]
    assert request(gate(), "/", own).status == 200
    for again in (("host", OWN), ("origin", "https://evil.example")):
        assert request(gate(), "/", [*own, again]).status == 403


def test_no_answer_can_be_framed_or_read_by_another_site() -> None:
    for headers in ([], [("host", "evil.example")]):
        found = request(gate(), "/", headers).headers
        assert found["content-security-policy"] == "frame-ancestors 'self'"
        assert found["x-frame-options"] == "SAMEORIGIN"
        assert found["cross-origin-resource-policy"] == "same-origin"
        assert found["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", ("https", "a.example", 443)),
        ("http://[::1]:80", ("http", "::1", 80)),
        ("ftp://a.example", None),
        ("https://", None),
        ("https://a.example/path", None),
        ("https://a.example?query", None),
        ("https://user@a.example", None),
        ("https://a.example:99999", None),
        ("https://\N{FULLWIDTH LATIN SMALL LETTER A}.example", None),
        ("null", None),
        ("", None),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(text: str, origin: object) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("fitness.example.org", SITE),
        ("Fitness.example.org/", SITE),
        ("localhost", "https://localhost"),
        ("http://proxy:8080", "http://proxy:8080"),
    ],
)
def test_the_site_is_given_by_name_or_origin(text: str, site: str) -> None:
    assert DashboardSettings.from_env({"FITNESS_SITE": text}).site == site


@pytest.mark.parametrize("text", ["a b", "https://a/path", "ftp://a", "a,b", "*", "user@a"])
def test_a_site_that_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="FITNESS_SITE"):
        DashboardSettings.from_env({"FITNESS_SITE": text})


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """Dagster's web server behind the gate, at the prefix of the deployment."""
    home = Path(tmp_path_factory.mktemp("dagster"))
    with (
        dg.DagsterInstance.local_temp(str(home)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield create_gated_app(context, "/dagster")


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/dagster/server_info", {}, 200),
        ("GET", "/dagster/graphql", {"accept": "text/html"}, 200),
        ("POST", "/dagster/graphql", JSON, 200),
        ("POST", "/dagster/graphql", {"content-type": "application/json; charset=utf-8"}, 200),
        ("GET", "/dagster/graphql", {}, 405),
        ("HEAD", "/dagster/graphql", {}, 405),
        ("GET", "/dagster/graphql/", {}, 405),
        ("POST", "/dagster/graphql", {}, 415),
        ("POST", "/dagster/graphql", {"content-type": "text/plain"}, 415),
        ("POST", "/dagster/graphql", {"content-type": "text/plain; a=application/json"}, 415),
        ("POST", "/dagster/graphql", {"content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/dagster/graphql", {"content-type": "multipart/form-data; boundary=a"}, 415),
        ("POST", "/dagster/report_asset_materialization/a", {}, 415),
        ("POST", "/dagster/report_asset_check/a", {"content-type": "text/plain"}, 415),
        ("POST", "/dagster/report_asset_observation/a", {"content-type": "text/plain"}, 415),
    ],
)
def test_dagster_takes_only_json_and_graphql_only_by_post(
    dagster: ASGIApp, method: str, path: str, headers: dict[str, str], expected: int
) -> None:
    url = f"{path}?query={quote(MUTATION)}"
    assert status(dagster, headers, url, method=method) == expected


def test_every_route_of_dagster_is_behind_the_gate(dagster: Starlette) -> None:
    routes: list[Any] = [
        route
        for each in dagster.routes
        for route in (each.routes if isinstance(each, Mount) else [each])
    ]
    assert len(routes) > 10
    foreign = (
        {"host": f"evil.example:{PORT}"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    )
    for route in routes:
        path = f"/dagster{route.path}"
        if isinstance(route, WebSocketRoute):
            assert [connect(dagster, path, list(each.items())).status for each in foreign[:3]] == [
                403
            ] * 3
            continue
        for method in getattr(route, "methods", None) or ["GET"]:
            assert {status(dagster, each, path, method=method) for each in foreign} == {403}


def test_the_websocket_of_the_own_page_is_accepted(dagster: ASGIApp) -> None:
    own = [("origin", f"http://{OWN}")]
    answer = connect(dagster, "/dagster/graphql", own, json.dumps({"type": "connection_init"}))
    assert answer.status == 101
    assert json.loads(answer.sent[1]["text"]) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://localhost:8501", "localhost:8501", True),
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("http://[::1]:8501", "[::1]:8501", True),
        ("http://192.168.1.7:8501", "192.168.1.7:8501", True),
        ("http://localhost", "localhost", True),
        (SITE, "fitness.example.org", True),
        (SITE, "10.0.0.1:8501", True),
        ("http://evil.example:8501", "evil.example:8501", False),
        ("http://localhost.evil.example:8501", "localhost.evil.example:8501", False),
        ("http://evil.localhost:8501", "evil.localhost:8501", False),
        ("http://localhost:3000", "localhost:8501", False),
        ("http://evil.example", "localhost:8501", False),
        ("http://fitness.example.org", "fitness.example.org", False),
        ("null", "localhost:8501", False),
        ("", "", False),
    ],
)
def test_a_page_of_the_server_is_known_without_the_gate(
    origin: str, host: str, *, is_own: bool
) -> None:
    assert is_page_of_server(origin, host, SITE) == is_own
    assert is_page_of_server(origin, host, None) == (is_own and origin != SITE)
