"""The ETL of a month on Spark: the same rows as on Arrow tables, in files of whole users."""

import errno
import os
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from fitness_assets.errors import EtlError
from fitness_assets.etl import clean, distributed
from fitness_assets.record import daily
from fitness_assets.record.raw import FULL_SCHEMA, OPTIONAL, SCHEMA, schema_of
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage.lake import write_rows

pytestmark = pytest.mark.spark

#: The optional column of the records of each month.
OPTIONAL_OF = {"2023-04": "spo2", "2023-05": "hrv_rmssd"}


def test_spark_reads_the_canonical_schema() -> None:
    schema = distributed.raw_schema(OPTIONAL)
    assert distributed.raw_schema().names == SCHEMA.names
    assert schema.names == FULL_SCHEMA.names
    assert all(field.nullable for field in schema)
    types = {field.name: field.dataType.simpleString() for field in schema}
    assert types["date"] == "date"
    assert types["steps"] == "int"
    assert types["distance_km"] == "double"
    assert types["ingested_at"] == "timestamp"
    assert types["sleep_start"] == "timestamp_ntz"


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, Path]:
    """Raw records of two months, with spaces around some of the user ids."""
    source, files = Cohort(users=30, seed=1), {}
    for month in ("2023-04", "2023-05"):
        table = pa.Table.from_batches(source.read(month)).select(SCHEMA.names)
        ids = [f" {user} " if day.day % 2 else user for user, day in _keys(table)]
        files[month] = tmp_path / f"{month}.parquet"
        table = table.set_column(0, SCHEMA.field("user_id"), pa.array(ids))
        table = table.append_column(OPTIONAL_OF[month], pa.array(range(len(table)), pa.float64()))
        schema = schema_of(table.column_names)
        write_rows(files[month], table.to_batches(max_chunksize=100), schema)
    return files


def _keys(table: pa.Table) -> list[tuple[str, date]]:
    return list(zip(table["user_id"].to_pylist(), table["date"].to_pylist(), strict=True))


def cleaned(
    spark: SparkSession, raw: dict[str, Path], files: int, folder: Path
) -> Sequence[pa.Table]:
    def read(month: str) -> DataFrame:
        # The choice between two records of the month before depends on all of its columns.
        columns = OPTIONAL_OF.values() if month == "2023-04" else [OPTIONAL_OF[month]]
        return distributed.read_raw(spark, [raw[month]], list(columns))

    folder.mkdir()
    earlier = distributed.history(read("2023-04"))
    paths = distributed.write_files(read("2023-05"), earlier, files, folder, write_rows)
    return [pq.read_table(path) for path in paths]


def test_spark_writes_the_bytes_of_the_month_cleaned_as_one_table(
    spark: SparkSession, raw: dict[str, Path], tmp_path: Path
) -> None:
    read = schema_of(list(OPTIONAL_OF.values()))
    tables = {month: pq.read_table(path, schema=read) for month, path in raw.items()}
    records = clean.with_history(tables["2023-05"], tables["2023-04"])
    optional = [OPTIONAL_OF["2023-05"]]
    expected = clean.daily_activity(records, optional)
    (table,) = cleaned(spark, raw, 1, tmp_path / "one")
    assert table.equals(expected)
    write_rows(tmp_path / "expected.parquet", expected.to_batches(), daily.schema_of(optional))
    (path,) = (tmp_path / "one").glob("*.parquet")
    assert path.read_bytes() == (tmp_path / "expected.parquet").read_bytes()

    parts = cleaned(spark, raw, 3, tmp_path / "three")
    assert all(_keys(part) == sorted(_keys(part)) for part in parts)
    users = [set(part["user_id"].to_pylist()) for part in parts]
    assert sum(map(len, users)) == len(set.union(*users)) == 30
    together = pa.concat_tables(parts).sort_by([("user_id", "ascending"), ("date", "ascending")])
    assert together.equals(expected.combine_chunks())


def test_a_full_disk_of_an_executor_is_reported_in_one_line(
    spark: SparkSession, tmp_path: Path
) -> None:
    def write(path: Path, _: Iterable[pa.RecordBatch], __: pa.Schema) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    records: list[Any] = [("a", date(2023, 4, 1), *[None] * (len(SCHEMA) - 2))]
    frame = spark.createDataFrame(records, distributed.raw_schema())
    with pytest.raises(EtlError) as error:
        distributed.write_files(frame, None, 1, tmp_path, write)
    assert str(error.value).startswith("Spark: OSError: [Errno 28] No space left on device")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
