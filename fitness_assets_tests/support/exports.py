"""Export files for tests: examples of each format, writers of files and zips, and the importer."""

import json
import os
import sqlite3
import zipfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fitness_assets.record.raw import schema_of
from fitness_assets.record.wear import MOVEMENT, OPTIONAL_MOVEMENT, movement_is_kept
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets_tests.support.fit import fit_file

USER = "ann"
#: A folder a format, with files that fill every column that the format declares. The tests of all
#: formats use them: recognition, declared columns, damaged input.
EXAMPLES = Path(__file__).parents[1] / "sources" / "exports" / "examples"

#: Formats whose readings are combined into one record a user and day.
COMBINED = set(FORMATS) - {"tidy"}


@dataclass
class Imported:
    """The result of an import.

    Attributes
    ----------
    records : dict
        By user and day, the values that are not null.
    quarantined : list
        File, place and reason of each entry that was left out.
    workouts : list
        The rows of workouts, with the values that are not null.
    """

    records: dict[tuple[str, date], dict[str, Any]]
    quarantined: list[tuple[str, str, str]]
    workouts: list[dict[str, Any]] = field(default_factory=list)

    def record(self, day: str, user: str = USER) -> dict[str, Any]:
        return self.records[user, date.fromisoformat(day)]

    def lake_record(self, day: str, user: str = USER) -> dict[str, Any]:
        """The record as the lake holds it: without movement if the device was not worn."""
        found = self.record(day, user)
        if movement_is_kept(found):
            return found
        removed = {*MOVEMENT, *OPTIONAL_MOVEMENT, "calories_kind"}
        return {name: value for name, value in found.items() if name not in removed}


def import_path(path: Path, **options: Any) -> Imported:
    """Import `path` for `USER`, unless the options name another user."""
    imported = Imported({}, [])
    import_options = ImportOptions(**{"user": USER, **options})

    def add_workouts(batch: pa.RecordBatch) -> None:
        for row in batch.to_pylist():
            known = {name: value for name, value in row.items() if value is not None}
            imported.workouts.append(known)

    batches = read_export(
        path,
        import_options,
        lambda *entry: imported.quarantined.append(entry),
        workouts=add_workouts,
    )
    for batch in batches:
        schema = schema_of(batch.schema.names)
        records = batch.select(schema.names)
        assert records.schema.equals(schema)
        for record in records.to_pylist():
            key = (record.pop("user_id"), record.pop("date"))
            # Only rows of tidy files, which may name a source of their own, are not combined.
            assert key not in imported.records or record["source"] not in COMBINED
            imported.records[key] = {
                name: value for name, value in record.items() if value is not None
            }
    return imported


def example_files(format_name: str) -> dict[str, bytes]:
    """The example files of a format, by their path below its folder.

    A script of SQL becomes the database that it creates, and a list of messages a FIT file.
    """
    folder = EXAMPLES / format_name
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".sql":
            found[path.stem] = database(path.read_text())
        elif path.name.endswith(".fit.json"):
            found[path.stem] = fit_file(json.loads(path.read_text()))
        else:
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def database(script: str) -> bytes:
    """The SQLite database that a script creates."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(script)
        return connection.serialize()


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files of text or bytes, by name, and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Some file systems write a file to the disk at once when it is truncated.
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files of text or bytes, by name, into a zip, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def shared_data(name: str) -> Path:
    """A folder of real data; skips the test, naming the folder, if it does not exist."""
    declared = os.environ.get("FITNESS_SHARED_DATA")
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = (Path(declared) if declared else default) / name
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set FITNESS_SHARED_DATA)")
    return folder
