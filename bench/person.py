"""The export of one person: an import with every asset, and a backfill in Dagster's UI."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from bench.served import ask, serving
from fitness_assets import months
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND
from fitness_assets_tests.support.platform import wait_for

#: Limit on the seconds of an import, by months of the export.
_LIMITS = {36: 60, 120: 150}
_BACKFILL, _UI_LIMIT = 36, 300
# Months of the comparison with Spark.
_FEW = 4
_LIMIT_SECONDS = 3_600
# The command, with a Spark job for every month: months of any size were cleaned so before.
_ON_SPARK = """
from fitness_assets.assets import daily_activity
daily_activity.ROWS_WITHOUT_SPARK = 0
from fitness_assets.cli.main import main
main()
"""
_HEADER = (
    "date,steps,calories_burned,distance_km,heart_rate_avg,resting_heart_rate,sleep_hours,"
    "active_minutes"
)
_COMMAND = "from fitness_assets.cli.main import main; main()"


def person() -> Iterator[Table]:
    """Years of one person, every asset: at most 60 s for 36 months, 150 s for 120, on idle cores.

    The backfill in Dagster's UI may take 300 s. The load is that of the machine before each row:
    with other work on the cores the seconds are larger, and those of the CPU a little.
    """
    table = _table("person")
    with tempfile.TemporaryDirectory() as folder:
        first: float | None = None
        for length, limit in _LIMITS.items():
            export = _write_days(Path(folder) / f"{length}.csv", length)
            home = Path(folder) / f"{length}"
            row = _measured(partial(_import, home, export, length, _COMMAND))
            first = first or row.seconds
            _add(table, f"{length} months, import", row, length, first, limit, is_one_process=True)
        home = Path(folder) / f"{_BACKFILL}"
        row = _measured(partial(_backfill, home, _BACKFILL))
        _add(
            table, f"{_BACKFILL} months, backfill in the UI", row, _BACKFILL, first or 1, _UI_LIMIT
        )
    yield table
    yield _spark_compared()


def _spark_compared() -> Table:
    """A few months with and without a Spark job for each, since years of them take an hour."""
    table = _table("person: Spark")
    first: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        export = _write_days(Path(folder) / "days.csv", _FEW)
        for name, code in (("in the process", _COMMAND), ("one Spark job a month", _ON_SPARK)):
            home = Path(folder) / name.replace(" ", "-")
            row = _measured(partial(_import, home, export, _FEW, code))
            first = first or row.seconds
            _add(table, f"{_FEW} months, {name}", row, _FEW, first, None)
    return table


def _table(title: str) -> Table:
    columns = ("seconds", "limit", "CPU seconds", "seconds a month", "ratio", "load before")
    return Table("one person", *columns, title=title)


@dataclass(frozen=True)
class _Measured:
    """Seconds of a run, those of the CPU in it and its processes, and the load before it."""

    seconds: float
    cpu: float
    load: float


def _measured(run: Callable[[], float]) -> _Measured:
    load, before = os.getloadavg()[0], _cpu_of_children()
    seconds = run()
    return _Measured(seconds, _cpu_of_children() - before, load)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _add(  # noqa: PLR0913, PLR0917 - one parameter a cell
    table: Table,
    name: str,
    row: _Measured,
    length: int,
    first: float,
    limit: int | None,
    *,
    is_one_process: bool = False,
) -> None:
    table.add_row(
        name,
        f"{row.seconds:.0f}",
        "" if limit is None else str(limit),
        # Processes that are not waited for, such as a JVM, would be missing from it.
        f"{row.cpu:.0f}" if is_one_process else "",
        f"{row.seconds / length:.2f}",
        f"{row.seconds / first:.2f}",
        f"{row.load:.1f}",
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _range(length: int) -> list[str]:
    """The months of an export of `length` months: the last is the current one."""
    return months.trailing(months.key(_today()), length)


def _write_days(path: Path, length: int) -> Path:
    draw = np.random.default_rng(1)
    lines = [_HEADER]
    day = months.start(_range(length)[0])
    while day < _today():
        steps = max(0, int(draw.normal(8000, 2500)))
        kcal = 1600 + steps * 0.05 + draw.normal(0, 60)
        rates = f"{draw.normal(70, 4):.0f},{draw.normal(58, 2):.0f}"
        rest = f"{max(3, draw.normal(7, 1)):.1f},{max(0, int(steps / 120 + draw.normal(0, 5)))}"
        lines.append(f"{day},{steps},{kcal:.0f},{steps * 0.00075:.2f},{rates},{rest}")
        day += timedelta(1)
    path.write_text("\n".join(lines) + "\n")
    return path


def _environment(home: Path, length: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    return {
        **kept,
        "FITNESS_HOME": str(home),
        "FITNESS_SOURCE": "exports",
        "FITNESS_FIRST_MONTH": _range(length)[0],
        "FITNESS_LAST_MONTH": "now",
    }


def _import(home: Path, export: Path, length: int, code: str) -> float:
    """Seconds of an import, from the start of its process to its end."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, "import", str(export), "--user", "me"],
        check=True,
        env=_environment(home, length),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _backfill(home: Path, length: int) -> float:
    """Seconds from the launch of a backfill in a running `fitness serve` to its end."""
    assets = ", ".join(f'{{path: ["{asset}"]}}' for asset in INPUTS if asset not in ON_DEMAND)
    with serving(_environment(home, length)) as port:
        began = time.perf_counter()
        launched = ask(
            port,
            f"mutation {{ launchPartitionBackfill(backfillParams: {{assetSelection: [{assets}], "
            f"partitionNames: {json.dumps(_range(length))}}}) "
            "{ ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
        )
        backfill = launched["launchPartitionBackfill"]["backfillId"]
        status = ""

        def has_ended() -> bool:
            nonlocal status
            query = f'{{ partitionBackfillOrError(backfillId: "{backfill}") '
            found = ask(port, query + "{ ... on PartitionBackfill { status } } }")
            status = found["partitionBackfillOrError"]["status"]
            return status not in {"REQUESTED", "CANCELING", "FAILING"}

        wait_for("the backfill", has_ended, _LIMIT_SECONDS, pause=1)
        if status != "COMPLETED_SUCCESS":
            raise RuntimeError(f"the backfill ended with {status}")
        return time.perf_counter() - began
