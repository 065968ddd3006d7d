"""Releases of many users: tables in parts, and distributions of a sample of the users."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.record.buckets import Bucket, indices
from fitness_assets.release import build
from fitness_assets.release.acceptance import check_people
from fitness_assets.release.bundle import Release
from fitness_assets.release.parts import files_of, part_file, table_of
from fitness_assets.release.people import Privacy, split
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage import documents
from fitness_assets_tests.release.test_build import inputs
from fitness_assets_tests.support.days import random_days

COUNT = 4
PRIVATE = Privacy(people="private", by_hand=False, real=True, smallest_cell=5)
DAYS = random_days(40, 0)


def in_buckets(days: pd.DataFrame) -> Callable[[], list[pd.DataFrame]]:
    users = pa.chunked_array([days["user_id"]])
    return lambda: [days[Bucket(index, COUNT).contains(users)] for index in range(COUNT)]


def summaries(days: pd.DataFrame) -> Callable[[], list[pa.Table]]:
    """A table by user, in parts of other sizes than the buckets."""
    return lambda: [
        pa.Table.from_pandas(part[["user_id", "steps"]], preserve_index=False)
        for part in in_buckets(days)()
        for part in (part.iloc[: len(part) // 2], part.iloc[len(part) // 2 :])
    ]


@pytest.fixture(autouse=True)
def rows_per_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_ROWS_PER_FILE", -(-len(DAYS) // COUNT))


def large(privacy: Privacy) -> build.Inputs:
    """The month in four buckets, of which the first is the sample."""
    return replace(
        inputs(privacy),
        days=in_buckets(DAYS)()[0],
        everyone=in_buckets(DAYS),
        rows=len(DAYS),
        tables_by_user={"summaries": summaries(DAYS)},
    )


@pytest.mark.parametrize("protects", [True, False])
def test_counts_and_means_are_of_everyone(protects: bool) -> None:
    privacy = PRIVATE if protects else replace(PRIVATE, people="public")
    files, info = build.assemble(large(privacy))
    whole, expected = build.assemble(replace(inputs(privacy), days=DAYS))
    assert info.summary.users == expected.summary.users
    assert info.summary.records == expected.summary.records
    assert info.summary.mean_kcal == pytest.approx(expected.summary.mean_kcal)
    assert info.summary.activities == expected.summary.activities
    for name in ("days", "weekdays"):
        found, right = (pd.read_parquet(io.BytesIO(f[f"{name}.parquet"])) for f in (files, whole))
        pd.testing.assert_frame_equal(found, right)
    found, right = (pd.read_parquet(io.BytesIO(f["activities.parquet"])) for f in (files, whole))
    assert found["days"].tolist() == right["days"].tolist()
    assert found["users"].tolist() == right["users"].tolist()


def test_each_user_is_in_one_part() -> None:
    files, _ = build.assemble(large(PRIVATE))
    for name, expected in (("user_days", len(DAYS)), ("summaries", len(DAYS))):
        rows = 0
        for index in range(COUNT):
            table = pq.read_table(io.BytesIO(files[part_file(name, index, COUNT)]))
            assert set(indices(table["user_id"], COUNT)) == {index}
            assert table["user_id"].to_pylist() == sorted(table["user_id"].to_pylist())
            rows += len(table)
        assert rows == expected
    assert files.keys() >= {"sample.parquet", "days.parquet"}


def test_ids_of_the_release_decide_the_part() -> None:
    renamed = build.with_release_ids(large(PRIVATE), lambda user: f"r{user[::-1]}")
    files, info = build.assemble(renamed)
    assert info.summary.users == 40
    rows = 0
    for index in range(COUNT):
        table = pq.read_table(io.BytesIO(files[part_file("user_days", index, COUNT)]))
        assert set(indices(table["user_id"], COUNT)) <= {index}
        rows += len(table)
    assert rows == len(DAYS)


def test_several_parts_of_a_table_in_one_file_are_sorted_by_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_ROWS_PER_FILE", len(DAYS))
    renamed = build.with_release_ids(large(PRIVATE), lambda user: f"r{user[::-1]}")
    for month in (large(PRIVATE), renamed):
        files, _ = build.assemble(month)
        users = pq.read_table(io.BytesIO(files["summaries.parquet"]))["user_id"].to_pylist()
        assert len(users) == len(DAYS)
        assert users == sorted(users)


def open_release(folder: Path, files: dict[str, bytes]) -> Release:
    store = ReleaseStore(folder)
    _, info = build.assemble(large(PRIVATE))
    return store.write("2023-04", files, documents.plain(info))


def test_the_days_of_a_user_are_read_from_one_part(tmp_path: Path) -> None:
    files, _ = build.assemble(large(PRIVATE))
    _, private = split(files, "private")
    release = open_release(tmp_path, private)
    assert release.has_table("user_days")
    assert len(release.table("user_days")) == len(DAYS)
    assert release.table_bytes(["user_days"]) == sum(
        len(private[file]) for file in files_of("user_days", private)
    )
    user = str(DAYS["user_id"].iloc[0])
    part = part_file("user_days", int(indices(pa.chunked_array([[user]]), COUNT)[0]), COUNT)
    for file in release.manifest.files:
        if file.name != part:
            (tmp_path / "2023-04" / file.path).unlink()
    own = release.table("user_days", user=user)
    assert len(own) == (DAYS["user_id"] == user).sum()
    with pytest.raises(StorageError, match="which its manifest lists"):
        release.table("user_days")
    with pytest.raises(StorageError, match="has no table findings"):
        release.table("findings")


@pytest.mark.parametrize(
    "wrong",
    [
        ["user_days-00000.parquet"],
        ["user_days-00000.parquet", "user_days.parquet"],
        ["user_days-00000.parquet", "user_days-00002.parquet"],
        [f"user_days-{index:05d}.parquet" for index in range(3)],
    ],
)
def test_missing_parts_are_refused(wrong: list[str]) -> None:
    with pytest.raises(StorageError, match="some are missing"):
        files_of("user_days", wrong)
    files, _ = build.assemble(large(PRIVATE))
    _, private = split(files, "private")
    content = private[part_file("user_days", 0, COUNT)]
    with pytest.raises(StorageError, match="some are missing"):
        check_people(dict.fromkeys(wrong, content), "2023-04")


def test_other_tables_in_parts_are_refused() -> None:
    files, _ = build.assemble(large(PRIVATE))
    sample = files["sample.parquet"]
    wrong = {part_file("sample", index, 2): sample for index in range(2)}
    with pytest.raises(ReleaseError, match="has the table sample in parts"):
        check_people(wrong, "2023-04")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("user_days.parquet", "user_days"),
        ("user_days-00001.parquet", "user_days"),
        ("user_days-1.parquet", None),
        ("user_days.skops", None),
        ("../user_days.parquet", None),
    ],
)
def test_a_file_has_a_table(file: str, name: str | None) -> None:
    assert table_of(file) == name
