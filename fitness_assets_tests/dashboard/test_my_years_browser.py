"""One person's years in a real browser: every control of My years, and notes by keyboard."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fitness_assets.storage.notes import NoteStore
from fitness_assets_tests.support.browser import (
    chromium,
    expect,
    expect_drawn,
    expect_finished,
    screenshot,
)
from fitness_assets_tests.support.dashboard_server import serving
from fitness_assets_tests.support.person_home import USER, days_of_life, publish_person

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_every_control_of_my_years_works_on_a_desktop_and_on_a_phone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    publish_person(home, days_of_life("2021-11-01", "2023-05-20"), date(2023, 5, 20))
    environ = {"FITNESS_HOME": str(home)}
    served = serving(home / "releases", tmp_path / "copy", environ)
    with chromium() as browser, served as address:
        context = browser.new_context(viewport={"width": 1400, "height": 950})
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"{address}/")
        expect(page.get_by_text("resting pulse")).to_be_visible()
        expect_drawn(page, at_least=2)
        screenshot(page, "overview-one-light-desktop")

        page.get_by_role("link", name="My years", exact=True).click()
        expect(page.get_by_text("about 1,900 steps a day more")).to_be_visible()
        expect_drawn(page, at_least=3)
        screenshot(page, "my-years-one-light-desktop")
        # By keyboard: a list is opened by typing in it.
        box = page.get_by_role("combobox", name="Measure", exact=True)
        box.press("ArrowDown")
        page.get_by_role("option", name="Sleep", exact=True).wait_for()
        box.press_sequentially("Sleep")
        box.press("Enter")
        expect(page).to_have_url(re.compile("measure=Sleep"))
        expect_finished(page)
        page.get_by_role("radio", name="Weeks", exact=True).press("Space")
        expect(page).to_have_url(re.compile("period=Weeks"))
        expect_finished(page)
        compare = page.get_by_role("combobox", name="Month to compare", exact=True)
        compare.press("ArrowDown")
        compare.press_sequentially("March")
        compare.press("Enter")
        expect(page).to_have_url(re.compile("compare=March"))
        expect_finished(page)
        titles = ["Sleep by week", "Sleep over the year", "Sleep: March of each year"]
        expect_titles(page, titles)
        kept = page.url
        page.reload()
        expect_titles(page, titles)
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        expect_finished(page)
        page.go_back()
        expect_titles(page, titles)
        expect(page).to_have_url(kept)
        use_a_phone(browser, kept, home)


def use_a_phone(browser: "Browser", address: str, home: Path) -> None:
    """Open a copied address on a phone in imperial units, and add a note by keyboard."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    context.set_default_timeout(60_000)
    phone = context.new_page()
    phone.goto(f"{address.replace('Sleep', 'Distance')}&units=Imperial")
    expect_titles(
        phone, ["Distance by week", "Distance over the year", "Distance: March of each year"]
    )
    expect(phone.get_by_text("Distance (mi)").first).to_be_attached()
    assert not phone.evaluate("document.documentElement.scrollWidth > innerWidth")
    phone.locator("summary").filter(has_text="Notes: illness").press("Enter")
    phone.get_by_role("textbox", name="Text (optional)").fill("flu")
    phone.get_by_role("button", name="Add the note").press("Enter")
    expect(phone.get_by_text("The note was saved.")).to_be_visible()
    expect_drawn(phone, at_least=3)
    screenshot(phone, "my-years-one-dark-phone")
    (note,) = NoteStore(home / "people").of(USER)
    assert (note.text, note.first) == ("flu", date(2023, 5, 20))


def expect_titles(page: "Page", titles: list[str]) -> None:
    """Wait until the page has the charts with these titles."""
    for title in titles:
        expect(page.get_by_role("button", name=f"Show data: {title}")).to_be_attached()
