import errno
import os
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from fitness_assets.errors import EtlError
from fitness_assets.etl import clean
from fitness_assets.etl.dedupe import first_record_per_day
from fitness_assets.record import daily
from fitness_assets.record.raw import SCHEMA
from fitness_assets.record.wear import MOVEMENT
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.folder import Folder
from fitness_assets.storage.lake import write_rows
from fitness_assets_tests.support.exports import write_files
from fitness_assets_tests.support.wear import DAYS_OF_WEAR

pytestmark = pytest.mark.spark

DAY = date(2023, 4, 1)  # a Saturday


def record(**values: Any) -> tuple[Any, ...]:
    known = {"user_id": "a", "date": DAY, **values}
    return tuple(known.get(name) for name in clean.RAW_SCHEMA.names)


def frame(spark: SparkSession, *records: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(records), clean.RAW_SCHEMA)


def test_spark_reads_the_canonical_schema() -> None:
    assert clean.RAW_SCHEMA.names == SCHEMA.names
    assert all(field.nullable for field in clean.RAW_SCHEMA)
    types = {field.name: field.dataType.simpleString() for field in clean.RAW_SCHEMA}
    assert types["date"] == "date"
    assert types["steps"] == "int"
    assert types["distance_km"] == "double"
    assert types["ingested_at"] == "timestamp"


@pytest.mark.parametrize(
    ("steps", "kcal", "expected"),
    [
        (0, 250.0, 0.0),
        (0, 0.0, 0.0),
        (1000, 250.0, 0.25),
        (None, 250.0, None),
        (1000, None, None),
        (0, None, None),
    ],
)
def test_calories_per_step(
    spark: SparkSession, steps: int | None, kcal: float | None, expected: float | None
) -> None:
    days = clean.with_features(frame(spark, record(steps=steps, calories_burned=kcal)))
    assert days.collect()[0].calories_per_step == expected


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("steps", -1, False),
        ("steps", 0, True),
        ("steps", 100_000, True),
        ("steps", 100_001, False),
        ("heart_rate_avg", 29.9, False),
        ("heart_rate_avg", 30.0, True),
        ("heart_rate_avg", 220.0, True),
        ("heart_rate_avg", float("nan"), False),
        ("sleep_hours", 24.0, True),
        ("sleep_hours", 430.0, False),
        ("calories_burned", 20_000.5, False),
    ],
)
def test_a_value_out_of_range_is_replaced_by_null_and_flagged(
    spark: SparkSession, column: str, value: float, kept: bool
) -> None:
    (row,) = clean.null_out_of_range(frame(spark, record(**{column: value}))).collect()
    assert row[column] == (value if kept else None)
    assert row.quality_flags == ([] if kept else [f"{column}_out_of_range"])


def first_per_day(spark: SparkSession, *records: tuple[Any, ...]) -> list[dict[str, Any]]:
    in_order = clean.daily_activity(frame(spark, *records)).toArrow()
    days: list[dict[str, Any]] = first_record_per_day(in_order).to_pylist()
    return days


def test_the_latest_delivery_wins_then_the_fuller_record(spark: SparkSession) -> None:
    early, late = (datetime(2023, 4, 2, hour, tzinfo=UTC) for hour in (3, 9))
    records = [
        record(steps=1, heart_rate_avg=70.0, sleep_hours=8.0, ingested_at=early),
        record(steps=2, ingested_at=late),
        record(steps=3, heart_rate_avg=71.0, ingested_at=late),
        record(steps=4, heart_rate_avg=72.0, sleep_hours=9.0),
    ]
    for order in (records, records[::-1], records[2:] + records[:2]):
        (row,) = first_per_day(spark, *order)
        assert row["steps"] == 3, "the late delivery with more values"


def test_blank_text_does_not_make_a_record_fuller(spark: SparkSession) -> None:
    blank = record(steps=1, activity_type="", sex=" ")
    (row,) = first_per_day(spark, blank, record(steps=2, sleep_hours=8.0))
    assert row["steps"] == 2


def test_a_tie_is_broken_by_the_values_and_not_by_the_order_of_rows(spark: SparkSession) -> None:
    tied: list[dict[str, Any]] = [
        {"steps": 5, "sleep_hours": 8.0},
        {"height_cm": 80.0},
        {"weight_kg": 80.0},
        {"age": 30, "steps": -1},  # differs from the next record only in the flag
        {"age": 30},
    ]
    pairs = [
        record(user_id=f"{number}", **values)
        for number, pair in enumerate(combinations(tied, 2))
        for values in pair
    ]
    kept, kept_of_reversed = (
        {row["user_id"]: row for row in first_per_day(spark, *records)}
        for records in (pairs, pairs[::-1])
    )
    assert len(kept) == 10
    assert kept == kept_of_reversed


def test_a_month_and_its_history_keep_the_same_record(spark: SparkSession, tmp_path: Path) -> None:
    last_day = date(2023, 3, 31)
    tied = [
        record(date=last_day, heart_rate_avg=90.0, resting_heart_rate=50.0),
        record(date=last_day, heart_rate_avg=80.0, resting_heart_rate=60.0),
    ]
    march = frame(spark, *tied)
    (day,) = first_record_per_day(clean.daily_activity(march).toArrow()).to_pylist()
    april = clean.daily_activity(frame(spark, record()), clean.history(march))
    (path,) = clean.write_files(april, tmp_path, write_rows)
    assert pq.read_table(path)["resting_heart_rate_mean_7d"].to_pylist() == [
        day["resting_heart_rate"]
    ]


def test_text_is_canonical(spark: SparkSession) -> None:
    records = frame(spark, record(user_id=" a ", calories_kind=" Active!", sex=""))
    (row,) = clean.canonical_text(records).collect()
    assert (row.user_id, row.calories_kind, row.sex) == ("a", "active", None)


def test_a_folder_and_an_export_of_the_same_day_get_the_same_activity(
    spark: SparkSession, tmp_path: Path
) -> None:
    def unexpected(*reason: str) -> None:
        pytest.fail(str(reason))

    header = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"
    write_files(tmp_path / "files", {"days.csv": f"{header}\na,2023-04-01,5,,,,walk\n"})
    delivered = {
        "folder": Folder(tmp_path / "files").read("2023-04", unexpected),
        "export": read_export(tmp_path / "files", ImportOptions(), unexpected),
    }
    for name, records in delivered.items():
        raw = tmp_path / f"{name}.parquet"
        write_rows(raw, records, SCHEMA)
        (tmp_path / name).mkdir()
        days = clean.daily_activity(clean.read_raw(spark, [raw]))
        (path,) = clean.write_files(days, tmp_path / name, write_rows)
        assert pq.read_table(path)["activity_type"].to_pylist() == ["walking"], name


def test_the_day_of_the_week_is_that_of_the_date(spark: SparkSession) -> None:
    (row,) = clean.with_features(frame(spark, record(steps=10))).collect()
    assert row.day_of_week == 6


def test_movement_of_a_day_not_worn_is_null_in_its_month_and_in_its_history(
    spark: SparkSession, tmp_path: Path
) -> None:
    # By name, a record, whether it is worn, and whether its movement is kept.
    days: dict[str, tuple[dict[str, Any], bool, bool]] = {
        name: (values, name.startswith("worn"), name.startswith(("worn", "energy")))
        for name, values in DAYS_OF_WEAR.items()
    }
    records = frame(
        spark, *[record(user_id=name, **values) for name, (values, _, _) in days.items()]
    )
    march = frame(
        spark,
        *[
            record(user_id=name, date=date(2023, 3, 31), **values)
            for name, (values, _, _) in days.items()
        ],
    )
    month = clean.daily_activity(records, clean.history(march))
    (path,) = clean.write_files(month, tmp_path, write_rows)
    rows = {row["user_id"]: row for row in pq.read_table(path).to_pylist()}
    for name, (values, is_worn, is_kept) in days.items():
        row = rows[name]
        assert row["worn"] == is_worn, name
        for column in (*MOVEMENT, "resting_heart_rate", "sleep_hours"):
            kept = is_kept or column not in MOVEMENT
            assert row[column] == (values.get(column) if kept else None), (name, column)
        for column in ("steps", "calories_burned", "resting_heart_rate"):
            mean = values.get(column) if is_worn else None
            assert row[f"{column}_mean_7d"] == mean, (name, column)


def test_of_two_records_of_a_day_the_worn_one_is_kept(spark: SparkSession) -> None:
    idle = record(steps=0, calories_burned=1500.0, active_minutes=0, sedentary_minutes=1440)
    (row,) = first_per_day(spark, idle, record(steps=5000, calories_burned=2000.0))
    assert (row["steps"], row["worn"]) == (5000, True)


def test_files_hold_whole_users_in_order(spark: SparkSession) -> None:
    records = frame(
        spark,
        *[
            record(user_id=f"u{user}", date=date(2023, 4, day), steps=day)
            for day in (3, 1, 2)
            for user in range(20)
        ],
    )
    parts = clean.daily_activity(records, files=3).rdd.glom().collect()
    keys = [[(row.user_id, row.date) for row in part] for part in parts]
    assert all(part == sorted(part) for part in keys)
    users = [{user for user, _ in part} for part in keys]
    assert sum(len(part) for part in users) == len(set.union(*users)) == 20


def test_a_full_disk_of_an_executor_is_reported_in_one_line(
    spark: SparkSession, tmp_path: Path
) -> None:
    def write(path: Path, _: Iterable[pa.RecordBatch], __: pa.Schema) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    days = clean.daily_activity(frame(spark, record(steps=1)))
    with pytest.raises(EtlError) as error:
        clean.write_files(days, tmp_path, write)
    assert str(error.value).startswith("Spark: OSError: [Errno 28] No space left on device")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_are_written_with_baselines_and_without_history(
    spark: SparkSession, tmp_path: Path
) -> None:
    month = [record(user_id=user, date=date(2023, 4, day)) for user in "ab" for day in (1, 2)]
    march = [record(date=date(2023, 3, day), steps=day) for day in (2, 3, 4, 31)]
    earlier = clean.history(frame(spark, *march))
    days = clean.daily_activity(frame(spark, *month), earlier, files=2)
    paths = clean.write_files(days, tmp_path, write_rows)
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    rows = {(row["user_id"], row["date"].day): row for row in table.to_pylist()}
    assert set(rows) == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}
    # The window of 1 April begins on 4 March, 28 days before.
    assert [rows["a", day]["steps_mean_28d"] for day in (1, 2)] == [17.5, 31.0]
    assert rows["b", 2]["steps_mean_28d"] is None
    assert table.schema.equals(daily.SCHEMA)
