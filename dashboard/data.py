"""Cached readers of releases. They return values or raise; `page` and `notices` draw.

Cache entries are bound to the data version of the release that they were read from.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import streamlit as st
from msgspec import to_builtins

from fitness_assets.errors import StorageError
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.release.acceptance import check_people
from fitness_assets.release.bundle import Release, ReleasedModel, ReleaseReport
from fitness_assets.release.mirror import Mirror, State
from fitness_assets.release.model_loader import Loaded, load_models
from fitness_assets.release.people import PEOPLE_TABLES
from fitness_assets.release.registry import is_link, origin_of
from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import DashboardSettings

M = TypeVar("M", SegmentMetrics, ClassifierMetrics, RegressorMetrics)

#: Seconds between two requests to a remote source; a folder is checked on every rerun.
_REMOTE_INTERVAL = 300


def settings() -> DashboardSettings:
    """The settings of the dashboard, read from the environment."""
    return DashboardSettings.from_env()


def state() -> State:
    """The releases that can be shown, after a check of their source for newer ones.

    Raises
    ------
    FitnessError
        If the settings are invalid.
    """
    known = settings()
    refresh = _refreshed_from_link if is_link(known.release_source) else _refreshed
    return refresh(known.release_source, known.release_cache, known.release_digests)


def refresh_people() -> dict[str, str]:
    """Update the copy of private tables with rows of people; why a month was refused, by month."""
    known = settings()
    if known.people_source is None:
        return {}
    refresh = _people_from_link if is_link(known.people_source) else _people
    return refresh(
        known.people_source,
        known.people_cache,
        known.release_people_credentials,
        known.release_digests,
    ).refused


def release(month: str) -> Release:
    """The release of `month` in the dashboard's verified copy.

    Raises
    ------
    StorageError
        If there is none, or it cannot be read.
    """
    return ReleaseStore(settings().release_cache).open(month)


def releases(months: Sequence[str]) -> tuple[list[Release], dict[str, StorageError]]:
    """The releases of `months` in order, and by month the errors of those that cannot be opened."""
    opened, errors = [], {}
    for month in months:
        try:
            opened.append(release(month))
        except StorageError as error:
            errors[month] = error
    return opened, errors


def _refreshed(source: str, cache: Path, digests: tuple[str, ...]) -> State:
    return Mirror(origin_of(source), cache, digests).refresh()


@st.cache_data(ttl=_REMOTE_INTERVAL, max_entries=1, show_spinner="Checking for a new release")
def _refreshed_from_link(source: str, cache: Path, digests: tuple[str, ...]) -> State:
    return _refreshed(source, cache, digests)


def _people(source: str, cache: Path, credentials: Path | None, digests: tuple[str, ...]) -> State:
    origin = origin_of(source, credentials)
    return Mirror(origin, cache, digests, private=True, check=check_people).refresh()


@st.cache_data(ttl=_REMOTE_INTERVAL, max_entries=1, show_spinner="Checking for a new release")
def _people_from_link(
    source: str, cache: Path, credentials: Path | None, digests: tuple[str, ...]
) -> State:
    return _people(source, cache, credentials, digests)


def identity(release: Release) -> tuple[str, str]:
    """What makes a release another one, for the keys of caches."""
    return release.month, release.manifest.data_version


_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Release: identity}


# As a resource, so that it is not copied for each rerun. Nothing changes it.
@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def report(release: Release) -> ReleaseReport:
    """The reports of `release` on its data and its models."""
    return release.report()


def carried_metrics(model: ReleasedModel, kind: type[M]) -> M | None:
    """The metrics of the model that a release carries; None if it carries none.

    Raises
    ------
    StorageError
        If they are not of this kind.
    """
    metrics = model.carried.metrics if model.carried else None
    if metrics is None or isinstance(metrics, kind):
        return metrics
    raise StorageError(f"the release has {type(metrics).__name__} instead of {kind.__name__}")


@st.cache_data(max_entries=24, show_spinner=False, hash_funcs=_HASH)
def table(release: Release, name: str) -> pd.DataFrame:
    """The serving table `name` of `release`, which has no rows of people.

    Raises
    ------
    PermissionError
        If it has: `dashboard.people` reads those.
    """
    if name in PEOPLE_TABLES:
        raise PermissionError(f"{name} has rows of people")
    return release.table(name)


def models(release: Release) -> Loaded:
    """The models of `release`.

    Raises
    ------
    MemoryBudgetError
        If they would not fit in the memory budget of the process.
    """
    return _loaded(release, settings().memory)


@st.cache_resource(max_entries=2, show_spinner="Loading the models", hash_funcs=_HASH)
def _loaded(release: Release, budget: int) -> Loaded:
    return load_models(release, budget)


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=_HASH)
def summaries(releases: list[Release]) -> pd.DataFrame:
    """One row a release: its month, data version and summary, from the manifests."""
    return pd.DataFrame(
        [
            {
                "month": release.month + (" so far" if release.info.partial_until else ""),
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
