from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import StorageError
from fitness_assets.storage import rows as rows_module
from fitness_assets.storage.lake import (
    DailyInfo,
    Lake,
    RawInfo,
    TableInfo,
    describe,
)
from fitness_assets.storage.rows import part, write_rows
from fitness_assets_tests.support.local_paths import local

TABLE = pa.table({"user_id": [f"u{i}" for i in range(100)], "steps": list(range(100))})


def publish(lake: Lake[TableInfo], month: str, table: pa.Table, batch: int = 100) -> str:
    with lake.writer(month) as writer:
        write_rows(writer.staging / part(0), table.to_batches(max_chunksize=batch), table.schema)
        return writer.publish(describe(writer.staging)).data_version


def test_scan_reads_the_requested_months_and_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    publish(lake, "2023-04", TABLE.slice(0, 10))
    publish(lake, "2023-05", TABLE.slice(10, 5))
    assert lake.scan(["2023-04", "2023-05"], ["steps"]).table.to_pydict() == {
        "steps": list(range(15))
    }
    assert lake.scan(["2023-05"]).table.column_names == ["user_id", "steps"]
    with pytest.raises(StorageError, match="has no 2023-06"):
        lake.scan(["2023-06"])


def test_other_tools_can_read_the_folders(tmp_path: Path) -> None:
    publish(Lake(tmp_path, TableInfo), "2023-04", TABLE)
    table = pq.read_table(tmp_path, partitioning="hive")
    assert table.num_rows == 100
    assert set(table["year"].to_pylist()) == {2023}
    assert set(table["month"].to_pylist()) == {4}


def test_equal_rows_give_equal_bytes_for_any_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_ROW_GROUP", 32)
    versions = {
        publish(Lake(tmp_path / str(size), TableInfo), "2023-04", TABLE, size)
        for size in (1, 7, 100)
    }
    assert len(versions) == 1
    (file,) = Lake(tmp_path / "7", TableInfo).files("2023-04")
    assert pq.ParquetFile(file).metadata.num_row_groups == 4
    assert pq.ParquetFile(file).read().equals(TABLE)


def test_scan_reads_no_other_file_and_no_other_column(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    table = pa.table({name: np.random.default_rng(0).random(200_000) for name in "abcdefghij"})
    for month in ("2023-04", "2023-05"):
        publish(lake, month, table)
    whole = lake.scan(["2023-04"])
    file = local(lake.files("2023-04")[0])
    assert whole.table.equals(table)
    assert whole.bytes_read >= file.stat().st_size
    column = lake.scan(["2023-04"], ["c"])
    assert column.table.column_names == ["c"]
    # A tenth of the columns, and the footer, which is read in one block of 64 KiB.
    assert column.bytes_read < whole.bytes_read / 10 + 70_000
    assert lake.scan(["2023-04", "2023-05"], ["c"]).bytes_read == 2 * column.bytes_read
    # A month that is not requested may be unreadable.
    local(lake.files("2023-05")[0]).write_bytes(b"")
    assert lake.scan(["2023-04"], ["c"]).bytes_read == column.bytes_read


def test_a_pinned_month_stays_when_it_is_published_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", TableInfo)
    publish(lake, "2023-04", TABLE)
    pinned = lake.pin("2023-04", tmp_path)
    publish(lake, "2023-04", TABLE.slice(50))
    assert [pq.read_table(path).num_rows for path in pinned.paths] == [100]
    file = local(lake.files("2023-04")[0])
    file.write_bytes(b"flipped")
    with pytest.raises(StorageError, match="differs from its manifest"):
        lake.pin("2023-04", tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    publish(lake, "2023-04", TABLE)
    file = local(lake.files("2023-04")[0])
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    with pytest.raises(StorageError, match=f"{file} has 50 bytes where {len(whole):,} were"):
        lake.scan(["2023-04"])
    file.unlink()
    with pytest.raises(StorageError, match="lacks a file of its manifest"):
        lake.scan(["2023-04"])


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    publish(lake, "2023-04", TABLE)
    file = local(lake.files("2023-04")[0])
    whole = file.read_bytes()
    errors = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            # Some bytes, such as the statistics in the footer, do not affect what is read.
            assert lake.scan(["2023-04"]).table.equals(TABLE), place
        except StorageError as error:
            errors.append(str(error))
    assert len(errors) > len(whole) / 2
    assert all(str(tmp_path) in error for error in errors)


def test_info_extends_that_of_every_table(tmp_path: Path) -> None:
    lake = Lake(tmp_path, RawInfo)
    with lake.writer("2023-04") as writer:
        write_rows(writer.staging / part(0), TABLE.to_batches(), TABLE.schema)
        table = describe(writer.staging)
        info = RawInfo(rows=table.rows, columns=table.columns, unread={"a.csv": "damaged"})
        manifest = writer.publish(info)
    assert lake.info("2023-04") == info
    assert manifest.info == {
        "rows": 100,
        "columns": {"user_id": "string", "steps": "int64"},
        "unread": {"a.csv": "damaged"},
        "source_version": None,
    }
    with pytest.raises(StorageError, match=r"of 2023-04 cannot be read: .*`distributions`"):
        Lake(tmp_path, DailyInfo).info("2023-04")
