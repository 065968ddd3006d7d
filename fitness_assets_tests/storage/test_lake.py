from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import StorageError
from fitness_assets.storage import lake as lake_module
from fitness_assets.storage.lake import Lake, describe, stage

TABLE = pa.table({"user_id": [f"u{i}" for i in range(100)], "steps": list(range(100))})


def publish(lake: Lake, month: str, table: pa.Table, batch: int = 100) -> str:
    with lake.writer(month) as writer:
        stage(writer, table.to_batches(max_chunksize=batch), table.schema)
        return writer.publish(describe(writer.staging)).data_version


def test_scan_reads_the_months_and_columns_asked_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    publish(lake, "2023-04", TABLE.slice(0, 10))
    publish(lake, "2023-05", TABLE.slice(10, 5))
    assert lake.scan(["2023-04", "2023-05"], ["steps"]).to_pydict() == {"steps": list(range(15))}
    assert lake.scan(["2023-05"]).column_names == ["user_id", "steps"]
    with pytest.raises(StorageError, match="has no 2023-06"):
        lake.scan(["2023-06"])


def test_other_tools_read_the_folders(tmp_path: Path) -> None:
    publish(Lake(tmp_path), "2023-04", TABLE)
    table = pq.read_table(tmp_path, partitioning="hive")
    assert table.num_rows == 100
    assert set(table["year"].to_pylist()) == {2023}
    assert set(table["month"].to_pylist()) == {4}


def test_equal_rows_are_equal_bytes_however_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "_ROW_GROUP", 32)
    versions = {publish(Lake(tmp_path / str(size)), "2023-04", TABLE, size) for size in (1, 7, 100)}
    assert len(versions) == 1
    (file,) = Lake(tmp_path / "7").files("2023-04")
    assert pq.ParquetFile(file).metadata.num_row_groups == 4
    assert pq.ParquetFile(file).read().equals(TABLE)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    publish(lake, "2023-04", TABLE)
    (file,) = lake.files("2023-04")
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(StorageError, match=f"{file} cannot be read"):
        lake.scan(["2023-04"])
    file.unlink()
    with pytest.raises(StorageError, match="lacks a file that its manifest names"):
        lake.scan(["2023-04"])
