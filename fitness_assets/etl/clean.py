"""From what devices delivered to one clean record a user and day, with features."""

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

from fitness_assets.errors import EtlError
from fitness_assets.etl import baselines, dedupe
from fitness_assets.record.daily import RANGES, SCHEMA

WriteRows = Callable[[Path, Iterable[pa.RecordBatch], pa.Schema], None]

#: The raw record as Spark reads it; the order and names of the canonical schema.
RAW_SCHEMA = T.StructType(
    [
        T.StructField("user_id", T.StringType()),
        T.StructField("date", T.DateType()),
        T.StructField("steps", T.IntegerType()),
        T.StructField("distance_km", T.DoubleType()),
        T.StructField("calories_burned", T.DoubleType()),
        T.StructField("calories_kind", T.StringType()),
        T.StructField("heart_rate_avg", T.DoubleType()),
        T.StructField("resting_heart_rate", T.DoubleType()),
        T.StructField("sleep_hours", T.DoubleType()),
        T.StructField("active_minutes", T.IntegerType()),
        T.StructField("sedentary_minutes", T.IntegerType()),
        T.StructField("activity_type", T.StringType()),
        T.StructField("age", T.IntegerType()),
        T.StructField("sex", T.StringType()),
        T.StructField("height_cm", T.DoubleType()),
        T.StructField("weight_kg", T.DoubleType()),
        T.StructField("source", T.StringType()),
        T.StructField("ingested_at", T.TimestampType()),
    ]
)

#: Records of the month that go into one file of the lake. A task sorts as many, and the days
#: before them, in a memory of 1 GB without spilling to disk.
ROWS_PER_FILE = 250_000

_KEY = ("user_id", "date")

# By what one of two records of a day wins: the latest delivered, of those the fullest, and of those
# the one of the greater values, so that the outcome does not depend on the order in which files or
# rows come. Values that have baselines come before the others, so that a month and the history that
# the next month takes of it choose alike.
_PRECEDENCE = list(
    dict.fromkeys(
        ["ingested_at", "_fullness", *baselines.VALUES]
        + [name for name in RAW_SCHEMA.names if name not in _KEY]
        + ["quality_flags"]
    )
)

_SNAKE_CASE = "^[a-z0-9]+(_[a-z0-9]+)*$"


def daily_activity(raw: DataFrame, earlier: DataFrame | None = None, files: int = 1) -> DataFrame:
    """Clean records with features, sorted by user and day, of a day the one that counts first.

    The rest comes as the rows leave Spark: `write_files` keeps the first record of each day and
    adds the baselines. Both are a matter of vectors there and of row after row here.

    Parameters
    ----------
    raw : DataFrame
        Records of the month, with `RAW_SCHEMA`.
    earlier : DataFrame, optional
        Records of the days before it, as `history` gives them.
    files : int
        Number of partitions, and so of files written. A user's days are in one of them.

    Returns
    -------
    DataFrame
        Records of `raw` and of `earlier`; the column ``_history`` tells which.
    """
    records = _clean(raw).withColumn("_history", F.lit(False))
    if earlier is not None:
        records = records.unionByName(
            earlier.withColumn("_history", F.lit(True)), allowMissingColumns=True
        )
    # One shuffle and one sort serve the deduplication, the baselines and the order of the files.
    best_first = [F.col(name).desc_nulls_last() for name in _PRECEDENCE]
    spread = records.repartition(files, "user_id")
    return with_features(spread.sortWithinPartitions(*_KEY, *best_first).drop("_fullness"))


def _clean(raw: DataFrame) -> DataFrame:
    """What is done to each record by itself."""
    return canonical_types(with_fullness(null_out_of_range(raw)))


def canonical_types(raw: DataFrame) -> DataFrame:
    """Text as the canonical record spells it: trimmed, categories in lower snake case."""

    def snake(column: str) -> Column:
        words = F.regexp_replace(F.lower(F.trim(column)), "[^a-z0-9]+", "_")
        spelled = F.nullif(F.regexp_replace(words, "^_+|_+$", ""), F.lit(""))
        # Nearly all of it is right as it comes, and looking is cheaper than replacing.
        return F.when(F.col(column).rlike(_SNAKE_CASE), F.col(column)).otherwise(spelled)

    return raw.withColumns(
        {
            "user_id": F.trim("user_id"),
            **{name: snake(name) for name in ("activity_type", "sex", "calories_kind")},
        }
    )


def null_out_of_range(records: DataFrame) -> DataFrame:
    """Null each value outside `RANGES` and name its column in ``quality_flags``.

    The rest of the record stands: one bad reading does not cost the day. Not-a-number is outside
    of every range.
    """
    inside = {name: F.col(name).between(low, high) for name, (low, high) in RANGES.items()}
    flagged = [F.when(~test, F.lit(f"{name}_out_of_range")) for name, test in inside.items()]
    flags = F.when(
        reduce(Column.__or__, [F.coalesce(~test, F.lit(False)) for test in inside.values()]),
        F.array_compact(F.array(*flagged)),
    ).otherwise(F.array().cast("array<string>"))
    # The flags are told from the values as they came, so they are computed beside them.
    kept = {name: F.when(test, F.col(name)) for name, test in inside.items()}
    return records.withColumns({**kept, "quality_flags": flags})


def with_fullness(records: DataFrame) -> DataFrame:
    """Add ``_fullness``, the number of values that are known; blank text is none."""
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
    """Add what can be told from the day alone.

    ``day_of_week`` is 1 for Monday to 7 for Sunday; ``calories_per_step`` is 0 for a day of 0
    steps and null where either is unknown; ``worn`` says whether the device was on the body. Year
    and month are columns of the lake by the names of its folders, as Hive and its readers have it.
    """
    return days.withColumns(
        {
            "day_of_week": F.weekday("date") + 1,
            "calories_per_step": calories_per_step(F.col("calories_burned"), F.col("steps")),
            "worn": F.col("heart_rate_avg").isNotNull()
            | (F.coalesce(F.col("steps"), F.lit(0)) > 0),
        }
    )


def calories_per_step(calories: Column, steps: Column) -> Column:
    """Kcal for each step: 0 where no step was taken, null where either is unknown."""
    return F.when((steps == 0) & calories.isNotNull(), F.lit(0.0)).otherwise(calories / steps)


def read_raw(spark: SparkSession, files: Sequence[Path]) -> DataFrame:
    """The raw records in `files`, with a schema declared rather than inferred."""
    return spark.read.schema(RAW_SCHEMA).parquet(*[str(path) for path in files])


def history(raw: DataFrame) -> DataFrame:
    """What the baselines of the month after `raw` reach back to.

    Parameters
    ----------
    raw : DataFrame
        Records of the month before, with `RAW_SCHEMA`.

    Returns
    -------
    DataFrame
        Its last days, as many as a baseline covers, cleaned; only what a baseline is made of and
        what decides between two records of a day.
    """
    # No date is named, so that Spark generates the same code for every month and the JVM compiles
    # it once.
    last_days = F.date_add("date", max(baselines.WINDOWS)) > F.last_day("date")
    return _clean(raw.where(last_days)).select(*_KEY, *_PRECEDENCE[: 2 + len(baselines.VALUES)])


def write_files(days: DataFrame, folder: Path, write: WriteRows) -> list[Path]:
    """Keep one record a day, add the baselines, leave the history out; write one file a partition.

    Parameters
    ----------
    days : DataFrame
        As `daily_activity` gives it.
    folder : Path
        An existing folder, which every executor sees under this name.
    write : callable
        Given a path, record batches in order, and their schema; runs in the executors.

    Returns
    -------
    list of Path
        The files written, in the order of the partitions.
    """

    def job(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("not in a Spark task")
        # A task that is tried again, or twice at once, must not write over its own first attempt.
        number, attempt = task.partitionId(), task.taskAttemptId()
        path = folder / f"{number:05d}-{attempt}.parquet"
        write(path, dedupe.finished(batches, SCHEMA), SCHEMA)
        yield pa.RecordBatch.from_pydict({"number": [number], "path": [str(path)]})

    try:
        written = days.mapInArrow(job, "number long, path string").collect()
    except PySparkException as error:
        raise EtlError(f"Spark: {_root_cause(str(error))}") from error
    return [Path(row.path) for row in sorted(written, key=lambda row: row.number)]


def _root_cause(told: str) -> str:
    """The line that says what happened, of an error told with the traces of two languages."""
    lines = [line.strip() for line in told.splitlines()]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.]*(Error|Exception): ", line)]
    return (causes or lines)[-1].removeprefix("Caused by: ")
