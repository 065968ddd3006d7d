"""The tables with rows of people. They are read only with an `Access`, and only what it allows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from msgspec.structs import replace

from dashboard import data
from fitness_assets.errors import StorageError
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.reports import ModelReport
from fitness_assets.release.bundle import Release
from fitness_assets.release.personal import PersonalReport
from fitness_assets.release.store import ReleaseStore
from fitness_assets.web.access import PUBLIC, Access

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Release: data.identity}


class People:
    """The rows of people of one release that a visitor may read.

    Parameters
    ----------
    part : Release
        The release that has the tables.
    access : Access
        Must not be denied.
    """

    def __init__(self, part: Release, access: Access) -> None:
        if access.is_denied:
            raise PermissionError(access.reason)
        self._part = part
        self._access = access

    @property
    def part(self) -> Release:
        """The release that has the tables."""
        return self._part

    def allows(self, user: str) -> bool:
        """Whether the rows of `user` may be read."""
        return self._access.allows(user)

    @property
    def own(self) -> str | None:
        """The one user whose rows the visitor may read; None if all."""
        return None if self._access.everyone else self._access.user

    def users(self) -> list[str]:
        """Ids of the users who have days in the release and whose rows may be read, in order."""
        if self.own is not None:
            # Of a table in parts, only the one with the visitor's days is read.
            return [] if self.days(self.own).empty else [self.own]
        return _users(self._part)

    def days(self, user: str) -> pd.DataFrame:
        """The days of one user, in order of date.

        Raises
        ------
        PermissionError
            If the visitor may not read them.
        """
        if not self._access.allows(user):
            raise PermissionError("these are the days of another user")
        return _days(self._part, user)

    def findings(self, user: str) -> pd.DataFrame | None:
        """What the user's years up to the month show; None if the release has no such table.

        Raises
        ------
        PermissionError
            As `days`.
        """
        return self._rows(user, "findings")

    def workouts(self, user: str) -> pd.DataFrame | None:
        """The workouts of one user in the month; None if the release has no such table.

        Raises
        ------
        PermissionError
            If the visitor may not read them.
        """
        return self._rows(user, "workouts")

    def _rows(self, user: str, name: str) -> pd.DataFrame | None:
        """The rows of one user in the table `name`, if the release has it."""
        if not self._access.allows(user):
            raise PermissionError(f"these are the {name} of another user")
        return _summaries([self._part], user, name) if self._part.has_table(name) else None

    @property
    def has_map(self) -> bool:
        """Whether the release has a map of users."""
        return self._part.has_table("user_map")

    def place(self, user: str) -> pd.DataFrame | None:
        """The row of one user on the map of users, if there is one; None if there is no map.

        Raises
        ------
        PermissionError
            If the visitor may not read it.
        """
        return self._rows(user, "user_map")

    def user_map(self) -> pd.DataFrame | None:
        """One row a user: place on the map of users, and segment; None if there is no map."""
        if self.own is not None:
            return self.place(self.own)
        return _table(self._part, "user_map") if self.has_map else None

    def personal(self) -> PersonalReport | None:
        """The reports on the personal models of the month; None if there are none.

        A visitor who may read one user's rows gets the kinds of days of that user, and a model of
        that user alone.
        """
        found = _personal(self._part)
        if found is None or self._access.everyone:
            return found
        own = {
            name: report
            for name, model in found.models.items()
            if (report := self._own_report(model)) is not None
        }
        return PersonalReport(models=own)

    def personal_model(self, name: str) -> "Pipeline | None":
        """The personal model `name`, if `personal` has a report on it and it was released."""
        reports = self.personal()
        if reports is None or name not in reports.models:
            return None
        return _personal_model(self._part, name)

    def _own_report(self, report: ModelReport) -> ModelReport | None:
        metrics = report.metrics
        if isinstance(metrics, DayKindMetrics):
            own = [found for found in metrics.users if self._access.allows(found.user)]
            return replace(report, metrics=DayKindMetrics(users=own))
        alone = all(self._access.allows(user) for user in _users(self._part))
        trained_alone = metrics is None or getattr(metrics, "train_users", 0) == 1
        return report if alone and trained_alone else None

    def sample(self) -> pd.DataFrame | None:
        """A sample of days without user ids; None if the visitor may not read all users' rows."""
        return _table(self._part, "sample") if self._access.everyone else None


def summaries(months: Sequence[People], user: str) -> pd.DataFrame:
    """The summaries of the weeks and months of one user, of all `months` that have them.

    Raises
    ------
    PermissionError
        If the visitor may not read them.
    """
    if not all(people.allows(user) for people in months):
        raise PermissionError("these are the summaries of another user")
    parts = [people.part for people in months if people.part.has_table("summaries")]
    return _summaries(parts, user, "summaries") if parts else pd.DataFrame()


def read(release: Release, access: Callable[[], Access]) -> People | Access | None:
    """The rows of people of `release` that a visitor may read.

    Parameters
    ----------
    release : Release
    access : callable
        Returns the access to a private bundle. Rows in `release` itself are public.

    Returns
    -------
    People, Access or None
        An `Access` if it is denied; None if this dashboard has no rows of people of `release`.
    """
    part = _part(release)
    if part is None:
        return None
    allowed = PUBLIC if part is release else access()
    return allowed if allowed.is_denied else People(part, allowed)


def _part(release: Release) -> Release | None:
    """The release that has the tables with rows of people of `release`.

    That is `release` itself if they are public, else the private bundle of the same month and
    data; None if this dashboard has none, or it is not among the pinned ones.
    """
    if release.has_people:
        return release
    known = data.settings()
    if known.people_source is None:
        return None
    store = ReleaseStore(known.people_cache)
    # The copy may be older than the pins.
    if known.release_digests and store.digest(release.month) not in known.release_digests:
        return None
    try:
        part = store.open(release.month)
    except StorageError:
        return None
    return part if part.info.upstream == release.info.upstream else None


# Of a large cohort it takes seconds.
@st.cache_data(max_entries=24, show_spinner="Listing the users", hash_funcs=_HASH)
def _users(part: Release) -> list[str]:
    return part.users()


@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=_HASH)
def _personal(part: Release) -> PersonalReport | None:
    return part.personal()


@st.cache_resource(max_entries=2, show_spinner="Loading the models", hash_funcs=_HASH)
def _personal_model(part: Release, name: str) -> "Pipeline | None":
    return part.personal_model(name)


# Some years of one user.
@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_HASH)
def _days(part: Release, user: str) -> pd.DataFrame:
    return part.table("user_days", user=user)


# Of each month, only the row groups of the user are decoded. My days reads four months of workouts.
@st.cache_data(max_entries=24, show_spinner="Reading your years", hash_funcs=_HASH)
def _summaries(parts: list[Release], user: str, name: str) -> pd.DataFrame:
    return pd.concat([part.table(name, user=user) for part in parts], ignore_index=True)


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=_HASH)
def _table(part: Release, name: str) -> pd.DataFrame:
    return part.table(name)
