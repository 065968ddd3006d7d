"""Backfills of several months: models are trained in a second process."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import psutil

from fitness_assets.cli.runs import run_months
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.liveness import holder_of
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.writer import Writer
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MakeSettings, materialize, wait_for
from fitness_assets_tests.support.tidy import write_tidy

FITNESS = Path(sys.executable).with_name("fitness")
ASSETS = ["raw_telemetry", "daily_activity", "calorie_regressor", "model_backtest"]
MONTHS = ["2023-04", "2023-05", "2023-06"]
IMPORTS = {
    "FITNESS_SOURCE": "exports",
    "FITNESS_FIRST_MONTH": MONTHS[0],
    "FITNESS_LAST_MONTH": MONTHS[-1],
}


def home(make_settings: MakeSettings, folder: Path) -> Settings:
    """A home with an import of one person."""
    settings = make_settings(folder, **IMPORTS)
    days = [date(2023, 4, 1) + timedelta(day) for day in range(91)]
    rows = [f"anna,{day},{4000 + 50 * day.day},1900,66,7,walking" for day in days]
    path = write_tidy(folder.parent / f"{folder.name}.csv", *rows)
    configured_imports(settings).add(path, ImportOptions())
    return settings


def stored(settings: Settings) -> dict[str, str]:
    """The data version of each asset and month."""
    workspace = Workspace.of(settings)
    return {
        f"{asset}/{month}": manifest.data_version
        for asset in ASSETS
        for month in MONTHS
        if (manifest := workspace.manifest(asset, month)) is not None
    }


def test_two_processes_store_what_one_stores(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = home(make_settings, tmp_path / "two")
    shutil.copytree(settings.home, tmp_path / "one")
    alone = dataclasses.replace(settings, home=tmp_path / "one", storage=tmp_path / "one")
    keys = [dg.AssetKey(name) for name in ASSETS]
    progress: list[tuple[str, str]] = []
    ran = run_months(
        settings, dict.fromkeys(MONTHS, keys), lambda month, name: progress.append((month, name))
    )
    assert [(each.month, each.assets, each.error) for each in ran.outcomes] == [
        (month, ASSETS, None) for month in MONTHS
    ]
    assert not ran.interrupted
    assert sorted(progress) == sorted((month, name) for month in MONTHS for name in ASSETS)
    with open_instance(settings) as instance:
        runs = [
            sorted(key.to_user_string() for key in run.asset_selection or ())
            for run in instance.get_runs()
        ]
    assert sorted(runs) == sorted(
        [["daily_activity", "raw_telemetry"], ["calorie_regressor"], ["model_backtest"]] * 3
    )
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(alone, month, instance, ASSETS).success
    assert stored(settings) == stored(alone)


def training(
    command: psutil.Process, instance: dg.DagsterInstance, ended: int
) -> psutil.Process | None:
    """The second process of a command, once it trains the second month and the first one waits.

    Before that, `ended` runs have succeeded. A process that is killed while it starts a step could
    leave a `tail` of Dagster's behind.
    """
    running = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    if instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])) < ended:
        return None
    for run in running:
        if run.asset_selection != {dg.AssetKey("calorie_regressor")}:
            return None
    for child in command.children():
        holders = [holder_of(instance, run.run_id) for run in running]
        if child.pid in [holder.pid for holder in holders if holder is not None]:
            return child
    return None


def trains(command: psutil.Process, instance: dg.DagsterInstance, ended: int) -> bool:
    return training(command, instance, ended) is not None


def test_no_process_and_no_run_stays_when_one_of_two_processes_ends(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = home(make_settings, tmp_path / "home")
    environment = os.environ | IMPORTS | {"FITNESS_HOME": str(settings.home)}
    folder = Workspace.of(settings).models["calorie_regressor"].folder(MONTHS[1])
    # The second process cannot store the model while the test holds the lock of its month.
    with Writer(folder), open_instance(settings) as instance:
        # Of each command: the lake of three months, and the model and the backtest of the first.
        for how, succeeded, status, line in (
            ("command is killed", 5, -signal.SIGKILL, ""),
            ("second is killed", 10, 1, "the process of the run ended with exit code -9"),
            ("command is terminated", 15, 130, "calorie_regressor was interrupted"),
        ):
            process = subprocess.Popen(
                [FITNESS, "backfill", MONTHS[0], MONTHS[-1], "--select", ",".join(ASSETS)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            command = psutil.Process(process.pid)
            wait_for("the second process", partial(trains, command, instance, succeeded))
            second = training(command, instance, succeeded)
            children = command.children(recursive=True)
            assert second is not None
            if how == "command is killed":
                command.kill()
            elif how == "second is killed":
                second.kill()
            else:
                command.terminate()
            output = process.communicate(timeout=300)[0]
            assert process.returncode == status, output
            if line:
                assert f"{MONTHS[1]}  FAILED  {line}\n" in output
            _, alive = psutil.wait_procs(children, timeout=60)
            assert alive == []
        # The next command marks the runs of the one that was killed.
        assert all(run.is_finished for run in instance.get_runs())
