"""Stage 4: one verified bundle a month for the dashboard."""

import io
import json
import platform
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, result
from fitness_assets.errors import StorageError
from fitness_assets.learning import serving
from fitness_assets.months import trailing
from fitness_assets.partitions import TRAILING_WINDOW
from fitness_assets.resources.workspace import MODELS, Workspace
from fitness_assets.storage import loading
from fitness_assets.storage.models import METRICS, MODEL, ModelStore, load

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")


def build(months: dg.PartitionsDefinition[str], budget: int) -> dg.AssetsDefinition:
    """The `dashboard_release` asset over `months`, for a host of so many bytes of memory."""

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
        the dashboard is pointed to it. A model that the month did not release is stood in for by
        the last one of its window that was, and the manifest says so. What the models take of a
        small host's memory is measured by loading them in a process of their own.
        """
        month = context.partition_key
        days = workspace.daily.scan([month], serving.COLUMNS).table.to_pandas()
        files = {"days.parquet": _parquet(serving.by_day(days))}
        metrics: dict[str, Any] = {}
        for name in MODELS:
            told = metrics[name] = workspace.models[name].metrics(month)
            model = workspace.models[name].read(month, MODEL)
            if model is None and (earlier := _last_good(workspace.models[name], month)):
                model, told["stand_in"] = earlier
            if model is not None:
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
            "stand_ins": {
                name: told["stand_in"]["month"]
                for name, told in metrics.items()
                if "stand_in" in told
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
        carried = [name for name in MODELS if release.model_file(name)]
        steps = loading.measured(workspace.releases.root, month, budget) if carried else []
        loaded = [dg.TableRecord(asdict(step)) for step in steps]
        return result(
            release.manifest,
            **{
                "dagster/row_count": info["summary"]["records"],
                "models": len(carried),
                "sha256": workspace.releases.digest(month),
                **({"loading": dg.MetadataValue.table(loaded)} if loaded else {}),
                "files": dg.MetadataValue.table(sizes),
                "not_released": dg.MetadataValue.json(info["not_released"]),
                "stand_ins": dg.MetadataValue.json(info["stand_ins"]),
                "path": dg.MetadataValue.path(release.folder),
            },
        )

    return dashboard_release


def _last_good(store: ModelStore, month: str) -> tuple[bytes, dict[str, Any]] | None:
    """The newest model of the window before `month`, with what was measured of it."""
    for earlier in reversed(trailing(month, TRAILING_WINDOW)[:-1]):
        # One that another version stored may not be loadable any more; it stands in for nothing.
        with suppress(StorageError):
            if store.manifest(earlier) and (model := store.read(earlier, MODEL)) is not None:
                load(model, f"{earlier} {store.root.name}")
                return model, store.metrics(earlier) | {"month": earlier}
    return None


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), buffer, compression="zstd")
    return buffer.getvalue()
