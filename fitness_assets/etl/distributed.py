"""The ETL of a month on Spark: each task cleans the days of its users by `clean.daily_activity`."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from fitness_assets.errors import EtlError
from fitness_assets.etl import clean
from fitness_assets.record import raw as record
from fitness_assets.record.daily import BASELINE_WINDOWS, schema_of

WriteRows = Callable[[Path, Iterable[pa.RecordBatch], pa.Schema], None]


def raw_schema(optional: Collection[str] = ()) -> T.StructType:
    """The record as Spark reads it. Every column may be null: Spark does not check."""
    return from_arrow_schema(_plain_schema(optional))


def read_raw(
    spark: SparkSession, files: Sequence[Path], optional: Collection[str] = ()
) -> DataFrame:
    """Read raw records with the declared schema, so that Spark does not infer one.

    Columns of `optional` that a file lacks are null.
    """
    return spark.read.schema(raw_schema(optional)).parquet(*[str(path) for path in files])


def history(raw: DataFrame) -> DataFrame:
    """The records of the month before that baselines of this month may include.

    No window begins earlier than its last days, so what is left out has no effect.
    """
    # No date in the expression, so that Spark generates the same code for every month and the JVM
    # compiles it once.
    return raw.where(F.date_add("date", max(BASELINE_WINDOWS)) > F.last_day("date"))


def write_files(
    raw: DataFrame,
    earlier: DataFrame | None,
    files: int,
    folder: Path,
    write: WriteRows,
) -> list[Path]:
    """Clean the records of a month, and write them to `files` files.

    Parameters
    ----------
    raw : DataFrame
        Records of the month, from `read_raw`. The files get its optional columns.
    earlier : DataFrame or None
        Records of the days before the month, from `history`. They may have more of the optional
        columns, on which the choice between two records of a day depends.
    files : int
        Number of partitions, and so of files. All days of a user are in one partition.
    folder : Path
        An existing folder, with the same path on every executor.
    write : callable
        Called in the executors with a path, record batches in order, and their schema.

    Returns
    -------
    list of Path
        The files written, in the order of the partitions.

    Raises
    ------
    EtlError
        If Spark fails, with the cause in one line.
    """
    records = raw.withColumn(clean.HISTORY, F.lit(False))
    if earlier is not None:
        history_rows = earlier.withColumn(clean.HISTORY, F.lit(True))
        records = records.unionByName(history_rows, allowMissingColumns=True)

    # The ids are trimmed as `clean.canonical_text` does it: spellings of one user stay together.
    by_user = records.repartition(files, F.trim("user_id"))
    optional = record.optional_in(raw.columns)
    task = _Clean(folder, write, record.optional_in(records.columns), optional)
    try:
        written = by_user.mapInArrow(task, "number long, path string").collect()
    except PySparkException as error:
        raise EtlError(f"Spark: {_root_cause(str(error))}") from error
    return [Path(row.path) for row in sorted(written, key=lambda row: row.number)]


@dataclass(frozen=True)
class _Clean:
    """Clean the records of a task, and write them to a file. Its path is the one row returned."""

    # A class at the top level is sent to the executors by its name, a nested function as bytecode.
    folder: Path
    write: WriteRows
    # The optional columns that are read, and those of the month.
    optional_read: tuple[str, ...]
    optional: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("not in a Spark task")
        # A task that is retried, or runs twice at the same time, must not overwrite its own file.
        number, attempt = task.partitionId(), task.taskAttemptId()
        path = self.folder / f"{number:05d}-{attempt}.parquet"
        records = _plain_schema(self.optional_read).append(pa.field(clean.HISTORY, pa.bool_()))
        # Optional columns of the month before alone come after the others.
        tables = (pa.table(batch).select(records.names).cast(records) for batch in batches)
        table = pa.concat_tables([records.empty_table(), *tables])
        days = clean.daily_activity(table, self.optional)
        self.write(path, days.to_batches(), schema_of(self.optional))
        yield pa.RecordBatch.from_pydict({"number": [number], "path": [str(path)]})


def _plain_schema(optional: Collection[str]) -> pa.Schema:
    """The schema of raw records with `optional` columns, all nullable and without metadata."""
    return pa.schema([pa.field(each.name, each.type) for each in record.schema_of(optional)])


def _root_cause(text: str) -> str:
    """Return the line that names the cause in an error with Python and Java stack traces."""
    lines = [line.strip() for line in text.splitlines()]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.]*(Error|Exception): ", line)]
    return (causes or lines)[-1].removeprefix("Caused by: ")
