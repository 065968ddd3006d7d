"""Entry point: navigation, and the month and the units that all views share."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import streamlit as st

# A host such as Streamlit Community Cloud runs this file without installing the package.
if (root := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.append(root)

from dashboard import data, notices, visitor
from dashboard.text import label
from fitness_assets.errors import FitnessError
from fitness_assets.record.units import IMPERIAL, METRIC
from fitness_assets.text import verbatim

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
        "live_inference": "bolt",
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
    # A file: an icon's name would be fetched from another host.
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(page_title="fitness_assets", page_icon=str(icon), layout="wide")
    page = st.navigation(
        {
            section: [_page(view, symbol) for view, symbol in views.items()]
            for section, views in VIEWS.items()
        }
    )
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
        _shared_choice("month", "Month", state.months[::-1], state.current or state.months[-1])
    else:
        st.session_state.pop("month", None)
    _shared_choice("units", "Units", [METRIC, IMPERIAL], METRIC)
    visitor.login()
    st.sidebar.caption(notices.trust(data.settings()))
    page.run()


def _page(view: str, icon: str) -> "st.Page":
    def show() -> None:
        # Imported here: the libraries of some views take longer to import than the overview to
        # draw.
        import_module(f"dashboard.views.{view}").show()

    return st.Page(
        show, title=label(view), icon=f":material/{icon}:", url_path=view.replace("_", "-")
    )


def _shared_choice(name: str, title: str, options: Sequence[str], default: str) -> None:
    """A choice for all views: in the sidebar, and in the address unless it is the default.

    Streamlit writes it to the address, without another entry in the browser's history.
    """
    wanted = st.query_params.get(name)
    if wanted and wanted not in options:
        st.sidebar.info(f"The address asks for {verbatim(wanted)}, which is not in “{title}”.")
    # A month that was shown may have been removed.
    if st.session_state.get(name, default) not in options:
        del st.session_state[name]
    st.sidebar.selectbox(
        title,
        options,
        index=options.index(default),
        key=name,
        help="Applies to all views.",
        bind="query-params",
    )


main()
