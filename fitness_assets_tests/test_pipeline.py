"""Real runs of the monthly job on an ephemeral instance: real Spark, real files."""

from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.resources.workspace import MODELS, Workspace
from fitness_assets.settings import Settings
from fitness_assets.storage.models import load
from fitness_assets.storage.release import ReleaseStore
from fitness_assets_tests.conftest import (
    MONTHS,
    USERS,
    MakeSettings,
    materialize,
    original_lake,
)

pytestmark = pytest.mark.usefixtures("spark")


def files_below(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and time of change of each file, locks apart."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "_lock"
    }


def test_a_full_spark_job_produces_the_partition_structure(released: Settings) -> None:
    lake = released.home / "lake" / "daily_activity"
    folders = {path.parent.relative_to(lake).as_posix() for path in lake.rglob("*.parquet")}
    assert folders == {"year=2023/month=04", "year=2023/month=05"}
    days = pq.read_table(lake, partitioning="hive").to_pandas()
    assert days.groupby("month", observed=True).size().tolist() == [USERS * 30, USERS * 31]
    assert not days.duplicated(["user_id", "date"]).any()
    assert (days["date"].astype("datetime64[ns]").dt.month == days["month"].astype(int)).all()
    assert (days["sleep_hours"].dropna() <= 24).all()


def test_every_stage_says_what_it_made(
    make_settings: MakeSettings, tmp_path: Path, released: Settings
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = materialize(make_settings(tmp_path), "2023-04", instance)
        told = {
            event.asset_key.to_user_string(): event.materialization
            for event in run.get_asset_materialization_events()
            if event.asset_key
        }
    assert set(told) == {
        *("raw_telemetry", "daily_activity", "dashboard_release", "drive_upload"),
        *MODELS,
    }
    mine, other = (Workspace.of(settings) for settings in (make_settings(tmp_path), released))
    for asset, materialization in told.items():
        version = (materialization.tags or {})["dagster/data_version"]
        stored, elsewhere = (place.manifest(asset, "2023-04") for place in (mine, other))
        assert stored is not None
        assert stored.data_version == version
        assert stored == elsewhere, "the same month made in another home is the same to the byte"
    assert told["daily_activity"].metadata["dagster/row_count"].value == USERS * 30
    assert told["daily_activity"].metadata["users"].value == USERS
    columns = told["daily_activity"].metadata["dagster/column_schema"].value
    assert isinstance(columns, dg.TableSchema)
    assert all(column.description for column in columns.columns)
    for name in (*MODELS, "daily_activity"):
        pictures = [v for v in told[name].metadata.values() if "data:image/png" in str(v.value)]
        assert len(pictures) == 1, name


def test_a_rerun_changes_nothing_and_touches_no_other_month(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            materialize(settings, month, instance)
        before = files_below(settings.home)
        materialize(settings, "2023-04", instance)
        assert files_below(settings.home) == before

        changed = make_settings(tmp_path, FITNESS_COHORT_SEED="2")
        materialize(changed, "2023-05", instance)
        after = files_below(settings.home)
    april = {
        path: content
        for path, content in before.items()
        if "month=04" in path.as_posix() or "2023-04" in path.parts
    }
    assert len(april) > 10
    assert {path: after[path] for path in april} == april
    assert before.keys() != after.keys(), "May has other content, and so other file names"


def test_the_release_holds_the_models_that_were_scored(released: Settings) -> None:
    workspace = Workspace.of(released)
    release = ReleaseStore(released.release_folder).open("2023-05")
    days = workspace.daily.scan(list(MONTHS)).table.to_pandas()
    metrics = release.metrics()
    for name in MODELS:
        assert metrics[name]["learned"], metrics[name]
        assert metrics[name]["window_months"] == list(MONTHS)
        stored = workspace.models[name].read("2023-05", "model.skops")
        mine, theirs = release.model(name), load(stored or b"", name)
        assert mine is not None
        features = days[list(mine.feature_names_in_)] if name != "segment_model" else None
        if features is not None:
            worn = features[days["worn"]].dropna()
            assert np.array_equal(mine.predict(worn), theirs.predict(worn))
    assert release.manifest.info["summary"]["records"] == USERS * 31
    upload = ReleaseStore(released.upload_folder).open("2023-05")
    assert upload.manifest == release.manifest


def test_data_without_labels_goes_through_and_says_what_was_not_learned(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    lines = ["user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"]
    lines += [
        f"u{user},2023-04-{day:02d},{1000 * user + day},{50 * user},60,7,"
        for user in range(30)
        for day in range(1, 31)
    ]
    (source / "days.csv").write_text("\n".join(lines))
    settings = make_settings(tmp_path, FITNESS_SOURCE="folder", FITNESS_SOURCE_PATH=str(source))
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, "2023-04", instance).success
    release = ReleaseStore(settings.release_folder).open("2023-04")
    refused = release.manifest.info["not_learned"]
    assert set(refused) == {"activity_classifier", "calorie_regressor"}
    assert "activity_type" in refused["activity_classifier"]
    assert release.model("activity_classifier") is None
    assert release.model("segment_model") is not None


def test_a_record_delivered_as_csv_and_as_parquet_counts_once(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    header = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"
    rows = [f"{user},2023-04-{day:02d},{day},9,60,7,yoga" for user in "ab" for day in (1, 2)]
    (source / "a.csv").write_text("\n".join([header, *rows]))
    table = Workspace.of(
        make_settings(tmp_path, FITNESS_SOURCE="folder", FITNESS_SOURCE_PATH=str(source))
    )
    batches = list(table.source.read("2023-04", print))
    with pq.ParquetWriter(source / "b.parquet", batches[0].schema) as file:
        for batch in batches:
            file.write_batch(batch)
    settings = make_settings(tmp_path, FITNESS_SOURCE="folder", FITNESS_SOURCE_PATH=str(source))
    with dg.DagsterInstance.ephemeral() as instance:
        run = materialize(settings, "2023-04", instance, ["raw_telemetry", "daily_activity"])
        assert run.success
    assert Workspace.of(settings).raw.published("2023-04").info["rows"] == 8
    assert Workspace.of(settings).daily.published("2023-04").info["rows"] == 4


def test_a_failing_source_leaves_the_published_month_alone(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path / "home")
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(settings, "2023-04", instance, ["raw_telemetry", "daily_activity"])
        before = files_below(settings.home)
        source = tmp_path / "source"
        source.mkdir()
        (source / "x.csv").write_text("user_id,date\na,2023-04-01\n")
        broken = make_settings(
            tmp_path / "home", FITNESS_SOURCE="folder", FITNESS_SOURCE_PATH=str(source)
        )
        with pytest.raises(SourceError, match="lacks the column steps"):
            materialize(broken, "2023-04", instance, ["raw_telemetry", "daily_activity"])
    assert files_below(settings.home) == before


@pytest.mark.timeout(600)
def test_the_original_projects_lake_is_read_whole(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(
        tmp_path,
        FITNESS_SOURCE="folder",
        FITNESS_SOURCE_PATH=str(original_lake()),
        FITNESS_LAST_MONTH="2023-09",
    )
    with dg.DagsterInstance.ephemeral() as instance:
        for month in settings.months():
            materialize(settings, month, instance, ["raw_telemetry", "daily_activity"])
    lake = Workspace.of(settings).daily
    rows = [lake.published(month).info["rows"] for month in settings.months()]
    assert rows == [58_770, 60_729, 58_770, 60_729, 60_729, 58_770]
    days = lake.scan(settings.months(), ["user_id", "steps", "calories_per_step"]).table
    assert days.num_rows == 358_497
    assert len(days["user_id"].unique()) == 1_959
    assert days["calories_per_step"].null_count == 0
