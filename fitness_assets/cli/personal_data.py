"""What is held about one person: all of it handed out, or all of it removed."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.errors import SourceError
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports, configured_pseudonyms
from fitness_assets.storage.lake import Lake
from fitness_assets.workspace import Workspace


def export(settings: Settings, name: str, path: Path) -> dict[str, int]:
    """Write all that is held about a person into a zip of CSV files.

    Parameters
    ----------
    settings : Settings
    name : str
        As it was imported, or the pseudonym.
    path : Path
        The zip; replaced if it is there.

    Returns
    -------
    dict
        Rows by table.

    Raises
    ------
    SourceError
        If nothing is held about anyone of that name.
    """
    workspace = Workspace.of(settings)
    user = _user(settings, workspace, name)
    tables = {
        "raw_telemetry": _rows(workspace.raw, settings, user),
        "daily_activity": _rows(workspace.daily, settings, user),
        "segments": _segments(workspace, settings, user),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, rows in tables.items():
            archive.writestr(f"{table}.csv", rows.to_csv(index=False))
    return {table: len(rows) for table, rows in tables.items()}


def forget(settings: Settings, name: str) -> set[str]:
    """Remove a person from what is kept of the sources, and take in nothing of them again.

    Months that held no one else are removed, whatever was made of them.

    Parameters
    ----------
    settings : Settings
    name : str
        As it was imported, or the pseudonym.

    Returns
    -------
    set of str
        The months that held them and others, and are to be made again.

    Raises
    ------
    SourceError
        If nothing is held about anyone of that name.
    """
    workspace = Workspace.of(settings)
    user = _user(settings, workspace, name)
    again = set()
    for month in settings.months():
        users = _users(workspace.raw, month) | _users(workspace.daily, month)
        if user not in users:
            continue
        if users == {user}:
            _erase(workspace, month)
        else:
            again.add(month)
    configured_pseudonyms(settings).forget(user)
    configured_imports(settings).forget(user)
    # A copy of what was released is made anew when it is next looked at.
    shutil.rmtree(settings.release_cache, ignore_errors=True)
    return again


def _user(settings: Settings, workspace: Workspace, name: str) -> str:
    """The id under which the person called `name` is held."""
    held = {user for each in configured_imports(settings).all() for user in each.users}
    for month in settings.months():
        held |= _users(workspace.raw, month) | _users(workspace.daily, month)
    for user in configured_pseudonyms(settings).possible_ids(name):
        if user in held:
            return user
    raise SourceError(f"nothing is held about anyone called {name!r}")


def _users(lake: Lake, month: str) -> set[str]:
    if lake.manifest(month) is None:
        return set()
    users = lake.scan([month], ["user_id"]).table["user_id"]
    return set(pc.unique(users).to_pylist())


def _rows(lake: Lake, settings: Settings, user: str) -> pd.DataFrame:
    def found() -> Iterator[pa.Table]:
        for month in settings.months():
            if lake.manifest(month) is not None:
                table = lake.scan([month]).table
                yield table.filter(pc.equal(table["user_id"], user))

    tables = list(found())
    return pa.concat_tables(tables).to_pandas() if tables else pd.DataFrame()


def _segments(workspace: Workspace, settings: Settings, user: str) -> pd.DataFrame:
    store = workspace.models["segment_model"]
    months = [month for month in settings.months() if store.manifest(month)]
    tables = {month: store.table(month, "segments") for month in months}
    found = [
        table[table["user_id"] == user].assign(month=month)
        for month, table in tables.items()
        if table is not None
    ]
    return pd.concat(found) if found else pd.DataFrame()


def _erase(workspace: Workspace, month: str) -> None:
    """Remove whatever was made of `month`."""
    workspace.releases.remove(month)
    workspace.uploads.remove(month)
    for lake in (workspace.raw, workspace.daily):
        shutil.rmtree(lake.folder(month), ignore_errors=True)
    for store in (*workspace.models.values(), *workspace.reports.values()):
        shutil.rmtree(store.folder(month), ignore_errors=True)
