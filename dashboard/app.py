"""Entry point: navigation, and the month and the units that every view shows."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import streamlit as st

# A host that takes this repository as it is runs this file with nothing of ours installed.
if (root := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.append(root)

from dashboard import data
from dashboard.units import IMPERIAL, METRIC
from fitness_assets.errors import FitnessError
from fitness_assets.release.pointer import LATEST


def main() -> None:
    """Draw the page that the user is on."""
    # An icon by name would be fetched from another host.
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(page_title="fitness_assets", page_icon=str(icon), layout="wide")
    page = st.navigation(
        {
            "People": [
                _page("overview", "Overview", "dashboard"),
                _page("explore", "Explore", "query_stats"),
                _page("segments", "Segments", "groups"),
                _page("my_days", "My days", "calendar_month"),
            ],
            "Models": [
                _page("inference", "Live inference", "bolt"),
                _page("models", "Models", "model_training"),
                _page("compression", "Compression", "compress"),
            ],
            "Platform": [
                _page("quality", "Data quality", "rule"),
                _page("decisions", "Decisions", "balance"),
            ],
        }
    )
    # Read anew on every rerun: a month that was released meanwhile is there without a restart.
    try:
        state = data.state()
    except FitnessError as error:
        st.error(f"{error}", icon=":material/settings:")
        st.stop()
    _tell_of(state.refused)
    st.session_state["months"] = state.months
    st.session_state["refused"] = state.refused
    if state.months:
        _chosen("month", "Month", state.months[::-1], state.current or state.months[-1])
    else:
        st.session_state.pop("month", None)
    _chosen("units", "Units", [METRIC, IMPERIAL], METRIC)
    st.sidebar.caption(data.trust())
    page.run()


def _page(view: str, title: str, icon: str) -> "st.Page":
    def show() -> None:
        # Not before: what models are read with takes longer to import than all of the overview.
        import_module(f"dashboard.views.{view}").show()

    return st.Page(
        show, title=title, icon=f":material/{icon}:", url_path=title.lower().replace(" ", "-")
    )


def _tell_of(refused: Mapping[str, str]) -> None:
    """What was refused and why, in one place: who pins one release refuses every other."""
    if len(refused) > 1:
        st.warning(
            f"The newest releases of {', '.join(refused)} were refused, what was there before is "
            "shown.",
            icon=":material/block:",
        )
        with st.expander("Why they were refused"):
            st.markdown("\n".join(f"- {reason}" for reason in refused.values()))
        return
    for month, reason in refused.items():
        st.warning(
            f"The newest {month if month == LATEST else f'release of {month}'} was refused, what "
            f"was there before is shown: {reason}",
            icon=":material/block:",
        )


def _chosen(name: str, label: str, options: Sequence[str], default: str) -> None:
    """A choice that all views share: in the sidebar, and kept in the address."""
    if st.session_state.get(name) not in options:
        wanted = st.query_params.get(name, default)
        st.session_state[name] = wanted if wanted in options else default
    chosen = st.sidebar.selectbox(label, options, key=name, help="For every view.")
    st.query_params[name] = chosen


main()
