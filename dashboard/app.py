"""Entry point: navigation, and the month that every view shows."""

import streamlit as st

from dashboard import data
from dashboard.views import inference, overview
from fitness_assets.errors import FitnessError
from fitness_assets.storage.release import LATEST


def main() -> None:
    """Draw the page that the user is on."""
    st.set_page_config(
        page_title="fitness_assets", page_icon=":material/monitoring:", layout="wide"
    )
    page = st.navigation(
        [
            st.Page(
                overview.show, title="Overview", icon=":material/dashboard:", url_path="overview"
            ),
            st.Page(
                inference.show,
                title="Live inference",
                icon=":material/bolt:",
                url_path="live-inference",
            ),
        ]
    )
    # Read anew on every rerun: a month that was released meanwhile is there without a restart.
    try:
        state = data.state()
    except FitnessError as error:
        st.error(f"{error}", icon=":material/settings:")
        st.stop()
    for month, reason in state.refused.items():
        st.warning(
            f"The newest {month if month == LATEST else f'release of {month}'} was refused, what "
            f"was there before is shown: {reason}",
            icon=":material/block:",
        )
    if state.months:
        months = state.months[::-1]
        wanted = st.query_params.get("month", state.current)
        chosen = st.sidebar.selectbox(
            "Month",
            months,
            index=months.index(wanted) if wanted in months else 0,
            help="Every view shows this month.",
        )
        st.query_params["month"] = chosen
        st.session_state["month"] = chosen
        st.session_state["months"] = state.months
    else:
        st.session_state.pop("month", None)
    page.run()


main()
