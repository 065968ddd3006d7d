"""Configuration of the site that Sphinx builds from the Markdown files of the repository.

The root of the sources is the repository, so that a relative link leads to the same place on the
site and in the repository.
"""

import tomllib
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LANDING_PAGE = "docs/index"
DECISIONS = "docs/decisions/README"
#: The pages by kind, in the order of the navigation. Sphinx warns of a page that is missing here.
NAVIGATION = {
    "Tutorial": ["docs/guide/tutorial"],
    "How-to guides": [
        "docs/guide/data",
        "docs/guide/assistants",
        "docs/guide/operations",
        "docs/guide/releases",
        "docs/guide/deployment",
    ],
    "Reference": [
        "docs/reference/commands",
        "docs/reference/settings",
        "docs/reference/assets",
        "docs/reference/columns",
        "docs/formats",
        "docs/reference/release-format",
        "docs/benchmarks",
    ],
    "Explanation": [
        "docs/architecture",
        "docs/guide/models",
        "docs/guide/years",
        "docs/privacy",
        "docs/scaling",
        DECISIONS,
    ],
    "Project": ["CONTRIBUTING", "SECURITY", "CHANGELOG"],
}

#: Draws the diagrams. Without a network, a page shows the source of its diagrams.
MERMAID = "https://cdn.jsdelivr.net/npm/mermaid@12.3.0/dist/mermaid.min.js"
MERMAID_DIGEST = "sha384-HHW54r639fK42Ip0coGF3mz8oSiGn0eEoWNTLs75X7H63pLSDBa0Tqs0RwGmLlXE"

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
version = release = PROJECT["version"]
root_doc = LANDING_PAGE
include_patterns = ["docs/**.md", "README.md", *(f"{page}.md" for page in NAVIGATION["Project"])]
exclude_patterns = [each.name for each in ROOT.iterdir() if each.is_dir() and each.name != "docs"]

extensions = ["myst_parser"]
# Links to headings, by the names that GitHub gives them.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = f"fitness_assets {version}"
html_logo = html_favicon = "../dashboard/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
# The address of the site leads to the landing page.
html_additional_pages = {"index": "to_landing_page.html"}
html_copy_source = False
html_use_index = False
html_show_copyright = False

# Of `make links`. What the reader's own machine serves is not running there.
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost)[:/]"]
linkcheck_timeout = 30
linkcheck_retries = 3


class Mermaid(SphinxDirective):
    """A diagram, which the browser draws."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The source of the diagram, where Mermaid looks for it."""
        source = escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">{source}</pre>', format="html")]


def add_navigation(app: Sphinx, page: str, content: list[str]) -> None:
    """Add the navigation to the pages that begin a part of it; GitHub would show its source."""
    del app
    if page == LANDING_PAGE:
        content[0] += "".join(
            _contents(f":caption: {kind}", *(f"/{each}" for each in pages))
            for kind, pages in NAVIGATION.items()
        )
    elif page == DECISIONS:
        content[0] += _contents(":glob:", "/docs/decisions/0*")
    elif page == "README":
        # The landing page says the same. The links of the README are checked too.
        content[0] = f"---\norphan: true\n---\n{content[0]}"


def _contents(option: str, *pages: str) -> str:
    lines = ["", "```{toctree}", ":hidden:", ":titlesonly:", option, "", *pages, "```", ""]
    return "\n".join(lines)


def resolve_folders(app: Sphinx, document: nodes.document) -> None:
    """Let a link to a folder lead to its README, or else be text: the site has no folders."""
    for link in list(document.findall(addnodes.pending_xref)):
        if link["refdomain"] is not None:
            continue
        _, path = app.env.relfn2path(link["reftarget"], link["refdoc"])
        readme = app.env.path2doc(f"{path}/README.md")
        if readme in app.env.found_docs:
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", readme, None
        elif Path(path).is_dir():
            link.replace_self(link.children)


def load_mermaid(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Load Mermaid on the pages that have a diagram."""
    del page, template, context
    if document is not None and 'class="mermaid"' in document.astext():
        app.add_js_file(MERMAID, integrity=MERMAID_DIGEST, crossorigin="anonymous")
        app.add_js_file("diagrams.js")


def setup(app: Sphinx) -> None:
    """Register what is special about this site."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", resolve_folders)
    app.connect("html-page-context", load_mermaid)
