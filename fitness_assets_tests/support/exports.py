"""What these tests share: exports written on the spot, and what is read of them."""

import os
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read

USER = "ann"


@dataclass
class Imported:
    """What came of an import: the values known of each user and day, and what was left out."""

    days: dict[tuple[str, date], dict[str, Any]]
    refused: list[tuple[str, str, str]]

    def of(self, day: str, user: str = USER) -> dict[str, Any]:
        return self.days[user, date.fromisoformat(day)]


def take(path: Path, **told: Any) -> Imported:
    imported = Imported({}, [])
    for batch in read(
        path, ImportOptions(**{"user": USER, **told}), lambda *what: imported.refused.append(what)
    ):
        assert batch.schema.equals(SCHEMA)
        for record in batch.to_pylist():
            key = (record.pop("user_id"), record.pop("date"))
            assert key not in imported.days or record["source"] == "tidy"
            imported.days[key] = {
                name: value for name, value in record.items() if value is not None
            }
    return imported


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def pack(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def shared_data(name: str) -> Path:
    """A folder of real data, or a skip that says where it was looked for."""
    declared = os.environ.get("FITNESS_SHARED_DATA")
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = (Path(declared) if declared else beside) / name
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set FITNESS_SHARED_DATA)")
    return folder
