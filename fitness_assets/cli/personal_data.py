"""Export or remove all data of one user."""

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
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.spreadsheet import safe_csv
from fitness_assets.workspace import Workspace


def export_user(settings: Settings, name: str, path: Path) -> dict[str, int]:
    """Write all data of a user into a zip of CSV files.

    Parameters
    ----------
    settings : Settings
    name : str
        The imported name, or the pseudonym.
    path : Path
        The zip to write; an existing file is replaced.

    Returns
    -------
    dict
        Number of rows by table.

    Raises
    ------
    SourceError
        If there is no data of such a user.
    """
    workspace = Workspace.of(settings)
    user = _user_id(settings, workspace, name)
    tables = {
        "raw_telemetry": _rows(workspace.raw, settings, user),
        "daily_activity": _rows(workspace.daily, settings, user),
        "segments": _segments(workspace, settings, user),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, rows in tables.items():
            archive.writestr(f"{table}.csv", safe_csv(rows))
    return {table: len(rows) for table, rows in tables.items()}


def remove_user(settings: Settings, name: str) -> set[str]:
    """Remove a user from the imports, and skip the user in later imports.

    Months that held only this user are removed from the lake, the models and the releases.

    Parameters
    ----------
    settings : Settings
    name : str
        The imported name, or the pseudonym.

    Returns
    -------
    set of str
        The months that held this user and others, which are to be rematerialized.

    Raises
    ------
    SourceError
        If there is no data of such a user.
    """
    workspace = Workspace.of(settings)
    user = _user_id(settings, workspace, name)
    shared = set()
    for month in settings.months():
        users = _users(workspace.raw, month) | _users(workspace.daily, month)
        if user not in users:
            continue
        if users == {user}:
            _erase(workspace, month)
        else:
            shared.add(month)
    configured_pseudonyms(settings).forget(user)
    configured_imports(settings).forget(user)
    # The dashboard downloads its copy of the releases again.
    for copy in (settings.release_cache, settings.people_cache):
        shutil.rmtree(copy, ignore_errors=True)
    return shared


def _user_id(settings: Settings, workspace: Workspace, name: str) -> str:
    """The id under which the user called `name` is stored."""
    stored = {user for each in configured_imports(settings).all() for user in each.users}
    for month in settings.months():
        stored |= _users(workspace.raw, month) | _users(workspace.daily, month)
    for user in configured_pseudonyms(settings).possible_ids(name):
        if user in stored:
            return user
    raise SourceError(f"there is no data of a user called {name!r}")


def _users(lake: Lake[TableInfo], month: str) -> set[str]:
    if lake.manifest(month) is None:
        return set()
    users = lake.scan([month], ["user_id"]).table["user_id"]
    return set(pc.unique(users).to_pylist())


def _rows(lake: Lake[TableInfo], settings: Settings, user: str) -> pd.DataFrame:
    def selected() -> Iterator[pa.Table]:
        for month in settings.months():
            if lake.manifest(month) is not None:
                table = lake.scan([month]).table
                yield table.filter(pc.equal(table["user_id"], user))

    tables = list(selected())
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
    """Remove every stored artifact of `month`."""
    workspace.releases.remove(month)
    workspace.people.remove(month)
    workspace.uploads.remove(month)
    workspace.people_uploads.remove(month)
    for lake in (workspace.raw, workspace.daily):
        shutil.rmtree(lake.folder(month), ignore_errors=True)
    for folder in (
        *(store.folder(month) for store in workspace.models.values()),
        *(store.folder(month) for store in workspace.reports.values()),
        workspace.check_results.folder(month),
        workspace.receipts.folder(month),
    ):
        shutil.rmtree(folder, ignore_errors=True)
