"""Logins in a real browser: one's own days and nobody else's, an analyst's, and no login."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from fitness_assets_tests.support.browser import choose_option, chromium, expect, expect_finished
from fitness_assets_tests.support.dashboard_server import login_provider, serving
from fitness_assets_tests.support.people_bundles import ANNA, BEN, MONTH, USERS, publish_bundles

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOGINS = f"""
analysts = ["dora@example.org"]
[users]
"Anna@Example.org" = "{ANNA}"
"eve@example.org" = "{BEN}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a private bundle, as of imported data."""
    publish_bundles(tmp_path)
    return tmp_path


def listen(page: "Page") -> list[bytes]:
    """All that the server sends to the page, from now on."""
    received: list[bytes] = []

    def add(frame: "str | bytes") -> None:
        received.append(frame.encode() if isinstance(frame, str) else frame)

    page.on("websocket", lambda websocket: websocket.on("framereceived", add))
    return received


def shown_users(received: list[bytes]) -> set[str]:
    # The server repeats the address of the page.
    content = b"".join(received).replace(f"user={BEN}".encode(), b"")
    return {user for user in USERS if user.encode() in content}


def log_in(page: "Page", address: str, subject: str) -> None:
    page.goto(f"{address}/my-days")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("button", name=subject, exact=True).click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect_finished(page)


def log_out(page: "Page", address: str) -> None:
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="End session").click()
    page.wait_for_url(f"{address}/**")
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


def open_my_days(page: "Page", address: str, query: str = "") -> None:
    page.goto(f"{address}/my-days?{query}")
    expect(page.get_by_role("heading", name="My days", exact=True, level=1)).to_be_visible()
    expect_finished(page)


def download(page: "Page") -> tuple[set[str], str]:
    """The users in the downloaded days, and the address of the download."""
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as CSV").click()
    return set(pd.read_csv(started.value.path())["user_id"]), started.value.url


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_a_login_shows_ones_own_days_and_an_analyst_those_of_all(home: Path) -> None:
    logins = home / "logins.toml"
    logins.write_text(LOGINS)
    settings = {
        "FITNESS_LOGINS": str(logins),
        "FITNESS_RELEASE_PEOPLE_SOURCE": str(home / "releases-people"),
    }
    provider = login_provider(
        {"sub": "anna", "email": "anna@example.ORG", "email_verified": True},
        {"sub": "dora", "email": "dora@example.org", "email_verified": True},
        {"sub": "eve", "email": "eve@example.org", "email_verified": False},
    )
    with (
        provider as provider_address,
        serving(home / "releases", home / "copy", settings, provider=provider_address) as address,
        chromium() as browser,
    ):
        page = browser.new_page()
        page.set_default_timeout(120_000)
        received = listen(page)

        open_my_days(page, address)
        expect(page.get_by_text("Log in to see your own days")).to_be_visible()
        assert shown_users(received) == set()

        log_in(page, address, "anna")
        for query in (f"user={BEN}", f"user={BEN}&month={MONTH}&embed=true"):
            open_my_days(page, address, query)
            expect(page.get_by_text("Your own days")).to_be_visible()
            expect(page.get_by_role("combobox", name="User", exact=True)).to_have_count(0)
        users, link = download(page)
        assert users == {ANNA}
        page.goto(f"{address}/explore?user={BEN}")
        page.get_by_role("radio", name="Relations", exact=True).click()
        expect(page.get_by_text("Deeper blue: more worn days")).to_be_visible()
        assert shown_users(received) <= {ANNA}
        stranger = browser.new_context()
        assert not stranger.request.get(link).ok

        log_out(page, address)
        received.clear()
        open_my_days(page, address)
        expect(page.get_by_text("Log in to see your own days")).to_be_visible()
        assert shown_users(received) == set()

        log_in(page, address, "eve")
        open_my_days(page, address)
        expect(page.get_by_text("has not verified your e-mail address")).to_be_visible()
        assert shown_users(received) == set()
        log_out(page, address)

        log_in(page, address, "dora")
        assert not page.request.get(link).ok
        open_my_days(page, address)
        for user in (BEN, USERS[2]):
            box = page.get_by_role("combobox", name="User", exact=True)
            choose_option(box, user)
            expect(box).to_have_value(user)
            # The choice starts a rerun, which changes what the button downloads.
            assert any(download(page)[0] == {user} for _ in range(20))
        # A change of the map applies to sessions that are open.
        logins.write_text("")
        page.get_by_role("link", name="Explore", exact=True).click()
        page.get_by_role("link", name="My days", exact=True).click()
        expect(page.get_by_text("is not in the login map")).to_be_visible()


def other_address() -> str:
    """An address of this machine that is no loopback address; skips the test if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Of the documentation's network: nothing is sent.
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_without_a_login_only_loopback_shows_people(home: Path) -> None:
    settings = {"FITNESS_RELEASE_PEOPLE_SOURCE": str(home / "releases-people")}
    source = home / "releases"
    with chromium() as browser:
        page = browser.new_page()
        received = listen(page)
        with serving(source, home / "copy", settings) as address:
            open_my_days(page, address, f"user={BEN}")
            expect(page.get_by_role("combobox", name="User", exact=True)).to_have_value(BEN)
            proxied = browser.new_page(extra_http_headers={"X-Forwarded-For": "127.0.0.1"})
            of_proxied = listen(proxied)
            open_my_days(proxied, address)
            expect(proxied.get_by_text("configure a login")).to_be_visible()
            assert shown_users(of_proxied) == set()
        assert shown_users(received) == set(USERS)
        received.clear()
        with serving(source, home / "other", settings, bind=other_address()) as address:
            open_my_days(page, address, f"user={BEN}")
            expect(page.get_by_text("configure a login")).to_be_visible()
            page.goto(f"{address}/explore")
            page.get_by_role("radio", name="Relations", exact=True).click()
            expect(page.get_by_text("Deeper blue: more worn days")).to_be_visible()
        assert shown_users(received) == set()
