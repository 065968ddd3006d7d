"""Months in an object store are read like those on a disk, with few requests."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.assets.daily_activity import stage
from fitness_assets.errors import EtlError, StorageError
from fitness_assets.etl import distributed
from fitness_assets.record import raw
from fitness_assets.record.buckets import EVERYONE, Bucket
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage import object_folder, rows
from fitness_assets.storage.lake import Lake, RawInfo, TableInfo, describe
from fitness_assets.storage.locations import (
    Location,
    ObjectPath,
    file_names,
    folder_names,
    location,
)
from fitness_assets.storage.object_store import ObjectStore
from fitness_assets.storage.parts import read_part
from fitness_assets.storage.rows import write_delivered
from fitness_assets_tests.support.object_store import S3Server

MONTH = "2023-04"
COLUMNS = ["user_id", "date", "steps"]


def land(root: Location, users: int = 80) -> Lake[TableInfo]:
    """A month of the cohort, in buckets of about 500 records."""
    lake = Lake(root, TableInfo)
    with pytest.MonkeyPatch.context() as patch, lake.writer(MONTH) as writer:
        patch.setattr(rows, "ROWS_PER_BUCKET", 500)
        write_delivered(writer.staging, Cohort(users=users, seed=1).read(MONTH))
        writer.publish(describe(writer.staging))
    return lake


@pytest.fixture
def root(object_store: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectPath:
    found = location(object_store.use(monkeypatch))
    assert isinstance(found, ObjectPath)
    return found


def test_a_month_in_buckets_is_read_as_from_a_disk(root: ObjectPath, tmp_path: Path) -> None:
    here, there = land(tmp_path), land(root)
    assert here.published(MONTH) == there.published(MONTH)
    assert there.months() == [MONTH]
    count = there.info(MONTH).bucket_count
    assert count > 1
    for bucket in (EVERYONE, Bucket(0, 2), Bucket(count, 2 * count)):
        for columns in (None, COLUMNS):
            assert here.scan([MONTH], columns, bucket) == there.scan([MONTH], columns, bucket)
    tables = zip(
        here.scan_buckets([MONTH], COLUMNS), there.scan_buckets([MONTH], COLUMNS), strict=True
    )
    assert all(one.equals(other) for one, other in tables)


def test_parts_of_a_pinned_month_are_read_where_they_are(root: ObjectPath, tmp_path: Path) -> None:
    lake = land(root)
    pinned = lake.pin(MONTH, tmp_path)
    assert list(tmp_path.iterdir()) == []
    land(root, users=90)
    schema = raw.schema_of([])
    table = read_part(pinned.part(EVERYONE), schema)
    assert len(table) == pinned.info.rows != lake.info(MONTH).rows
    assert set(table["user_id"].to_pylist()) == _users(land(tmp_path))


def _users(lake: Lake[TableInfo]) -> set[str]:
    return set(lake.scan([MONTH], ["user_id"]).table["user_id"].to_pylist())


def test_a_small_file_is_one_request_and_a_column_of_a_large_one_a_few(
    root: ObjectPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, path = land(root), tmp_path / "large.parquet"
    random = pa.array(range(400_000), pa.int64())
    table = pa.table(dict.fromkeys("abcdefgh", random))
    pq.write_table(table, path, compression="none", use_dictionary=False)
    root.store.write((root / "large.parquet").key, path)
    requests = []
    read_range = ObjectStore.read_range

    def counted(store: ObjectStore, name: str, start: int, length: int) -> bytes | None:
        requests.append(length)
        return read_range(store, name, start, length)

    monkeypatch.setattr(ObjectStore, "read_range", counted)
    lake.scan([MONTH])
    assert len(requests) == len(lake.published(MONTH).files)
    requests.clear()
    with (root / "large.parquet").open_ranges() as file:
        assert pq.ParquetFile(file).read(columns=["c"]).equals(table.select(["c"]))
    # The footer, and the pages of the column.
    assert len(requests) <= 3
    assert sum(requests) < path.stat().st_size / 2


def test_what_executors_staged_is_removed_after_an_error(
    root: ObjectPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(land(root).root, RawInfo)
    written = file_names(lake.folder(MONTH))

    def fail(*given: object) -> None:
        access = given[-1]
        assert isinstance(access, distributed.Access)
        staged = access.folder / "00000-0.parquet"
        root.store.write(staged.key, b"rows")
        assert staged.is_file()
        raise EtlError("Spark: a task failed")

    monkeypatch.setattr(distributed, "write_files", fail)
    with pytest.raises(EtlError, match="a task failed"):
        stage(lake, _Cluster(), MONTH, tmp_path)  # type: ignore[arg-type]
    assert folder_names(lake.folder(MONTH)) == []
    assert file_names(lake.folder(MONTH)) == written


class _Cluster:
    """A Spark that is not local."""

    is_local = False
    spark_session = None


def test_a_month_that_is_replaced_while_it_is_read_is_read_again(
    root: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_folder, "GRACE", timedelta(seconds=-1))
    lake = land(root)
    before = lake.published(MONTH)
    now = land(root, users=90).published(MONTH)
    answers = iter([before, now])
    monkeypatch.setattr(lake, "published", lambda _: next(answers))
    assert lake.scan([MONTH], COLUMNS).table.num_rows == now.info["rows"]
    monkeypatch.setattr(lake, "published", lambda _: before)
    with pytest.raises(StorageError, match="lacks a file of its manifest"):
        lake.scan([MONTH], COLUMNS)
