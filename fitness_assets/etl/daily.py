"""From what devices delivered to one clean record a user and day, with features."""

from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

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

#: The values a body and a device can give; what lies outside is nulled and flagged.
RANGES = {
    "steps": (0, 100_000),
    "distance_km": (0, 300),
    "calories_burned": (0, 20_000),
    "heart_rate_avg": (30, 220),
    "resting_heart_rate": (30, 220),
    "sleep_hours": (0, 24),
    "active_minutes": (0, 1440),
    "sedentary_minutes": (0, 1440),
    "age": (0, 120),
    "height_cm": (50, 260),
    "weight_kg": (2, 500),
}

_KEY = ("user_id", "date")


def daily_activity(raw: DataFrame, files: int = 1) -> DataFrame:
    """One clean record a user and day, with features, sorted by user and day.

    Parameters
    ----------
    raw : DataFrame
        Records with `RAW_SCHEMA`.
    files : int
        Number of partitions, and so of files written. A user's days are in one of them.
    """
    # One shuffle serves the deduplication and the order of the files.
    spread = canonical_types(raw).repartition(files, "user_id")
    cleaned = null_out_of_range(spread)
    return with_features(one_record_a_day(cleaned)).sortWithinPartitions(*_KEY)


def canonical_types(raw: DataFrame) -> DataFrame:
    """Text as the canonical record spells it: trimmed, categories in lower snake case."""

    def snake(column: str) -> Column:
        words = F.regexp_replace(F.lower(F.trim(column)), "[^a-z0-9]+", "_")
        return F.nullif(F.regexp_replace(words, "^_+|_+$", ""), F.lit("")).alias(column)

    text = {
        "user_id": F.trim("user_id").alias("user_id"),
        **{name: snake(name) for name in ("activity_type", "sex", "calories_kind")},
    }
    return raw.select(*[text.get(name, F.col(name)) for name in RAW_SCHEMA.names])


def null_out_of_range(records: DataFrame) -> DataFrame:
    """Null each value outside `RANGES` and name its column in ``quality_flags``.

    The rest of the record stands: one bad reading does not cost the day.
    """
    outside = {
        name: (F.col(name) < low) | (F.col(name) > high) | F.isnan(F.col(name).cast("double"))
        for name, (low, high) in RANGES.items()
    }
    flags = F.array_compact(
        F.array(*[F.when(test, F.lit(f"{name}_out_of_range")) for name, test in outside.items()])
    )
    kept = {name: F.when(~test, F.col(name)).alias(name) for name, test in outside.items()}
    return records.select(
        *[kept.get(name, F.col(name)) for name in records.columns], flags.alias("quality_flags")
    )


def one_record_a_day(records: DataFrame) -> DataFrame:
    """Keep one record a user and day: the latest delivered, then the fuller.

    Where both are equal the values themselves decide, so that the outcome does not depend on the
    order in which files or rows come.
    """
    values = [name for name in RAW_SCHEMA.names if name not in _KEY]
    filled = reduce(Column.__add__, [F.col(name).isNotNull().cast("int") for name in values])
    best_first = Window.partitionBy(*_KEY).orderBy(
        F.col("ingested_at").desc_nulls_last(),
        filled.desc(),
        *[F.col(name).desc_nulls_last() for name in values],
    )
    return (
        records.withColumn("_rank", F.row_number().over(best_first))
        .where(F.col("_rank") == 1)
        .drop("_rank")
    )


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


def read_raw(spark: SparkSession, files: list[Path]) -> DataFrame:
    """The raw records in `files`, with a schema declared rather than inferred."""
    return spark.read.schema(RAW_SCHEMA).parquet(*[str(path) for path in files])


def write_parquet(days: DataFrame, folder: Path) -> None:
    """Write `days` into `folder`, which must not exist: one Parquet file a partition."""
    days.write.parquet(str(folder), compression="zstd")
