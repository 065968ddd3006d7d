"""The limit of login attempts."""

from fitness_assets.web import login_limit
from fitness_assets.web.login_limit import CREDENTIALS, WINDOW, LoginLimit
from fitness_assets_tests.support.asgi import request


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_try_few_passwords_in_a_window() -> None:
    clock = Clock()
    limit = LoginLimit(clock)
    for i in range(CREDENTIALS):
        assert limit.wait("192.0.2.1", [f"Basic {i}"]) == 0
        clock.now += 1
    assert limit.wait("192.0.2.1", ["Basic other"]) == WINDOW - CREDENTIALS
    assert limit.wait("192.0.2.1", ["Basic 3"]) == 0, "credentials that were tried before"
    assert limit.wait("192.0.2.1", []) == 0
    assert limit.wait("192.0.2.2", ["Basic other"]) == 0, "another client"
    clock.now += WINDOW - CREDENTIALS + 1
    assert limit.wait("192.0.2.1", ["Basic other"]) == 0


def test_a_network_of_ipv6_is_one_client() -> None:
    limit = LoginLimit(Clock())
    waits = [limit.wait(f"2001:db8::{i:x}", [f"Basic {i}"]) for i in range(CREDENTIALS + 1)]
    assert waits == [0] * CREDENTIALS + [WINDOW]
    assert limit.wait("2001:db8:0:1::1", ["Basic other"]) == 0


def test_memory_is_bounded() -> None:
    limit = LoginLimit(Clock())
    for i in range(login_limit._CLIENTS + 100):
        limit.wait(f"client {i}", ["Basic a"])
    assert len(limit._sent) == login_limit._CLIENTS


def test_the_proxy_gets_status_204_or_429() -> None:
    limit = LoginLimit(Clock())
    # The proxy replaces addresses that a client sends in this header; the last one is its own.
    client = ("x-forwarded-for", "203.0.113.9, 192.0.2.1")
    for i in range(CREDENTIALS):
        answer = request(limit, "/", [client, ("authorization", f"Basic {i}")])
        assert answer.status == 204
    answer = request(limit, "/", [client, ("authorization", "Basic other")])
    assert (answer.status, answer.headers["retry-after"]) == (429, "600")
    other = ("x-forwarded-for", "192.0.2.1, 203.0.113.9")
    assert request(limit, "/", [other, ("authorization", "Basic other")]).status == 204
