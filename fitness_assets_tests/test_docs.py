"""Documentation that is generated from the code, and commands that it shows."""

import os
import shlex
import subprocess
import sys
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest

from fitness_assets_tests.support.commands import run_command

ROOT = Path(__file__).parents[1]


def test_generated_documentation_is_current() -> None:
    script = ROOT / "scripts" / "generate-docs"
    run = subprocess.run(
        [sys.executable, script, "--check"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_commands_of_the_tutorial_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tutorial = (ROOT / "docs" / "guide" / "tutorial.md").read_text()
    blocks = [
        line
        for block in tutorial.split("```sh\n")[1:]
        for line in block.split("```")[0].splitlines()
    ]
    monkeypatch.chdir(ROOT)
    environment: dict[str, str] = {}
    ran = []
    for line in blocks:
        program, *arguments = shlex.split(line)
        if program == "export":
            values = dict(each.split("=") for each in arguments)
            environment |= {
                name: value.replace("$HOME", str(tmp_path)) for name, value in values.items()
            }
        elif program == ".venv/bin/fitness" and arguments != ["serve"]:
            # The example is the same in every year.
            environment["FITNESS_LAST_MONTH"] = "2024-04"
            place = [str(tmp_path / each) if each == "april.html" else each for each in arguments]
            run = run_command(*place, **environment)
            assert run.returncode == 0, run.stdout + run.stderr
            ran.append(" ".join(arguments[:2]))
    assert ran == ["import --explain", "import docs/examples/days.csv", "status", "report --user"]
    assert "April 2024" in (tmp_path / "april.html").read_text()


def test_a_link_to_another_site_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text("")
    pages = partial(SimpleHTTPRequestHandler, directory=tmp_path / "site")
    with HTTPServer(("127.0.0.2", 0), pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        site = f"http://127.0.0.2:{server.server_port}"
        (tmp_path / "page.md").write_text(
            f"# A page\n\n[there]({site}/page) [gone]({site}/gone) <http://127.0.0.1:1>\n"
        )
        run = subprocess.run(
            [
                *(sys.executable, "-m", "sphinx", "--quiet", "--builder", "linkcheck"),
                *("--conf-dir", ROOT / "docs", "--define", "include_patterns=page.md"),
                *("--define", "root_doc=page", tmp_path, tmp_path / "links"),
            ],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"NO_PROXY": "127.0.0.2"},
        )
        server.shutdown()
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "WARNING" in line]
    assert f"broken link: {site}/gone" in line
