"""What is materialized: the instance's record of it, checked against what is stored."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from fitness_assets.definitions import build_defs
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

#: The figure that tells most of an asset, of those in its metadata.
HEADLINE = {
    "segment_model": "stability",
    "activity_classifier": "macro_f1",
    "calorie_regressor": "r2",
    "model_backtest": "r2",
    "compression_report": "bytes",
    "dashboard_release": "models",
    "drive_upload": "size_bytes",
}

Cell = dict[str, Any]


def status(settings: Settings, months: Sequence[str]) -> dict[str, dict[str, Cell]]:
    """Per asset, upstream first, and month: materialized, rows, data_version, run_id, metrics.

    A materialization record is a claim about the store. A month counts as materialized only if the
    store holds it; its data version is that of what is stored.
    """
    workspace = Workspace.of(settings)
    graph = build_defs(settings).resolve_asset_graph()
    with open_instance(settings) as instance:
        return {
            key.to_user_string(): {
                month: _cell(instance, workspace, key, month) for month in months
            }
            for key in graph.toposorted_asset_keys
        }


def _cell(instance: dg.DagsterInstance, workspace: Workspace, key: dg.AssetKey, month: str) -> Cell:
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[month])
    records = instance.fetch_materializations(wanted, limit=1).records
    manifest = workspace.manifest(key.to_user_string(), month)
    if not records or manifest is None:
        return {
            "materialized": False,
            "rows": None,
            "data_version": "",
            "run_id": "",
            "metrics": {},
        }
    materialization = records[0].asset_materialization
    figures = {
        name: value.value
        for name, value in (materialization.metadata if materialization else {}).items()
        if isinstance(value.value, int | float)
    }
    return {
        "materialized": True,
        "rows": figures.pop("dagster/row_count", None),
        "data_version": manifest.data_version,
        "run_id": records[0].run_id,
        "metrics": figures,
    }
