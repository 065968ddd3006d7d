"""Messages about releases: what is missing, refused or replaced, and what to do about it."""

from collections.abc import Mapping
from datetime import date

import msgspec
import streamlit as st

from dashboard.text import so_far, without_paths
from fitness_assets.errors import FitnessError, MemoryBudgetError, StorageError
from fitness_assets.models.explanations import not_released
from fitness_assets.release.bundle import ReleasedModel
from fitness_assets.release.pointer import LATEST
from fitness_assets.release.registry import is_link
from fitness_assets.settings import DashboardSettings
from fitness_assets.text import verbatim


def invalid_settings(error: FitnessError) -> None:
    """The settings cannot be read."""
    st.error(_reason(error), icon=":material/settings:")


def foreign_page() -> None:
    """The page was opened under a name that is not this server's."""
    st.error(
        "This dashboard is not served under this name. Run `streamlit run dashboard/server.py`, or "
        "behind a proxy set `FITNESS_SITE` to the address of the site.",
        icon=":material/block:",
    )


def nothing_released() -> None:
    """There is no release to show."""
    st.info(
        "No month has been released yet. Materialize `dashboard_release` in the Dagster UI or run "
        "`fitness backfill`, then reload this page.",
        icon=":material/hourglass_empty:",
    )


def view_failed(month: str) -> None:
    """The view of `month` cannot be drawn; the log has the reason."""
    st.error(
        f"This page of {month} cannot be shown. Choose another page or another month; the log of "
        "the dashboard has the reason.",
        icon=":material/error:",
    )


def release_refused(month: str, error: StorageError) -> None:
    """The release of `month` cannot be shown."""
    st.error(
        f"The release of {month} was refused: {_reason(error)}. Nothing of it is shown. To "
        f"rebuild it, run `fitness backfill {month}`, or choose another month.",
        icon=":material/block:",
    )


def people_missing() -> None:
    """The tables with rows of people are not there."""
    st.info(
        "This needs rows of people, which this release does not publish and this dashboard is not "
        "configured to read (FITNESS_RELEASE_PEOPLE_SOURCE).",
        icon=":material/lock:",
    )


def people_denied(reason: str) -> None:
    """The visitor may read no rows of people."""
    st.info(reason, icon=":material/lock:")


def only_analysts(what: str) -> None:
    """The visitor may read only their own rows, and `what` needs those of all users."""
    st.info(f"{what} only to analysts.", icon=":material/lock:")


def updates_refused(refused: Mapping[str, str], part: str = "") -> None:
    """Newer releases were refused: one message for all, as pinned digests refuse all but a few.

    Parameters
    ----------
    refused : mapping
        Reasons by month, or by ``latest.json``.
    part : str
        What of the releases was refused, if not the whole.
    """
    if len(refused) > 1:
        st.warning(
            f"The newest {part}releases of {', '.join(map(verbatim, refused))} were refused. The "
            "previous ones are shown, where there are any.",
            icon=":material/block:",
        )
        with st.expander("Reasons"):
            st.markdown("\n".join(f"- {_reason(reason)}" for reason in refused.values()))
        return
    for month, reason in refused.items():
        what = part + (month if month == LATEST else f"release of {verbatim(month)}")
        st.warning(
            f"The newest {what} was refused: {_reason(reason)}. The previous one is shown, if "
            "there is one.",
            icon=":material/block:",
        )


def partial(last: date) -> None:
    """The month has not ended: the days until `last` are shown."""
    st.info(
        f"**{so_far(last)}.** The month has not ended, and its last day may be incomplete. "
        "Models are those of the months before.",
        icon=":material/hourglass_top:",
    )


def fallback(model: ReleasedModel) -> None:
    """Why the month has no model of its own, and which earlier one is used; nothing if it has."""
    if not model.report.released:
        month = model.fallback.month if model.fallback else None
        report = msgspec.structs.replace(model.report, reason=verbatim(model.report.reason))
        st.info(not_released(report, month), icon=":material/info:")


def models_not_loaded(error: MemoryBudgetError) -> None:
    """The models would not fit in memory."""
    st.error(
        f"The models were not loaded: {_reason(error)}.",
        icon=":material/memory:",
    )


def trust(settings: DashboardSettings) -> str:
    """Why the releases that are shown can be trusted."""
    if settings.release_digests:
        return "Releases are pinned: only releases with a configured digest are shown."
    if is_link(settings.release_source):
        return (
            "Releases are not pinned: the first release that was found is trusted, and after it "
            "only newer ones."
        )
    return "Releases come from this machine."


def _reason(reason: object) -> str:
    """A reason as Markdown that shows it as it is, without the folders of files."""
    return verbatim(without_paths(str(reason)))
