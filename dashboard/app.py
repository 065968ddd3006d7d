"""Entry point: navigation, and the month that every view shows."""

import streamlit as st

from dashboard import data
from dashboard.views import inference, overview


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
    months = data.months()
    if months:
        wanted = st.query_params.get("month")
        chosen = st.sidebar.selectbox(
            "Month",
            months[::-1],
            index=months[::-1].index(wanted) if wanted in months else 0,
            help="Every view shows this month.",
        )
        st.query_params["month"] = chosen
        st.session_state["month"] = chosen
    else:
        st.session_state.pop("month", None)
    page.run()


main()
