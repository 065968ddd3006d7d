"""Chromium for the tests that need a browser, and waits for the states of a Streamlit page."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright
else:
    # The image that tests itself has no Playwright.
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    expect = playwright.expect
    sync_playwright = playwright.sync_playwright

__all__ = [
    "IS_STILL",
    "choose_option",
    "chromium",
    "expect",
    "expect_drawn",
    "expect_finished",
    "next_frame",
    "open_list",
    "screenshot",
]

#: Milliseconds to wait for a state. Generous, since the machine may be busy with other work.
_TIMEOUT = 120_000
expect.set_options(timeout=_TIMEOUT)

#: Milliseconds after which a list that shows no option is opened again, and how often.
_OPENING_TIMEOUT = 10_000
_MAX_OPENINGS = 12

#: CI keeps them as artifacts; git ignores them.
SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

# Without these Chromium contacts hosts of its maker, which a closed network refuses.
_QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
_IS_DRAWN = """
    least => {
        const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
        return charts.length >= least && charts.every(chart => chart.querySelector('canvas, svg'));
    }
"""
_NEXT_FRAME = """
    () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
"""
#: Resolves when an element has been at one place for some frames.
IS_STILL = """
    element => new Promise(done => {
        let last = null, frames = 0;
        const look = () => {
            const {x, y} = element.getBoundingClientRect();
            frames = `${x} ${y}` === last ? frames + 1 : 0;
            last = `${x} ${y}`;
            if (frames === 6) done(); else requestAnimationFrame(look);
        };
        look();
    })
"""


@contextmanager
def chromium(*options: str) -> Iterator["Browser"]:
    """A headless Chromium; skips the test with a reason if there is none.

    Parameters
    ----------
    *options : str
        For its command line.
    """
    error = _error_of_the_driver()
    if error is not None:
        pytest.skip(f"Playwright's driver does not run here: {error}")
    with sync_playwright() as playwright:
        executable = _executable(playwright)
        if executable is None:
            pytest.skip("no Chromium on this machine, neither its own nor Playwright's")
        # Chromium's sandbox does not run as root.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=executable, args=[*_QUIET, *sandbox, *options]
        )
        try:
            yield browser
        finally:
            browser.close()


@cache
def _error_of_the_driver() -> str | None:
    """What Playwright's driver says if it does not run on this machine; None if it does."""
    driver = [sys.executable, "-m", "playwright", "--version"]
    result = subprocess.run(driver, check=False, capture_output=True, text=True)
    return None if result.returncode == 0 else result.stderr.strip()


def screenshot(page: "Page", name: str) -> None:
    """Save the whole of `page`, with its charts, as ``NAME.png``."""
    expect_drawn(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    next_frame(page)


def expect_finished(page: "Page") -> None:
    """Wait until Streamlit's script has finished; fail if the page shows an exception."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def expect_drawn(page: "Page", at_least: int = 0) -> None:
    """Wait until all charts of the page, `at_least` so many, are drawn."""
    page.wait_for_function(_IS_DRAWN, arg=at_least, timeout=_TIMEOUT)


def next_frame(page: "Page") -> None:
    """Wait until the browser has drawn a frame, and so has sent the events of earlier scrolling."""
    page.evaluate(_NEXT_FRAME)


def open_list(box: "Locator") -> "Locator":
    """Open the list of a combobox of Streamlit; return its options.

    A rerun of the script closes an open list. On a busy machine it happens some time after its
    cause. So the list is opened again until it stays open while nothing moves.
    """
    page = box.page
    options = page.get_by_role("option")
    for _ in range(_MAX_OPENINGS):
        box.scroll_into_view_if_needed()
        expect_finished(page)
        # An open list hides the other boxes from locators by role, so their numbers change.
        element = box.element_handle()
        element.evaluate(IS_STILL)
        element.click()
        try:
            expect(options.first).to_be_visible(timeout=_OPENING_TIMEOUT)
        except AssertionError:
            continue
        element.evaluate(IS_STILL)
        if element.get_attribute("aria-expanded") == "true":
            return options
        page.keyboard.press("Escape")
    pytest.fail(f"the list of {box} does not stay open")


def choose_option(box: "Locator", option: str) -> None:
    """Open the list of a combobox of Streamlit, and click the option with exactly this text."""
    open_list(box)
    box.page.get_by_role("option", name=option, exact=True).click()


def _executable(playwright: "Playwright") -> str | None:
    # The first is smaller and faster: it has no windows.
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None
