"""What the assets of the three models share: learn from the window, judge, store, tell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import msgspec
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, result
from fitness_assets.errors import NotLearnedError
from fitness_assets.models import gates
from fitness_assets.months import shift, trailing
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.partitions import TRAILING_WINDOW, trailing_window
from fitness_assets.storage.models import array_bytes, dump
from fitness_assets.workspace import Workspace

#: What the pipeline around a forest takes on disk at most: its imputers, scaler and categories.
_AROUND_A_FOREST = 12_000

#: A trained pipeline, what was measured of it, and tables that go with it.
Learned = tuple[Pipeline, dict[str, Any], dict[str, pd.DataFrame]]
Outputs = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]
Attributes = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How one model comes about.

    Attributes
    ----------
    columns : sequence of str
        What it reads of `daily_activity`.
    learn : callable
        Given the days of the window.
    show : callable
        Given the metrics: what the Dagster UI shows beside them.
    disk, memory : int
        Bytes that it may take.
    by_segment : bool
        Whether the days come with the name of their user's segment, to be scored by.
    """

    columns: Sequence[str]
    learn: Callable[[pd.DataFrame], Learned]
    show: Callable[[dict[str, Any]], Attributes]
    disk: int
    memory: int
    by_segment: bool = False


def attributes(
    name: str, months: dg.PartitionsDefinition[str], kind: str, deps: Sequence[str] = ()
) -> Attributes:
    """The attributes of the asset `name`, a model of this kind over `months`.

    It depends on the days of the window, and on `deps` of the same month.
    """
    return {
        "partitions_def": months,
        "deps": [dg.AssetDep("daily_activity", partition_mapping=trailing_window()), *deps],
        "check_specs": checks.model_specs(name, months),
        "backfill_policy": ONE_RUN_A_MONTH,
        "group_name": "models",
        "kinds": {"scikitlearn", kind},
        "owners": OWNERS,
    }


def forest_budget(disk: int) -> int:
    """Bytes that are left to the forest of a model which may take `disk`."""
    return max(disk - _AROUND_A_FOREST, 0)


def window_of(workspace: Workspace, month: str) -> list[str]:
    """The months of the trailing window of `month` that the lake has."""
    return [m for m in trailing(month, TRAILING_WINDOW) if workspace.daily.manifest(m)]


def days_of(
    workspace: Workspace, months: Sequence[str], columns: Sequence[str]
) -> tuple[pd.DataFrame, int]:
    """Columns of the days of `months` as learning takes them, and the bytes read for them."""
    scan = workspace.daily.scan(months, columns)
    days = scan.table.to_pandas()
    return days.assign(date=pd.to_datetime(days["date"])), scan.bytes_read


def materialize(context: dg.AssetExecutionContext, workspace: Workspace, recipe: Recipe) -> Outputs:
    """Learn from the months of the window that the lake has, store what came of it, and tell.

    A model that fails a gate is not stored, only what was measured of it.
    """
    month, name = context.partition_key, context.asset_key.to_user_string()
    store = workspace.models[name]
    window = window_of(workspace, month)
    days, bytes_read = days_of(workspace, window, recipe.columns)
    if recipe.by_segment:
        days["segment"] = days["user_id"].map(segment_names(workspace, month))
    metrics: dict[str, Any] = {
        "window": window,
        "window_months": len(window),
        "learned_from": {m: workspace.daily.published(m).data_version for m in window},
    }
    content: bytes | None = None
    tables: dict[str, pd.DataFrame] = {}
    shown: Attributes = {}
    try:
        model, measured, tables = recipe.learn(days)
    except NotLearnedError as reason:
        context.log.warning(f"not learned: {reason}")
        metrics |= {"learned": False, "released": False, "reason": str(reason)}
        results = gates.not_learned(name, str(reason))
    else:
        content = dump(model)
        metrics |= measured | {"bytes": len(content), "memory_bytes": array_bytes(model)}
        shown = recipe.show(metrics)
        previous = store.manifest(shift(month, -1))
        before = previous.info if previous and previous.info.get("released") else None
        results = gates.examine(name, metrics, before, recipe.disk, recipe.memory)
        failed = [check for check in results if not check.passed]
        metrics |= {"learned": True, "released": not failed}
        if failed:
            content = None
            metrics["reason"] = "; ".join(f"{check.name} ({check.message})" for check in failed)
            context.log.warning(f"not released: {metrics['reason']}")
    metrics["gates"] = msgspec.to_builtins(results)
    manifest = store.save(month, content, metrics, tables)
    yield from checks.report(results)
    plain = {k: v for k, v in metrics.items() if isinstance(v, bool | int | float | str)}
    rows = metrics.get("users", metrics.get("train_rows"))
    yield result(
        manifest,
        **plain,
        **({"dagster/row_count": rows} if rows is not None else {}),
        **shown,
        window=", ".join(window),
        bytes_read=bytes_read,
        path=dg.MetadataValue.path(store.folder(month)),
    )


def segment_names(workspace: Workspace, month: str) -> dict[str, str]:
    """The name of each user's segment; of nobody's where there are no stable groups."""
    store = workspace.models["segment_model"]
    table = store.table(month, "segments") if store.manifest(month) else None
    if table is None:
        return {}
    names = {part["segment"]: part["name"] for part in store.metrics(month)["profiles"]}
    named = table["segment"].map(names)
    return dict(zip(table["user_id"][named.notna()], named.dropna(), strict=True))
