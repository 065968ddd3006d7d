"""`fitness doctor`: each fault is planted, and its line is seen; nothing is changed."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from fitness_assets import clock
from fitness_assets.cli.main import cli
from fitness_assets.cli.ownership import served_home
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG
from fitness_assets.settings import Settings
from fitness_assets.storage.models import FORMAT
from fitness_assets.storage.writer import Writer
from fitness_assets_tests.support.diagnosis import doctor, line_of
from fitness_assets_tests.support.platform import free_port

MODEL = Path("models", "calorie_regressor", "2023-04")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a model of one month, and with Dagster's storage."""
    home = tmp_path / "home"
    for variable in ("FITNESS_DAGSTER_PORT", "FITNESS_DASHBOARD_PORT"):
        monkeypatch.setenv(variable, str(free_port()))
    monkeypatch.setenv("FITNESS_HOME", str(home))
    # Of the tests, and no setting.
    monkeypatch.delenv("FITNESS_SHARED_DATA", raising=False)
    publish(home, format_=FORMAT)
    with open_instance(Settings.from_env()):
        pass
    return home


def publish(home: Path, format_: int) -> None:
    with Writer(home / MODEL) as writer:
        (writer.staging / "metrics.json").write_text("{}")
        writer.publish({"format": format_, "learned": False})


def content(root: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of each file and folder."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in [root, *root.rglob("*")]
    }


def test_a_sound_home_has_no_warning_and_is_not_changed(home: Path) -> None:
    before = content(home.parent)
    status, lines = doctor("--quick")
    assert [line for line in lines if not line.startswith(("ok ", "warning  disk"))] == []
    assert status == 0
    assert content(home.parent) == before


def test_an_empty_home_is_sound_and_not_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "none"))
    _, lines = doctor("--quick")
    assert "the first command creates it" in line_of(lines, "  home  ")
    assert list(tmp_path.iterdir()) == []


def delete_a_file(home: Path) -> None:
    next((home / MODEL).glob("metrics-*.json")).unlink()


def truncate_a_file(home: Path) -> None:
    next((home / MODEL).glob("metrics-*.json")).write_text("")


def damage_a_manifest(home: Path) -> None:
    (home / MODEL / "_manifest.json").write_text("{")


def store_older(home: Path) -> None:
    publish(home, FORMAT - 1)


def store_newer(home: Path) -> None:
    publish(home, FORMAT + 1)


def leave_staging(home: Path) -> None:
    staging = home / MODEL / "_staging-1"
    staging.mkdir()
    (staging / "model.skops").write_bytes(bytes(2_000))
    hour_ago = time.time() - 3_600
    os.utime(staging, (hour_ago, hour_ago))


def remove_the_launcher(home: Path) -> None:
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")


def break_the_settings(home: Path) -> None:
    (home / "dagster" / "dagster.yaml").write_text("a: [")


def keep_records_elsewhere(home: Path) -> None:
    with (home / "dagster" / "dagster.yaml").open("a") as file:
        file.write("storage: {postgres: {}}\n")


def damage_the_database(home: Path) -> None:
    for log in (home / "dagster" / "history").glob("runs.db-*"):
        log.unlink()
    (home / "dagster" / "history" / "runs.db").write_bytes(b"not a database" * 100)


def change_in_the_future(home: Path) -> None:
    later = time.time() + 86_400
    os.utime(home / "models", (later, later))


def give_away(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(home / MODEL / "_manifest.json", 12345, 12345)


def remove_permissions(home: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (home / MODEL / "_manifest.json").chmod(0)


@pytest.mark.parametrize(
    ("plant", "start", "finding", "remedy"),
    [
        (delete_a_file, "fault    stored data", "is missing", "`fitness backfill 2023-04`"),
        (truncate_a_file, "fault    stored data", "another size", "`fitness backfill 2023-04`"),
        (damage_a_manifest, "fault    stored data", "_manifest.json", "`fitness backfill 2023-04`"),
        (store_older, "warning  version", "older version", "`fitness backfill 2023-04 2023-04`"),
        (store_newer, "fault    version", "newer version", "install that version"),
        (leave_staging, "warning  staging", "1 file or folder of killed", "nothing reads them"),
        (remove_the_launcher, "warning  dagster.yaml", "names no run_launcher", "add `run_launc"),
        (break_the_settings, "fault    dagster.yaml", "not a YAML mapping", "delete it"),
        (keep_records_elsewhere, "warning  daemon", "another storage", "in the Dagster UI"),
        (damage_the_database, "fault    daemon", "cannot be read", "check the owner"),
        (change_in_the_future, "fault    clock", "was changed at", "set the clock"),
        (give_away, "warning  home", "is of user 12345", "run as one user"),
        (remove_permissions, "fault    home", "cannot be read", "chown or chmod"),
    ],
)
def test_a_problem_of_the_home_has_its_line(
    plant: Callable[[Path], None], start: str, finding: str, remedy: str, home: Path
) -> None:
    plant(home)
    before = content(home)
    status, lines = doctor("--quick")
    (line,) = [line for line in lines if line.startswith(start)]
    assert finding in line
    assert remedy in line
    assert content(home) == before
    assert status == any(line.startswith("fault ") for line in lines)
    assert not start.startswith("fault") or status == 1


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes to `folder` until the end."""
    code = (
        "import sys; from pathlib import Path; from fitness_assets.storage.writer import "
        "Writer\nwith Writer(Path(sys.argv[1])): print('writing', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_writer_is_named_and_one_that_is_stopped_is_a_fault(home: Path) -> None:
    with writing(home / MODEL) as process:
        _, lines = doctor("--quick")
        line = line_of(lines, f"by process {process.pid} (")
        assert line.startswith("ok       locks")
        assert str(home / MODEL) in line
        assert line_of(lines, "nothing is left of killed writers")
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        status, lines = doctor("--quick")
        assert line_of(lines, f"kill -CONT {process.pid}").startswith("fault    locks")
        assert status == 1


def test_a_served_home_names_its_process_and_a_daemon_that_is_silent(home: Path) -> None:
    settings = Settings.from_env()
    database = home / "dagster" / "history" / "runs.db"
    statement = (
        "INSERT OR REPLACE INTO daemon_heartbeats (daemon_type, daemon_id, timestamp) "
        "VALUES ('SENSOR', 'a', ?)"
    )

    def beat(ago: timedelta) -> None:
        time = datetime.now(UTC).replace(tzinfo=None) - ago
        with sqlite3.connect(database) as connection:
            connection.execute(statement, (time.isoformat(" "),))
        connection.close()

    with served_home(settings), socket.socket() as listener:
        listener.bind(("127.0.0.1", settings.dagster_port))
        listener.listen()
        _, lines = doctor("--quick")
        assert f"process {os.getpid()} on " in line_of(lines, f"{home} is served by")
        assert line_of(lines, "used by the `fitness serve` of this home").startswith("ok ")
        assert line_of(lines, "daemon of the served home does not report").startswith("fault ")
        beat(timedelta(minutes=20))
        _, lines = doctor("--quick")
        assert "20 min ago; restart `fitness serve`" in line_of(lines, "does not report")
        beat(timedelta(minutes=1))
        _, lines = doctor("--quick")
        assert line_of(lines, "last sign of life 1 min ago").startswith("ok       daemon")
    beat(timedelta(minutes=20))
    _, lines = doctor("--quick")
    assert line_of(lines, "not running; last sign of life 20 min ago").startswith("ok ")


def test_runs_that_failed_last_have_their_reason(home: Path) -> None:
    @dg.op
    def fail(context: dg.OpExecutionContext) -> None:
        if context.run.tags["dagster/partition"] != "2023-06":
            raise ValueError("the reason\nof this")

    @dg.job
    def monthly() -> None:
        fail()

    def run(month: str, **tags: str) -> None:
        monthly.execute_in_process(
            instance=instance, tags={"dagster/partition": month, **tags}, raise_on_error=False
        )

    with open_instance(Settings.from_env()) as instance:
        run("2023-04")
        run("2023-05", **{PROCESS_ENDED_TAG: "true"})
        run("2023-06")
    before = content(home)
    status, lines = doctor("--quick")
    killed, failed = [line for line in lines if line.startswith("warning  runs")]
    assert "monthly 2023-05: its process was killed" in killed
    assert "monthly 2023-04: fail: ValueError: the reason of this (see the log of run" in failed
    assert "fitness backfill" in failed
    assert status == 0
    assert content(home) == before


def test_a_port_in_use_and_an_address_of_another_machine_are_faults(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.is_dir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("FITNESS_DASHBOARD_PORT", str(port))
        status, lines = doctor("--quick")
    line = line_of(lines, f"port {port} on 127.0.0.1 is in use")
    assert line.startswith("fault    ports")
    assert "set FITNESS_DASHBOARD_PORT" in line
    assert status == 1
    monkeypatch.setenv("FITNESS_HOST", "192.0.2.1")
    _, lines = doctor("--quick")
    assert len([line for line in lines if "set FITNESS_HOST to an address of this" in line]) == 2


@pytest.mark.parametrize(
    ("free", "start"),
    [(10**12, "ok "), (1_500_000_000, "warning "), (100_000_000, "fault ")],
)
def test_little_space_is_a_warning_and_less_a_fault(
    free: int, start: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(home)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    _, lines = doctor("--quick")
    line = line_of(lines, f"free at {home}")
    assert line.startswith(start)
    assert ("set FITNESS_HOME to a folder on another disk" in line) == (start != "ok ")


def test_a_clock_that_is_behind_is_a_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.is_dir()
    monkeypatch.setattr(clock, "now", lambda: datetime(2001, 1, 1, tzinfo=UTC))
    _, lines = doctor("--quick")
    assert line_of(lines, "the clock says 2001-01-01").startswith("fault ")


def test_a_java_home_without_java_is_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(home))
    _, lines = doctor("--quick")
    line = line_of(lines, f"JAVA_HOME={home} holds no Java")
    assert line.startswith("warning  java")
    assert "unset it" in line


def test_a_setting_that_is_wrong_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITNESS_DAGSTER_PORT", "none")
    result = CliRunner().invoke(cli, ["doctor"])
    assert "FITNESS_DAGSTER_PORT" in str(result.exception)


@pytest.mark.parametrize(
    ("memory", "line"),
    [("1g", "ok       spark         local"), ("1x", "fault    spark         local")],
)
def test_spark_is_started(
    memory: str, line: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_SPARK_MEMORY", memory)
    before = content(home)
    status, lines = doctor()
    assert lines[-1].startswith(line)
    assert (status == 1) == line.startswith("fault")
    assert ("set FITNESS_SPARK_MEMORY" in lines[-1]) == (status == 1)
    assert content(home) == before


_AS_NOBODY = """
import os, sys
from fitness_assets.diagnosis.checks import diagnose
from fitness_assets.settings import Settings

homes = [Settings.from_env({"FITNESS_HOME": home}) for home in sys.argv[1:]]
list(diagnose(homes[0], spark=False))  # imports what nobody may not read
os.setgroups([])
os.setresgid(*[65534] * 3)
os.setresuid(*[65534] * 3)
for settings in homes[1:]:
    for subject, finding in diagnose(settings, spark=False):
        print(settings.home, finding.level, subject, finding.text, finding.remedy, sep="  ")
"""


def test_a_home_of_another_user_is_a_fault_that_names_a_path(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run as another user")
    publish(tmp_path / "home", FORMAT)
    (tmp_path / "home").chmod(0o700)
    folders = ("home", "home/models/calorie_regressor", "home/new")
    homes = [str(tmp_path / folder) for folder in folders]
    result = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(tmp_path / "warm"), *homes],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )
    lines = result.stdout.splitlines()
    for home in homes:
        (line,) = [line for line in lines if line.startswith(f"{home}  fault  home")]
        finding = line.removeprefix(home)
        assert str(tmp_path) in finding
        assert "cannot be read or written by this user" in finding
        assert "chown" in finding
