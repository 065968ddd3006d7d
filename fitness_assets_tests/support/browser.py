"""A real Chromium for the tests that want one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Error, Page, Playwright, expect, sync_playwright
else:
    # The image that tests itself carries no browser.
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    Error, expect = playwright.Error, playwright.expect
    sync_playwright = playwright.sync_playwright

__all__ = ["Error", "chromium", "expect", "expect_whole", "screenshot"]

# A page waits for its server, and that may share two cores with a run.
expect.set_options(timeout=30_000)

#: Kept by CI as artifacts; git ignores it.
SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

# Without these Chromium looks for its maker's hosts all the time, which a closed network refuses.
_QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A headless Chromium; skips the test, and says why, where none can be had."""
    driver = [sys.executable, "-m", "playwright", "--version"]
    told = subprocess.run(driver, check=False, capture_output=True, text=True)
    if told.returncode != 0:
        pytest.skip(f"Playwright's driver does not run here: {told.stderr.strip()}")
    with sync_playwright() as playwright:
        executable = _executable(playwright)
        if executable is None:
            pytest.skip("no Chromium on this machine, neither its own nor Playwright's")
        # Chromium refuses its sandbox to root.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=_QUIET + sandbox)
        try:
            yield browser
        finally:
            browser.close()


def screenshot(page: "Page", name: str) -> None:
    """Keep what `page` shows as ``NAME.png``."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def expect_whole(page: "Page") -> None:
    """Fail where Streamlit shows an exception, or has not come to rest."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def _executable(playwright: "Playwright") -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None
