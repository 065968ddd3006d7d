"""The asset `workouts`: from imports of several devices to one row a workout, month by month."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from fitness_assets.errors import QualityError
from fitness_assets.etl import workouts as etl
from fitness_assets.orchestration.staleness import Partition, stale_partitions
from fitness_assets.orchestration.state import read_state
from fitness_assets.record.workouts import SCHEMA
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.sources.configured import configured_imports, configured_pseudonyms
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MakeSettings, materialize
from fitness_assets_tests.support.whoop import write_workouts

MONTHS = ["2023-04", "2023-05", "2023-06"]
STRAVA = (
    "Activity ID,Activity Date,Activity Type,Elapsed Time,Distance,Filename,Elapsed Time,"
    "Moving Time,Distance\n"
    '1,"May 2, 2023, 11:31:00 AM",Walk,1800,2.4,x,1800.0,1740.0,2400.0\n'
)


@pytest.fixture
def settings(make_settings: MakeSettings, tmp_path: Path) -> Settings:
    found = make_settings(
        tmp_path / "home",
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH=MONTHS[0],
        FITNESS_LAST_MONTH=MONTHS[-1],
    )
    path = write_workouts(
        tmp_path / "whoop.csv",
        "2023-04-30 23:50:00,30,Running,300,171,148,",
        "2023-05-02 12:30:00,30,Walking,130,121,104,",
        "2023-05-09 12:30:00,30,Walking,130,9,104,",
    )
    add(found, path)
    return found


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def add(settings: Settings, path: Path) -> None:
    options = ImportOptions(user="anna", delivered=datetime(2024, 1, 1, tzinfo=UTC))
    configured_imports(settings).add(path, options)


def run(settings: Settings, instance: dg.DagsterInstance, month: str) -> dg.AssetMaterialization:
    found = materialize(settings, month, instance, ["workouts"])
    (event,) = found.get_asset_materialization_events()
    return event.materialization


def stale(settings: Settings) -> dict[Partition, str]:
    return stale_partitions(read_state(Workspace.of(settings), settings.months()), MONTHS)


def test_workouts_of_two_devices_are_one_row(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    strava = tmp_path / "strava" / "activities.csv"
    strava.parent.mkdir()
    strava.write_text(STRAVA)
    add(settings, strava)
    metadata = run(settings, instance, "2023-05").metadata
    assert metadata["dagster/row_count"].value == 2
    assert metadata["users"].value == 1
    assert metadata["duplicates_removed"].value == 1
    assert metadata["values_out_of_range"].value == 1
    assert isinstance(columns := metadata["dagster/column_schema"].value, dg.TableSchema)
    assert all(column.description for column in columns.columns)
    first, second = Workspace.of(settings).workouts.scan(["2023-05"]).table.to_pylist()
    assert first["user_id"] == configured_pseudonyms(settings).pseudonym("anna")
    assert (first["source"], first["distance_km"]) == ("strava, whoop", 2.4)
    assert (first["heart_rate_avg"], first["calories_burned"]) == (104.0, 130.0)
    assert (second["heart_rate_avg"], second["heart_rate_max"]) == (104.0, None)


def test_the_order_of_sources_decides_and_a_changed_order_makes_months_of_several_imports_stale(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    strava = tmp_path / "strava" / "activities.csv"
    strava.parent.mkdir()
    strava.write_text(STRAVA)
    add(settings, strava)
    for month in MONTHS:
        run(settings, instance, month)
    ordered = replace(settings, source_order=("strava", "whoop"))
    may = Partition("workouts", "2023-05")
    assert stale(ordered) == {may: "workout_source/2023-05 changed"}
    run(ordered, instance, "2023-05")
    assert stale(ordered) == {}
    first, _ = Workspace.of(ordered).workouts.scan(["2023-05"]).table.to_pylist()
    assert (first["minutes"], first["heart_rate_avg"]) == (29.0, 104.0), "the times of Strava"


def test_a_month_without_workouts_is_stored_empty(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert run(settings, instance, "2023-06").metadata["dagster/row_count"].value == 0
    table = Workspace.of(settings).workouts.scan(["2023-06"]).table
    assert table.schema.equals(SCHEMA)
    assert len(table) == 0


def test_an_import_makes_only_the_months_of_its_workouts_stale(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert stale(settings) == {}, "what was never materialized is missing"
    for month in MONTHS:
        run(settings, instance, month)
    assert stale(settings) == {}
    add(settings, write_workouts(tmp_path / "2.csv", "2023-05-20 08:00:00,25,Running,,,,"))
    may = Partition("workouts", "2023-05")
    assert stale(settings) == {may: "workout_source/2023-05 changed"}
    run(settings, instance, "2023-05")
    assert stale(settings) == {}


def test_the_same_workouts_again_publish_nothing_new(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    lake = Workspace.of(settings).workouts
    run(settings, instance, "2023-04")
    version = lake.published("2023-04").data_version
    # Another export of the same device.
    add(
        settings,
        write_workouts(
            tmp_path / "again.csv",
            "2023-04-30 23:50:00,30,Running,300,171,148,",
            "2023-06-30 23:50:00,30,Running,300,171,148,",
        ),
    )
    assert Partition("workouts", "2023-04") in stale(settings)
    run(settings, instance, "2023-04")
    assert lake.published("2023-04").data_version == version


def test_a_month_that_fails_a_blocking_check_is_not_published(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(settings, instance, "2023-05")
    lake = Workspace.of(settings).workouts
    version = lake.published("2023-05").data_version
    monkeypatch.setattr(etl, "deduplicate", lambda rows, _: rows.take([0, 0]))
    with pytest.raises(QualityError, match=r"2023-05 is not published.*distinct_workouts"):
        run(settings, instance, "2023-05")
    assert lake.published("2023-05").data_version == version


def test_some_users_of_the_cohort_have_workouts(
    make_settings: MakeSettings, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = make_settings(tmp_path, FITNESS_COHORT_USERS="60")
    metadata = run(settings, instance, "2023-04").metadata
    cohort = Cohort(60, settings.cohort_seed)
    true = cohort.truth("2023-04").workouts
    assert 10 < int(str(metadata["dagster/row_count"].value)) <= len(true)
    assert metadata["users"].value == len(true["user_id"].unique())
    assert stale(settings) == {}
