"""The dashboard in a real browser: every view and every control, on a desktop and on a phone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

import pandas as pd
import pytest

from dashboard.text import label
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets_tests.support.accessibility import violations
from fitness_assets_tests.support.browser import (
    choose_option,
    chromium,
    expect,
    expect_drawn,
    expect_finished,
    next_frame,
    open_list,
    screenshot,
)
from fitness_assets_tests.support.dashboard_server import serving
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.opening import (
    COMPRESSION_REPORT,
    VIEWS,
    changed,
    releases,
)

#: The width and height of a desktop in pixels, and the background of the dark theme.
DESKTOP: "ViewportSize" = {"width": 1400, "height": 950}
DARK = "rgb(16, 21, 28)"

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, ViewportSize


@pytest.fixture
def source(released: Settings, tmp_path: Path) -> Path:
    """Releases of both months, the later one with a compression report."""
    store = FolderTarget(tmp_path / "source")
    store.upload(ReleaseStore(releases(released)).open("2023-04"))
    return changed(
        released,
        local(store.root),
        lambda metrics, _: metrics.update(compression=COMPRESSION_REPORT),
    )


def open_page(
    browser: "Browser", scheme: Literal["light", "dark"], width: int, height: int
) -> "tuple[Page, list[str]]":
    """A page, and the errors of its console."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    errors: list[str] = []

    def listen(message: "ConsoleMessage") -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


def choose(page: "Page", title: str, option: str, number: int = 0) -> None:
    """Choose an option of a list that takes one, of those with this title the one at `number`."""
    box = page.get_by_role("combobox", name=title, exact=True).nth(number)
    choose_option(box, option)
    expect(box).to_have_value(option)
    expect_finished(page)


def press(page: "Page", name: str) -> None:
    """Choose a part of a segmented control."""
    page.get_by_role("radio", name=name, exact=True).click()
    expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()
    expect_finished(page)


def visit(page: "Page", title: str) -> None:
    """Open a view by the navigation."""
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
    expect_finished(page)


def use_explore(page: "Page") -> None:
    page.get_by_role("button", name="Sleep", exact=True).click()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(5)
    press(page, "Activities")
    choose(page, "Measure to compare", "Energy")
    screenshot(page, "explore-activities")
    press(page, "Relations")
    choose(page, "Horizontal axis", "Sleep")
    choose(page, "Vertical axis", "Steps")
    screenshot(page, "explore-relations")
    press(page, "Health")
    expect(page.get_by_text("Recommended for adults")).to_be_visible()
    screenshot(page, "explore-health")
    press(page, "Time")
    choose(page, "Measure", "Resting heart rate")
    screenshot(page, "explore-time")


def use_my_days(page: "Page", source: Path) -> None:
    choose(page, "User", "u0000003")
    choose(page, "Measure", "Energy")
    choose(page, "Week", "18 May to 24 May 2023")
    for goal, value in (("Goal: steps a day", "6000"), ("Goal: hours of sleep", "6.5")):
        page.get_by_role("spinbutton", name=goal).fill(value)
        page.keyboard.press("Enter")
    expect(page.get_by_text("days reach 6,000")).to_be_visible()
    expect(page.get_by_text("days reach 6.5 h")).to_be_visible()
    expect_finished(page)
    own = ReleaseStore(source).open("2023-05").table("user_days", user="u0000003")
    for kind, read in (("CSV", pd.read_csv), ("Parquet", pd.read_parquet)):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download as {kind}").click()
        downloaded = read(download.value.path())
        assert list(downloaded["user_id"].unique()) == ["u0000003"]
        assert downloaded["steps"].sum() == own["steps"].sum()


def use_inference(page: "Page") -> None:
    for optional in page.get_by_text("More about the day and the user").all():
        optional.click()
    page.get_by_text("Memory used to load the models").click()
    for box in page.get_by_test_id("stMain").get_by_role("spinbutton").all():
        box.press("ArrowUp")
        box.press("Enter")
        expect_finished(page)
    choose(page, "Main activity", "Running")
    for form in range(page.get_by_role("combobox", name="Sex", exact=True).count()):
        choose(page, "Sex", "Female", form)


def use_models(page: "Page") -> None:
    press(page, "Segment")
    press(page, "Calorie regressor")
    expect(page.get_by_text("With each estimate the model gives a range")).to_be_visible()
    screenshot(page, "models-regressor")
    press(page, "Activity")


def use_compression(page: "Page") -> None:
    expect(page.get_by_text("101,975 times smaller")).to_be_visible()
    page.get_by_role("slider", name="Step").press("ArrowLeft")
    expect(page.get_by_text("of its 100 trees were trained")).to_be_visible()
    page.get_by_text("All results").click()
    expect_finished(page)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_every_view_and_every_control_works_in_a_browser(source: Path, tmp_path: Path) -> None:
    with chromium() as browser, serving(source, tmp_path / "copy") as address:
        page, errors = open_page(browser, "light", 1400, 950)
        page.goto(address)
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        expect_finished(page)
        choose(page, "Month", "2023-04")
        choose(page, "Units", "Imperial")
        expect(page).to_have_url(re.compile("month=2023-04&units=Imperial"))
        for title in ("Data quality", "Explore"):
            visit(page, title)
            expect(page).to_have_url(re.compile("month=2023-04&units=Imperial"))
        choose(page, "Month", "2023-05")
        choose(page, "Units", "Metric")
        use = {
            "explore": lambda: use_explore(page),
            "my_days": lambda: use_my_days(page, source),
            "try_it": lambda: use_inference(page),
            "models": lambda: use_models(page),
            "compression": lambda: use_compression(page),
        }
        for view in VIEWS:
            visit(page, label(view))
            expect(page).to_have_title(f"{label(view)} \N{MIDDLE DOT} fitness_assets")
            screenshot(page, f"{view.replace('_', '-')}-light-desktop")
            use.get(view, lambda: None)()
            expect_legible(page)
            with on_a_phone(page):
                screenshot(page, f"{view.replace('_', '-')}-dark-phone")
                is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not is_wider, f"{view} must be scrolled sideways on a phone"
                expect_legible(page)
            expect_printable(page)
        expect_visible_focus(page)
        expect_one_column_next_to_the_sidebar(page)
        assert errors == []
        restore_choices(page, address)


@contextmanager
def on_a_phone(page: "Page") -> Iterator[None]:
    """The page as on a phone with a dark theme."""
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    app = page.get_by_test_id("stApp")
    expect(app).to_have_css("background-color", DARK)
    expect_finished(page)
    yield
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    expect(app).not_to_have_css("background-color", DARK)


#: The width of the text on a page of A4, with the margins of `style.css`, in pixels.
_PAPER = 688
#: What is visible of the elements that a printed page must not show, and how far tables reach.
_PRINTED = """
    () => {
        const visible = each => each.getClientRects().length > 0;
        const all = selector => [...document.querySelectorAll(selector)].filter(visible);
        const hidden = "[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stDataFrame]";
        const reach = each => each.getBoundingClientRect().right;
        return {
            unwanted: all(hidden).map(each => each.dataset.testid),
            right: Math.max(0, ...all("table").map(reach)),
            tables: all(".printed").length,
        };
    }
"""


def expect_printable(page: "Page") -> None:
    """Printed, the view has no sidebar, and its tables have all columns within the page."""
    expected = page.locator("[data-testid=stDataFrame]:visible").count()
    assert page.locator(".printed:visible").count() == 0
    page.emulate_media(media="print")
    page.set_viewport_size({"width": _PAPER, "height": 950})
    found = page.evaluate(_PRINTED)
    page.emulate_media(media="screen")
    page.set_viewport_size(DESKTOP)
    assert found["unwanted"] == []
    assert found["tables"] == expected
    assert found["right"] <= _PAPER


def expect_visible_focus(page: "Page") -> None:
    """The first elements that the keyboard reaches have an outline."""
    visit(page, "Explore")
    page.evaluate("document.activeElement.blur()")
    for _ in range(3):
        page.keyboard.press("Tab")
        style = page.evaluate("() => getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in style or "3px solid" in style, style


def expect_one_column_next_to_the_sidebar(page: "Page") -> None:
    """Columns are below each other up to 900 pixels."""
    lefts = """
        () => new Set([...document.querySelectorAll("[data-testid=stColumn]")]
            .map(each => Math.round(each.getBoundingClientRect().left))).size
    """
    expect_drawn(page, at_least=2)
    assert page.evaluate(lefts) > 1
    page.set_viewport_size({"width": 900, "height": 950})
    assert page.evaluate(lefts) == 1
    page.set_viewport_size(DESKTOP)


def expect_legible(page: "Page") -> None:
    """The page has no violation of accessibility, and no number such as 6e+3 on an axis."""
    expect_drawn(page)
    assert violations(page) == []
    texts = page.locator("[data-testid=stVegaLiteChart] text").all_text_contents()
    assert not [text for text in texts if re.search(r"\de[+-]?\d", text)]


#: Addresses of views with choices.
ADDRESSES = [
    "?month=2023-04&units=Imperial",
    "explore?month=2023-04&topic=Relations&x=Sleep&y=Steps",
    "explore?measurements=Sleep&measurements=Steps",
    "my-days?user=u0000003&measurement=Energy&week=18+May+to+24+May+2023&goal-steps=6000",
    "try-it?calories-activity_type=Running&activity-steps=12000",
    "models?model=Calorie+regressor&scores-by=Sex",
    "compression?step=scikit-learn%27s+default",
]
#: Whether values are all in fields of the page, or selected by buttons.
_ARE_CHOSEN = """
    values => {
        const all = selector => [...document.querySelectorAll(`[data-testid=stApp] ${selector}`)];
        const chosen = [
            ...all("input").map(each => each.value),
            ...all("button[data-selected=true]").map(each => each.innerText.trim()),
            ...all("[data-testid=stSliderThumbValue]").map(each => each.innerText.trim()),
        ];
        return values.every(value => chosen.includes(value));
    }
"""


def restore_choices(page: "Page", address: str) -> None:
    """Open views by their addresses with choices, leave them, and return by Back."""
    for path in ADDRESSES:
        page.goto(f"{address}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect_finished(page)
        expect_choices(page, path)
        expect(page).to_have_url(f"{address}/{path}")
        entries = page.evaluate("history.length")
        visit(page, "Decisions")
        assert page.evaluate("history.length") == entries + 1
        page.go_back()
        expect(page).to_have_url(f"{address}/{path}")
        expect(page.get_by_role("heading", name="Decisions", level=1)).to_have_count(0)
        expect_choices(page, path)


def expect_choices(page: "Page", path: str) -> None:
    """Wait until the page shows the values of the parameters of `path`."""
    values = [value for _, value in parse_qsl(path.partition("?")[2])]
    page.wait_for_function(_ARE_CHOSEN, arg=values)
    expect_finished(page)


def list_gap(page: "Page", box: "Locator") -> float:
    """The pixels between the tops of a field and of its open list."""
    top = "element => element.getBoundingClientRect().y"
    gap: float = page.get_by_role("listbox").evaluate(top) - box.evaluate(top)
    return gap


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_an_open_list_stays_open_while_charts_are_drawn(source: Path, tmp_path: Path) -> None:
    with chromium() as browser, serving(source, tmp_path / "copy") as address:
        # On a phone the second form is below the chart of the first one, here out of sight. If that
        # chart grew while it is drawn, the browser would scroll.
        page, _ = open_page(browser, "light", 390, 844)
        held: list[Route] = []
        page.route("**/*VegaLite*.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright sets attributes of its handlers
        # The address that the view had before it was renamed.
        page.goto(f"{address}/live-inference?month=2023-04")
        expect(page.get_by_role("heading", name="Try it")).to_be_visible()
        expect(page.get_by_text("Estimated energy of the day")).to_be_visible()
        expect_finished(page)
        expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
        box = page.get_by_role("combobox", name="Main activity", exact=True)
        box.evaluate("box => box.scrollIntoView({block: 'start'})")
        open_list(box)
        option = page.get_by_role("option", name="Running", exact=True)
        expect(option).to_be_visible()
        for route in held:
            route.continue_()
        expect_drawn(page, at_least=1)
        next_frame(page)
        expect(option).to_be_visible()
        # Nor does a scroll of the page close it: it moves with its field.
        gap = list_gap(page, box)
        page.get_by_test_id("stMain").evaluate("pane => pane.scrollBy(0, 40)")
        next_frame(page)
        next_frame(page)
        expect(option).to_be_visible()
        assert list_gap(page, box) == pytest.approx(gap, abs=2)
