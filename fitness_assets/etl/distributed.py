"""The ETL of a month on Spark: each task cleans the days of its users by `clean.daily_activity`."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from fitness_assets.record.daily import BASELINE_WINDOWS, SCHEMA
from fitness_assets.record.raw import COLUMNS

WriteRows = Callable[[Path, Iterable[pa.RecordBatch], pa.Schema], None]

#: The canonical record as Spark reads it. Every column may be null: Spark does not check.
RAW_SCHEMA: T.StructType = from_arrow_schema(
    pa.schema([pa.field(column.name, column.type) for column in COLUMNS])
)

_RECORDS = pa.schema(
    [*(pa.field(column.name, column.type) for column in COLUMNS), (clean.HISTORY, pa.bool_())]
)


def read_raw(spark: SparkSession, files: Sequence[Path]) -> DataFrame:
    """Read raw records with the declared schema, so that Spark does not infer one."""
    return spark.read.schema(RAW_SCHEMA).parquet(*[str(path) for path in files])


def history(raw: DataFrame) -> DataFrame:
    """The records of the month before that baselines of this month may include.

    No window begins earlier than its last days, so what is left out has no effect.
    """
    # No date in the expression, so that Spark generates the same code for every month and the JVM
    # compiles it once.
    return raw.where(F.date_add("date", max(BASELINE_WINDOWS)) > F.last_day("date"))


def write_files(
    raw: DataFrame, earlier: DataFrame | None, files: int, folder: Path, write: WriteRows
) -> list[Path]:
    """Clean the records of a month, and write them to `files` files.

    Parameters
    ----------
    raw : DataFrame
        Records of the month, with `RAW_SCHEMA`.
    earlier : DataFrame or None
        Records of the days before the month, from `history`.
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
        records = records.unionByName(earlier.withColumn(clean.HISTORY, F.lit(True)))

    # The ids are trimmed as `clean.canonical_text` does it: spellings of one user stay together.
    by_user = records.repartition(files, F.trim("user_id"))
    try:
        written = by_user.mapInArrow(_Clean(folder, write), "number long, path string").collect()
    except PySparkException as error:
        raise EtlError(f"Spark: {_root_cause(str(error))}") from error
    return [Path(row.path) for row in sorted(written, key=lambda row: row.number)]


@dataclass(frozen=True)
class _Clean:
    """Clean the records of a task, and write them to a file. Its path is the one row returned."""

    # A class at the top level is sent to the executors by its name, a nested function as bytecode.
    folder: Path
    write: WriteRows

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("not in a Spark task")
        # A task that is retried, or runs twice at the same time, must not overwrite its own file.
        number, attempt = task.partitionId(), task.taskAttemptId()
        path = self.folder / f"{number:05d}-{attempt}.parquet"
        table = pa.concat_tables(
            [_RECORDS.empty_table(), *(pa.table(batch).cast(_RECORDS) for batch in batches)]
        )
        self.write(path, clean.daily_activity(table).to_batches(), SCHEMA)
        yield pa.RecordBatch.from_pydict({"number": [number], "path": [str(path)]})


def _root_cause(text: str) -> str:
    """Return the line that names the cause in an error with Python and Java stack traces."""
    lines = [line.strip() for line in text.splitlines()]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.]*(Error|Exception): ", line)]
    return (causes or lines)[-1].removeprefix("Caused by: ")
