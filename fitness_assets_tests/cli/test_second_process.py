"""Backfills of several months: models are trained in a second process."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psutil
import pytest

from fitness_assets.cli.runs import run_months
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings
from fitness_assets.storage.publication import Writer
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MakeSettings, materialize, wait_for

FITNESS = Path(sys.executable).with_name("fitness")
ASSETS = ["raw_telemetry", "daily_activity", "calorie_regressor", "model_backtest"]
MONTHS = ["2023-04", "2023-05", "2023-06"]
FEW_USERS = {"FITNESS_COHORT_USERS": "12", "FITNESS_LAST_MONTH": MONTHS[-1]}


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
    settings = make_settings(tmp_path / "two", **FEW_USERS)
    alone = make_settings(tmp_path / "one", **FEW_USERS)
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


def kill_second(_: psutil.Process, second: psutil.Process) -> None:
    second.kill()


def terminate(command: psutil.Process, _: psutil.Process) -> None:
    command.terminate()


def interrupt_both(command: psutil.Process, second: psutil.Process) -> None:
    """As Ctrl-C in a terminal does."""
    command.send_signal(signal.SIGINT)
    second.send_signal(signal.SIGINT)


def kill_command(command: psutil.Process, _: psutil.Process) -> None:
    command.kill()


@pytest.mark.parametrize(
    ("end", "status", "line"),
    [
        (kill_second, 1, "the process of the run ended with exit code -9"),
        (terminate, 130, "calorie_regressor was interrupted"),
        (interrupt_both, 130, "calorie_regressor was interrupted"),
        (kill_command, -9, None),
    ],
)
def test_no_process_and_no_run_stays_when_one_of_the_processes_ends(
    end: Callable[[psutil.Process, psutil.Process], None],
    status: int,
    line: str | None,
    make_settings: MakeSettings,
    tmp_path: Path,
) -> None:
    settings = make_settings(tmp_path, **FEW_USERS)
    environment = os.environ | FEW_USERS | {"FITNESS_HOME": str(tmp_path)}
    folder = Workspace.of(settings).models["calorie_regressor"].folder("2023-05")
    # The second process cannot store the model while the test holds the lock of its month.
    with Writer(folder), open_instance(settings) as instance:
        process = subprocess.Popen(
            [FITNESS, "backfill", MONTHS[0], MONTHS[-1], "--select", ",".join(ASSETS)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        command = psutil.Process(process.pid)

        def trains() -> list[psutil.Process]:
            started = [
                run.tags["dagster/partition"]
                for run in instance.get_runs()
                if run.asset_selection == {dg.AssetKey("calorie_regressor")}
                and instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
            ]
            ready = {"daily_activity/2023-06", "model_backtest/2023-04"}
            if "2023-05" not in started or not ready.issubset(stored(settings)):
                return []
            return [
                child
                for child in command.children()
                if "multiprocessing-fork" in " ".join(child.cmdline())
            ]

        wait_for("the second process", lambda: bool(trains()), seconds=120)
        (second,) = trains()
        children = command.children(recursive=True)
        end(command, second)
        output = process.communicate(timeout=300)[0]
        assert process.returncode == status, output
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
    if line is not None:
        assert f"2023-05  FAILED  {line}\n" in output
        assert re.search("^2023-04  ok      4 assets", output, re.MULTILINE)
    again = [str(FITNESS), "backfill", MONTHS[0], "--select", "model_backtest"]
    assert subprocess.run(again, env=environment, check=False).returncode == 0
    with open_instance(settings) as instance:
        assert all(run.is_finished for run in instance.get_runs())
