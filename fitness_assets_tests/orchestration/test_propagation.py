"""Changes propagate despite failed runs: the real sensor, definitions, Spark and stores.

Each interleaving of changes, ticks and failures must end as a home that was materialized quietly.
``FITNESS_INTERLEAVINGS=200`` runs that many; the default keeps the suite short.
"""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fitness_assets.errors import QualityError
from fitness_assets.months import between
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND, SOURCE
from fitness_assets.orchestration.propagation import (
    CHANGE_TAG,
    MAX_ATTEMPTS,
    busy_partitions,
)
from fitness_assets.orchestration.run_tags import months_of_run
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.orchestration.state import read_state
from fitness_assets.record.check_result import CheckResult
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.automation import Automation
from fitness_assets_tests.support.platform import MakeSettings, materialize

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]

FIRST, LAST, EXTENDED = "2023-04", "2023-06", "2023-07"
ASSETS = [asset for asset in INPUTS if asset not in ON_DEMAND]
INTERLEAVINGS = int(os.environ.get("FITNESS_INTERLEAVINGS", "1"))


class Home:
    """A home whose months can be restated, each by another seed of the cohort."""

    def __init__(self, make_settings: MakeSettings, home: Path, instance: dg.DagsterInstance):
        self.instance = instance
        self.last = LAST
        self.seeds = dict.fromkeys(between(FIRST, LAST), 1)
        self._make, self._home = make_settings, home

    def settings(self, month: str | None = None, **environ: str) -> Settings:
        """The settings, with the seed of `month`."""
        return self._make(
            self._home,
            FITNESS_COHORT_USERS="3",
            FITNESS_COHORT_SEED=str(self.seeds[month] if month else 1),
            FITNESS_LAST_MONTH=self.last,
            **environ,
        )

    @property
    def automation(self) -> Automation:
        return Automation(self.settings(), self.instance)

    def extend(self) -> None:
        self.last = EXTENDED
        self.seeds.setdefault(EXTENDED, 1)

    def materialize(self, month: str, assets: list[str] | None = None) -> None:
        assert materialize(self.settings(month), month, self.instance, assets).success

    def versions(self) -> dict[Partition, str]:
        state = read_state(Workspace.of(self.settings()), self.settings().months())
        return {each: stored.version for each, stored in state.items() if each.asset != SOURCE}


@pytest.fixture(scope="module")
def materialized(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every month is materialized. Do not write to it."""
    folder = tmp_path_factory.mktemp("materialized")
    with dg.DagsterInstance.ephemeral() as instance:
        home = Home(make_settings, folder, instance)
        for month in home.seeds:
            home.materialize(month)
    return folder


@pytest.fixture
def home(make_settings: MakeSettings, materialized: Path, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(materialized, tmp_path / "home")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(make_settings, tmp_path / "home", instance)


def expect_quiet_rebuild(home: Home, make_settings: MakeSettings, folder: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        quiet = Home(make_settings, folder, instance)
        quiet.last, quiet.seeds = home.last, home.seeds
        for month in sorted({partition.month for partition in home.versions()}):
            quiet.materialize(month)
        expected = quiet.versions()
    found = home.versions()
    assert {each: found[each] for each in found if found[each] != expected.get(each)} == {}


def test_a_month_restated_through_the_pipeline_reaches_the_months_that_use_it(home: Home) -> None:
    before = home.versions()
    home.seeds[FIRST] = 2
    home.materialize(FIRST)
    runs = home.automation.settle()
    assert FIRST not in runs, "it is complete"
    after = home.versions()
    for partition, version in after.items():
        if partition.asset in {"segment_model", "dashboard_release", "drive_upload"}:
            assert version != before[partition], partition
    assert (
        after[Partition("daily_activity", "2023-05")]
        != before[Partition("daily_activity", "2023-05")]
    )


def test_a_change_while_its_consumer_runs_is_not_lost(
    home: Home, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings, tmp_path: Path
) -> None:
    home.seeds["2023-05"] = 2
    home.materialize("2023-05", ["raw_telemetry"])
    request = next(each for each in home.automation.tick() if each.partition_key == "2023-05")
    refuse = checks.refuse_failed

    def change_meanwhile(results: list[CheckResult], month: str) -> None:
        monkeypatch.setattr(checks, "refuse_failed", refuse)
        home.seeds["2023-05"] = 3
        home.materialize("2023-05", ["raw_telemetry"])
        refuse(results, month)

    monkeypatch.setattr(checks, "refuse_failed", change_meanwhile)
    assert home.automation.run(request)
    home.automation.settle()
    expect_quiet_rebuild(home, make_settings, tmp_path / "quiet")


def refuse_all(_: object, month: str) -> None:
    raise QualityError(f"{month} is refused by the test")


def test_a_failing_month_is_requested_a_few_times_and_again_after_a_change(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.seeds["2023-05"] = 2
    home.materialize("2023-05", ["raw_telemetry"])
    monkeypatch.setattr(checks, "refuse_failed", refuse_all)
    for _ in range(MAX_ATTEMPTS):
        requests = [each for each in home.automation.tick() if each.partition_key == "2023-05"]
        assert requests, "a failure changes nothing about what is stale"
        assert not home.automation.run(requests[0])
    assert not [each for each in home.automation.tick() if each.partition_key == "2023-05"]
    home.seeds["2023-05"] = 3
    home.materialize("2023-05", ["raw_telemetry"])
    assert [each for each in home.automation.tick() if each.partition_key == "2023-05"]


def test_a_run_in_progress_is_waited_for(home: Home) -> None:
    home.seeds[FIRST] = 2
    home.materialize(FIRST, ["raw_telemetry"])
    request = next(each for each in home.automation.tick() if each.partition_key == FIRST)
    run = home.instance.create_run_for_job(
        home.automation.job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    assert Partition("daily_activity", FIRST) in busy_partitions(home.instance)
    assert not [each for each in home.automation.tick() if each.partition_key == FIRST]
    home.instance.report_run_canceled(home.instance.get_run_by_id(run.run_id) or run)
    again = next(each for each in home.automation.tick() if each.partition_key == FIRST)
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
@pytest.mark.parametrize("seed", range(INTERLEAVINGS))
def test_every_interleaving_ends_as_a_quiet_rebuild(
    home: Home, make_settings: MakeSettings, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    for step in range(dice.randint(2, 6)):
        month = dice.choice(between(FIRST, LAST))
        action = dice.choice(["restate raw", "pipeline", "two months", "tick", "fail", "kill"])
        requests = home.automation.tick() if action in {"tick", "fail", "kill"} else []
        request = dice.choice(requests) if requests else None
        if action == "restate raw":
            home.seeds[month] = step + 2
            home.materialize(month, ["raw_telemetry"])
        elif action == "pipeline":
            home.seeds[month] = step + 2
            home.materialize(month)
        elif action == "two months":
            for each in dice.sample(between(FIRST, LAST), 2):
                home.seeds[each] = step + 2
                home.materialize(each, ["raw_telemetry"])
        elif request is not None and action == "tick":
            assert home.automation.run(request)
        elif request is not None and action == "fail":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(checks, "refuse_failed", refuse_all)
                home.automation.run(request)
        elif request is not None:
            # As a process that is killed after its first asset, and whose run was never closed.
            first = [key.to_user_string() for key in (request.asset_selection or [])][:1]
            home.materialize(request.partition_key or "", first)
        if dice.random() < 0.2:
            home.extend()
    if home.last == EXTENDED:
        home.materialize(EXTENDED)
    home.automation.settle()
    expect_quiet_rebuild(home, make_settings, tmp_path / "quiet")
