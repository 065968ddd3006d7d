"""Cached readers over the releases. A cache entry is bound to the content it was read from."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st
from sklearn.pipeline import Pipeline

from fitness_assets.errors import StorageError
from fitness_assets.settings import Settings
from fitness_assets.storage.release import Release, ReleaseStore


def store() -> ReleaseStore:
    """The releases that this dashboard reads."""
    return ReleaseStore(Settings.from_env().release_folder)


def months() -> list[str]:
    """The months that have a release now, in order."""
    return store().months()


def current() -> Release | None:
    """The release of the chosen month; None, after saying why, if there is none to show."""
    month = st.session_state.get("month")
    if month is None:
        st.info(
            "No month has been released yet. Materialize `dashboard_release` in the Dagster UI, or "
            "run `fitness backfill`, and reload this page.",
            icon=":material/hourglass_empty:",
        )
        return None
    try:
        return store().open(month)
    except StorageError as error:
        st.error(f"The release of {month} was refused: {error}", icon=":material/block:")
        return None


def _identity(release: Release) -> tuple[str, str]:
    return release.month, release.manifest.data_version


_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Release: _identity}


@st.cache_data(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def metrics(release: Release) -> dict[str, Any]:
    """What was measured of each model of `release`."""
    return release.metrics()


@st.cache_data(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def table(release: Release, name: str) -> pd.DataFrame:
    """The serving table called `name`."""
    return release.table(name)


@st.cache_resource(max_entries=6, show_spinner="Loading the model", hash_funcs=_HASH)
def model(release: Release, name: str) -> Pipeline | None:
    """The model called `name`, or None where the month released none."""
    return release.model(name)


@st.cache_data(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def summaries(releases: list[Release]) -> pd.DataFrame:
    """One row a release: its month, its data version and its summary, from the manifests."""
    return pd.DataFrame(
        [
            {
                "month": release.month,
                **{k: v for k, v in release.manifest.info["summary"].items() if k != "activities"},
                "models": sum(file.name.endswith(".skops") for file in release.manifest.files),
                "data_version": release.manifest.data_version[:12],
            }
            for release in releases
        ]
    )
