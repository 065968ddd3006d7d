"""A run of a range of months: the same months as one run each, and each fails alone."""

import dataclasses
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from fitness_assets.definitions import MONTHLY, build_defs
from fitness_assets.errors import QualityError
from fitness_assets.months import between
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND
from fitness_assets.orchestration.run_tags import FAILURE_TAG
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.publication import Manifest
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MakeSettings
from fitness_assets_tests.support.tidy import write_tidy

MONTHS = between("2022-11", "2023-02")
FAILING = "2022-12"
_RANGE = "dagster/asset_partition_range_"


def home(make_settings: MakeSettings, folder: Path) -> Settings:
    """A home with imports of one person: few months, the days of two of them delivered late."""
    settings = make_settings(
        folder,
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH=MONTHS[0],
        FITNESS_LAST_MONTH=MONTHS[-1],
    )
    first = date(2022, 11, 1)
    days = [first + timedelta(day) for day in range(120)]
    for part in (days[:70], days[80:], days[65:80]):
        rows = [f"anna,{day},{4000 + 50 * day.day},1900,66,7,walking" for day in part]
        path = write_tidy(folder.parent / f"{folder.name}-{part[0]}.csv", *rows)
        configured_imports(settings).add(path, ImportOptions())
    return settings


def run(settings: Settings, instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    """Execute a run as a daemon's process does. Returns it when it has ended."""
    defs = build_defs(settings)
    selection = MONTHLY.resolve(defs.resolve_asset_graph())
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=selection)
    created = instance.create_run_for_job(job, tags=tags, asset_selection=frozenset(selection))
    execute_run(InMemoryJob(job), created, instance)
    ended = instance.get_run_by_id(created.run_id)
    assert ended is not None
    return ended


def stored(settings: Settings) -> dict[tuple[str, str], Manifest]:
    """The manifests of each asset and month."""
    workspace = Workspace.of(settings)
    return {
        (asset, month): manifest
        for asset in INPUTS
        for month in MONTHS
        if (manifest := workspace.manifest(asset, month)) is not None
    }


def materialized(instance: dg.DagsterInstance, run_id: str) -> dict[tuple[str, str], str]:
    """Data versions of the materializations of a run, by asset and month."""
    versions = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.asset_materialization
        assert event is not None
        assert event.partition is not None
        key = event.asset_key.to_user_string(), event.partition
        assert key not in versions, "one event a month"
        versions[key] = str((event.tags or {})["dagster/data_version"])
    return versions


def evaluated(instance: dg.DagsterInstance, run_id: str) -> Counter[str | None]:
    """How many checks a run evaluated, by month."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return Counter(
        entry.dagster_event.asset_check_evaluation_data.partition
        for entry in events
        if entry.dagster_event
    )


def test_months_of_one_run_are_those_of_one_run_each_and_one_that_fails_fails_alone(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = checks.refuse_failed

    def refuse_some(results: object, month: str) -> None:
        if month == FAILING:
            raise QualityError(f"{month} is not published")
        refuse(results, month)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "refuse_failed", refuse_some)
    one = home(make_settings, tmp_path / "one")
    shutil.copytree(one.home, tmp_path / "each")
    each = dataclasses.replace(one, home=tmp_path / "each", storage=tmp_path / "each")
    with open_instance(one) as instance:
        tags = {f"{_RANGE}start": MONTHS[0], f"{_RANGE}end": MONTHS[-1]}
        ended = run(one, instance, tags)
        assert ended.status == dg.DagsterRunStatus.FAILURE
        assert ended.tags["dagster/retry_strategy"] == "ALL_STEPS"
        assert ended.tags[FAILURE_TAG].endswith(f": {FAILING} is not published")
        versions = materialized(instance, ended.run_id)
        by_month = evaluated(instance, ended.run_id)
    with open_instance(each) as instance:
        for month in MONTHS:
            alone = run(each, instance, {"dagster/partition": month})
            assert (alone.status == dg.DagsterRunStatus.SUCCESS) == (month != FAILING)
            assert (FAILURE_TAG in alone.tags) == (month == FAILING)
            assert evaluated(instance, alone.run_id)[month] == by_month[month]

    assert {key: found.data_version for key, found in stored(one).items()} == {
        key: found.data_version for key, found in stored(each).items()
    }
    assert {key: found.inputs for key, found in stored(one).items()} == {
        key: found.inputs for key, found in stored(each).items()
    }
    assets = [asset for asset in INPUTS if asset not in ON_DEMAND]
    expected = {(asset, month) for asset in assets for month in MONTHS if month != FAILING}
    expected.add(("raw_telemetry", FAILING))
    assert set(versions) == expected
    assert versions == {key: stored(one)[key].data_version for key in expected}


def test_backfills_of_exports_take_all_months_in_one_run(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    for source, runs in (("exports", None), ("cohort", 1)):
        settings = make_settings(tmp_path, FITNESS_SOURCE=source)
        graph = build_defs(settings).resolve_asset_graph()
        policies = {graph.get(key).backfill_policy for key in graph.get_all_asset_keys()}
        (policy,) = policies
        assert policy is not None
        assert policy.max_partitions_per_run == runs
