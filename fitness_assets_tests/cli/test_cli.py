"""The `fitness` command, in a process of its own where that can make a difference."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import dagster as dg
import psutil
import pytest

from fitness_assets.definitions import MONTHLY_JOB
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets.storage.lake import Lake, RawInfo
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.commands import run_command
from fitness_assets_tests.support.platform import USERS, free_port, wait_for
from fitness_assets_tests.support.releases import release_info

FITNESS = Path(sys.executable).with_name("fitness")


def environment(home: Path, **environ: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    return kept | cohort(home, **environ)


def cohort(home: Path, **environ: str) -> dict[str, str]:
    """Settings of a small cohort, and others."""
    return {
        "FITNESS_HOME": str(home),
        "FITNESS_COHORT_USERS": str(USERS),
        "FITNESS_LAST_MONTH": "2023-06",
        **environ,
    }


def files_of(month: str, home: Path) -> dict[Path, bytes]:
    """Content of each file of a month below `home`, except locks."""
    folder = f"month={month[-2:]}"
    return {
        path.relative_to(home): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.name != "_lock" and {month, folder} & set(path.parts)
    }


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["backfill", "2024-01"], {}, "'2024-01' is not a month of the range 2023-04 to 2023-06"),
        (["backfill", "April"], {}, "'April' is not a month of the range"),
        (["backfill", "2023-05", "2023-04"], {}, "2023-04 comes before 2023-05"),
        (["backfill", "--select", "nonsense"], {}, "--select 'nonsense'"),
        (["backfill", "--select", "a b"], {}, "write it as raw_telemetry,daily_activity or 'key:"),
        (["status"], {"FITNESS_SOURCE": "fitbit"}, "FITNESS_SOURCE='fitbit' is not a source"),
        (["status"], {"FITNESS_FIRST_MONTH": "soon"}, "FITNESS_FIRST_MONTH='soon'"),
        (
            ["backfill"],
            {"FITNESS_SOURCE": "folder", "FITNESS_SOURCE_PATH": "/nowhere"},
            "/nowhere is not a readable folder",
        ),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], message: str
) -> None:
    run = run_command(*arguments, **cohort(tmp_path / "home", **environ))
    assert run.returncode != 0
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("fitness: ")
    assert message in line
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_reported_before_anything_is_made(tmp_path: Path, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ports = {"FITNESS_DAGSTER_PORT": str(free_port()), "FITNESS_DASHBOARD_PORT": port}
        run = run_command(
            *([command, "--home", str(tmp_path / "demo")] if command == "demo" else [command]),
            **cohort(tmp_path / "home", **ports),
        )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        f"fitness: dashboard: port {port} on 127.0.0.1 is in use; "
        "set FITNESS_DASHBOARD_PORT, or end what uses it\n"
    )
    assert not (tmp_path / "demo").exists()
    assert not (tmp_path / "home" / "lake").exists()


def test_a_file_that_cannot_be_imported_is_one_line(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.csv"
    unknown.write_text("foo,bar\n1,2\n")
    settings = cohort(tmp_path / "home", FITNESS_SOURCE="exports")
    for path, reason in (
        (tmp_path / "none.csv", f"{tmp_path / 'none.csv'} does not exist"),
        (unknown, f"{unknown} is not in a known format"),
    ):
        run = run_command("import", path, **settings)
        assert run.returncode == 1
        assert run.stdout == ""
        (line,) = run.stderr.splitlines()
        assert line.startswith(f"fitness: {reason}"), line


def test_an_error_names_an_empty_folder(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    settings = {"FITNESS_SOURCE": "folder", "FITNESS_SOURCE_PATH": str(empty)}
    run = run_command("backfill", **cohort(tmp_path / "home", **settings))
    assert run.returncode == 1
    assert run.stderr == f"fitness: {empty} holds no .csv or .parquet file\n"
    assert not (tmp_path / "home").exists()


def test_a_month_that_fails_is_one_line_and_the_others_continue(tmp_path: Path) -> None:
    source = tmp_path / "source"
    header = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"
    for month, column in (("04", "steps"), ("05", "paces")):
        folder = source / "year=2023" / f"month={month}"
        folder.mkdir(parents=True)
        rows = [f"a,2023-{month}-01,1,2,60,7,yoga"]
        (folder / "x.csv").write_text("\n".join([header.replace("steps", column), *rows]))
    run = run_command(
        *("backfill", "2023-04", "2023-05", "--select", "raw_telemetry"),
        **cohort(tmp_path / "home", FITNESS_SOURCE="folder", FITNESS_SOURCE_PATH=str(source)),
    )
    assert run.returncode == 1
    april, may, heads, landed_rows, total = run.stdout.splitlines()
    assert april.startswith("2023-04  ok")
    assert heads.split() == ["asset", "metric", "2023-04", "2023-05"]
    assert landed_rows.split() == ["raw_telemetry", "rows", "1", "-"]
    path = source / "year=2023" / "month=05" / "x.csv"
    assert may == f"2023-05  FAILED  raw_telemetry: {path} lacks the column steps"
    assert total.startswith("1 of 2 months")
    landed = list((tmp_path / "home" / "lake").rglob("*.parquet"))
    assert len(landed) == 1
    assert "month=04" in landed[0].as_posix()


def test_backfill_then_status(
    tmp_path: Path, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, folder = tmp_path / "Zürich", tmp_path / "work"
    folder.mkdir()
    # Modules in the working folder that would hide those of child processes.
    for module in ("json", "numpy", "pyarrow", "platform"):
        (folder / f"{module}.py").write_text("raise ImportError('imported by mistake')")
    monkeypatch.chdir(folder)
    # The locale of cron and systemd.
    run = subprocess.run(
        [FITNESS, "backfill", "2023-04"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(home, LC_ALL="C"),
    )
    assert run.returncode == 0, run.stderr
    assert "1 of 1 months" in run.stdout
    assert re.search(r"peak memory [0-9.]+ [GM]B with the JVM", run.stdout)
    (row,) = [line for line in run.stdout.splitlines() if line.startswith("daily_activity")]
    assert row.split() == ["daily_activity", "rows", f"{USERS * 30:,}"]

    run = run_command("status", "--json", **cohort(home))
    assert run.returncode == 0, run.stderr
    assets = json.loads(run.stdout)["assets"]
    assert list(assets)[:3] == ["raw_telemetry", "workouts", "daily_activity"]
    assert set(assets) >= {*MODEL_NAMES, "dashboard_release", "drive_upload"}
    on_demand = assets.pop("compression_report")
    assert not any(cell["materialized"] for cell in on_demand.values())
    for months in assets.values():
        assert list(months) == ["2023-04", "2023-05", "2023-06"]
        assert [cell["materialized"] for cell in months.values()] == [True, False, False]
        for cell in months.values():
            assert set(cell) == {
                *("materialized", "stale", "missing", "reason", "not_scored"),
                *("rows", "data_version", "run_id", "metrics"),
            }
    runs = {months["2023-04"]["run_id"] for months in assets.values()}
    assert len(runs) == 1, "a month is one run"
    assert assets["daily_activity"]["2023-04"]["rows"] == USERS * 30
    assert 0 < assets["activity_classifier"]["2023-04"]["metrics"]["accuracy"] <= 1

    ours, theirs = (files_of("2023-04", each) for each in (home, released.home))
    assert ours.keys() == theirs.keys(), "the same files, written by another process"
    assert [path for path in ours if ours[path] != theirs[path]] == []
    stages = {
        "raw_telemetry",
        "daily_activity",
        "model_backtest",
        "releases",
        "drive",
        *MODEL_NAMES,
    }
    assert stages <= {part for path in ours for part in path.parts}

    # A record without the stored files does not count as materialized.
    for manifest in (home / "lake" / "daily_activity").rglob("_manifest.json"):
        manifest.unlink()
    table = run_command("status", **cohort(home))
    (row,) = [line for line in table.stdout.splitlines() if line.startswith("daily_activity")]
    assert row.split() == ["daily_activity", "rows", "-", "-", "-"]


def test_a_signal_ends_the_month_and_is_reported(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [FITNESS, "backfill", "2023-04", "2023-05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Enough records for Spark.
        env=environment(tmp_path, FITNESS_COHORT_USERS="500"),
    )

    def started() -> list[psutil.Process]:
        return psutil.Process(process.pid).children(recursive=True)

    def spark() -> bool:
        with suppress(psutil.NoSuchProcess):
            return any(child.name() == "java" for child in started())
        return False

    wait_for("Spark, which the second stage starts", spark)
    children = started()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert output.startswith("2023-04  FAILED  daily_activity was interrupted\n")
    assert "0 of 2 months" in output
    _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert (run.job_name, run.status) == (MONTHLY_JOB, dg.DagsterRunStatus.FAILURE)
    raw = Lake(tmp_path / "lake" / "raw_telemetry", RawInfo)
    assert raw.manifest("2023-04") is not None, "a completed stage stays published"
    assert not list(tmp_path.rglob("_staging-*"))


def test_a_backfill_that_is_canceled_in_the_dagster_ui_ends(tmp_path: Path) -> None:
    settings = Settings.from_env({"FITNESS_HOME": str(tmp_path)})
    # The run cannot end while the test holds the lock of its month.
    with Workspace.of(settings).raw.writer("2023-04"), open_instance(settings) as instance:
        process = subprocess.Popen(
            [FITNESS, "backfill", "2023-04", "--select", "raw_telemetry"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(tmp_path),
        )

        def started() -> list[str]:
            runs = [run.run_id for run in instance.get_runs()]
            step_start = dg.DagsterEventType.STEP_START
            return [run for run in runs if instance.all_logs(run, of_type=step_start)]

        wait_for("the first step of the run", lambda: bool(started()))
        (run_id,) = started()
        assert instance.run_launcher.terminate(run_id)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 130
        assert output.startswith("2023-04  FAILED  raw_telemetry was interrupted\n")
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.CANCELED


def test_rollback_makes_an_older_release_current(tmp_path: Path) -> None:
    here, there = ReleaseStore(tmp_path / "releases"), FolderTarget(tmp_path / "drive")
    settings = cohort(tmp_path)
    assert "holds no release yet" in run_command("release", "list", **settings).stdout
    for month in ("2023-04", "2023-05"):
        info = release_info(month, not_released={"calorie_regressor": "too few"})
        there.upload(here.publish({"metrics.json": b"{}"}, info))
    run = run_command("release", "rollback", "2023-04", **settings)
    assert (run.returncode, run.stdout) == (0, "the release of 2023-04 is current\n")
    for store in (here, there):
        pointer = store.pointer()
        assert pointer is not None
        assert (pointer.month, pointer.serial) == ("2023-04", 3)
    april, may = run_command("release", "list", **settings).stdout.splitlines()
    assert april.split()[:3] == ["2023-04", "current", f"{here.digest('2023-04')};"]
    assert "calorie_regressor not released (too few)" in april
    assert may.split()[:2] == ["2023-05", f"{here.digest('2023-05')};"]
    private = ReleaseStore(tmp_path / "releases-people", private=True)
    private.publish({"sample.parquet": b""}, release_info("2023-05"))
    *_, last = run_command("release", "list", **settings).stdout.splitlines()
    assert last.split() == ["2023-05", "private", private.digest("2023-05")]
    run = run_command("release", "rollback", "2023-06", **settings)
    assert run.returncode == 1
    assert run.stderr == "fitness: there is no release of 2023-06; there are 2023-04, 2023-05\n"


def test_an_import_prints_a_summary_and_quarantines_the_rest(tmp_path: Path) -> None:
    header = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"
    export = tmp_path / "days.csv"
    export.write_text(f"{header}\nanna,2019-01-01,1,1800,70,7,yoga\nanna,soon,1,1800,70,7,yoga\n")
    home, source = tmp_path / "home", {"FITNESS_SOURCE": "exports"}
    settings = cohort(home, **source)
    run = run_command("import", export, tmp_path / "missing.zip", **settings)
    assert run.returncode == 1
    first, header, row, second = run.stdout.splitlines()
    assert first == (
        "days.csv  tidy: 1 user-day of 1 user, 2019-01 to 2019-01; "
        "1 entry quarantined (fitness quarantine)"
    )
    assert header.split() == ["file", "format", "records", "columns", "filled", "left", "out"]
    assert row.startswith("days.csv")
    assert "date: 'soon' is not a date" in row
    assert "not in the range FITNESS_FIRST_MONTH=2023-04 to FITNESS_LAST_MONTH=2023-06" in second
    assert second.endswith("set FITNESS_FIRST_MONTH=2019-01, then run `fitness backfill --stale`")
    assert f"fitness: {tmp_path / 'missing.zip'} does not exist" in run.stderr.splitlines()
    lines = run_command("quarantine", **settings).stdout.splitlines()
    # The same table, then the entries.
    assert lines[:3] == [first, header, row]
    assert lines[3].startswith("days.csv  days.csv, ")
    (total,) = filter(None, lines[4:])
    assert total == "1 entry quarantined"
    run = run_command("forget", "--yes", "bert", **settings)
    assert run.stderr == "fitness: there is no data of a user called 'bert'\n"
    run = run_command("import", "--timezone", "Mars/Crater", export, **settings)
    assert "--timezone='Mars/Crater' is not a time zone" in run.stderr


def test_a_dagster_command_without_dagster_home_says_what_to_set(tmp_path: Path) -> None:
    home = tmp_path / "home"
    dagster = str(FITNESS.with_name("dagster"))
    command = [dagster, "asset", "materialize", "--select", "raw_telemetry"]
    command += ["--partition", "2023-04", "-m", "fitness_assets.definitions"]

    def materialize(**environ: str) -> str:
        run = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(home, **environ),
        )
        assert run.returncode == 0, run.stderr
        return run.stderr

    hint = f"Set DAGSTER_HOME={home / 'dagster'}"
    assert hint in materialize(DAGSTER_HOME="")
    assert hint not in materialize(DAGSTER_HOME=str(home / "dagster"))
    assert list((home / "dagster" / "alive").glob("*.lock")) == [], "its process has ended"
