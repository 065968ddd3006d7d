"""The monthly ETL at three sizes, compared with the same job in pandas, Polars and DuckDB.

Each engine runs in its own process, `python -m bench.scale ENGINE RAW_FOLDER OUT_FOLDER`, and
cleans one month after the other. Its time is that of the process from start to end; its memory is
the peak of the process and all its descendants together.
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

from bench import engines
from bench.engines import Clean, Month
from fitness_assets import months

if TYPE_CHECKING:
    import psutil
    import pyarrow as pa
    from rich.table import Table

USERS = (1_959, 19_590, 195_900)
SEED = 1
MONTHS = months.between("2023-04", "2023-09")
MAX_SECONDS = 1200
#: An engine that leaves less memory to the rest of the machine is stopped as out of memory.
MIN_FREE = 1 << 30


@dataclass(frozen=True)
class Run:
    """Measurements of one engine.

    Attributes
    ----------
    seconds : float
    cpu : float
        Seconds of all cores, which depend less on other load than wall-clock time does.
    peak : int
        Bytes.
    laps : list of float
        Seconds until the first month starts, of each month, and from the last month to the end.
    failure : str
        Why it did not finish; empty if it did.
    """

    seconds: float
    cpu: float
    peak: int
    laps: list[float]
    failure: str


def scale() -> "Iterator[Table]":
    """The ETL of six months at three sizes, in four engines."""
    from fitness_assets.record.raw import RANGES, SCHEMA

    if {name: each for name, each in RANGES.items() if name in SCHEMA.names} != engines.RANGES:
        raise ValueError("the ranges of bench.engines differ from those of record.raw")
    for users in USERS:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder, "raw")
            rows = _generate(users, raw)
            runs = {engine: _measure(engine, raw, Path(folder, engine)) for engine in ENGINES}
            # Compared at the smallest size only, because larger ones would take long.
            if users == min(USERS):
                for engine, run in runs.items():
                    if engine != SPARK and not run.failure:
                        _check_equal(Path(folder, SPARK), Path(folder, engine), engine)
        yield _table(f"{rows:,} records of {users:,} users", rows, runs)


def _table(title: str, rows: int, runs: dict[str, Run]) -> "Table":
    from rich.table import Table

    headers = (
        "seconds",
        "CPU seconds",
        "start",
        "first month",
        "later month",
        "rows/s/core",
        "peak GB",
        "time/Spark",
        "memory/Spark",
    )
    table = Table("six months", *headers, title=f"scale: {title}")
    spark, cores = runs[SPARK], os.cpu_count() or 1
    for engine, run in runs.items():
        if run.failure:
            table.add_row(engine, run.failure, f"{run.cpu:.1f}", *[""] * 4, f"{run.peak / 1e9:.2f}")
            continue
        start, first, *later, _ = run.laps
        table.add_row(
            engine,
            f"{run.seconds:.1f}",
            f"{run.cpu:.1f}",
            f"{start:.1f}",
            f"{first:.1f}",
            f"{statistics.median(later):.1f}",
            f"{rows / run.seconds / cores:,.0f}",
            f"{run.peak / 1e9:.2f}",
            "" if spark.failure else f"{run.seconds / spark.seconds:.2f}",
            "" if spark.failure else f"{run.peak / spark.peak:.2f}",
        )
    return table


def _generate(users: int, raw: Path) -> int:
    """Write six months to the lake `raw`; the number of records."""
    # A process per month, so that this one holds none of the memory when measurements start.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        return sum(pool.map(_generate_month, [users] * len(MONTHS), [raw] * len(MONTHS), MONTHS))


def _generate_month(users: int, raw: Path, month: str) -> int:
    from fitness_assets.record.raw import SCHEMA
    from fitness_assets.sources.cohort.source import Cohort
    from fitness_assets.storage.lake import Lake, TableInfo, describe
    from fitness_assets.storage.rows import write_delivered

    with Lake(raw, TableInfo).writer(month) as writer:
        # The other engines know the columns that every month has.
        batches = Cohort(users, SEED).read(month)
        write_delivered(writer.staging, (batch.select(SCHEMA.names) for batch in batches))
        described = describe(writer.staging)
        writer.publish(described)
        return described.rows


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
        # This returns when the last descendant has closed its output.
        output, errors = process.communicate()
        seconds = time.perf_counter() - began
        cpu, peak, failure = watched.result()
    if process.returncode:
        lines = errors.strip().splitlines() or [f"exit code {process.returncode}"]
        return Run(seconds, cpu, peak, [], failure or lines[-1][:60])
    times = [began_at, *map(float, output.split()), began_at + seconds]
    return Run(
        seconds, cpu, peak, [after - before for before, after in itertools.pairwise(times)], ""
    )


def _watch(process: "psutil.Popen") -> tuple[float, int, str]:
    """CPU seconds and peak bytes of `process` and its descendants; the reason if it was stopped."""
    import psutil

    began, cpu, max_held, peak, failure = time.perf_counter(), {}, 0, 0, ""
    # The process can end between two calls.
    with suppress(psutil.NoSuchProcess):
        while process.poll() is None:
            family = [process, *process.children(recursive=True)]
            held = 0
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    cpu[each.pid] = times.user + times.system
                    held += each.memory_info().rss
            # Counting memory shared by forks once is slow, so it is done only at a new maximum.
            if held > 1.02 * max_held:
                max_held, peak = held, max(peak, sum(map(proportional_memory, family)))
            if time.perf_counter() - began > MAX_SECONDS:
                failure = f"over {MAX_SECONDS / 60:.0f} minutes"
            elif psutil.virtual_memory().available < MIN_FREE:
                failure = "out of memory"
            if failure:
                for each in family:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
            time.sleep(0.1)
    return sum(cpu.values()), peak, failure


def proportional_memory(process: "psutil.Process") -> int:
    """Bytes of `process`; shared pages count by their share where the system reports it."""
    import psutil

    try:
        held = process.memory_full_info()
    except psutil.NoSuchProcess:
        return 0
    return getattr(held, "pss", held.uss)


def _check_equal(expected: Path, actual: Path, engine: str) -> None:
    """Raise ValueError unless both folders hold the same days; those of `actual` must be sorted."""
    for month in MONTHS:
        right = _days(actual / month)
        left = _days(expected / month).sort_by([(name, "ascending") for name in engines.KEY])
        if left.column_names != right.column_names or left.num_rows != right.num_rows:
            raise ValueError(f"{engine} has other columns or another number of rows in {month}")
        for name in left.column_names:
            if not _equal(left[name], right[name].cast(left[name].type)):
                raise ValueError(f"{engine} has other values of {name} in {month}")


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


def _spark() -> Clean:
    """The ETL of the asset `daily_activity`, without Dagster and the steps after Spark."""
    from fitness_assets.assets.daily_activity import stage
    from fitness_assets.settings import Settings
    from fitness_assets.spark.session import spark_resource
    from fitness_assets.storage.lake import Lake, RawInfo

    spark = spark_resource(Settings.from_env())

    def clean(month: Month, folder: Path) -> None:
        stage(Lake(month.raw, RawInfo), spark, month.key, folder)

    return clean


SPARK = "Spark (this platform)"
#: The engines. The others are compared with the first.
ENGINES: dict[str, Callable[[], Clean]] = {
    SPARK: _spark,
    "pandas": engines.pandas,
    "polars": engines.polars,
    "duckdb": engines.duckdb,
}


def main(engine: str, raw: Path, out: Path) -> None:
    """Clean every month of `raw` into `out`; print the time before each and after the last."""
    clean = ENGINES[engine]()
    print(time.time())
    for key in MONTHS:
        folder = out / key
        folder.mkdir(parents=True)
        clean(Month(raw, key), folder)
        print(time.time())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
