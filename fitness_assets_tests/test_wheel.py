"""The wheel, installed outside the checkout."""

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from fitness_assets_tests.support.platform import free_port, wait_for
from fitness_assets_tests.support.wheel import find_uv, install

PORTS = ("FITNESS_DASHBOARD_PORT", "FITNESS_DAGSTER_PORT")


def answers(port: int) -> bool:
    """Whether a server on this machine sends its page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
            return int(page.status) == 200
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(find_uv() is None, reason="no uv (`make setup` installs it)")
def test_the_demo_of_the_wheel_is_served(tmp_path: Path) -> None:
    programs = install(tmp_path) / "bin"
    ports = {variable: free_port() for variable in PORTS}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        **{variable: str(port) for variable, port in ports.items()},
        # Of another home, which the demo must not touch.
        "FITNESS_HOME": str(tmp_path / "other"),
        "FITNESS_SOURCE": "exports",
    }
    where = subprocess.run(
        [programs / "python", "-c", "import fitness_assets; print(fitness_assets.__file__)"],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.startswith(f"{programs.parent}/")
    with (tmp_path / "output").open("w+") as output:
        demo = subprocess.Popen(
            [programs / "fitness", "demo"],
            env=environment,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            for port in ports.values():
                wait_for("a page", lambda: demo.poll() is not None or answers(port))  # noqa: B023
            assert demo.poll() is None, (tmp_path / "output").read_text()[-2000:]
        finally:
            demo.send_signal(signal.SIGTERM)
            status = demo.wait(120)
    text = (tmp_path / "output").read_text()
    assert status == 0, text[-2000:]
    assert "2 of 2 months" in text
    assert (tmp_path / "fitness-demo" / "releases" / "latest.json").is_file()
    assert not (tmp_path / "other").exists()
