"""Concurrent runs that write their events to one store: SQLite or PostgreSQL."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from fitness_assets_tests.support.composed import Composed, find_postgres

_RUNS = (1, 4, 8)
_MONTHS = 60
# A run in its own process, as Dagster starts it. It reports materializations of an asset and prints
# the seconds from its first event to its last.
_RUN = f"""
import sys, time
import dagster as dg

@dg.op
def report(context):
    for month in range({_MONTHS}):
        context.log_event(dg.AssetMaterialization(sys.argv[1], partition=str(month)))

@dg.job
def reports():
    report()

with dg.DagsterInstance.get() as instance:
    began = time.perf_counter()
    result = reports.execute_in_process(instance=instance, raise_on_error=False)
    print(time.perf_counter() - began, result.success)
"""


def event_log() -> Iterator[Table]:
    """Seconds that a run takes to store its events, by the number of concurrent runs."""
    table = Table(
        "store",
        *[f"{runs} concurrent" for runs in _RUNS],
        "failed",
        title=f"seconds per run with {_MONTHS} materializations",
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "sqlite"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        _measure(table, "SQLite", {"DAGSTER_HOME": str(home)})
    if find_postgres():
        with _postgres() as environment:
            _measure(table, "PostgreSQL", environment)
    else:
        table.add_row("PostgreSQL: not installed (scripts/install-test-packages)")
    yield table


@contextmanager
def _postgres() -> Iterator[dict[str, str]]:
    """Start the deployment's database; the environment of its code server."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        dotenv = {"POSTGRES_PASSWORD": Path(folder).name}
        with Composed(Path(folder), dotenv) as composed:
            composed.up("database")
            composed.wait("database")
            yield composed.environment("code")


def _measure(table: Table, name: str, environment: dict[str, str]) -> None:
    row, failed = [], 0
    # The first run creates the tables and is not reported.
    for runs in (1, *_RUNS):
        started = [
            subprocess.Popen(
                [sys.executable, "-c", _RUN, f"asset_{number}"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for number in range(runs)
        ]
        outputs = [process.communicate()[0].split() for process in started]
        row.append(max((float(each[0]) for each in outputs if each), default=float("nan")))
        failed += sum(each[1:] != ["True"] for each in outputs)
    table.add_row(name, *[f"{seconds:.1f}" for seconds in row[1:]], str(failed))
