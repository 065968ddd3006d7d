"""The dashboard as a person uses it: every view and every control, in a real browser."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
import pytest

from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets_tests.support.browser import Error, chromium, expect, expect_whole, screenshot
from fitness_assets_tests.support.opening import APP, STORY, changed, releases
from fitness_assets_tests.support.platform import free_port, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

TITLES = (
    "Overview",
    "Explore",
    "Segments",
    "My days",
    "Live inference",
    "Models",
    "Compression",
    "Data quality",
    "Decisions",
)


@contextmanager
def serving(source: Path, cache: Path) -> Iterator[str]:
    """The dashboard's own server on the releases in `source`; its address."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port)),
            *("--server.address", "127.0.0.1"),
        ],
        env=kept | {"FITNESS_RELEASE_SOURCE": str(source), "FITNESS_RELEASE_CACHE": str(cache)},
        cwd=APP.parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def up() -> bool:
        import urllib.request

        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                return True
        except OSError:
            return process.poll() is not None

    try:
        wait_for("the dashboard", up, 60)
        assert process.poll() is None
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def source(released: Settings, tmp_path: Path) -> Path:
    """Both months, the later with a compression report."""
    store = FolderTarget(tmp_path / "source")
    store.upload(ReleaseStore(releases(released)).open("2023-04"))
    return changed(released, store.root, lambda metrics, _: metrics.update(compression=STORY))


def open_page(
    browser: "Browser", scheme: Literal["light", "dark"], width: int, height: int
) -> "tuple[Page, list[str]]":
    """A page, and what goes wrong on it."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()
    wrong: list[str] = []

    def listen(message: "ConsoleMessage") -> None:
        if message.type == "error":
            wrong.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", listen)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return page, wrong


def choose(page: "Page", label: str, option: str, number: int = 0) -> None:
    """Choose from the list with this label, or that number of them."""
    offered = page.get_by_role("option", name=option, exact=True)
    for _ in range(20):
        page.get_by_role("combobox", name=label, exact=True).nth(number).click()
        # A list closes when the page below it is laid out anew, as by a chart that has arrived.
        with suppress(Error):
            offered.click(timeout=400)
            rerun(page)
            return
    raise AssertionError(f"{label} does not offer {option}")


def rerun(page: "Page") -> None:
    """Wait for what the last click has set off."""
    page.wait_for_timeout(100)  # by then it has begun
    expect_whole(page)


def press(page: "Page", name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).click()
    rerun(page)


def visit(page: "Page", title: str) -> None:
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
    rerun(page)


def use_explore(page: "Page") -> None:
    choose(page, "Numbers", "Sleep")
    page.keyboard.press("Escape")
    press(page, "Activities")
    choose(page, "Number to compare", "Energy")
    choose(page, "Across", "Sleep")
    choose(page, "Up", "Steps")
    screenshot(page, "explore-activities")
    press(page, "Health")
    expect(page.get_by_text("Adults do well")).to_be_visible()
    screenshot(page, "explore-health")
    press(page, "Time")
    choose(page, "Number", "Resting heart rate")
    screenshot(page, "explore-time")


def use_my_days(page: "Page", source: Path) -> None:
    choose(page, "User", "u0000003")
    choose(page, "Number", "Energy")
    choose(page, "Week", "18 May to 24 May 2023")
    for goal, value in (("Goal: steps a day", "6000"), ("Goal: hours of sleep", "6.5")):
        page.get_by_role("spinbutton", name=goal).fill(value)
        page.keyboard.press("Enter")
        rerun(page)
    expect(page.get_by_text("days reach 6,000")).to_be_visible()
    own = ReleaseStore(source).open("2023-05").table("user_days", user="u0000003")
    for kind, read in (("CSV", pd.read_csv), ("Parquet", pd.read_parquet)):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=f"Download as {kind}").click()
        had = read(waiting.value.path())
        assert list(had["user_id"].unique()) == ["u0000003"]
        assert had["steps"].sum() == own["steps"].sum()


def use_inference(page: "Page") -> None:
    for more in page.get_by_text("What else is known of the day and the person").all():
        more.click()
    page.get_by_text("What loading the models took").click()
    for box in page.get_by_test_id("stMain").get_by_role("spinbutton").all():
        box.press("ArrowUp")
        box.press("Enter")
    rerun(page)
    choose(page, "Main activity", "Running")
    for form in range(page.get_by_role("combobox", name="Sex", exact=True).count()):
        choose(page, "Sex", "Female", form)


def use_models(page: "Page") -> None:
    press(page, "Segment")
    press(page, "Calorie regressor")
    expect(page.get_by_text("than a linear model of the same inputs")).to_be_visible()
    screenshot(page, "models-regressor")
    press(page, "Activity")


def use_compression(page: "Page") -> None:
    expect(page.get_by_text("49,839 times smaller")).to_be_visible()
    page.get_by_role("slider", name="Step").press("ArrowLeft")
    expect(page.get_by_text("of its 100 trees were grown")).to_be_visible()
    page.get_by_text("All that was measured").click()
    expect_whole(page)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_every_view_and_every_control_works_in_a_browser(source: Path, tmp_path: Path) -> None:
    with chromium() as browser, serving(source, tmp_path / "copy") as address:
        page, wrong = open_page(browser, "light", 1400, 950)
        page.goto(address)
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        expect_whole(page)
        choose(page, "Month", "2023-04")
        choose(page, "Units", "Imperial")
        expect(page).to_have_url(re.compile("month=2023-04&units=Imperial"))
        for title in ("Data quality", "Explore"):
            visit(page, title)
            # The choice goes with the user.
            expect(page).to_have_url(re.compile("month=2023-04&units=Imperial"))
        choose(page, "Month", "2023-05")
        choose(page, "Units", "Metric")
        use = {
            "Explore": lambda: use_explore(page),
            "My days": lambda: use_my_days(page, source),
            "Live inference": lambda: use_inference(page),
            "Models": lambda: use_models(page),
            "Compression": lambda: use_compression(page),
        }
        for title in TITLES:
            visit(page, title)
            screenshot(page, f"{title.lower().replace(' ', '-')}-light-desktop")
            use.get(title, lambda: None)()
        assert wrong == []

        phone, wrong = open_page(browser, "dark", 390, 844)
        for title in TITLES:
            path = "" if title == "Overview" else title.lower().replace(" ", "-")
            phone.goto(f"{address}/{path}?month=2023-05")
            expect(phone.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
            expect_whole(phone)
            screenshot(phone, f"{title.lower().replace(' ', '-')}-dark-phone")
            wider = phone.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wider, f"{title} must be scrolled sideways on a phone"
        # A page that is opened by its own address looks for the server beside itself first.
        assert [each for each in wrong if "/_stcore/" not in each] == []
