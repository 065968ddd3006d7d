"""The contrasts of the dashboard's colours on both themes (WCAG AA)."""

import tomllib
from pathlib import Path

import pytest

import dashboard
from dashboard.charts import theme
from dashboard.charts.overview import STATES
from fitness_assets_tests.support.colours import contrast, mixed

CONFIG = Path(dashboard.__path__[0]) / ".streamlit" / "config.toml"
THEMES = tomllib.loads(CONFIG.read_text())["theme"]
#: The least contrasts of text, and of marks of a chart (1.4.3 and 1.4.11).
TEXT, MARK = 4.5, 3.0
#: Streamlit draws captions in the text colour at this opacity.
CAPTION = 0.6
MARKS = {*theme.CATEGORIES, *STATES.values(), theme.INK, theme.GOOD, theme.FAIR, theme.BAD}
MARKS |= {theme.DIVERGING[0], theme.DIVERGING[-1]}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_and_captions_are_legible(name: str) -> None:
    colors = THEMES[name]
    for background in (colors["backgroundColor"], colors["secondaryBackgroundColor"]):
        assert contrast(colors["textColor"], background) >= TEXT
        assert contrast(colors["primaryColor"], background) >= TEXT
        assert contrast(mixed(colors["textColor"], background, CAPTION), background) >= TEXT
    # A selected segment has a faint background of its own colour.
    selected = mixed(colors["primaryColor"], colors["backgroundColor"], 0.1)
    assert contrast(colors["primaryColor"], selected) >= TEXT


@pytest.mark.parametrize("name", ["light", "dark"])
def test_marks_of_charts_are_visible(name: str) -> None:
    background = THEMES[name]["backgroundColor"]
    faint = {color for color in MARKS if contrast(color, background) < MARK}
    assert not faint
    own = {"light": theme.TEXT_ON_LIGHT, "dark": theme.TEXT_ON_DARK}
    assert contrast(own[name], background) >= TEXT


def test_the_name_of_a_month_is_legible_on_the_colour_of_its_state() -> None:
    for state, color in STATES.items():
        text = theme.ON_FAINT if state == "outdated" else theme.ON_STRONG
        assert contrast(text, color) >= TEXT, state
