"""The user that a command is about."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from fitness_assets.errors import SourceError, StorageError
from fitness_assets.record.user_ids import normalize_user_id
from fitness_assets.regular_files import is_folder
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import (
    configured_imports,
    configured_names,
    configured_pseudonyms,
)
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """One user, whatever the spelling of the name.

    Attributes
    ----------
    ids : frozenset of str
        All ids that the user can be stored under.
    stored : frozenset of str
        Those under which the user is stored, in any month and import.
    folders : list of Path
        The folders of the inbox that belong to the user.
    is_unfinished : bool
        Whether the user was to be forgotten, and the command has not finished.
    """

    ids: frozenset[str]
    stored: frozenset[str]
    folders: list[Path]
    is_unfinished: bool


def find_user(settings: Settings, workspace: Workspace, name: str) -> Subject:
    """The user called `name`, a name or a pseudonym.

    Raises
    ------
    SourceError
        If `name` is blank or lost a character.
    """
    pseudonyms = configured_pseudonyms(settings)
    ids = set(pseudonyms.possible_ids(name))
    # Known by pseudonym only, the user gets the imported name as well.
    imported = configured_names(settings).all()
    for written in [imported[each] for each in sorted(ids & set(imported))]:
        ids |= set(pseudonyms.possible_ids(written))
    folders = []
    for folder in sorted((settings.home / "inbox").glob("*")):
        with suppress(SourceError):
            if not is_folder(folder):
                continue
            theirs = set(pseudonyms.possible_ids(folder.name))
            if not ids.isdisjoint(theirs):
                folders.append(folder)
                # Known by pseudonym only, the user gets the name of the folder as well.
                ids |= theirs
    stored = stored_users(settings, workspace)
    normalized = {_normalized(each) for each in ids}
    found = {each for each in stored if each in ids or _normalized(each) in normalized}
    return Subject(
        ids=frozenset(ids | found),
        stored=frozenset(found),
        folders=folders,
        is_unfinished=pseudonyms.is_unfinished(*ids),
    )


def stored_users(settings: Settings, workspace: Workspace) -> set[str]:
    """The ids of all users in imports and in the lake."""
    stored = {user for each in configured_imports(settings).all() for user in each.users}
    for lake in (workspace.raw, workspace.daily, workspace.workouts):
        for month in lake.months():
            stored |= users_of(lake, month) or set()
    return stored


def users_of(lake: Lake[TableInfo], month: str) -> set[str] | None:
    """The ids in a month of the lake; None if the month cannot be read."""
    try:
        if lake.manifest(month) is None:
            return set()
        return set(pc.unique(lake.scan([month], ["user_id"]).table["user_id"]).to_pylist())
    except StorageError:
        return None


def _normalized(user: str) -> str:
    try:
        return normalize_user_id(user)
    except ValueError:
        return user
