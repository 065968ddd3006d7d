"""The parts of the benchmark. Each yields tables, which end with ratios to their first row."""

import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import pyarrow as pa
from rich.table import Table
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score

from bench.scale import scale
from fitness_assets.learning import calories
from fitness_assets.learning.datasets import split_by_user
from fitness_assets.months import between
from fitness_assets.resources.spark import spark_resource
from fitness_assets.settings import Settings
from fitness_assets.storage.lake import Lake, describe, part, write_rows
from fitness_assets.storage.models import dump
from fitness_assets.telemetry.cohort import Cohort
from fitness_assets.telemetry.schema import SCHEMA

USERS, SEED = 1959, 1


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"


def pipeline() -> Iterator[Table]:
    """Six months through every stage, and what a restated month costs beside them."""
    table = Table(
        f"six months of {USERS:,} users, every stage", "seconds", "ratio", title="pipeline"
    )
    fitness = Path(sys.executable).with_name("fitness")

    def backfill(home: str, *ranges: tuple[str, ...], seed: int = SEED) -> float:
        began = time.perf_counter()
        for months in ranges:
            subprocess.run(
                [fitness, "backfill", *months],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ
                | {
                    "FITNESS_HOME": home,
                    "FITNESS_COHORT_USERS": str(USERS),
                    "FITNESS_COHORT_SEED": str(seed),
                },
            )
        return time.perf_counter() - began

    six = between("2023-04", "2023-09")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        _compare(
            table,
            {
                "a process a month, as Dagster runs a backfill": lambda: backfill(
                    many, *[(month,) for month in six]
                ),
                "one process": lambda: backfill(one, (six[0], six[-1])),
                "the latest month restated": lambda: backfill(one, six[-1:], seed=SEED + 1),
            },
        )
    yield table


def etl() -> Iterator[Table]:
    """One month of raw telemetry through Spark, from a cold start and warm."""
    from fitness_assets.etl import daily

    table = Table("one month of 1,959 users", "seconds", "ratio", title="etl")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_env({"FITNESS_HOME": folder})
        lake = Lake(Path(folder) / "raw")
        with lake.writer("2023-04") as writer:
            write_rows(writer.staging / part(0), Cohort(USERS, SEED).read("2023-04"), SCHEMA)
            writer.publish(describe(writer.staging))
        resource = spark_resource(settings)

        def job(name: str) -> float:
            began = time.perf_counter()
            raw = daily.read_raw(resource.spark_session, lake.files("2023-04"))
            out = Path(folder) / name
            out.mkdir()
            daily.write_files(daily.daily_activity(raw), out, write_rows)
            return time.perf_counter() - began

        def session() -> float:
            began = time.perf_counter()
            resource.spark_session  # noqa: B018 - asking for it starts it
            return time.perf_counter() - began

        _compare(
            table,
            {
                "start the session": session,
                "first job": lambda: job("first"),
                "second job": lambda: job("second"),
                "third job": lambda: job("third"),
            },
        )
        resource.spark_session.stop()
    yield table


def forest() -> Iterator[Table]:
    """The calorie forest as it is served, beside scikit-learn's default, on the same rows."""
    table = Table(
        "one month, calorie regressor",
        "nodes",
        "MB in memory",
        "MB skops",
        "MB joblib",
        "R2 on unseen users",
        "size ratio",
        title="forest",
    )
    batches = Cohort(USERS, SEED).read("2023-04")
    days = pa.Table.from_batches(batches).to_pandas().drop_duplicates(["user_id", "date"])
    days = days.assign(worn=days["steps"].notna(), sleep_hours=days["sleep_hours"].clip(upper=24))
    split = split_by_user(days, [calories.TARGET, calories.CATEGORY])
    unbounded = RandomForestRegressor(n_jobs=-1, random_state=0)
    first: int | None = None
    for name, model in {
        "scikit-learn's default": calories.pipeline(unbounded),
        "as served": calories.pipeline(),
    }.items():
        model.fit(split.train[calories.FEATURES], split.train[calories.TARGET])
        trees = [tree.tree_ for tree in model[-1].estimators_]
        score = r2_score(split.test[calories.TARGET], model.predict(split.test[calories.FEATURES]))
        plain = io.BytesIO()
        joblib.dump(model, plain, compress=3)
        size = plain.tell()
        first = first or size
        table.add_row(
            name,
            f"{sum(tree.node_count for tree in trees):,}",
            # 64 bytes of structure and 8 of value a node, see sklearn.tree._tree.NODE_DTYPE.
            f"{sum(tree.node_count * 72 for tree in trees) / 1e6:,.2f}",
            f"{len(dump(model)) / 1e6:,.2f}",
            f"{size / 1e6:,.2f}",
            f"{score:.4f}",
            f"{size / first:.5f}",
        )
    yield table


def imports() -> Iterator[Table]:
    """What a process waits for before it does anything."""
    table = Table("a fresh process that imports", "seconds", "ratio", title="import")

    def fresh(module: str) -> Callable[[], float]:
        def run() -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            return time.perf_counter() - began

        return run

    _compare(
        table,
        {
            "dagster": fresh("dagster"),
            "the fitness command": fresh("fitness_assets.cli"),
            "the dashboard's reader": fresh("dashboard.data"),
            "the definitions": fresh("fitness_assets.definitions"),
        },
    )
    yield table


PARTS: dict[str, Callable[[], Iterator[Table]]] = {
    "pipeline": pipeline,
    "etl": etl,
    "forest": forest,
    "import": imports,
    "scale": scale,
}


def _compare(table: Table, runs: dict[str, Callable[[], float]]) -> None:
    first: float | None = None
    for name, run in runs.items():
        seconds = run()
        first = first or seconds
        table.add_row(name, f"{seconds:.1f}", f"{seconds / first:.2f}")
