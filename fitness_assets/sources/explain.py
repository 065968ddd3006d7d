"""How an export would be read, without importing it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.errors import SourceError
from fitness_assets.record.workouts import NUMBERS
from fitness_assets.sources.derived import DERIVED
from fitness_assets.sources.exports.archive import open_members
from fitness_assets.sources.exports.callbacks import Progress
from fitness_assets.sources.exports.draft_layout import Draft, draft_layout
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.exports.report import FileReport
from fitness_assets.sources.exports.unknown_files import is_table
from fitness_assets.sources.import_findings import counting_not_worn, reporting_implausible

#: The user of an export that names none, if none is declared.
UNNAMED = "(the user that --user names)"
#: Number of records that are kept.
FIRST_ROWS = 3


@dataclass(kw_only=True)
class Explanation:
    """What an import of an export would give.

    Attributes
    ----------
    files : list of FileReport
        What would be used of each file.
    problems : list of tuple of str
        File, place and reason of each entry that would be left out, and of each value that would
        be null in the lake.
    records : int
    not_worn : int
        Records of days on which the device was not worn.
    users : set of str
        The users as the export names them; `UNNAMED` if it does not.
    first, last : date or None
        The days of the earliest and the latest record.
    rows : list of dict
        The known values of the first records, by column.
    workouts : int
    workout_rows : list of dict
        The known values of the first workouts, by column.
    error : str
        Why nothing can be read; empty if something can.
    """

    files: list[FileReport] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    records: int = 0
    not_worn: int = 0
    users: set[str] = field(default_factory=set)
    first: date | None = None
    last: date | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    workouts: int = 0
    workout_rows: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


def explain_export(
    path: Path, options: ImportOptions, progress: Progress = lambda _done, _total: None
) -> Explanation:
    """Read the export at `path` as an import would, and keep nothing of it.

    Parameters
    ----------
    path : Path
    options : ImportOptions
        Without a user, that of an export without user ids is `UNNAMED`.
    progress : callable
        Called with the bytes read and the bytes to read.

    Raises
    ------
    SourceError
        If `path` does not exist.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    found = Explanation()
    not_worn: Counter[str] = Counter()

    def quarantine(file: str, place: str, reason: str) -> None:
        found.problems.append((file, place, reason))

    def add_workouts(batch: pa.RecordBatch) -> None:
        for _ in reporting_implausible(iter([batch]), quarantine, tuple(NUMBERS.values())):
            found.workouts += batch.num_rows
            _keep_first(found.workout_rows, batch)

    declared = options if options.user else replace(options, user=UNNAMED)
    try:
        batches = read_export(
            path,
            declared,
            quarantine,
            progress,
            found.files.append,
            workouts=add_workouts,
            observe=True,
        )
        for batch in reporting_implausible(counting_not_worn(batches, not_worn), quarantine):
            _add(found, batch)
    except SourceError as error:
        found.error = str(error)
    found.not_worn = sum(not_worn.values())
    return found


def draft_of(path: Path) -> Draft | None:
    """A layout to begin with for the first table of `path`; None if it holds none.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    with open_members(path, lambda *_: None, lambda _: None) as members:
        for member in members:
            if is_table(member.head()):
                return draft_layout(member)
    return None


def _add(found: Explanation, batch: pa.RecordBatch) -> None:
    found.records += batch.num_rows
    found.users.update(pc.unique(batch.column("user_id")).to_pylist())
    days = pc.min_max(batch.column("date")).as_py()
    found.first = min(filter(None, (found.first, days["min"])))
    found.last = max(filter(None, (found.last, days["max"])))
    _keep_first(found.rows, batch)


def _keep_first(rows: list[dict[str, Any]], batch: pa.RecordBatch) -> None:
    """Add records of `batch` to `rows`, until these are `FIRST_ROWS`."""
    first = batch.slice(0, FIRST_ROWS - len(rows)).to_pylist()
    rows += [dict(_values(record)) for record in first]


def _values(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The known values of a record, without what an import adds to each."""
    for name, value in record.items():
        if value is not None and name not in {DERIVED.name, "ingested_at"}:
            yield name, value
