"""The folder source."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.folder import REQUIRED_COLUMNS, Folder

HEADER = ",".join(REQUIRED_COLUMNS)
ROW = "7,2023-04-02,1200,310.5,81,7.25,walking"


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def read(
    root: Path, month: str = "2023-04", unreadable: dict[str, str] | None = None
) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    unreadable = {} if unreadable is None else unreadable
    for batch in Folder(root).read(month, unreadable.setdefault):
        assert batch.schema.equals(SCHEMA)
        records += batch.to_pylist()
    return records


def test_csv_and_parquet_give_equal_records(tmp_path: Path) -> None:
    write(tmp_path / "a" / "days.csv", HEADER, ROW)
    table = pa.table(
        {
            "user_id": [7],
            "date": [datetime(2023, 4, 2, 23, 30, tzinfo=UTC)],
            "steps": [1200.0],
            "calories_burned": [310.5],
            "heart_rate_avg": [81],
            "sleep_hours": [7.25],
            "activity_type": pa.array(["walking"]).dictionary_encode(),
            "something_else": ["ignored"],
        }
    )
    (tmp_path / "b").mkdir()
    pq.write_table(table, tmp_path / "b" / "days.parquet")
    first, second = read(tmp_path)
    assert first == second
    assert first["date"] == date(2023, 4, 2)
    assert (first["user_id"], first["steps"], first["source"]) == ("7", 1200, "folder")
    assert first["ingested_at"] is None


def test_only_files_of_the_month_are_opened(tmp_path: Path) -> None:
    write(tmp_path / "all.csv", HEADER, ROW, ROW.replace("04-02", "05-02"))
    # Opening this file would raise an error.
    write(tmp_path / "year=2023" / "month=05" / "day=01" / "x.csv", "not,a,day")
    assert [record["date"] for record in read(tmp_path)] == [date(2023, 4, 2)]


def test_missing_values_are_null_and_times_of_day_are_dropped(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", HEADER, "7,2023-04-02T08:00:00,,NaN,,,")
    (record,) = read(tmp_path)
    assert record["date"] == date(2023, 4, 2)
    assert [record[name] for name in REQUIRED_COLUMNS[2:]] == [None] * 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7,2023-04-02,many,1,1,1,yoga", "row 2: steps is 'many'"),
        ("7,02.04.2023,1,1,1,1,yoga", "row 2: date is '02.04.2023'"),
        ("7,2023-02-30,1,1,1,1,yoga", "row 2: date is '2023-02-30'"),
        (",2023-04-02,1,1,1,1,yoga", "row 2 has no user_id"),
        ("7,,1,1,1,1,yoga", "row 2 has no date"),
        ("7,2023-04-02,1,1", "cannot be read as csv"),
    ],
)
def test_an_invalid_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "x.csv", HEADER, ROW, line)
    with pytest.raises(SourceError) as error:
        read(tmp_path)
    assert str(path) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_a_file_without_a_required_column_is_named(tmp_path: Path, column: str) -> None:
    path = write(tmp_path / "x.csv", ",".join(name for name in REQUIRED_COLUMNS if name != column))
    with pytest.raises(SourceError, match=f"{path} lacks the column {column}"):
        read(tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({name: ["1"] for name in REQUIRED_COLUMNS}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=f"{path} cannot be read as parquet"):
        read(tmp_path)


def test_a_record_in_the_folder_of_another_month_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "year=2023" / "month=04" / "x.csv", HEADER, ROW.replace("04-02", "05-02"))
    with pytest.raises(SourceError, match="is in the folder of 2023-04 but holds 2023-05-02"):
        read(tmp_path)


def test_a_folder_without_telemetry_is_named(tmp_path: Path) -> None:
    write(tmp_path / "_staging" / "x.csv", HEADER, ROW)
    write(tmp_path / "notes.txt", "nothing here")
    with pytest.raises(SourceError, match=r"holds no \.csv or \.parquet file"):
        Folder(tmp_path).check()
    with pytest.raises(SourceError, match="is not a readable folder"):
        Folder(tmp_path / "missing").check()


def test_a_month_without_records_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", HEADER, ROW)
    with pytest.raises(SourceError, match="holds no records of 2023-06"):
        read(tmp_path, "2023-06")
