"""Writes one import: a file of days and one of workouts per month, and the file of traits."""

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import OPTIONAL
from fitness_assets.record.workouts import SCHEMA as WORKOUT_SCHEMA
from fitness_assets.sources.derived import STORED_SCHEMA, as_stored
from fitness_assets.sources.exports.aggregate import MAX_SOURCES
from fitness_assets.sources.import_store import records_file, workouts_file, write_traits
from fitness_assets.sources.pseudonyms import Pseudonyms

# Rows of a row group. With a fixed number, equal records give equal bytes however they are batched:
# a month without a user who was forgotten has the version of a month that never held the user.
_ROW_GROUP = 16_384


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the files of an import hold; the fields are those of `ImportInfo`.

    Attributes
    ----------
    dropped : int
        Number of records and workouts of forgotten users, which were not written.
    """

    months: dict[str, int]
    users: list[str]
    sources: list[str]
    workouts: dict[str, int]
    traits_since: str | None
    dropped: int


def write_records(
    batches: Iterable[pa.RecordBatch],
    workouts: Iterable[pa.RecordBatch],
    staging: Path,
    pseudonyms: Pseudonyms,
) -> Content:
    """Write records and workouts, without those of forgotten users, to `staging`.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Records of days.
    workouts : iterable of RecordBatch
        It is read after `batches`.
    staging : Path
    pseudonyms : Pseudonyms
    """
    counts: dict[str, int] = {}
    users: set[str] = set()
    sources: set[str] = set()
    dropped = 0
    with ExitStack() as stack:
        files: dict[str, _MonthFile] = {}
        for batch in batches:
            records = pseudonyms.drop_forgotten(as_stored(batch))
            dropped += batch.num_rows - records.num_rows
            keys = pc.strftime(records.column("date"), format="%Y-%m")
            for month in pc.unique(keys).to_pylist():
                part = records.filter(pc.equal(keys, month)).replace_schema_metadata(None)
                if month not in files:
                    files[month] = _MonthFile(staging / records_file(month), stack)
                files[month].write(part)
                counts[month] = counts.get(month, 0) + part.num_rows
            users |= set(pc.unique(records.column("user_id")).to_pylist())
            sources |= set(pc.unique(records.column("source")).to_pylist())
            if len(sources) > MAX_SOURCES:
                raise SourceError(f"its rows name more than {MAX_SOURCES:,} sources")
        for file in files.values():
            file.flush()
    rows = pa.Table.from_batches(workouts, WORKOUT_SCHEMA)
    kept = pa.Table.from_batches(
        [pseudonyms.drop_forgotten(batch) for batch in rows.to_batches()], WORKOUT_SCHEMA
    )
    users |= set(pc.unique(kept["user_id"]).to_pylist())
    for month in files:
        _drop_null_columns(staging / records_file(month), OPTIONAL)
    return Content(
        months=dict(sorted(counts.items())),
        users=sorted(users),
        sources=sorted(sources),
        workouts=_write_workouts(kept, staging),
        traits_since=write_traits(staging, counts),
        dropped=dropped + len(rows) - len(kept),
    )


def _write_workouts(rows: pa.Table, staging: Path) -> dict[str, int]:
    """Write a file for each month of `rows`, and return the numbers of workouts.

    The rows of a file are sorted, so that equal workouts give equal bytes.
    """
    order = [(name, "ascending") for name in WORKOUT_SCHEMA.names]
    rows = rows.sort_by(order).replace_schema_metadata(None)
    keys = pc.strftime(rows["local_start"], format="%Y-%m")
    counts = {}
    for month in sorted(pc.unique(keys).to_pylist()):
        part = rows.filter(pc.equal(keys, month)).combine_chunks()
        pq.write_table(part, staging / workouts_file(month))
        counts[month] = len(part)
    return counts


def _drop_null_columns(path: Path, names: Collection[str]) -> None:
    """Write a Parquet file again without those columns of `names` that are null throughout.

    The file is the same as if it was written without them. If there are none, it is not changed.
    """
    rest = path.with_name(f"{path.name}.rest")
    with pq.ParquetFile(path) as file:
        null = [name for name in file.schema_arrow.names if name in names and _is_null(file, name)]
        if not null:
            return
        schema = pa.schema([each for each in file.schema_arrow if each.name not in null])
        with pq.ParquetWriter(rest, schema) as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=schema.names)
                writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    rest.replace(path)


def _is_null(file: pq.ParquetFile, name: str) -> bool:
    """Whether the column `name` is null throughout, by the statistics of the file."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        columns = (group.column(index) for index in range(group.num_columns))
        chunk = next(column for column in columns if column.path_in_schema == name)
        if chunk.statistics is None or chunk.statistics.null_count != group.num_rows:
            return False
    return True


class _MonthFile:
    """The file of one month, in row groups of `_ROW_GROUP` records."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._schema = STORED_SCHEMA.remove_metadata()
        self._file = stack.enter_context(pq.ParquetWriter(path, self._schema))
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _ROW_GROUP:
            rows = self._take_all()
            whole = len(rows) // _ROW_GROUP * _ROW_GROUP
            self._file.write_table(rows.slice(0, whole), row_group_size=_ROW_GROUP)
            rest = rows.slice(whole)
            self._batches, self._rows = rest.to_batches(), len(rest)

    def flush(self) -> None:
        if self._rows:
            self._file.write_table(self._take_all(), row_group_size=_ROW_GROUP)

    def _take_all(self) -> pa.Table:
        rows = pa.Table.from_batches(self._batches, self._schema).combine_chunks()
        self._batches, self._rows = [], 0
        return rows
