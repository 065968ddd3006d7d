"""Stage 4: one verified bundle a month for the dashboard."""

import io
import json
import platform
from importlib.metadata import version
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, result
from fitness_assets.learning import serving
from fitness_assets.resources.workspace import MODELS, Workspace
from fitness_assets.storage.models import METRICS, MODEL

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `dashboard_release` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=["daily_activity", *MODELS],
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
        the dashboard is pointed to it.
        """
        month = context.partition_key
        days = workspace.daily.scan([month], serving.COLUMNS).table.to_pandas()
        files = {"days.parquet": _parquet(serving.by_day(days))}
        metrics: dict[str, Any] = {}
        for name in MODELS:
            store = workspace.models[name]
            metrics[name] = store.metrics(month)
            if (model := store.read(month, MODEL)) is not None:
                files[f"{name}.skops"] = model
        segments = workspace.models["segment_model"].read(month, "segments.parquet")
        if segments is not None:
            files["segments.parquet"] = segments
        files[METRICS] = json.dumps(metrics, indent=2, sort_keys=True).encode()
        info = {
            "summary": serving.summary(days),
            "upstream": {
                "daily_activity": workspace.daily.published(month).data_version,
                **{name: workspace.models[name].published(month).data_version for name in MODELS},
            },
            "not_released": {
                name: told["reason"] for name, told in metrics.items() if not told["released"]
            },
            "libraries": {
                "python": platform.python_version(),
                **{name: version(name) for name in _LIBRARIES},
            },
        }
        release = workspace.releases.publish(month, files, info)
        sizes = [
            dg.TableRecord({"file": file.name, "bytes": file.bytes, "sha256": file.sha256})
            for file in release.manifest.files
        ]
        return result(
            release.manifest,
            **{
                "dagster/row_count": info["summary"]["records"],
                "models": len(MODELS) - len(info["not_released"]),
                "files": dg.MetadataValue.table(sizes),
                "not_released": dg.MetadataValue.json(info["not_released"]),
                "path": dg.MetadataValue.path(release.folder),
            },
        )

    return dashboard_release


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), buffer, compression="zstd")
    return buffer.getvalue()
