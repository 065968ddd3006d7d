"""`fitness mcp`, with the client of the Model Context Protocol's SDK."""

import json
import sys
import time
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import MAX_BYTES
from fitness_assets.answers.tools import TOOLS
from fitness_assets.cli import mcp_server
from fitness_assets.cli.answering import open_home
from fitness_assets.cli.mcp import mcp
from fitness_assets.errors import FitnessError
from fitness_assets_tests.support.questions import MONTH, USER, build_home, settings_of

_START = "from fitness_assets.cli.main import main; import sys; sys.argv[:1] = ['fitness']; main()"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of one user."""
    return build_home(tmp_path_factory.mktemp("served")).home


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_a_process_answers_over_stdio(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def talk() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-c", _START, "mcp", "--user", USER],
            env={"FITNESS_HOME": str(home), "PYTHONPATH": ":".join(sys.path)},
        )
        with log.open("w") as errors:
            async with Client(stdio_client(server, errlog=errors)) as client:
                listed = await client.list_tools()
                assert {tool.name for tool in listed.tools} == set(TOOLS)
                for tool in listed.tools:
                    assert tool.annotations is not None
                    assert tool.annotations.read_only_hint
                found = await client.call_tool("people", {})
                assert json.loads(text_of(found))["rows"][0][0] == USER
                refused = await client.call_tool("day", {"date": "yesterday"})
                assert refused.is_error
                assert "is not a period" in text_of(refused)

    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    anyio.run(talk)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert log.read_text() == ""


def called(home: Home, name: str, arguments: dict[str, object]) -> CallToolResult:
    async def talk() -> CallToolResult:
        async with Client(mcp_server.build_server(home)) as client:
            found = await client.call_tool(name, arguments)
            assert isinstance(found, CallToolResult)
            return found

    return anyio.run(talk)


def test_a_slow_answer_ends(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(home))
    opened = Home(records=None, findings=None, checks=None, models={}, notes=None)  # type: ignore[arg-type]
    monkeypatch.setattr(mcp_server, "SECONDS", 0.05)
    monkeypatch.setattr(mcp_server, "ask", lambda *_: time.sleep(0.5))
    slow = called(opened, "people", {})
    assert slow.is_error
    assert "ask for a shorter period" in text_of(slow)
    monkeypatch.undo()
    bug = called(opened, "people", {})
    assert bug.is_error
    assert "AttributeError" not in text_of(bug)
    assert "people failed" in caplog.text


def test_errors_are_short(home: Path) -> None:
    opened = open_home(settings_of(home))
    found = called(opened, "day", {"date": "2023-02-01", "user": "x" * 9_000})
    assert found.is_error
    assert len(text_of(found)) <= MAX_BYTES
    month = called(opened, "compare", {"first": "2022-02", "second": MONTH})
    assert not month.is_error


def test_a_missing_sdk_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(home))
    monkeypatch.delitem(sys.modules, "fitness_assets.cli.mcp_server")
    for name in ("mcp", "mcp.server.context", "mcp_types"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(FitnessError, match=r"pip install fitness_assets\[mcp\]"):
        CliRunner().invoke(mcp, [], catch_exceptions=False)


def test_an_unknown_user_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(home))
    with pytest.raises(FitnessError, match="did you mean anna"):
        CliRunner().invoke(mcp, ["--user", "ann"], catch_exceptions=False)
