"""Cached readers over the releases. A cache entry is bound to the content it was read from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from msgspec import to_builtins

from dashboard.units import METRIC, Units
from fitness_assets import months
from fitness_assets.errors import MemoryBudgetError, StorageError
from fitness_assets.models.explanations import not_released
from fitness_assets.release import flat
from fitness_assets.release.bundle import Release, served
from fitness_assets.release.mirror import Mirror, State
from fitness_assets.release.model_loader import Loaded, load_models
from fitness_assets.release.pointer import LATEST
from fitness_assets.release.registry import is_link, origin_of
from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings

#: Seconds between two looks at a link; a folder is looked at on every rerun.
_LOOK = 300


def state() -> State:
    """The releases there are to show, after a look at their source."""
    settings = Settings.from_env()
    if is_link(settings.release_source):
        return _looked_at(settings.release_source, settings.release_cache, settings.release_digests)
    return _mirror(settings.release_source, settings.release_cache, settings.release_digests)


def trust() -> str:
    """Why the releases there are to show are believed."""
    settings = Settings.from_env()
    if settings.release_digests:
        return "Releases are pinned: only those with the digests configured here are shown."
    if is_link(settings.release_source):
        return (
            "Releases are trusted as they were first seen, because no digest is pinned. What came "
            "after that is shown only if it is newer."
        )
    return "Releases come from this machine."


def store() -> ReleaseStore:
    """The dashboard's verified copy of the releases."""
    return ReleaseStore(Settings.from_env().release_cache)


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
        refuse(month, error)
        return None


def refuse(month: str, error: Exception) -> None:
    """Say that the release of `month` cannot be shown, and why."""
    st.error(
        f"The release of {month} was refused: {error}. Nothing of it is shown. To make it again, "
        f"run `fitness backfill {month} --select dashboard_release`, or choose another month.",
        icon=":material/block:",
    )


def units() -> Units:
    """The units that the user has chosen."""
    return Units(st.session_state.get("units", METRIC))


def _mirror(source: str, cache: Path, digests: tuple[str, ...]) -> State:
    return Mirror(origin_of(source), cache, digests).refresh()


@st.cache_data(ttl=_LOOK, max_entries=1, show_spinner="Looking for a new release")
def _looked_at(source: str, cache: Path, digests: tuple[str, ...]) -> State:
    return _mirror(source, cache, digests)


def _identity(release: Release) -> tuple[str, str]:
    return release.month, release.manifest.data_version


_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Release: _identity}


@st.cache_data(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def metrics(release: Release) -> dict[str, Any]:
    """What was measured of each model of `release`."""
    return release.metrics()


@st.cache_data(max_entries=24, show_spinner=False, hash_funcs=_HASH)
def table(release: Release, name: str) -> pd.DataFrame:
    """The serving table called `name`."""
    return release.table(name)


@st.cache_data(max_entries=2, show_spinner=False, hash_funcs=_HASH)
def users(release: Release) -> list[str]:
    """The ids of the users that have days in `release`, in order."""
    return list(release.table("user_days", ["user_id"])["user_id"].unique())


@st.cache_data(max_entries=24, show_spinner=False, hash_funcs=_HASH)
def days_of(release: Release, user: str) -> pd.DataFrame:
    """The days of one user, in order."""
    return release.table("user_days", user=user)


def told(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """What was measured of the model there is, after saying so where it is not the month's own."""
    if not metrics["released"]:
        st.info(_why(metrics), icon=":material/info:")
    return served(metrics)


def _why(metrics: dict[str, Any]) -> str:
    return not_released(flat.typed(metrics), metrics.get("stand_in", {}).get("month"))


def models(release: Release) -> Loaded | None:
    """The models of `release`; None, after saying so, if they would not fit the memory."""
    try:
        return _loaded(release, Settings.from_env().memory)
    except MemoryBudgetError as error:
        st.error(f"Not loaded: {error}.", icon=":material/memory:")
        return None


@st.cache_resource(max_entries=2, show_spinner="Loading the models", hash_funcs=_HASH)
def _loaded(release: Release, budget: int) -> Loaded:
    return load_models(release, budget)


def releases() -> list[Release]:
    """The releases there are to show, in order; of one that cannot be opened it says so."""
    found = []
    for month in st.session_state.get("months", ()):
        try:
            found.append(store().open(month))
        except StorageError as error:
            refuse(month, error)
    return found


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=_HASH)
def summaries(releases: list[Release]) -> pd.DataFrame:
    """One row a release: its month, its data version and its summary, from the manifests."""
    return pd.DataFrame(
        [
            {
                "month": release.month,
                **{k: v for k, v in to_builtins(release.info.summary).items() if k != "activities"},
                "models": sum(file.name.endswith(".skops") for file in release.manifest.files),
                "checks": f"{sum(checks.values())} of {len(checks)}",
                "bytes": release.manifest.bytes,
                "data_version": release.manifest.data_version[:12],
            }
            for release in releases
            for checks in [release.info.checks]
        ]
    )


def calendar(releases: list[Release], refused: dict[str, str]) -> pd.DataFrame:
    """One row a month between the first and the last: its state, and in words why.

    Parameters
    ----------
    releases : list of Release
    refused : dict
        Why the newest release of a month was not taken.
    """
    known = {release.month: release for release in releases}
    named = sorted({*known, *(month for month in refused if month != LATEST)})
    if not named:
        return pd.DataFrame({"month": [], "state": [], "told": []})
    rows = []
    for month in months.between(named[0], named[-1]):
        state, told = "not released", "no release of it was found"
        if month in refused:
            state, told = "refused", refused[month]
        elif month in known:
            state, told = _state(known[month], known)
        rows.append({"month": month, "state": state, "told": told})
    return pd.DataFrame(rows)


def _state(release: Release, known: dict[str, Release]) -> tuple[str, str]:
    info = release.info
    changed = {
        month
        for learned_from in info.learned_from.values()
        for month, version in learned_from.items()
        if month in known and known[month].info.upstream["daily_activity"] != version
    }
    if changed:
        return "outdated", f"learned from an earlier {', '.join(sorted(changed))}"
    checks = info.checks
    failed = [name for name, passed in checks.items() if not passed]
    told = f"{len(checks) - len(failed)} of {len(checks)} checks passed"
    if failed:
        told += f", not {', '.join(failed)}"
    if info.fallbacks:
        stands = ", ".join(f"{name} of {month}" for name, month in info.fallbacks.items())
        return "with a stand-in", f"{told}; {stands} stands in"
    return "released", told
