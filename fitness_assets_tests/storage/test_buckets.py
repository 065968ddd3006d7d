"""Months of many rows in buckets of users."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.errors import StorageError
from fitness_assets.models.datasets import held_out, sample_users
from fitness_assets.record import buckets as buckets_module
from fitness_assets.record import raw
from fitness_assets.record.buckets import EVERYONE, Bucket, count_of, indices
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage import rows as rows_module
from fitness_assets.storage.lake import Lake, Scan, TableInfo, describe
from fitness_assets.storage.parts import read_part
from fitness_assets.storage.rows import part, write_delivered
from fitness_assets_tests.support.local_paths import local

MONTHS = ["2023-04", "2023-05"]
KEY = [("user_id", "ascending"), ("date", "ascending"), ("ingested_at", "ascending")]
powers = st.integers(0, 8).map(lambda exponent: 1 << exponent)


def users_of(count: int) -> pa.ChunkedArray:
    return pa.chunked_array([[f"user {number}" for number in range(count)]])


@given(fine=powers, coarse=powers)
def test_buckets_of_more_are_within_buckets_of_fewer(fine: int, coarse: int) -> None:
    fine, coarse = max(fine, coarse), min(fine, coarse)
    users = users_of(200)
    assert (indices(users, fine) * coarse // fine == indices(users, coarse)).all()
    for index in range(coarse):
        inside = np.isin(indices(users, fine), Bucket(index, coarse).overlapping(fine))
        assert (inside == Bucket(index, coarse).contains(users)).all()


def test_buckets_are_alike_in_size_and_in_held_out_users() -> None:
    users = users_of(20_000)
    found = indices(users, 8)
    shares = np.bincount(found) / len(users)
    assert np.abs(shares - 1 / 8).max() < 0.01
    assert pa.chunked_array([["x", " x ", "x "]]).length() == 3
    assert len(set(indices(pa.chunked_array([["x", " x ", "x "]]), 64))) == 1
    test = held_out(users.to_pandas()).to_numpy()
    assert abs(test[found == 0].mean() - test.mean()) < 0.02


def test_a_sample_of_users_begins_with_the_first_bucket() -> None:
    days = pa.table({"user_id": users_of(1_000)}).to_pandas()
    drawn = set(sample_users(days, 100)["user_id"])
    first = Bucket(0, 8).contains(users_of(1_000))
    assert drawn <= set(days["user_id"][first])


@pytest.mark.parametrize(
    ("rows", "count"), [(0, 1), (1, 1), (10, 1), (11, 2), (20, 2), (21, 4), (41, 8)]
)
def test_the_mean_bucket_has_at_most_so_many_rows(rows: int, count: int) -> None:
    assert count_of(rows, 10) == count


@pytest.mark.parametrize("wrong", [(0, 3), (4, 4), (-1, 2), (0, 0)])
def test_there_is_no_other_bucket(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="there is no bucket"):
        Bucket(*wrong)


def land(lake: Lake[TableInfo], month: str, *, batch: int = 10_000) -> pa.Table:
    """Write a month of a cohort, with spaces around some ids; the rows as delivered."""
    delivered = pa.Table.from_batches(Cohort(users=60, seed=1).read(month))
    ids = [
        f" {user} " if day.day % 2 else user
        for user, day in zip(
            delivered["user_id"].to_pylist(), delivered["date"].to_pylist(), strict=True
        )
    ]
    delivered = delivered.set_column(0, raw.SCHEMA.field("user_id"), pa.array(ids))
    with lake.writer(month) as writer:
        write_delivered(writer.staging, delivered.to_batches(max_chunksize=batch))
        writer.publish(describe(writer.staging))
    return delivered


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake[TableInfo]:
    """A month of eight buckets, and one of two."""
    found = Lake(tmp_path / "lake", TableInfo)
    for month, rows in zip(MONTHS, (300, 1_200), strict=True):
        monkeypatch.setattr(rows_module, "ROWS_PER_BUCKET", rows)
        land(found, month)
    assert [found.info(month).bucket_count for month in MONTHS] == [8, 2]
    return found


def test_one_bucket_and_many_have_the_same_rows(
    lake: Lake[TableInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "ROWS_PER_BUCKET", 1_000_000)
    single = Lake(tmp_path / "single", TableInfo)
    delivered = land(single, MONTHS[0])
    found = single.scan([MONTHS[0]]).table
    assert found.equals(delivered.select(found.column_names))
    assert single.info(MONTHS[0]).columns == lake.info(MONTHS[0]).columns
    both = [each.scan([MONTHS[0]]).table.sort_by(KEY).combine_chunks() for each in (lake, single)]
    assert both[0].equals(both[1])


def test_more_buckets_than_spilled_files_and_any_batches_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "ROWS_PER_BUCKET", 100)
    monkeypatch.setattr(rows_module, "_SPILL_FILES", 4)
    versions = set()
    for batch in (50, 777, 100_000):
        found = Lake(tmp_path / str(batch), TableInfo)
        delivered = land(found, MONTHS[0], batch=batch)
        versions.add(found.published(MONTHS[0]).data_version)
    assert len(versions) == 1
    assert found.info(MONTHS[0]).bucket_count == 32
    assert found.info(MONTHS[0]).rows == len(delivered)
    assert not list(local(found.folder(MONTHS[0])).glob("**/*.arrow"))


def test_small_batches_are_distributed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "ROWS_PER_BUCKET", 300)
    sizes = []

    def counted(user_ids: pa.ChunkedArray, count: int) -> np.ndarray:
        sizes.append(len(user_ids))
        return indices(user_ids, count)

    monkeypatch.setattr(buckets_module, "indices", counted)
    delivered = land(Lake(tmp_path, TableInfo), MONTHS[0], batch=1)
    assert sizes == [len(delivered)]


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_a_bucket_is_read_from_months_of_other_buckets(lake: Lake[TableInfo], count: int) -> None:
    whole = lake.scan(MONTHS, ["user_id", "date", "steps"]).table
    found = []
    for index in range(count):
        bucket = Bucket(index, count)
        rows = lake.scan(MONTHS, ["user_id", "date", "steps"], bucket)
        assert rows.table.equals(whole.filter(pa.array(bucket.contains(whole["user_id"]))))
        assert lake.scan(MONTHS, ["steps"], bucket).table.equals(rows.table.select(["steps"]))
        found.append(rows)
    assert sum(rows.table.num_rows for rows in found) == len(whole)
    if count == 8:
        # Of the first month a file each; of the second every row group of one of two files.
        assert found[0].bytes_read < lake.scan(MONTHS, ["user_id", "date", "steps"]).bytes_read


def test_buckets_are_read_one_after_the_other(lake: Lake[TableInfo]) -> None:
    columns = ["user_id", "steps"]
    tables = list(lake.scan_buckets(MONTHS, columns))
    assert len(tables) == 8
    users = [set(pc.utf8_trim_whitespace(table["user_id"]).to_pylist()) for table in tables]
    assert sum(map(len, users)) == len(set.union(*users)) == 60
    assert sum(map(len, tables)) == lake.scan(MONTHS).table.num_rows


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("count", [0, 1, 3, 60])
def test_the_rows_of_some_users_are_read_from_their_buckets(
    lake: Lake[TableInfo], monkeypatch: pytest.MonkeyPatch, month: str, count: int
) -> None:
    columns = ["user_id", "steps"]
    whole = lake.scan([month], columns).table
    users = pc.unique(whole["user_id"]).to_pylist()[:count]
    expected = whole.filter(pc.is_in(whole["user_id"], pa.array(users, pa.string())))
    scan = Lake.scan
    read: list[int] = []

    def counted(*given: Any) -> Scan:
        found = scan(*given)
        read.append(len(found.table))
        return found

    monkeypatch.setattr(Lake, "scan", counted)
    assert lake.scan_users(month, columns, users).to_pylist() == expected.to_pylist()
    assert max(read) < len(whole)


def test_a_month_that_is_published_again_is_not_read_in_two_versions(
    lake: Lake[TableInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = lake.scan_buckets(MONTHS, ["user_id"])
    next(tables)
    monkeypatch.setattr(rows_module, "ROWS_PER_BUCKET", 600)
    land(lake, MONTHS[0])
    with pytest.raises(StorageError, match="lake of 2023-04 was published again while it was read"):
        list(tables)


def test_a_sample_is_of_the_same_users_in_each_month(lake: Lake[TableInfo]) -> None:
    rows = sum(lake.info(month).rows for month in MONTHS)
    assert lake.sample(MONTHS, rows) == EVERYONE
    assert lake.sample(MONTHS, rows - 1) == Bucket(0, 2)
    assert lake.sample(MONTHS, rows // 6) == Bucket(0, 8)
    fewer = lake.scan(MONTHS, ["user_id"], lake.sample(MONTHS, rows // 6)).table
    more = lake.scan(MONTHS, ["user_id"], lake.sample(MONTHS, rows // 3)).table
    assert set(fewer["user_id"].to_pylist()) < set(more["user_id"].to_pylist())


def test_files_of_an_older_version_are_no_buckets(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", TableInfo)
    table = pa.table({"user_id": users_of(40), "steps": pa.array(range(40))})
    with lake.writer(MONTHS[0]) as writer:
        for number in range(3):
            pq.write_table(table.slice(number * 15, 15), writer.staging / part(number))
        info = describe(writer.staging)
        writer.publish(TableInfo(rows=info.rows, columns=info.columns))
    assert lake.info(MONTHS[0]).bucket_count == 1
    assert lake.scan([MONTHS[0]]).table.equals(table)
    pinned = lake.pin(MONTHS[0], tmp_path)
    for bucket in (Bucket(0, 4), Bucket(3, 4)):
        kept = table.filter(pa.array(bucket.contains(table["user_id"])))
        assert lake.scan([MONTHS[0]], ["steps"], bucket).table.equals(kept.select(["steps"]))
        assert read_part(pinned.part(bucket), table.schema).equals(kept)
