"""Runs that compute nothing twice: what depends only on content is copied from the first time."""

import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from fitness_assets.assets import daily_activity, model_backtest
from fitness_assets.months import shift
from fitness_assets.release import build
from fitness_assets.release.totals import Totals
from fitness_assets.spark.session import SparkResource
from fitness_assets.storage.lake import Lake, RawInfo


def memoize(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep the staged months of the lake and the tables of releases in `folder`; draw nothing.

    Spark cleans the first month with given raw records. The others are copies of its files, which
    are published as any others are.
    """
    stage, data_tables = daily_activity.stage, build._data_tables
    tables: dict[bytes, dict[str, bytes]] = {}

    def stage_once(raw: Lake[RawInfo], spark: SparkResource, month: str, staging: Path) -> None:
        pair = [raw.manifest(each) for each in (shift(month, -1), month)]
        kept = folder / "-".join([month, *(each.data_version if each else "" for each in pair)])
        if not kept.exists():
            stage(raw, spark, month, staging)
            shutil.copytree(staging, kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)
        shutil.copytree(kept, staging, dirs_exist_ok=True)

    def data_tables_once(days: pd.DataFrame, totals: Totals) -> dict[str, bytes]:
        key = days.to_json().encode()
        if key not in tables:
            tables[key] = data_tables(days, totals)
        return tables[key]

    patch.setattr(daily_activity, "stage", stage_once)
    patch.setattr(build, "_data_tables", data_tables_once)
    patch.setattr(daily_activity, "_steps_by_day", lambda _: None)
    patch.setattr(model_backtest, "_scores_by_month", lambda *_: None)
    for module in (daily_activity, model_backtest):
        patch.setattr(module, "picture", lambda _: dg.MetadataValue.md("not drawn"))
