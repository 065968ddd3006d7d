"""Changes propagate despite failed runs: the real sensor, definitions, Spark and stores.

Each interleaving of changes, ticks and failures must end as a home that was materialized quietly.
``FITNESS_INTERLEAVINGS=200`` runs those of the seeds below 200, and ``100:200`` some of them; the
default keeps the suite short.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fitness_assets.errors import QualityError
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.orchestration import checks, liveness
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.propagation import (
    CHANGE_TAG,
    MAX_ATTEMPTS,
    busy_partitions,
)
from fitness_assets.orchestration.run_tags import months_of_run
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.record.check_result import CheckResult
from fitness_assets_tests.support.automation import Automation
from fitness_assets_tests.support.interleaving import FIRST, Home, Interleaving, QuietHomes
from fitness_assets_tests.support.memoized import memoize
from fitness_assets_tests.support.platform import MakeSettings

_FIRST_SEED, _, _END = os.environ.get("FITNESS_INTERLEAVINGS", "2").rpartition(":")
SEEDS = range(int(_FIRST_SEED or 0), int(_END))

# What one test makes of a month is copied for the others.
pytestmark = pytest.mark.one_process


@pytest.fixture(scope="module", autouse=True)
def memoized(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        memoize(patch, tmp_path_factory.mktemp("memoized"))
        # This process executes all runs, and outlives them.
        patch.setattr(liveness, "hold_until_exit", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def quiet(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> QuietHomes:
    return QuietHomes(make_settings, tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def instance(
    make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    """The instance of a home, with our `dagster.yaml`: runs are queued."""
    with open_instance(make_settings(tmp_path_factory.mktemp("instance"))) as opened:
        yield opened


@pytest.fixture
def home(
    make_settings: MakeSettings,
    quiet: QuietHomes,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> Iterator[Home]:
    """A home in which three months are materialized, and no run is recorded."""
    shutil.copytree(quiet.folder((1, 1, 1)), tmp_path / "home")
    yield Home(make_settings, tmp_path / "home", instance)
    for run in instance.get_runs():
        instance.delete_run(run.run_id)


def automation(home: Home) -> Automation:
    return Automation(home.settings(), home.instance)


def expect_quiet_rebuild(home: Home, quiet: QuietHomes) -> None:
    expected = quiet.versions(tuple(home.seeds.values()))
    found = home.versions()
    assert {
        each: (found.get(each), expected.get(each))
        for each in found.keys() | expected.keys()
        if found.get(each) != expected.get(each)
    } == {}


def test_a_month_restated_through_the_pipeline_reaches_the_months_that_use_it(home: Home) -> None:
    before = home.versions()
    home.seeds[FIRST] = 2
    home.materialize(FIRST)
    runs = automation(home).settle()
    assert FIRST not in runs, "it is complete"
    after = home.versions()
    for partition, version in after.items():
        if partition.asset in {"segment_model", "dashboard_release", "drive_upload"}:
            assert version != before[partition], partition
    assert (
        after[Partition("daily_activity", "2023-05")]
        != before[Partition("daily_activity", "2023-05")]
    )


def test_a_model_is_the_same_before_and_after_a_change_of_those_of_the_month_before(
    home: Home,
) -> None:
    home.seeds[FIRST] = 2
    home.materialize(FIRST, ["raw_telemetry", "daily_activity"])
    home.materialize("2023-05", ["daily_activity", *MODEL_NAMES])
    models = [Partition(name, "2023-05") for name in MODEL_NAMES]
    found = [home.versions()[each] for each in models]
    home.materialize(FIRST, [*MODEL_NAMES])
    home.materialize("2023-05", [*MODEL_NAMES])
    assert [home.versions()[each] for each in models] == found


def test_a_change_while_its_consumer_runs_is_not_lost(
    home: Home, quiet: QuietHomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.seeds["2023-05"] = 2
    home.materialize("2023-05", ["raw_telemetry"])
    request = next(each for each in automation(home).tick() if each.partition_key == "2023-05")
    refuse = checks.refuse_failed

    def change_meanwhile(results: list[CheckResult], month: str) -> None:
        monkeypatch.setattr(checks, "refuse_failed", refuse)
        home.seeds["2023-05"] = 3
        home.materialize("2023-05", ["raw_telemetry"])
        refuse(results, month)

    monkeypatch.setattr(checks, "refuse_failed", change_meanwhile)
    assert automation(home).run(request)
    automation(home).settle()
    expect_quiet_rebuild(home, quiet)


def refuse_all(_: object, month: str) -> None:
    raise QualityError(f"{month} is refused by the test")


def test_a_failing_month_is_requested_a_few_times_and_again_after_a_change(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.seeds["2023-05"] = 2
    home.materialize("2023-05", ["raw_telemetry"])
    refuse = checks.refuse_failed
    monkeypatch.setattr(checks, "refuse_failed", refuse_all)
    for _ in range(MAX_ATTEMPTS):
        requests = [each for each in automation(home).tick() if each.partition_key == "2023-05"]
        assert requests, "a failure changes nothing about what is stale"
        assert not automation(home).run(requests[0])
    assert not [each for each in automation(home).tick() if each.partition_key == "2023-05"]
    monkeypatch.setattr(checks, "refuse_failed", refuse)
    home.seeds["2023-05"] = 3
    home.materialize("2023-05", ["raw_telemetry"])
    assert [each for each in automation(home).tick() if each.partition_key == "2023-05"]


def test_a_run_in_progress_is_waited_for(home: Home) -> None:
    home.seeds[FIRST] = 2
    home.materialize(FIRST, ["raw_telemetry"])
    request = next(each for each in automation(home).tick() if each.partition_key == FIRST)
    run = home.instance.create_run_for_job(
        automation(home).job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    assert Partition("daily_activity", FIRST) in busy_partitions(home.instance)
    assert not [each for each in automation(home).tick() if each.partition_key == FIRST]
    home.instance.report_run_canceled(home.instance.get_run_by_id(run.run_id) or run)
    again = next(each for each in automation(home).tick() if each.partition_key == FIRST)
    assert again.tags[CHANGE_TAG] == request.tags[CHANGE_TAG]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"dagster/partition": "2023-05"}, ["2023-05"]),
        (
            {
                "dagster/asset_partition_range_start": "2023-05",
                "dagster/asset_partition_range_end": "2023-07",
            },
            ["2023-05", "2023-06", "2023-07"],
        ),
        ({}, []),
    ],
)
def test_the_months_of_a_run(tags: dict[str, str], expected: list[str]) -> None:
    assert months_of_run(dg.DagsterRun(job_name="any", tags=tags)) == expected


@pytest.mark.slow
# Of the generators of a run that is killed: a process that is killed does not close them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_every_interleaving_ends_as_a_quiet_rebuild(
    home: Home, quiet: QuietHomes, seed: int
) -> None:
    interleaving = Interleaving(home, seed)
    interleaving.play()
    sys.stdout.write("\n".join(interleaving.log))
    expect_quiet_rebuild(home, quiet)
