"""Backfills of one home that run at the same time, and that are killed: what they leave."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg

from fitness_assets.storage.lake import Lake, RawInfo
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import (
    MONTHS,
    USERS,
    MakeSettings,
    materialize,
    wait_for,
)

SIGKILLED = -9
#: Too few users to train models.
FEW_USERS = "3"
#: Rounds of two backfills; FITNESS_TEST_BACKFILL_KILLS sets more.
KILLS = int(os.environ.get("FITNESS_TEST_BACKFILL_KILLS", "1"))


def backfill(home: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """A process of `fitness backfill` for both months, with these options and settings."""
    fitness = Path(sys.executable).with_name("fitness")
    settings = {"FITNESS_HOME": str(home), "FITNESS_LAST_MONTH": MONTHS[-1], **environ}
    return subprocess.Popen(
        [fitness, "backfill", *MONTHS, *arguments],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def whole_months(lake: Lake[RawInfo], expected: dict[str, set[str]]) -> Iterator[None]:
    """Check all the time that each month is one of the `expected` versions, and can be read."""
    done, errors = threading.Event(), []

    def poll() -> None:
        try:
            while not done.wait(0.02):
                for month in MONTHS:
                    assert lake.published(month).data_version in expected[month]
                    assert lake.scan([month]).table.num_rows > 0
        except Exception as error:  # noqa: BLE001 - raised in the test's thread
            errors.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
    assert not errors, errors


def is_published(lake: Lake[RawInfo], version: str, process: subprocess.Popen[str]) -> bool:
    """Whether the first month has this version, or `process` has ended without it."""
    return lake.published(MONTHS[0]).data_version == version or process.poll() is not None


def test_killed_and_concurrent_backfills_leave_whole_months(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Two run at the same time, with other content than before, and one of them is killed."""
    versions = {}
    for seed in ("1", "2"):
        settings = make_settings(tmp_path / seed, FITNESS_COHORT_SEED=seed)
        with dg.DagsterInstance.ephemeral() as instance:
            for month in MONTHS:
                assert materialize(settings, month, instance, ["raw_telemetry"]).success
        lake = Workspace.of(settings).raw
        versions[seed] = {month: lake.published(month).data_version for month in MONTHS}
    home = tmp_path / "1"
    lake = Workspace.of(make_settings(home)).raw
    expected = {month: {each[month] for each in versions.values()} for month in MONTHS}
    with whole_months(lake, expected):
        for number in range(KILLS):
            seed = str(2 - number % 2)
            wanted = versions[seed][MONTHS[0]]
            records = partial(
                backfill,
                home,
                *("--select", "raw_telemetry"),
                FITNESS_COHORT_USERS=str(USERS),
                FITNESS_COHORT_SEED=seed,
            )
            killed, other = records(), records()
            wait_for(
                "the first month",
                partial(is_published, lake, wanted, killed),
                pause=0.01,
            )
            # Its output is not read: a `tail` that Dagster had just started may hold it open.
            with killed:
                killed.kill()
                assert killed.wait(60) == SIGKILLED
            output = other.communicate(timeout=300)[0]
            assert other.returncode == 0, output
    last = make_settings(home, FITNESS_COHORT_SEED="2")
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(last, month, instance, ["raw_telemetry"]).success
    undisturbed = Workspace.of(make_settings(tmp_path / "2")).raw
    for month in MONTHS:
        assert lake.published(month) == undisturbed.published(month)
        names = {path.name for path in local(lake.folder(month)).iterdir()}
        assert names == {path.name for path in local(undisturbed.folder(month)).iterdir()}


def published(home: Path) -> dict[str, bytes]:
    """Every published file of a home, by its path: all but locks and Dagster's records."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.name != "_lock" and path.relative_to(home).parts[0] != "dagster"
    }


def test_concurrent_backfills_that_both_end_equal_an_undisturbed_home(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Two backfills of the same months with every asset, at once in one home."""
    quiet = make_settings(tmp_path / "quiet", FITNESS_COHORT_USERS=FEW_USERS)
    both = [backfill(tmp_path / "home", FITNESS_COHORT_USERS=FEW_USERS) for _ in range(2)]
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(quiet, month, instance).success
    for process in both:
        output = process.communicate(timeout=900)[0]
        assert process.returncode == 0, output
    expected = published(quiet.home)
    assert {path.partition("/")[0] for path in expected} >= {"lake", "models", "releases", "drive"}
    assert published(tmp_path / "home") == expected
