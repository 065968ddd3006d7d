"""axe-core on a page of the dashboard: the violations that are not Streamlit's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The image that tests itself has no axe-core.
_axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
_AXE = Path(_axe.__path__[0]) / "axe.min.js"
# The rules of best practice that a view must follow, in addition to serious violations.
_ALSO = {"heading-order", "empty-table-header", "page-has-heading-one"}
# Violations, each with the elements that are below none of the selectors of Streamlit's own ones.
_RUN = """
    async ([own, also]) => {
        const {violations} = await axe.run(document, {resultTypes: ["violations"]});
        return violations
            .filter(each => ["serious", "critical"].includes(each.impact) || also.includes(each.id))
            .flatMap(each => each.nodes.map(node => ({
                rule: each.id,
                element: document.querySelector(node.target[0]),
                text: `${each.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`,
            })))
            .filter(({rule, element}) => !own.some(
                known => known.rule === rule && element?.closest(known.selector)
            ))
            .map(({text}) => text);
    }
"""


@dataclass(frozen=True)
class Known:
    """A violation in Streamlit's own markup: the rule, and where it is broken."""

    rule: str
    selector: str


#: The list of views has a section's items in a `div` between `ul` and `li`.
STREAMLITS_OWN = [
    Known("list", "[data-testid=stSidebarNavItems]"),
    Known("listitem", "[data-testid=stSidebarNavItems]"),
]


def violations(page: "Page") -> list[str]:
    """The serious and critical violations of the page, and its errors of headings and tables."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text())
    own = [{"rule": each.rule, "selector": each.selector} for each in STREAMLITS_OWN]
    found: list[str] = page.evaluate(_RUN, [own, sorted(_ALSO)])
    return found
