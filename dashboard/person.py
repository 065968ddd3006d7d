"""The one person whose rows a dashboard shows, and their days of several months."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import data, notes, page
from dashboard import people as rows_of_people
from dashboard.people import People
from fitness_assets.release.bundle import Release
from fitness_assets.release.people import is_release_id

# A release about few people has at most this count of users: counts are rounded to multiples.
_FEW = 5


@dataclass(frozen=True)
class Person:
    """A user whose own days the dashboard is about.

    Attributes
    ----------
    user : str
    name : str or None
        The name under which the user was imported, if this machine has it.
    is_alone : bool
        Whether the release holds no other user.
    """

    user: str
    name: str | None
    is_alone: bool


def only(release: Release) -> Person | None:
    """The person, if the visitor may see one user only, or the release holds one only."""
    people = page.people(release, notice=False)
    if people is None:
        return None
    # Without reading the ids of a large cohort.
    users = people.users() if people.own or release.info.summary.users <= _FEW else []
    is_alone = len(users) == 1 and release.info.summary.users <= _FEW
    user = people.own or (users[0] if is_alone else None)
    return None if user is None else Person(user, notes.imported_name(user), is_alone)


def days(user: str, release: Release, months: int) -> pd.DataFrame:
    """The days of `user` in the month of `release` and in the `months` - 1 released before it."""
    found = _of_months(user, release, months, People.days)
    return found if found.empty else found.assign(date=pd.to_datetime(found["date"]))


def workouts(user: str, release: Release, months: int) -> pd.DataFrame:
    """The workouts of `user` in the same months as `days`; empty if there are none."""
    return _of_months(user, release, months, People.workouts)


def _of_months(
    user: str, release: Release, months: int, read: Callable[[People, str], pd.DataFrame | None]
) -> pd.DataFrame:
    parts = []
    for people in _until(release, months):
        own = read(people, _id_in(people, user))
        if own is not None and not own.empty:
            parts.append(own)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _id_in(people: People, user: str) -> str:
    """The id of `user` in another month. Releases with ids of their own are of one user each."""
    # Without reading the ids of a large cohort.
    if not is_release_id(user) or people.part.info.summary.users != 1:
        return user
    users = people.users()
    return users[0] if len(users) == 1 else user


def summaries(user: str, release: Release) -> pd.DataFrame:
    """The summaries of the user's weeks and months up to the month of `release`.

    Returns
    -------
    DataFrame
        The columns of `history.schema.SUMMARIES`, sorted by ``start``, which is a timestamp.
        Empty if no release has them.
    """
    found = rows_of_people.summaries(_until(release), user)
    if found.empty:
        return found
    return found.assign(start=pd.to_datetime(found["start"])).sort_values(
        "start", kind="stable", ignore_index=True
    )


def _until(release: Release, months: int | None = None) -> list[People]:
    """The rows of people of the month of `release` and of those released before it."""
    known = [month for month in st.session_state.get("months", ()) if month <= release.month]
    known = known if months is None else known[-months:]
    opened, _ = data.releases(known or [release.month])
    found = (page.people(each, notice=False) for each in opened)
    return [people for people in found if people is not None]
