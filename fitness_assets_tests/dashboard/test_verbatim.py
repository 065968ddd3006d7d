"""Text of a release in Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.text import verbatim

HOSTILE = [
    "**bold** _a_ ~~b~~",
    "# heading",
    "- item",
    "1. item",
    "<img src=x onerror=alert(1)>",
    "![a](https://evil.example/a.png)",
    "[a](javascript:alert(1))",
    "https://evil.example",
    "www.evil.example",
    "a@evil.example",
    ":red[all is well]",
    ":material/check:",
    ":smile:",
    "$\\frac{1}{2}$",
    "a -> b -- c",
    "&lt;b&gt;",
    "`code` ``x``",
    "|a|b|\n|-|-|",
    "a\n\n# b",
    "\x1b]8;;https://evil.example\x07a",
    "gpj.\u202etxt",
]


def is_code(markdown: str) -> bool:
    """Whether all of it is one code span: its fence does not occur within."""
    fence = re.match("`+", markdown)
    if fence is None or not markdown.endswith(fence[0]):
        return False
    runs = re.findall("`+", markdown[len(fence[0]) : -len(fence[0])])
    return fence[0] not in runs


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_code(text: str) -> None:
    assert is_code(verbatim(text))
    assert is_code(verbatim(f"Steps {text}")) or text in {"- item", "1. item"}


@given(st.text(alphabet="ab1 *_~#-+.:;!?[](){}<>`$&|\\/@=^\n\x1b\u202e\u00e4", max_size=12))
def test_any_text_is_plain_words_or_one_code_span(text: str) -> None:
    shown = verbatim(text)
    assert "\n" not in shown
    assert is_code(shown) or not re.search(r"[*_~#\[\]{}<>`$&|\\@=^!\x1b\u202e]|--|://|:\S", shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Walking",
        "Active, long sleep",
        "2023-04",
        "3.11.7",
        "the release of 2023-04 is missing",
        "R² of 0.31 is under the baseline (0.42)",
        "Größe: 5 km/h, 90% of days",
    ],
)
def test_words_are_unchanged(text: str) -> None:
    assert verbatim(text) == text
