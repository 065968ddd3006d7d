"""Who may read rows of people: all rules, as tables."""

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import product

import pytest

from fitness_assets.web.access import Access, Connection, Identity, decide
from fitness_assets.web.login_map import LoginMap

LOGINS = LoginMap({"anna@example.org": "p-anna"}, frozenset({"ben@example.org"}))
LOCAL = Connection(
    bind="127.0.0.1",
    peer=None,
    headers=(("Host", "localhost:8501"), ("Origin", "http://localhost:8501")),
)
REMOTE = replace(LOCAL, bind=None)
EVERYONE, NOBODY = (True, None), (False, None)


def rights(access: Access) -> tuple[bool, str | None]:
    # Whoever is denied learns why, in one line.
    assert bool(access.reason) == access.is_denied
    assert "\n" not in access.reason
    return access.everyone, access.user


def claims(**values: object) -> Identity | None:
    return Identity.of(({"is_logged_in": True, "email_verified": True} | values).items())


def test_nothing_is_allowed_by_default() -> None:
    assert rights(Access()) == NOBODY
    assert not Access().allows("p-anna")
    assert not Access().allows("")


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (None, NOBODY),
        (claims(email="anna@example.org"), (False, "p-anna")),
        (claims(email="ANNA@Example.org"), (False, "p-anna")),
        (claims(email="ben@example.org"), EVERYONE),
        (claims(email="carl@example.org"), NOBODY),
        (claims(email=""), NOBODY),
        (claims(), NOBODY),
        (claims(email=["anna@example.org"]), NOBODY),
        (claims(email="anna@example.org\n"), NOBODY),
        (claims(email="anna@example.org".replace("e", "\N{CYRILLIC SMALL LETTER IE}")), NOBODY),
        (
            claims(email="ben@example.org".replace("b", "\N{FULLWIDTH LATIN SMALL LETTER B}")),
            NOBODY,
        ),
        (claims(email="anna@example.org", email_verified=False), NOBODY),
        (claims(email="anna@example.org", email_verified=None), NOBODY),
        (claims(email="anna@example.org", email_verified="false"), NOBODY),
        (claims(email="anna@example.org", email_verified=1), NOBODY),
        (claims(email="ben@example.org", email_verified=False), NOBODY),
        (claims(email="anna@example.org", is_logged_in=False), NOBODY),
        (claims(email="anna@example.org", is_logged_in="true"), NOBODY),
    ],
)
@pytest.mark.parametrize("connection", [LOCAL, REMOTE])
def test_a_login_decides_whose_rows_are_shown_wherever_the_visitor_is(
    identity: Identity | None, expected: tuple[bool, str | None], connection: Connection
) -> None:
    access = decide(has_provider=True, login_map=LOGINS, identity=identity, connection=connection)
    assert rights(access) == expected


def test_a_letter_that_becomes_ascii_in_lower_case_is_another_address() -> None:
    logins = LoginMap({"kim@example.org": "p-kim"}, frozenset())
    address = "\N{KELVIN SIGN}im@example.org"
    assert address.lower() == "kim@example.org"
    access = decide(
        has_provider=True, login_map=logins, identity=claims(email=address), connection=LOCAL
    )
    assert rights(access) == NOBODY


@pytest.mark.parametrize("identity", [None, claims(email="ben@example.org")])
def test_half_a_login_shows_nobody_on_loopback_too(identity: Identity | None) -> None:
    for has_provider, login_map in ((True, None), (False, LOGINS)):
        access = decide(
            has_provider=has_provider, login_map=login_map, identity=identity, connection=LOCAL
        )
        assert rights(access) == NOBODY
        assert "FITNESS_LOGINS" in access.reason


@pytest.mark.parametrize("connection", [LOCAL, REMOTE])
def test_without_a_login_only_loopback_shows_people(connection: Connection) -> None:
    access = decide(has_provider=False, login_map=None, identity=None, connection=connection)
    assert rights(access) == (EVERYONE if connection is LOCAL else NOBODY)
    assert access.everyone or "secrets.toml" in access.reason


BIND = {"127.0.0.1": True, "::1": True, "localhost": True} | dict.fromkeys(
    (None, "", str(IPv4Address(0)), "::", "192.0.2.7", "fitness.example.org", "unix:///run/x"),
    False,
)
PEER = {None: True, "127.0.0.2": True, "192.0.2.7": False, "testclient": False}
HOST = dict.fromkeys(("localhost:8501", "LOCALHOST", "127.0.0.1:8501", "[::1]:8501"), True) | (
    dict.fromkeys(
        ("192.0.2.7:8501", "fitness.example.org", "localhost.example.org", "", "localhost@x"), False
    )
)
ORIGIN = {None: True, "http://localhost:8501": True, "http://127.0.0.1:8501": True} | (
    dict.fromkeys(("https://fitness.example.org", "null", "http://192.0.2.7:8501"), False)
)


def test_loopback_needs_each_part_of_the_connection_to_be_loopback() -> None:
    for bind, peer, host, origin in product(BIND, PEER, HOST, ORIGIN):
        headers = [("host", host)] + ([("origin", origin)] if origin is not None else [])
        connection = Connection(bind=bind, peer=peer, headers=tuple(headers))
        expected = BIND[bind] and PEER[peer] and HOST[host] and ORIGIN[origin]
        assert connection.is_loopback == expected, connection


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"],
)
@pytest.mark.parametrize("value", ["127.0.0.1", "192.0.2.7", ""])
def test_a_proxy_on_this_machine_is_not_loopback(header: str, value: str) -> None:
    assert LOCAL.is_loopback
    assert not replace(LOCAL, headers=(*LOCAL.headers, (header, value))).is_loopback


def test_a_site_no_host_and_two_hosts_are_not_loopback() -> None:
    assert not replace(LOCAL, site="https://fitness.example.org").is_loopback
    assert not replace(LOCAL, headers=()).is_loopback
    assert not replace(LOCAL, headers=(*LOCAL.headers, ("host", "localhost"))).is_loopback
