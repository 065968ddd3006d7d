"""Months with problems: late, reordered, damaged or incomplete records, and a full disk."""

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from fitness_assets.cli.month_run import Outcome
from fitness_assets.cli.runs import run_months
from fitness_assets.errors import QualityError, StorageError
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import MakeSettings, materialize

LAKE = ["raw_telemetry", "daily_activity"]


def delivered(month: str, users: int = 12) -> pa.Table:
    """A month of a small cohort, as a source delivers it."""
    return pa.Table.from_batches(Cohort(users, seed=3).read(month))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(make_settings: MakeSettings, tmp_path: Path, source: Path) -> Settings:
    return make_settings(
        tmp_path / "home",
        FITNESS_SOURCE="folder",
        FITNESS_SOURCE_PATH=str(source),
    )


def outcomes(settings: Settings, assets: list[str]) -> dict[str, Outcome]:
    """Materialize `assets` of all months, as `fitness backfill` does."""
    keys = [dg.AssetKey(name) for name in assets]
    results = run_months(settings, dict.fromkeys(settings.months(), keys), lambda *_: None)
    return {outcome.month: outcome for outcome in results.outcomes}


def versions(settings: Settings) -> dict[str, str]:
    lake = Workspace.of(settings).daily
    return {
        month: manifest.data_version
        for month in settings.months()
        if (manifest := lake.manifest(month))
    }


def test_other_files_and_another_order_of_the_same_records_change_nothing(
    settings: Settings, source: Path
) -> None:
    month = delivered("2023-05")
    pq.write_table(delivered("2023-04"), source / "april.parquet")
    pq.write_table(month, source / "may.parquet")
    outcomes(settings, LAKE)
    before = versions(settings)
    raw = Workspace.of(settings).raw.published("2023-05").data_version
    assert set(before) == {"2023-04", "2023-05"}

    (source / "may.parquet").unlink()
    order = pa.array(range(month.num_rows - 1, -1, -1))
    shuffled = month.take(order)
    pa_csv.write_csv(shuffled.slice(0, 100), source / "z.csv")
    pq.write_table(shuffled.slice(50, 150), source / "b.parquet", row_group_size=7)
    (source / "sub").mkdir()
    pq.write_table(shuffled.slice(180), source / "sub" / "a.parquet")
    outcomes(settings, LAKE)
    assert Workspace.of(settings).raw.published("2023-05").data_version != raw
    assert versions(settings) == before


def test_baselines_use_the_month_before(settings: Settings, source: Path) -> None:
    pq.write_table(delivered("2023-05"), source / "may.parquet")
    ended = outcomes(settings, LAKE)
    assert "holds no records of 2023-04" in (ended["2023-04"].error or "")
    assert ended["2023-05"].error is None, "a month without records does not stop the next"
    lake = Workspace.of(settings).daily
    columns = ["user_id", "date", "steps", "steps_mean_7d", "steps_mean_28d"]

    def first_of_may() -> list[float | None]:
        days = lake.scan(["2023-05"], columns).table.to_pylist()
        return [day["steps_mean_7d"] for day in days if day["date"].day == 1]

    assert set(first_of_may()) == {None}
    pq.write_table(delivered("2023-04"), source / "april.parquet")
    outcomes(settings, LAKE)
    april = lake.scan(["2023-04"], columns).table.to_pandas()
    last = april[[day.day > 23 for day in april["date"]]]
    expected = last.groupby("user_id")["steps"].mean()
    assert first_of_may() == pytest.approx(expected.tolist())
    days = lake.scan(["2023-05"], ["date"]).table["date"].to_pylist()
    assert {day.month for day in days} == {5}, "records of April are not part of May"


def test_no_model_is_trained_on_a_month_that_fails_a_check(
    make_settings: MakeSettings, tmp_path: Path, source: Path
) -> None:
    settings = make_settings(
        tmp_path / "home",
        FITNESS_SOURCE="folder",
        FITNESS_SOURCE_PATH=str(source),
        FITNESS_LAST_MONTH="2023-06",
    )
    for number in (4, 6):
        pq.write_table(delivered(f"2023-0{number}"), source / f"{number}.parquet")
    may = delivered("2023-05")
    whole = pa.compute.less(may["date"], pa.scalar(may["date"][3].as_py()))
    pq.write_table(may.filter(whole), source / "5.parquet")
    ended = outcomes(settings, [*LAKE, "calorie_regressor"])
    assert [outcome.error is None for outcome in ended.values()] == [True, False, True]
    assert "2023-05 is not published, because it fails complete (10% of" in (
        ended["2023-05"].error or ""
    )
    workspace = Workspace.of(settings)
    assert set(versions(settings)) == {"2023-04", "2023-06"}
    assert workspace.models["calorie_regressor"].manifest("2023-05") is None
    window = workspace.models["calorie_regressor"].report("2023-06").window
    assert window == ["2023-04", "2023-06"]

    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(QualityError):
            materialize(settings, "2023-05", instance, ["daily_activity"])
        run = instance.get_runs()[0]
        evaluations = [
            entry.dagster_event.asset_check_evaluation_data
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event is not None
            and entry.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]
    assert {each.partition for each in evaluations} == {"2023-05"}
    assert [each.check_name for each in evaluations if not each.passed] == ["complete"]


def test_a_day_outside_the_month_is_refused_and_the_published_month_stays(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, FITNESS_COHORT_USERS="5")
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(settings, "2023-04", instance, LAKE)
        before = versions(settings)
        workspace = Workspace.of(settings)
        from fitness_assets.storage.lake import describe
        from fitness_assets.storage.rows import part, write_rows

        stray = pa.concat_tables([delivered("2023-04", 5), delivered("2023-05", 5).slice(0, 3)])
        with workspace.raw.writer("2023-04") as writer:
            write_rows(writer.staging / part(0), stray.to_batches(), stray.schema)
            writer.publish(describe(writer.staging))
        with pytest.raises(QualityError, match=r"dates_inside \(3 days outside 2023-04\)"):
            materialize(settings, "2023-04", instance, ["daily_activity"])
    assert versions(settings) == before


def test_a_file_that_cannot_be_read_is_skipped_with_a_warning(
    settings: Settings, source: Path
) -> None:
    for number in (4, 5):
        pq.write_table(delivered(f"2023-0{number}"), source / f"{number}.parquet")
    outcomes(settings, LAKE)
    before = versions(settings)

    extra = source / "more" / "extra.parquet"
    extra.parent.mkdir()
    more_users = delivered("2023-05", 14).slice(12 * 31)
    pq.write_table(more_users, extra)
    whole = extra.read_bytes()
    other_shape = io.BytesIO()
    pq.write_table(more_users.drop_columns(["steps"]), other_shape)
    broken = {
        "lacks the column steps": other_shape.getvalue(),
        "cannot be read as parquet": whole[:-100],
        "cannot be read as parquet: ": whole[:300] + bytes(40) + whole[340:],
    }
    for reason, content in broken.items():
        extra.write_bytes(content)
        ended = outcomes(settings, ["raw_telemetry"])
        assert all(outcome.error is None for outcome in ended.values()), reason
        (warning,) = ended["2023-05"].warnings
        assert warning.startswith(f"raw_telemetry: every_file_read: more/extra.parquet {reason}")
        unread = Workspace.of(settings).raw.info("2023-05").unread
        assert list(unread) == ["more/extra.parquet"]
        assert extra.read_bytes() == content, "the file is not moved"
    outcomes(settings, ["daily_activity"])
    assert versions(settings) == before, "days of other users are unchanged"

    extra.write_bytes(whole)
    ended = outcomes(settings, LAKE)
    assert ended["2023-05"].warnings == []
    again = versions(settings)
    assert again["2023-04"] == before["2023-04"]
    assert again["2023-05"] != before["2023-05"]


def test_a_damaged_raw_file_fails_only_the_months_that_use_it(
    settings: Settings, source: Path
) -> None:
    for number in (4, 5):
        pq.write_table(delivered(f"2023-0{number}"), source / f"{number}.parquet")
    outcomes(settings, LAKE)
    before = versions(settings)
    raw = local(Workspace.of(settings).raw.files("2023-05")[0])
    content = bytearray(raw.read_bytes())
    content[len(content) // 2] ^= 1
    raw.write_bytes(content)
    ended = outcomes(settings, ["daily_activity"])
    assert [outcome.error is None for outcome in ended.values()] == [True, False]
    assert "differs from its manifest" in (ended["2023-05"].error or "")
    assert versions(settings) == before
    # Rematerializing raw_telemetry repairs the month.
    assert all(outcome.error is None for outcome in outcomes(settings, LAKE).values())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Limit the size of files that this process writes, in bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_published_month_unchanged(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path)
    other = make_settings(tmp_path, FITNESS_COHORT_SEED="2")
    raw = Workspace.of(settings).raw
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(settings, "2023-04", instance, ["raw_telemetry"])
        before = raw.published("2023-04")
        with (
            file_size_limit(10_000),
            pytest.raises(StorageError, match="cannot be written") as error,
        ):
            materialize(other, "2023-04", instance, ["raw_telemetry"])
    assert str(raw.folder("2023-04")) in str(error.value)
    assert raw.published("2023-04") == before
    assert raw.scan(["2023-04"]).table.num_rows == raw.info("2023-04").rows
    assert not list(local(raw.folder("2023-04")).glob("_staging-*"))
