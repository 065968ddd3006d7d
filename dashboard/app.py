"""Entry point: navigation, and the month and the units that all views share."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Literal

import streamlit as st

# A host such as Streamlit Community Cloud runs this file without installing the package.
if (root := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.append(root)

from dashboard import choices, data, notices, scripts, visitor
from dashboard.text import label
from fitness_assets.errors import FitnessError
from fitness_assets.record.units import IMPERIAL, METRIC

#: The views by section of the navigation: the module below `dashboard.views`, and its icon.
VIEWS = {
    "People": {
        "overview": "dashboard",
        "explore": "query_stats",
        "segments": "groups",
        "my_days": "calendar_month",
        "my_years": "timeline",
    },
    "Models": {
        "try_it": "bolt",
        "models": "model_training",
        "compression": "compress",
    },
    "Platform": {
        "data_quality": "rule",
        "decisions": "balance",
    },
}


def main() -> None:
    """Draw the page that the user is on."""
    # A file, and before the navigation: an icon's name would be fetched from another host.
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(page_icon=str(icon), layout="wide")
    pages = {
        section: [_page(view, symbol) for view, symbol in views.items()]
        for section, views in VIEWS.items()
    }
    # The address of a view before it was renamed, which some may have copied.
    pages["Models"].append(_page("try_it", "bolt", url_path="live-inference", visibility="hidden"))
    page = st.navigation(pages)
    # The title of the browser's tab.
    st.set_page_config(f"{page.title} \N{MIDDLE DOT} fitness_assets")
    st.html(Path(__file__).with_name("style.css"))
    st.html(scripts.ALL, unsafe_allow_javascript=True)
    # On every rerun, so that a new release appears without a restart.
    try:
        if visitor.is_on_foreign_page():
            notices.foreign_page()
            st.stop()
        state = data.state()
    except FitnessError as error:
        notices.invalid_settings(error)
        st.stop()
    notices.updates_refused(state.refused)
    notices.updates_refused(data.refresh_people(), "rows of people of ")
    st.session_state["months"] = state.months
    st.session_state["refused"] = state.refused
    if state.months:
        newest = state.current or state.months[-1]
        choices.for_all_views("Month", state.months[::-1], "month", newest)
    else:
        st.session_state.pop("month", None)
    choices.for_all_views("Units", [METRIC, IMPERIAL], "units", METRIC)
    visitor.login()
    st.sidebar.caption(notices.trust(data.settings()))
    page.run()


def _page(
    view: str,
    icon: str,
    url_path: str | None = None,
    visibility: Literal["visible", "hidden"] = "visible",
) -> "st.Page":
    def show() -> None:
        # Imported here: the libraries of some views take longer to import than the overview to
        # draw.
        import_module(f"dashboard.views.{view}").show()

    return st.Page(
        show,
        title=label(view),
        icon=f":material/{icon}:",
        url_path=url_path or view.replace("_", "-"),
        visibility=visibility,
    )


main()
