"""Stage 4: one verified bundle a month for the dashboard."""

import io
import json
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.assets.model import segment_names
from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, result
from fitness_assets.errors import StorageError
from fitness_assets.etl.quality import DRIFT_THRESHOLD
from fitness_assets.models.registry import FORESTS, MODEL_NAMES
from fitness_assets.models.reports import ModelReport, SegmentMetrics
from fitness_assets.months import shift, trailing
from fitness_assets.orchestration.partitions import TRAILING_WINDOW, month_and_before
from fitness_assets.record.raw import RANGES
from fitness_assets.release import flat, model_loader, tables
from fitness_assets.release.bundle import ReleaseInfo
from fitness_assets.storage.models import METRICS, MODEL, ModelStore, load
from fitness_assets.workspace import REPORTS, Workspace

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")
_FORESTS = tuple(spec.name for spec in FORESTS)
# Rows of `user_days` that are decoded to read those of one user.
_ROW_GROUP = 4_096


def build(months: dg.PartitionsDefinition[str], budget: int) -> dg.AssetsDefinition:
    """The `dashboard_release` asset over `months`.

    Parameters
    ----------
    months : PartitionsDefinition
    budget : int
        Bytes of memory that the host has which is to load it.
    """

    @dg.asset(
        partitions_def=months,
        # Days and segments are compared with those of the month before. A report that has not been
        # made is left out, and one that is made later is taken up.
        deps=[
            dg.AssetDep("daily_activity", partition_mapping=month_and_before()),
            dg.AssetDep("segment_model", partition_mapping=month_and_before()),
            *(*_FORESTS, *REPORTS),
        ],
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="release",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def dashboard_release(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """One bundle for the month: models, serving tables, metrics, manifest.

        It is read back, every file against its hash and every model against the allow-list, before
        the dashboard is pointed to it. A model that the month did not release is stood in for by
        the last one of its window that was, and the manifest says so. What the models take of a
        small host's memory is measured by loading them in a process of their own.
        """
        # It starts while the tables are made.
        with model_loader.measuring(budget) as measure:
            return _publish(workspace, context.partition_key, measure)

    return dashboard_release


def _publish(
    workspace: Workspace,
    month: str,
    measure: Callable[[Path, str], list[model_loader.Step]],
) -> dg.MaterializeResult[None]:
    lake = workspace.daily
    scan = lake.scan([month], tables.COLUMNS)
    days = scan.table.to_pandas()
    made, described, delivered = lake.published(month), lake.info(month), workspace.raw.info(month)
    results = workspace.check_results.load(month, made.data_version)
    files = _tables(days)
    metrics: dict[str, Any] = {}
    for name in MODEL_NAMES:
        told = metrics[name] = flat.model(workspace.models[name].report(month))
        model = workspace.models[name].read(month, MODEL)
        if model is None and (earlier := _last_good(workspace.models[name], month)):
            model, told["stand_in"] = earlier
        if model is not None:
            files[f"{name}.skops"] = model
    models = {name: metrics[name] for name in MODEL_NAMES}
    files |= _segments(workspace, month, metrics)
    metrics |= {name: report for name in REPORTS if (report := _report(workspace, name, month))}
    metrics["daily_activity"] = {
        "delivered": delivered.rows,
        "set_aside": delivered.unread,
        "checks": msgspec.to_builtins(results),
        "shifted": DRIFT_THRESHOLD,
        "rows": described.rows,
        "bytes": made.bytes,
        "bytes_read": scan.bytes_read,
        "columns": len(described.columns),
        "columns_read": len(tables.COLUMNS),
    }
    files[METRICS] = json.dumps(metrics, sort_keys=True, allow_nan=False).encode()
    info = ReleaseInfo(
        month=month,
        summary=tables.summary(days),
        upstream={
            name: found.data_version
            for name in ("raw_telemetry", "daily_activity", *MODEL_NAMES, *REPORTS)
            if (found := workspace.manifest(name, month))
        },
        learned_from={name: told["learned_from"] for name, told in models.items()},
        checks={check.name: check.passed for check in results},
        backtest=_headlines(metrics.get("model_backtest", {})),
        not_released={
            name: told["reason"] for name, told in models.items() if not told["released"]
        },
        fallbacks={
            name: told["stand_in"]["month"] for name, told in models.items() if "stand_in" in told
        },
        libraries={
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    )
    release = workspace.releases.publish(files, info)
    sizes = [
        dg.TableRecord({"file": file.name, "bytes": file.bytes, "sha256": file.sha256})
        for file in release.manifest.files
    ]
    carried = [name for name in MODEL_NAMES if release.model_file(name)]
    steps = measure(workspace.releases.root, month) if carried else []
    loaded = [dg.TableRecord(asdict(step)) for step in steps]
    return result(
        release.manifest,
        **{
            "dagster/row_count": info.summary.records,
            "models": len(carried),
            "sha256": workspace.releases.digest(month),
            **({"loading": dg.MetadataValue.table(loaded)} if loaded else {}),
            "files": dg.MetadataValue.table(sizes),
            "not_released": dg.MetadataValue.json(info.not_released),
            "fallbacks": dg.MetadataValue.json(info.fallbacks),
            "path": dg.MetadataValue.path(release.folder),
        },
    )


def _last_good(store: ModelStore[ModelReport], month: str) -> tuple[bytes, dict[str, Any]] | None:
    """The newest model of the window before `month`, with what was measured of it."""
    for earlier in reversed(trailing(month, TRAILING_WINDOW)[:-1]):
        # One that another version stored may not be loadable any more; it stands in for nothing.
        with suppress(StorageError):
            if store.manifest(earlier) and (model := store.read(earlier, MODEL)) is not None:
                load(model, f"{earlier} {store.root.name}")
                return model, flat.model(store.report(earlier)) | {"month": earlier}
    return None


def _tables(days: pd.DataFrame) -> dict[str, bytes]:
    """The files of what is told of the month's days."""
    return {
        "days.parquet": _parquet(tables.by_day(days)),
        "weekdays.parquet": _parquet(tables.by_weekday(days)),
        "activities.parquet": _parquet(tables.by_activity(days)),
        "spreads.parquet": _parquet(tables.spreads(days)),
        "histograms.parquet": _parquet(tables.histograms(days)),
        "correlations.parquet": _parquet(tables.correlations(days)),
        "trends.parquet": _parquet(tables.trends(days)),
        "sample.parquet": _parquet(tables.sample(days)),
        "quality.parquet": _parquet(tables.quality(days, RANGES)),
        "user_days.parquet": _parquet(tables.user_days(days), _ROW_GROUP),
    }


def _segments(workspace: Workspace, month: str, metrics: dict[str, Any]) -> dict[str, bytes]:
    """The files of what is told of the month's segments.

    Adds ``projection`` to `metrics`, and ``formerly``: by name, what a segment was called before.
    """
    store = workspace.models["segment_model"]
    model, table = store.read(month, MODEL), store.table(month, "segments")
    if model is None or table is None:
        return {}
    measured = store.report(month).metrics
    if not isinstance(measured, SegmentMetrics):
        return {}
    before = segment_names(workspace, shift(month, -1))
    names = {profile.segment: profile.name for profile in measured.profiles}
    called = tables.current_names(before, segment_names(workspace, month))
    metrics["formerly"] = {
        now: then for then, now in called.items() if now != then and now in names.values()
    }
    placed, projection = tables.user_map(
        load(model, f"{month} segment_model"),
        table,
        measured.features,
        {user: called[name] for user, name in before.items()},
    )
    metrics["projection"] = msgspec.to_builtins(projection)
    return {
        "segments.parquet": store.read(month, "segments.parquet") or b"",
        "people.parquet": _parquet(placed),
        "movement.parquet": _parquet(tables.movement(placed, names)),
    }


def _report(workspace: Workspace, name: str, month: str) -> dict[str, Any] | None:
    if workspace.reports[name].manifest(month) is None:
        return None
    if name == "model_backtest":
        return flat.backtest(workspace.backtest.report(month))
    return flat.compression(workspace.compression.report(month))


def _headlines(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The plain scores of each forest that `report` has scored."""
    return {
        name: {k: v for k, v in report[name].items() if isinstance(v, int | float)}
        for name in _FORESTS
        if "reason" not in report.get(name, {"reason": None})
    }


def _parquet(table: pd.DataFrame, row_group: int | None = None) -> bytes:
    buffer = io.BytesIO()
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow, buffer, compression="zstd", row_group_size=row_group)
    return buffer.getvalue()
