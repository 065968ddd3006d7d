"""The ETL of a month on Spark: the same rows as on Arrow tables, in files of whole users."""

import errno
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from fitness_assets.errors import EtlError
from fitness_assets.etl import clean, distributed
from fitness_assets.record import daily
from fitness_assets.record.buckets import EVERYONE, Bucket
from fitness_assets.record.raw import SCHEMA, schema_of
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage.lake import Pinned, TableInfo
from fitness_assets.storage.parts import read_part
from fitness_assets.storage.rows import write_rows

pytestmark = pytest.mark.spark

#: The optional column of the records of each month.
OPTIONAL_OF = {"2023-04": "spo2", "2023-05": "hrv_rmssd"}


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


def pinned(raw: dict[str, Path], month: str) -> Pinned:
    path = raw[month]
    columns = {field.name: str(field.type) for field in pq.read_schema(path)}
    return Pinned((path,), TableInfo(rows=pq.read_metadata(path).num_rows, columns=columns))


def cleaned(spark: SparkSession, raw: dict[str, Path], count: int, folder: Path) -> list[pa.Table]:
    """The month of `raw` cleaned in `count` buckets."""
    earlier, month = pinned(raw, "2023-04"), pinned(raw, "2023-05")
    inputs = [
        distributed.BucketInputs(month.part(bucket), earlier.part(bucket))
        for bucket in (Bucket(index, count) for index in range(count))
    ]
    optional = distributed.OptionalColumns((OPTIONAL_OF["2023-05"],), tuple(OPTIONAL_OF.values()))
    folder.mkdir()
    paths = distributed.write_files(
        spark, inputs, optional, distributed.Access(folder, read_part, write_rows)
    )
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

    parts = cleaned(spark, raw, 4, tmp_path / "four")
    assert all(_keys(part) == sorted(_keys(part)) for part in parts)
    users = [set(part["user_id"].to_pylist()) for part in parts]
    assert sum(map(len, users)) == len(set.union(*users)) == 30
    together = pa.concat_tables(parts).sort_by([("user_id", "ascending"), ("date", "ascending")])
    assert together.equals(expected.combine_chunks())


def test_days_before_the_longest_window_are_not_history() -> None:
    earlier = pa.Table.from_batches(Cohort(users=3, seed=1).read("2023-05")).select(SCHEMA.names)
    found = clean.with_history(earlier.slice(0, 0), earlier)
    assert pc.min(found["date"]).as_py() == date(2023, 5, 4)
    assert pc.max(found["date"]).as_py() == date(2023, 5, 31)


def _full_disk(path: Path, _: Iterable[pa.RecordBatch], __: pa.Schema) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_a_full_disk_of_an_executor_is_reported_in_one_line(
    spark: SparkSession, raw: dict[str, Path], tmp_path: Path
) -> None:
    inputs = [distributed.BucketInputs(pinned(raw, "2023-04").part(EVERYONE), None)]
    columns = distributed.OptionalColumns((), ())
    access = distributed.Access(tmp_path, read_part, _full_disk)
    with pytest.raises(EtlError) as error:
        distributed.write_files(spark, inputs, columns, access)
    assert str(error.value).startswith("Spark: OSError: [Errno 28] No space left on device")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
