"""Spark transformations: from raw records to one clean record per user and day, with features."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from fitness_assets.errors import EtlError
from fitness_assets.etl import dedupe
from fitness_assets.record import wear
from fitness_assets.record.daily import BASELINE_VALUES, BASELINE_WINDOWS, SCHEMA
from fitness_assets.record.raw import COLUMNS, RANGES

WriteRows = Callable[[Path, Iterable[pa.RecordBatch], pa.Schema], None]

#: The canonical record as Spark reads it. Every column may be null: Spark does not check.
RAW_SCHEMA: T.StructType = from_arrow_schema(
    pa.schema([pa.field(column.name, column.type) for column in COLUMNS])
)

#: Records of the month per file of the lake. A task sorts as many records, with the days before
#: them, in 1 GB of memory without spilling to disk.
ROWS_PER_FILE = 250_000

_KEY = ("user_id", "date")

# Of two records of one day, the record that is larger in these columns, in this order, is kept: the
# one delivered last, then the one with more known values, then the one with larger values, so that
# the outcome does not depend on the order of files or rows. The columns that have baselines come
# before the others, so that a month and the history that the next month reads choose the same.
_PRECEDENCE = list(
    dict.fromkeys(
        ["ingested_at", "_fullness", *BASELINE_VALUES]
        + [name for name in RAW_SCHEMA.names if name not in _KEY]
        + ["quality_flags"]
    )
)

_SNAKE_CASE = "^[a-z0-9]+(_[a-z0-9]+)*$"


def daily_activity(raw: DataFrame, earlier: DataFrame | None = None, files: int = 1) -> DataFrame:
    """Clean records with features, sorted by user, day and precedence.

    `write_files` does the rest as the rows leave Spark: it keeps the first record of each day,
    adds the baselines and names the activities. These steps are vectorized in Arrow and would run
    row by row in Spark.

    Parameters
    ----------
    raw : DataFrame
        Records of the month, with `RAW_SCHEMA`.
    earlier : DataFrame, optional
        Records of the days before the month, from `history`.
    files : int
        Number of partitions, and so of files written. All days of a user are in one partition.

    Returns
    -------
    DataFrame
        Records of `raw` and of `earlier`; the column ``_history`` marks those of `earlier`.
    """
    records = _clean(raw).withColumn("_history", F.lit(False))
    if earlier is not None:
        records = records.unionByName(
            earlier.withColumn("_history", F.lit(True)), allowMissingColumns=True
        )
    # Deduplication, baselines and the order of the files share one shuffle and one sort.
    best_first = [F.col(name).desc_nulls_last() for name in _PRECEDENCE]
    by_user = records.repartition(files, "user_id")
    return with_features(by_user.sortWithinPartitions(*_KEY, *best_first).drop("_fullness"))


def _clean(raw: DataFrame) -> DataFrame:
    """Apply the steps that look at one record at a time."""
    return with_fullness(with_wear(canonical_text(null_out_of_range(raw))))


def canonical_text(raw: DataFrame) -> DataFrame:
    """Trim the user ids, and write ``sex`` and ``calories_kind`` in lower snake case."""

    def snake(column: str) -> Column:
        words = F.regexp_replace(F.lower(F.trim(column)), "[^a-z0-9]+", "_")
        text = F.nullif(F.regexp_replace(words, "^_+|_+$", ""), F.lit(""))
        # Nearly all values are right already, and matching is cheaper than replacing.
        return F.when(F.col(column).rlike(_SNAKE_CASE), F.col(column)).otherwise(text)

    return raw.withColumns(
        {
            "user_id": F.trim("user_id"),
            **{name: snake(name) for name in ("sex", "calories_kind")},
        }
    )


def null_out_of_range(records: DataFrame) -> DataFrame:
    """Replace each value outside of its range by null and name its rule in ``quality_flags``.

    The rest of the record is kept: one bad reading does not cost the day. NaN is outside of every
    range.
    """
    inside = {name: F.col(name).between(low, high) for name, (low, high) in RANGES.items()}
    flagged = [F.when(~test, F.lit(f"{name}_out_of_range")) for name, test in inside.items()]
    flags = F.when(
        reduce(Column.__or__, [F.coalesce(~test, F.lit(False)) for test in inside.values()]),
        F.array_compact(F.array(*flagged)),
    ).otherwise(F.array().cast("array<string>"))
    # The flags depend on the values before they are replaced, so both are computed in one step.
    kept = {name: F.when(test, F.col(name)) for name, test in inside.items()}
    return records.withColumns({**kept, "quality_flags": flags})


def with_wear(records: DataFrame) -> DataFrame:
    """Add ``worn``, and replace the movement of days on which the device was not worn by null.

    The definition is that of `record.wear`. Movement is replaced before the number of known values
    is counted, so that of two records of a day the worn one is kept.
    """

    def column(name: str) -> Column:
        return F.coalesce(F.col(name), F.lit(-1))

    is_active = F.coalesce(F.col("calories_kind") == "active", F.lit(False))
    active_kcal = F.when(is_active, column("calories_burned")).otherwise(F.lit(-1))
    kept = wear.keeps_movement(column, active_kcal)
    movement = {name: F.when(kept, F.col(name)) for name in wear.MOVEMENT}
    # The kind of an energy that was null before is kept, as the source states it.
    kind = F.when(kept | F.col("calories_burned").isNull(), F.col("calories_kind"))
    return records.withColumns(
        {**movement, "calories_kind": kind, "worn": wear.is_worn(column, active_kcal)}
    )


def with_fullness(records: DataFrame) -> DataFrame:
    """Add ``_fullness``, the number of known values; blank text is not a value."""
    values = [field for field in RAW_SCHEMA if field.name not in _KEY]
    return records.withColumn(
        "_fullness", reduce(Column.__add__, [_known(field).cast("int") for field in values])
    )


def _known(field: T.StructField) -> Column:
    known = F.col(field.name).isNotNull()
    if isinstance(field.dataType, T.StringType):
        known &= F.trim(field.name) != ""
    return known


def with_features(days: DataFrame) -> DataFrame:
    """Add the features that depend on the day alone.

    ``day_of_week`` is 1 for Monday to 7 for Sunday. ``calories_per_step`` is 0 for a day of 0 steps
    and null if either value is unknown. Year and month are columns of the lake by the names of its
    folders, which is the convention of Hive.
    """
    return days.withColumns(
        {
            "day_of_week": F.weekday("date") + 1,
            "calories_per_step": calories_per_step(F.col("calories_burned"), F.col("steps")),
        }
    )


def calories_per_step(calories: Column, steps: Column) -> Column:
    """Kcal per step: 0 for 0 steps, null if either value is unknown."""
    return F.when((steps == 0) & calories.isNotNull(), F.lit(0.0)).otherwise(calories / steps)


def read_raw(spark: SparkSession, files: Sequence[Path]) -> DataFrame:
    """Read raw records with the declared schema, so that Spark does not infer one."""
    return spark.read.schema(RAW_SCHEMA).parquet(*[str(path) for path in files])


def history(raw: DataFrame) -> DataFrame:
    """Select the records that the baselines of the month after `raw` need.

    Parameters
    ----------
    raw : DataFrame
        Records of the month before, with `RAW_SCHEMA`.

    Returns
    -------
    DataFrame
        Clean records of its last days, as many as the longest baseline window; only the columns
        that have baselines, ``worn``, and those that decide between two records of a day.
    """
    # No date in the expression, so that Spark generates the same code for every month and the JVM
    # compiles it once.
    last_days = F.date_add("date", max(BASELINE_WINDOWS)) > F.last_day("date")
    return _clean(raw.where(last_days)).select(
        *_KEY, *_PRECEDENCE[: 2 + len(BASELINE_VALUES)], "worn"
    )


def write_files(days: DataFrame, folder: Path, write: WriteRows) -> list[Path]:
    """Finish the rows of each partition by `dedupe.finish` and write them to one file.

    Parameters
    ----------
    days : DataFrame
        From `daily_activity`.
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

    def job(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("not in a Spark task")
        # A task that is retried, or runs twice at the same time, must not overwrite its own file.
        number, attempt = task.partitionId(), task.taskAttemptId()
        path = folder / f"{number:05d}-{attempt}.parquet"
        write(path, dedupe.finish(batches, SCHEMA), SCHEMA)
        yield pa.RecordBatch.from_pydict({"number": [number], "path": [str(path)]})

    try:
        written = days.mapInArrow(job, "number long, path string").collect()
    except PySparkException as error:
        raise EtlError(f"Spark: {_root_cause(str(error))}") from error
    return [Path(row.path) for row in sorted(written, key=lambda row: row.number)]


def _root_cause(text: str) -> str:
    """Return the line that names the cause in an error with Python and Java stack traces."""
    lines = [line.strip() for line in text.splitlines()]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.]*(Error|Exception): ", line)]
    return (causes or lines)[-1].removeprefix("Caused by: ")
