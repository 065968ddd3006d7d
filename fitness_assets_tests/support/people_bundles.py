"""The two bundles of a month of imported data: without Spark, and without models."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fitness_assets.models.registry import MODELS
from fitness_assets.models.reports import ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.raw import NUMBERS, RANGES, TRAITS
from fitness_assets.release import build, tables
from fitness_assets.release.bundle import DataReport, ReleasedModel, ReleaseInfo
from fitness_assets.release.people import Privacy, split
from fitness_assets.release.store import ReleaseStore

MONTH = "2023-05"
#: Enough that protected tables are not empty.
USERS = tuple(f"p-{number:08x}" for number in range(1, 41))
ANNA, BEN = USERS[:2]


def publish_bundles(home: Path) -> None:
    """Publish the release of `MONTH` in `home`, and its rows of people in a private bundle."""
    publish_month(home, days_of(USERS))


def publish_month(
    home: Path,
    days: pd.DataFrame,
    partial_until: date | None = None,
    history: dict[str, pa.Table] | None = None,
    models: Mapping[str, build.Model] | None = None,
) -> tuple[dict[str, bytes], ReleaseInfo]:
    """Publish the two bundles of a month.

    Parameters
    ----------
    home : Path
    days : DataFrame
        The records of the month.
    partial_until : date, optional
    history : dict of str to Table, optional
        The tables of `person_history`.
    models : mapping of str to Model, optional
        By name; the others are not released.

    Returns
    -------
    dict
        Content by file name, of both bundles.
    ReleaseInfo
    """
    entry = ReleasedModel(
        report=ModelReport(
            window=[], learned_from={}, released=False, reason="needs 20 users", gates=[]
        )
    )
    report = DataReport(
        delivered=len(days),
        unread={},
        checks=[CheckResult("no_drift", passed=True, message="no month before", judged=False)],
        rows=len(days),
        bytes=1,
        bytes_read=1,
        columns=len(tables.COLUMNS),
        columns_read=len(tables.COLUMNS),
    )
    files, info = build.assemble(
        build.Inputs(
            month=f"{days['date'].iloc[0]:%Y-%m}",
            days=days,
            rows=len(days),
            data=report,
            upstream={"daily_activity": "0" * 64},
            models={
                **{spec.name: build.Model(entry=entry, content=None) for spec in MODELS},
                **(models or {}),
            },
            segments=None,
            backtest=None,
            compression=None,
            privacy=Privacy(people="private", by_hand=False, real=True, smallest_cell=5),
            partial_until=partial_until,
            tables_by_user={name: _parts_of(table) for name, table in (history or {}).items()},
        )
    )
    publish_files(home, files, info)
    return files, info


def _parts_of(table: pa.Table) -> build.Parts:
    return lambda: [table]


def publish_files(home: Path, files: dict[str, bytes], info: ReleaseInfo) -> None:
    """Publish the two bundles of a month that hold `files`."""
    for folder, part in zip(("releases", "releases-people"), split(files, "private"), strict=True):
        ReleaseStore(home / folder, private=folder != "releases").publish(part, info)


def days_of(users: tuple[str, ...]) -> pd.DataFrame:
    """The days of `MONTH`: user number n has n more steps than a multiple of 1,000 each day."""
    dates = pd.date_range(f"{MONTH}-01", periods=31)
    draws = np.random.default_rng(1)
    parts = []
    for number, user in enumerate(users):
        values: dict[str, Any] = {
            name: draws.uniform(*RANGES[name], len(dates)) if name in RANGES else 1.0
            for name in (*NUMBERS, *TRAITS)
        }
        values["steps"] = draws.integers(5, 15, len(dates)) * 1_000.0 + number
        parts.append(pd.DataFrame({"user_id": user, "date": dates.date, **values}))
    days = pd.concat(parts, ignore_index=True)
    days["worn"], days["activity_type"], days["sex"] = True, "walking", "female"
    days["day_of_week"] = pd.to_datetime(days["date"]).dt.dayofweek + 1
    days["quality_flags"] = pd.Series([[]] * len(days), dtype=object)
    for name in tables.COLUMNS:
        measured, mean, _ = name.partition("_mean_")
        if mean:
            days[name] = days[measured]
    return days
