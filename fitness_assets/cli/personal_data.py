"""Export all data of one user."""

import zipfile
from collections.abc import Collection
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa

from fitness_assets.cli.subject import find_user
from fitness_assets.errors import SourceError
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_notes
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.spreadsheet import safe_csv
from fitness_assets.workspace import Workspace


def export_user(settings: Settings, name: str, path: Path) -> dict[str, int]:
    """Write all data of a user into a zip of CSV files, of all months that are stored.

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
    users = find_user(settings, workspace, name).stored
    if not users:
        raise SourceError(f"there is no data of a user called {name!r}")
    tables = {
        "raw_telemetry": _rows(workspace.raw, users),
        "daily_activity": _rows(workspace.daily, users),
        "workouts": _rows(workspace.workouts, users),
        "segments": _model_table(workspace, "segments", users),
        "day_kinds": _model_table(workspace, "day_kinds", users),
        "notes": _notes(settings, users),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, rows in tables.items():
            archive.writestr(f"{table}.csv", safe_csv(rows))
    return {table: len(rows) for table, rows in tables.items()}


def _rows(lake: Lake[TableInfo], users: Collection[str]) -> pd.DataFrame:
    stored = [month for month in lake.months() if lake.manifest(month) is not None]
    tables = [lake.scan_users(month, None, users) for month in stored]
    # Months have different optional columns.
    rows = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
    found: pd.DataFrame = rows.to_pandas()
    return found


def _notes(settings: Settings, users: Collection[str]) -> pd.DataFrame:
    store = configured_notes(settings)
    notes = [note for user in sorted(users) for note in store.of(user)]
    columns = ["user", "kind", "first", "last", "text"]
    return pd.DataFrame([msgspec.structs.asdict(note) for note in notes], columns=columns)


def _model_table(workspace: Workspace, name: str, users: Collection[str]) -> pd.DataFrame:
    """The rows of `users` in a table of the segment model, of all months."""
    store = workspace.models["segment_model"]
    months = [month for month in workspace.months() if store.manifest(month)]
    tables = {month: store.table(month, name) for month in months}
    found = [
        table[table["user_id"].isin(users)].assign(month=month)
        for month, table in tables.items()
        if table is not None
    ]
    return pd.concat(found) if found else pd.DataFrame()
