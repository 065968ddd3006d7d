"""The monthly ETL at three sizes, beside the same job in pandas, Polars and DuckDB.

An engine runs in a process of its own, `python -m bench.scale ENGINE RAW_FOLDER OUT_FOLDER`, and
cleans month after month, as ours does. Its time is that of the process from start to end; its
memory the most that the process and all its descendants held at once.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from bench import rivals
from bench.rivals import Clean, Month
from fitness_assets import months

if TYPE_CHECKING:
    import psutil
    import pyarrow as pa
    from rich.table import Table

USERS = (1_959, 19_590, 195_900)
SEED = 1
MONTHS = months.between("2023-04", "2023-09")
MOST_SECONDS = 1200
#: What is left to the rest of the machine: an engine that wants more is out of memory.
LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Run:
    """What one engine took.

    Attributes
    ----------
    seconds : float
    cpu : float
        Seconds of all cores: on a busy machine they say more than the clock.
    peak : int
        Bytes.
    laps : list of float
        Until the first month begins, each month, and from the last month to the end.
    failure : str
        Why it did not finish, else empty.
    """

    seconds: float
    cpu: float
    peak: int
    laps: list[float]
    failure: str


def scale() -> "Iterator[Table]":
    """Six months at each size, in every engine."""
    from fitness_assets.record.raw import RANGES

    if rivals.RANGES != RANGES:
        raise ValueError("the ranges of bench.rivals are not those of etl.features")
    for users in USERS:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder, "raw")
            rows = _generate(users, raw)
            runs = {engine: _measure(engine, raw, Path(folder, engine)) for engine in ENGINES}
            # What is equal at one size is at the others, where to compare would cost much more.
            if users == min(USERS):
                for engine, run in runs.items():
                    if engine != "ours" and not run.failure:
                        _compare(Path(folder, "ours"), Path(folder, engine), engine)
        yield _table(f"{rows:,} records of {users:,} users", rows, runs)


def _table(title: str, rows: int, runs: dict[str, Run]) -> "Table":
    from rich.table import Table

    heads = (
        "seconds",
        "CPU seconds",
        "start",
        "first month",
        "a later one",
        "rows/s/core",
        "peak GB",
        "time/ours",
        "memory/ours",
    )
    table = Table("six months", *heads, title=f"scale: {title}")
    ours, cores = runs["ours"], os.cpu_count() or 1
    for engine, run in runs.items():
        if run.failure:
            table.add_row(engine, run.failure, f"{run.cpu:.1f}", *[""] * 4, f"{run.peak / 1e9:.2f}")
            continue
        begin, first, *later, _ = run.laps
        table.add_row(
            engine,
            f"{run.seconds:.1f}",
            f"{run.cpu:.1f}",
            f"{begin:.1f}",
            f"{first:.1f}",
            f"{statistics.median(later):.1f}",
            f"{rows / run.seconds / cores:,.0f}",
            f"{run.peak / 1e9:.2f}",
            "" if ours.failure else f"{run.seconds / ours.seconds:.2f}",
            "" if ours.failure else f"{run.peak / ours.peak:.2f}",
        )
    return table


def _generate(users: int, raw: Path) -> int:
    """Fill the lake `raw`; the number of its records."""
    # A process a month, so that none of its memory is ours when measurements begin.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        return sum(pool.map(_generate_month, [users] * len(MONTHS), [raw] * len(MONTHS), MONTHS))


def _generate_month(users: int, raw: Path, month: str) -> int:
    from fitness_assets.record.raw import SCHEMA
    from fitness_assets.sources.cohort.source import Cohort
    from fitness_assets.storage.lake import Lake, describe, part, write_rows

    with Lake(raw).writer(month) as writer:
        write_rows(writer.staging / part(0), Cohort(users, SEED).read(month), SCHEMA)
        return writer.publish(describe(writer.staging)).info["rows"]


def _measure(engine: str, raw: Path, out: Path) -> Run:
    import psutil

    began, began_at = time.perf_counter(), time.time()
    process = psutil.Popen(
        [sys.executable, "-m", "bench.scale", engine, raw, out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"FITNESS_HOME": str(out / "state")},
    )
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(_watch, process)
        # It ends when the last of the family has closed its output.
        told, errors = process.communicate()
        seconds = time.perf_counter() - began
        cpu, peak, failure = watched.result()
    if process.returncode:
        said = errors.strip().splitlines() or [f"exit code {process.returncode}"]
        return Run(seconds, cpu, peak, [], failure or said[-1][:60])
    at = [began_at, *map(float, told.split()), began_at + seconds]
    return Run(seconds, cpu, peak, [after - before for before, after in itertools.pairwise(at)], "")


def _watch(process: "psutil.Popen") -> tuple[float, int, str]:
    """CPU seconds and peak memory of `process` and its descendants; why it was stopped, if so."""
    import psutil

    began, cpu, most, peak, failure = time.perf_counter(), {}, 0, 0, ""
    # It may be gone between two looks.
    with suppress(psutil.NoSuchProcess):
        while process.poll() is None:
            family = [process, *process.children(recursive=True)]
            held = 0
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    cpu[each.pid] = times.user + times.system
                    held += each.memory_info().rss
            # To count what forks share once takes long, so only where more is held than ever.
            if held > 1.02 * most:
                most, peak = held, max(peak, sum(map(_share, family)))
            if time.perf_counter() - began > MOST_SECONDS:
                failure = f"over {MOST_SECONDS / 60:.0f} minutes"
            elif psutil.virtual_memory().available < LEAST_FREE:
                failure = "out of memory"
            if failure:
                for each in family:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
            time.sleep(0.1)
    return sum(cpu.values()), peak, failure


def _share(process: "psutil.Process") -> int:
    """What `process` holds, of what it shares only its share where the system can tell."""
    import psutil

    try:
        held = process.memory_full_info()
    except psutil.NoSuchProcess:
        return 0
    return getattr(held, "pss", held.uss)


def _compare(ours: Path, theirs: Path, engine: str) -> None:
    """Raise unless both folders hold the same days, theirs in order."""
    for month in MONTHS:
        right = _days(theirs / month)
        left = _days(ours / month).sort_by([(name, "ascending") for name in rivals.KEY])
        if left.column_names != right.column_names or left.num_rows != right.num_rows:
            raise ValueError(f"{engine} gives other columns, or another number of rows, in {month}")
        for name in left.column_names:
            if not _equal(left[name], right[name].cast(left[name].type)):
                raise ValueError(f"{engine} gives another {name} in {month}")


def _equal(left: "pa.ChunkedArray", right: "pa.ChunkedArray") -> bool:
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_floating(left.type):
        return left.equals(right)
    if not left.is_null().equals(right.is_null()):
        return False
    return np.allclose(left.drop_null(), right.drop_null(), rtol=1e-9, atol=0)


def _days(folder: Path) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet")))


def _ours() -> Clean:
    """As the asset `daily_activity` does it, without Dagster and what comes after Spark."""
    from fitness_assets.etl import clean as etl
    from fitness_assets.settings import Settings
    from fitness_assets.spark.session import spark_resource
    from fitness_assets.storage.lake import Lake, part, write_rows

    session = spark_resource(Settings.from_env()).spark_session

    def clean(month: Month, folder: Path) -> None:
        lake = Lake(month.raw)
        records = etl.read_raw(session, lake.pin(month.key, folder / "raw"))
        earlier = None
        if month.earlier:
            pinned = lake.pin(months.shift(month.key, -1), folder / "raw")
            earlier = etl.history(etl.read_raw(session, pinned))
        files = 1 + lake.published(month.key).info["rows"] // etl.ROWS_PER_FILE
        scratch = folder / "spark"
        scratch.mkdir()
        days = etl.daily_activity(records, earlier, files)
        for number, path in enumerate(etl.write_files(days, scratch, write_rows)):
            path.rename(folder / part(number))

    return clean


#: What starts each engine. The first is what the others are compared with.
ENGINES: dict[str, Callable[[], Clean]] = {
    "ours": _ours,
    "pandas": rivals.pandas,
    "polars": rivals.polars,
    "duckdb": rivals.duckdb,
}


def main(engine: str, raw: Path, out: Path) -> None:
    """Clean every month of `raw` into `out`, and tell the time before each and after the last."""
    clean = ENGINES[engine]()
    print(time.time())
    for key in MONTHS:
        folder = out / key
        folder.mkdir(parents=True)
        clean(Month(raw, key), folder)
        print(time.time())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
