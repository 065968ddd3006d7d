"""The lock of a served home, and the processes that a killed `fitness serve` left behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fitness_assets.cli.ownership import kill_processes, served_home
from fitness_assets.errors import FitnessError
from fitness_assets.settings import SERVE_VARIABLE
from fitness_assets_tests.support.platform import MakeSettings, wait_for

# A process with a child, both of which would outlive the one that started them.
_SLEEP = "import time; time.sleep(600)"
_FAMILY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_SLEEP!r}])"


def family(serve: str) -> subprocess.Popen[bytes]:
    parent = subprocess.Popen(
        [sys.executable, "-c", _FAMILY],
        env=os.environ | {SERVE_VARIABLE: serve},
        start_new_session=True,
    )
    wait_for("its child", lambda: bool(psutil.Process(parent.pid).children()))
    return parent


def test_a_second_serve_names_the_first(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with served_home(settings) as first:
        with pytest.raises(FitnessError, match=f"process {os.getpid()} on ") as error:
            served_home(settings).__enter__()
        assert f"{settings.home} is served by another `fitness serve`" in str(error.value)
    with served_home(settings) as second:
        assert first != second


def test_two_homes_with_one_dagster_home_are_not_served_together(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    shared = str(tmp_path / "dagster")
    first, second = (
        make_settings(tmp_path / name, DAGSTER_HOME=shared) for name in ("first", "second")
    )
    with served_home(first), pytest.raises(FitnessError, match="served by another"):
        served_home(second).__enter__()


def test_processes_of_a_killed_serve_are_ended_and_no_others(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path)
    orphan = family(f"{settings.dagster_home.resolve()}#1")
    other = family(f"{settings.dagster_home.resolve()}-of-another-home#1")
    try:
        with served_home(settings):
            orphan.wait(60)
            assert other.poll() is None
    finally:
        kill_processes(str(tmp_path.resolve()))
    other.wait(60)
