"""The parts of the benchmark. Each yields tables with ratios to their first row."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from rich.table import Table
from sklearn.metrics import adjusted_rand_score, f1_score

from bench.click import click
from bench.cohort_days import SEED, USERS, cohort_days
from bench.dashboard import dashboard
from bench.event_log import event_log
from bench.exports import exports
from bench.first_page import first_page
from bench.forest_formats import forest_formats
from bench.hostile import hostile
from bench.object_store import object_store
from bench.optional_columns import optional_columns
from bench.person import person
from bench.personal import personal
from bench.privacy import privacy
from bench.real_users import real_users
from bench.scale import scale
from bench.scale_pipeline import petabyte, scale_pipeline
from fitness_assets.assets.daily_activity import stage
from fitness_assets.models import evaluation, memory_probe
from fitness_assets.models.compression import measure_steps
from fitness_assets.models.datasets import held_out
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.reports import Metrics
from fitness_assets.models.segments import segmentation
from fitness_assets.months import between
from fitness_assets.release import model_loader as loader
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage.lake import Lake, RawInfo, describe
from fitness_assets.storage.models import dump
from fitness_assets.storage.rows import write_delivered


def machine() -> str:
    """The machine, in one line."""
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}"
    )


def pipeline() -> Iterator[Table]:
    """Six months through every stage, and one restated month."""
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
                "one process per month, as Dagster runs a backfill": lambda: backfill(
                    many, *[(month,) for month in six]
                ),
                "one process": lambda: backfill(one, (six[0], six[-1])),
                "the latest month restated": lambda: backfill(one, six[-1:], seed=SEED + 1),
            },
        )
    yield table


def etl() -> Iterator[Table]:
    """One month of raw telemetry through Spark, after a cold start and in a warm session."""
    table = Table("one month of 1,959 users", "seconds", "ratio", title="etl")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_env({"FITNESS_HOME": folder})
        lake = Lake(Path(folder) / "raw", RawInfo)
        with lake.writer("2023-04") as writer:
            write_delivered(writer.staging, Cohort(USERS, SEED).read("2023-04"))
            writer.publish(describe(writer.staging))
        resource = spark_resource(settings)

        def job(name: str) -> float:
            began = time.perf_counter()
            out = Path(folder) / name
            out.mkdir()
            stage(lake, resource, "2023-04", out)
            return time.perf_counter() - began

        def session() -> float:
            began = time.perf_counter()
            resource.spark_session  # noqa: B018 - the property starts the session
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


def cohort() -> Iterator[Table]:
    """The synthetic source: user-days, records and seconds."""
    table = Table("the cohort", "user-days", "records", "seconds", "ratio", title="cohort")
    months = between("2023-04", "2023-09")
    first: float | None = None
    runs = {
        f"{USERS:,} users, six months": (Cohort(USERS, SEED), months),
        "1,000,000 user-days, one month": (Cohort(1_000_000 // 30 + 1, SEED), months[:1]),
    }
    for name, (source, selected) in runs.items():
        keys, records = set(), 0
        seconds = 0.0
        for month in selected:
            began = time.perf_counter()
            read = pa.Table.from_batches(source.read(month))
            seconds += time.perf_counter() - began
            records += read.num_rows
            users = read["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
            days = read["date"].cast(pa.int32()).to_numpy()
            keys.update(np.unique(users.astype(np.int64) << 32 | days).tolist())
        first = first or seconds
        table.add_row(
            name, f"{len(keys):,}", f"{records:,}", f"{seconds:.1f}", f"{seconds / first:.2f}"
        )
    yield table
    yield optional_columns()


def truth() -> Iterator[Table]:
    """Scores of the models on held-out users, compared with the best possible predictions."""
    table = Table(
        f"six months of {USERS:,} users",
        "model",
        "best possible",
        "baseline",
        "ratio",
        title="truth",
    )
    source, days = Cohort(USERS, SEED), cohort_days()
    truths = [source.truth(month) for month in between("2023-04", "2023-09")]
    users = truths[0].users.to_pandas().set_index("user_id")

    _, members, _ = segmentation.learn(days, pd.Timestamp("2023-09-01"))
    found = adjusted_rand_score(users.loc[members["user_id"], "persona"], members["segment"])
    table.add_row(
        "segments compared with personas, adjusted Rand index",
        f"{found:.4f}",
        "1",
        "0",
        f"{found:.4f}",
    )

    best = pd.concat([truth.best.to_pandas() for truth in truths])
    best["date"] = pd.to_datetime(best["date"])
    heldout = days[days["worn"] & held_out(days["user_id"])]
    heldout = heldout.merge(best, on=["user_id", "date"], suffixes=("", "_best"))

    def compare(name: str, metrics: Metrics, measure: str, best: float) -> None:
        scores = metrics.summary()
        model, baseline = scores[measure], scores[f"baseline_{measure}"]
        table.add_row(
            name, *(f"{each:.4f}" for each in (model, best, baseline)), f"{model / best:.4f}"
        )

    _, classifier = activity.train(days, 10**6)
    true, known = heldout["activity_type"], heldout["activity_type_best"]
    compare("activity, accuracy", classifier, "accuracy", (true == known).mean())
    compare("activity, macro F1", classifier, "macro_f1", f1_score(true, known, average="macro"))
    _, regressor = calories.train(days, 38_000)
    best_scores = evaluation.regression(
        heldout["calories_burned"].to_numpy(), heldout["calories_burned_best"].to_numpy()
    )
    compare("kcal, R2", regressor, "r2", best_scores.r2)
    compare("kcal, RMSE", regressor, "rmse", best_scores.rmse)
    yield table


def models() -> Iterator[Table]:
    """Training of the three models of a month on six months: seconds, size and score."""
    table = Table(
        f"six months of {USERS:,} users",
        "seconds",
        "bytes on disk",
        "score",
        "baseline",
        "ratio",
        title="models",
    )
    days = cohort_days()
    first: float | None = None
    runs: dict[str, tuple[Callable[[], tuple[Any, Metrics]], str]] = {
        "segment model, adjusted Rand": (lambda: _segments(days), "stability"),
        "activity classifier, macro F1": (lambda: activity.train(days, 10**6), "macro_f1"),
        "calorie regressor, R2": (lambda: calories.train(days, 38_000), "r2"),
    }
    for name, (train, score) in runs.items():
        began = time.perf_counter()
        model, metrics = train()
        seconds = time.perf_counter() - began
        first = first or seconds
        scores = metrics.summary()
        baseline = scores.get(f"baseline_{score}")
        table.add_row(
            name,
            f"{seconds:.1f}",
            f"{len(dump(model)):,}",
            f"{scores[score]:.4f}",
            "" if baseline is None else f"{baseline:.4f}",
            f"{seconds / first:.2f}",
        )
    yield table


def compression() -> Iterator[Table]:
    """The calorie forest, from scikit-learn's default to a packed forest of the same rows."""
    table = Table(
        "six months, calorie forest",
        "trees",
        "nodes",
        "bytes on disk",
        "bytes in memory",
        "fit s",
        "predict s",
        "R2",
        "size ratio",
        title="compression",
    )
    first: int | None = None
    with memory_probe.start() as probe:
        steps = list(measure_steps(calories.split(cohort_days()), calories.GRID[0], probe))
    for step in steps:
        first = first or step.bytes
        table.add_row(
            step.step,
            f"{step.trees}",
            f"{step.nodes:,}",
            f"{step.bytes:,}",
            f"{step.memory_bytes:,}",
            f"{step.fit_seconds or 0:.1f}",
            f"{step.predict_seconds:.2f}",
            f"{step.r2:.4f}",
            f"{step.bytes / first:.6f}",
        )
    yield table


def _segments(days: pd.DataFrame) -> tuple[Any, Metrics]:
    model, _, metrics = segmentation.learn(days, pd.Timestamp("2023-09-01"))
    return model, metrics


def startup() -> Iterator[Table]:
    """Seconds that imports take in a fresh process."""
    table = Table("a fresh process that imports", "seconds", "ratio", title="startup")

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
            "the fitness command": fresh("fitness_assets.cli.main"),
            "the dashboard's reader": fresh("dashboard.data"),
            "the definitions": fresh("fitness_assets.definitions"),
        },
    )
    yield table


def loading() -> Iterator[Table]:
    """Memory of a dashboard process, from its imports to one prediction per model."""
    table = Table("a fresh process after", "MB in memory", "added", "ratio", title="loading")
    as_dashboard = "import streamlit, runpy; runpy.run_module(%r, run_name='__main__')"
    with tempfile.TemporaryDirectory() as home:
        fitness = Path(sys.executable).with_name("fitness")
        environment = os.environ | {"FITNESS_HOME": home, "FITNESS_COHORT_USERS": str(USERS)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([fitness, "backfill", "2023-09"], check=True, env=environment, **quiet)
        output = subprocess.run(
            [sys.executable, "-c", as_dashboard % loader.__name__, str(690_000_000)],
            input=json.dumps([f"{home}/releases", "2023-09"]),
            check=True,
            capture_output=True,
            text=True,
        )
    steps = [loader.Step(**step) for step in json.loads(output.stdout)]
    held = [step.resident or 0 for step in steps]
    for step, before, now in zip(steps, [held[0], *held], held, strict=False):
        table.add_row(
            step.step, f"{now / 1e6:.1f}", f"{(now - before) / 1e6:+.2f}", f"{now / held[0]:.3f}"
        )
    yield table


PARTS: dict[str, Callable[[], Iterator[Table]]] = {
    "pipeline": pipeline,
    "person": person,
    "personal": personal,
    "etl": etl,
    "cohort": cohort,
    "models": models,
    "truth": truth,
    "real-users": real_users,
    "privacy": privacy,
    "compression": compression,
    "import": exports,
    "startup": startup,
    "click": click,
    "forest": forest_formats,
    "loading": loading,
    "dashboard": dashboard,
    "first-page": first_page,
    "scale": scale,
    "scale-pipeline": scale_pipeline,
    "petabyte": petabyte,
    "object-store": object_store,
    "hostile": hostile,
    "events": event_log,
}


def _compare(table: Table, runs: dict[str, Callable[[], float]]) -> None:
    first: float | None = None
    for name, run in runs.items():
        seconds = run()
        first = first or seconds
        table.add_row(name, f"{seconds:.1f}", f"{seconds / first:.2f}")
