"""What the optional columns and the workouts of the cohort cost: bytes of the lake, and the ETL."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pyarrow as pa
from rich.table import Table

from bench.cohort_days import SEED, USERS
from fitness_assets.assets.daily_activity import stage
from fitness_assets.etl import workouts as etl
from fitness_assets.record import raw, workouts
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage.lake import Lake, RawInfo, describe
from fitness_assets.storage.rows import write_delivered, write_rows

_MONTH = "2023-04"
# Runs of each, in turns. The fastest is the result: other processes only add to it.
_RUNS = 25


def optional_columns() -> Table:
    """One month of the default cohort without optional columns, with them, and with workouts."""
    table = Table(
        f"one month of {USERS:,} users",
        *("raw bytes", "bytes of days", "bytes of workouts", "bytes in all", "in all, ratio"),
        *("ETL seconds", "ratio"),
        title="what optional columns and workouts cost",
    )
    cohort = Cohort(USERS, SEED)
    batches = list(cohort.read(_MONTH))
    delivered = pa.Table.from_batches(cohort.read_workouts(_MONTH), workouts.SCHEMA)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        resource = spark_resource(Settings.from_env({"FITNESS_HOME": folder}))
        lakes = [Lake(root / name, RawInfo) for name in ("narrow", "wide")]
        days = [root / "days of narrow", root / "days of wide"]
        for lake, schema in zip(lakes, (raw.SCHEMA, raw.FULL_SCHEMA), strict=True):
            with lake.writer(_MONTH) as writer:
                write_delivered(writer.staging, (each.select(schema.names) for each in batches))
                info = RawInfo(**msgspec.structs.asdict(describe(writer.staging)))
                writer.publish(info)

        def clean(lake: Lake[RawInfo], out: Path) -> None:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            stage(lake, resource, _MONTH, out)

        def deduplicate() -> None:
            kept = etl.deduplicate(etl.plausible(delivered).rows)
            write_rows(root / "workouts.parquet", kept.to_batches(), workouts.SCHEMA)

        without, with_columns, of_workouts = _seconds(
            [
                lambda: clean(lakes[0], days[0]),
                lambda: clean(lakes[1], days[1]),
                deduplicate,
            ]
        )
        resource.spark_session.stop()
        narrow, wide = (
            [_bytes(lake.files(_MONTH)), _bytes(out.glob("*.parquet"))]
            for lake, out in zip(lakes, days, strict=True)
        )
        stored = _bytes([root / "workouts.parquet"])
    for name, sizes, seconds in (
        ("without optional columns", [*narrow, 0], without),
        ("with optional columns", [*wide, 0], with_columns),
        ("and workouts", [*wide, stored], with_columns + of_workouts),
    ):
        table.add_row(
            name,
            *(f"{size:,}" for size in (*sizes, sum(sizes))),
            f"{sum(sizes) / sum(narrow):.3f}",
            f"{seconds:.3f}",
            f"{seconds / without:.2f}",
        )
    return table


def _seconds(jobs: list[Callable[[], None]]) -> list[float]:
    """The least seconds of each of `jobs`."""
    seconds = [float("inf")] * len(jobs)
    for _ in range(_RUNS):
        for number, job in enumerate(jobs):
            began = time.perf_counter()
            job()
            seconds[number] = min(seconds[number], time.perf_counter() - began)
    return seconds


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
