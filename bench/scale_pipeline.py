"""The whole pipeline at three sizes: the time of each stage, and the peak of its processes.

The stages are those of `fitness backfill`, which runs the months one after the other. Memory is
sampled while it runs, of the process and all its descendants together: a stage has the greatest
sample between its start and its end.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.scale import MIN_FREE, MONTHS, SEED, USERS, proportional_memory

if TYPE_CHECKING:
    import psutil
    from rich.table import Table

_SECONDS_BETWEEN_SAMPLES = 0.25
_PETABYTE, _MONTHS = 1e15, 120
# Of a user of the cohort in a month: a day each, and those delivered twice.
_RECORDS_PER_USER = 31.4
# Smaller numbers have three digits.
_WHOLE_FROM = 100
# Objects that a store returns for one request.
_LISTED = 1_000


class Sample(NamedTuple):
    """Bytes at a time, in seconds since the epoch."""

    at: float
    bytes: int


class Step(NamedTuple):
    """One stage of one month, in seconds since the epoch."""

    stage: str
    month: str
    start: float
    end: float


def scale_pipeline() -> "Iterator[Table]":
    """Every stage of six months at three sizes."""
    for users in USERS:
        with tempfile.TemporaryDirectory() as home:
            table, _ = measure(users, Path(home), MONTHS)
            yield table


def petabyte() -> "Iterator[Table]":
    """What a lake of a petabyte would need, by the costs of two months."""
    with tempfile.TemporaryDirectory() as home:
        _, steps = measure(USERS[1], Path(home), MONTHS[:2])
        yield _extrapolated(Path(home), steps)


def measure(users: int, home: Path, months: Sequence[str]) -> "tuple[Table, list[Step]]":
    """Run `months` of a cohort of `users` in `home`; a row a stage, and the stages."""
    from rich.table import Table

    from fitness_assets.storage.lake import Lake, RawInfo
    from fitness_assets.workspace import ASSETS

    environ = {
        "FITNESS_HOME": str(home),
        "FITNESS_COHORT_USERS": str(users),
        "FITNESS_COHORT_SEED": str(SEED),
    }
    began = time.time()
    samples, failure = _run([months[0], months[-1]], environ, home / "output.txt")
    seconds = time.time() - began
    steps = _steps(environ)
    raw = Lake(home / "lake" / "raw_telemetry", RawInfo)
    rows = sum(raw.info(month).rows for month in raw.months())
    files = [path for path in home.rglob("*") if path.is_file()]
    stored = sum(path.stat().st_size for path in files)
    table = Table(
        f"{len(months)} months",
        "seconds",
        "last month",
        "peak GB",
        title=f"scale-pipeline: {rows:,} records of {users:,} users{failure}",
    )
    for stage in ASSETS:
        own = [step for step in steps if step.stage == stage]
        if own:
            table.add_row(
                stage,
                f"{sum(step.end - step.start for step in own):.1f}",
                f"{own[-1].end - own[-1].start:.1f}",
                f"{max(_peak(samples, step.start, step.end) for step in own) / 1e9:.2f}",
            )
    table.add_row(
        f"whole pipeline, {stored / 1e9:.2f} GB stored",
        f"{seconds:.1f}",
        "",
        f"{max(sample.bytes for sample in samples) / 1e9:.2f}",
    )
    return table, steps


def _extrapolated(home: Path, steps: Sequence[Step]) -> "Table":
    """What ten years of a lake of a petabyte would need, by the costs of the last month of `home`.

    Costs are proportional to records. Those of models are not: they read a sample.
    """
    from rich.table import Table

    from fitness_assets.record.buckets import count_of
    from fitness_assets.storage import documents
    from fitness_assets.storage.lake import DailyInfo, Lake, RawInfo
    from fitness_assets.storage.publication import MANIFEST
    from fitness_assets.storage.rows import ROWS_PER_BUCKET

    month = steps[-1].month
    lakes = [
        Lake(home / "lake" / "raw_telemetry", RawInfo),
        Lake(home / "lake" / "daily_activity", DailyInfo),
    ]
    rows, buckets = lakes[0].info(month).rows, lakes[0].info(month).bucket_count
    stored = sum(lake.published(month).bytes for lake in lakes)
    manifests = sum((lake.folder(month) / MANIFEST).stat().st_size for lake in lakes)
    # The rest of a manifest does not grow with the files that it names.
    of_files = sum(len(documents.encode(lake.published(month).files)) for lake in lakes) / buckets
    release = sum(path.stat().st_size for path in (home / "releases" / month).iterdir())
    times = {step.stage: step.end - step.start for step in steps if step.month == month}
    more = _PETABYTE / _MONTHS / stored
    their_buckets = count_of(int(rows * more), ROWS_PER_BUCKET)
    table = Table(
        "one month of raw_telemetry and daily_activity",
        "measured",
        "of a petabyte in ten years",
        title="petabyte",
    )
    for name, measured, larger in (
        ("records, million", rows / 1e6, rows * more / 1e6),
        ("users, million", rows / _RECORDS_PER_USER / 1e6, rows * more / _RECORDS_PER_USER / 1e6),
        ("GB", stored / 1e9, stored * more / 1e9),
        ("buckets, and files of each asset", buckets, their_buckets),
        (
            "MB of manifests",
            manifests / 1e6,
            (manifests + of_files * (their_buckets - buckets)) / 1e6,
        ),
        ("requests to list its files", 2, 2 * -(-their_buckets // _LISTED)),
        *(
            (f"hours of {stage}, on two cores", times[stage] / 3600, times[stage] * more / 3600)
            for stage in ("raw_telemetry", "daily_activity", "segment_model", "person_history")
        ),
        ("hours of dashboard_release", *(times["dashboard_release"] * x / 3600 for x in (1, more))),
        ("GB of the release", release / 1e9, release * more / 1e9),
    ):
        table.add_row(name, _short(measured), _short(larger))
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def _run(months: Sequence[str], environ: dict[str, str], output: Path) -> tuple[list[Sample], str]:
    """The samples of a backfill of `months`, and why it failed if it did."""
    import psutil

    fitness = Path(sys.executable).with_name("fitness")
    samples, failure = [], ""
    with output.open("w") as log:
        process = psutil.Popen(
            [fitness, "backfill", *months],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | environ,
        )
        while process.poll() is None:
            samples.append(Sample(time.time(), _held(process)))
            if psutil.virtual_memory().available < MIN_FREE:
                failure = ", out of memory"
                for each in [*process.children(recursive=True), process]:
                    each.kill()
            time.sleep(_SECONDS_BETWEEN_SAMPLES)
    if process.returncode and not failure:
        lines = output.read_text().strip().splitlines()
        failure = f", failed: {next((line for line in lines if 'FAILED' in line), lines[-1])}"
    return samples, failure


def _held(process: "psutil.Popen") -> int:
    import psutil

    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(proportional_memory, family))


def _steps(environ: dict[str, str]) -> list[Step]:
    """The stages that ended, by time, from the event log of the home."""
    from fitness_assets.orchestration.instance import open_instance
    from fitness_assets.settings import Settings

    found = []
    with open_instance(Settings.from_env(environ)) as instance:
        for run in instance.get_runs():
            month = run.tags.get("dagster/partition", "")
            found += [
                Step(stats.step_key, month, stats.start_time, stats.end_time)
                for stats in instance.get_run_step_stats(run.run_id)
                if stats.start_time is not None and stats.end_time is not None
            ]
    return sorted(found, key=lambda step: step.start)


def _peak(samples: Sequence[Sample], start: float, end: float) -> int:
    """The greatest sample from the last one before `start` to the first one after `end`."""
    margin = _SECONDS_BETWEEN_SAMPLES
    return max((s.bytes for s in samples if start - margin <= s.at <= end + margin), default=0)
