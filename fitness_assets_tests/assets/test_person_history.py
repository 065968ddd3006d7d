"""The asset `person_history`, on a lake that is written without Spark."""

from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fitness_assets.history.schema import FINDINGS, MAX_USERS, SUMMARIES
from fitness_assets.orchestration.staleness import Partition, stale_partitions
from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.lives import as_days, life, publish_days
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import materialize

FIRST, LAST = date(2023, 1, 1), date(2023, 8, 20)
MONTHS = [f"2023-0{month}" for month in range(1, 9)]
AUGUST = Partition("person_history", "2023-08")


def make_home(home: Path, users: int) -> tuple[Settings, Workspace]:
    settings = Settings.from_env(
        {
            "FITNESS_HOME": str(home),
            "FITNESS_SOURCE": "exports",
            "FITNESS_FIRST_MONTH": MONTHS[0],
            "FITNESS_LAST_MONTH": MONTHS[-1],
        }
    )
    workspace = Workspace.of(settings)
    days = life(FIRST, LAST, 1)
    publish_days(workspace, days_of(days, users), partial_until=LAST)
    return settings, workspace


def days_of(days: pd.DataFrame, users: int) -> pa.Table:
    return as_days({f"p-{number:02}": days for number in range(users)})


def run(settings: Settings) -> dg.AssetMaterialization:
    with dg.DagsterInstance.ephemeral() as instance:
        found = materialize(settings, AUGUST.month, instance, [AUGUST.asset])
        (event,) = found.get_asset_materialization_events()
    return event.materialization


def stale(settings: Settings, workspace: Workspace) -> str | None:
    state = read_state(workspace, settings.months())
    return stale_partitions(state, MONTHS).get(AUGUST)


def change_january(workspace: Workspace, users: int) -> None:
    days = life(FIRST, date(2023, 1, 31), 2)
    publish_days(workspace, days_of(days, users))


def test_a_small_home_has_findings_of_all_months(tmp_path: Path) -> None:
    settings, workspace = make_home(tmp_path, 2)
    metadata = run(settings).metadata
    assert metadata["months_read"].value == len(MONTHS)
    assert metadata["users"].value == 2
    assert metadata["PARTIAL"].value == "days 1 to 20 of 2023-08"
    store = workspace.history
    report = store.report(AUGUST.month)
    assert report.reads_history
    assert report.findings["search"] == 4
    summaries = store.arrow_table(AUGUST.month, "summaries")
    found = store.arrow_table(AUGUST.month, "findings")
    assert summaries is not None
    assert found is not None
    assert (summaries.schema, found.schema) == (SUMMARIES, FINDINGS)
    assert max(summaries["start"].to_pylist()) == date(2023, 8, 14)
    assert set(found["user_id"].to_pylist()) == {"p-00", "p-01"}
    eras = [row for row in found.to_pylist() if row["kind"] == "device_era"]
    assert [row["start"] for row in eras] == [FIRST, FIRST]

    version = store.published(AUGUST.month).data_version
    run(settings)
    assert store.published(AUGUST.month).data_version == version
    assert stale(settings, workspace) is None
    change_january(workspace, 2)
    assert stale(settings, workspace) == "daily_activity/2023-01 changed"


def test_a_large_home_has_summaries_only_and_reads_two_months(tmp_path: Path) -> None:
    users = MAX_USERS + 1
    settings, workspace = make_home(tmp_path, users)
    metadata = run(settings).metadata
    assert metadata["months_read"].value == 2
    assert metadata["no_findings"].value == "51 users are more than 50"
    store = workspace.history
    found = store.arrow_table(AUGUST.month, "findings")
    assert found is not None
    assert found.schema == FINDINGS
    assert len(found) == 0
    inputs = store.published(AUGUST.month).inputs
    assert inputs is not None
    assert set(inputs) == {"daily_activity/2023-07", "daily_activity/2023-08"}
    change_january(workspace, users)
    assert stale(settings, workspace) is None


@pytest.mark.parametrize("without", ["2023-02", "2023-07"])
def test_a_month_that_the_lake_lacks_is_a_gap(tmp_path: Path, without: str) -> None:
    settings, workspace = make_home(tmp_path, 1)
    for path in local(workspace.daily.folder(without)).iterdir():
        path.unlink()
    assert run(settings).metadata["months_read"].value == len(MONTHS) - 1
    found = workspace.history.arrow_table(AUGUST.month, "findings")
    assert found is not None
    gaps = [row for row in found.to_pylist() if row["kind"] == "gap"]
    assert any(row["start"] <= date.fromisoformat(f"{without}-02") <= row["end"] for row in gaps)
