"""What is materialized: Dagster's record of it, compared with what is stored."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from fitness_assets.definitions import build_defs
from fitness_assets.models.registry import FORESTS, MODELS
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.staleness import Partition, stale_partitions
from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

#: The metrics that say most about an asset, among those in its metadata, each with that of its
#: baseline. Others show their rows.
HEADLINES: Mapping[str, Mapping[str, str]] = {
    **{spec.name: {spec.headline: f"baseline_{spec.headline}"} for spec in MODELS},
    "model_backtest": {
        f"{spec.name}_{spec.headline}": f"{spec.name}_baseline_{spec.headline}" for spec in FORESTS
    },
    "compression_report": {"bytes": ""},
    "dashboard_release": {"models": ""},
    "drive_upload": {"size_bytes": ""},
}


@dataclass(frozen=True, kw_only=True)
class MonthStatus:
    """One asset and month, as `fitness status --json` prints it.

    Attributes
    ----------
    materialized : bool
        Whether the month is recorded as materialized and is stored.
    rows : int, float or None
        The row count in the metadata of the materialization, if there is one.
    data_version : str
        The data version of what is stored.
    run_id : str
        The run of the latest materialization.
    metrics : dict
        The other numbers in the metadata.
    reason : str or None
        Why the month has no model of its own.
    not_scored : dict
        Why a model was not scored by a backtest, by model.
    stale : str or None
        Why it must be rematerialized: an input that changed since, or a file that is missing.
    missing : bool
        Whether it is recorded as materialized but is not stored.
    """

    materialized: bool = False
    rows: float | None = None
    data_version: str = ""
    run_id: str = ""
    metrics: Mapping[str, float]
    reason: str | None = None
    not_scored: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stale: str | None = None
    missing: bool = False


#: Status by asset, upstream assets first, and by month.
Inventory = Mapping[str, Mapping[str, MonthStatus]]


def take_inventory(settings: Settings, months: Sequence[str]) -> Inventory:
    """The status of each asset for each of `months`.

    A materialization record is a claim about the store, not the store. A month counts as
    materialized only if the store holds it; its data version is that of what is stored.
    """
    workspace = Workspace.of(settings)
    graph = build_defs(settings).resolve_asset_graph()
    stale = stale_partitions(read_state(workspace, settings.months()), months)
    with open_instance(settings) as instance:
        # One query an asset, and one for each of its months that is recorded.
        recorded = {
            key: instance.get_materialized_partitions(key) for key in graph.toposorted_asset_keys
        }
        return {
            key.to_user_string(): {
                month: dataclasses.replace(
                    _month_status(instance, workspace, key, month)
                    if month in recorded[key]
                    else MonthStatus(metrics={}),
                    stale=stale.get(Partition(key.to_user_string(), month)),
                )
                for month in months
            }
            for key in graph.toposorted_asset_keys
        }


def partial_months(settings: Settings, months: Sequence[str]) -> dict[str, date]:
    """Those of `months` that had not ended when they were stored, with their last day so far."""
    workspace = Workspace.of(settings)
    return {month: last for month in months if (last := workspace.partial_until(month))}


def outdated_months(settings: Settings, months: Sequence[str]) -> list[str]:
    """Those of `months` with a model or report that an older version of the platform stored."""
    workspace = Workspace.of(settings)
    assets = (*workspace.models, *workspace.reports)
    return [
        month for month in months if any(workspace.is_outdated(asset, month) for asset in assets)
    ]


def _month_status(
    instance: dg.DagsterInstance, workspace: Workspace, key: dg.AssetKey, month: str
) -> MonthStatus:
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[month])
    records = instance.fetch_materializations(wanted, limit=1).records
    manifest = workspace.manifest(key.to_user_string(), month)
    if manifest is None and records and not workspace.is_outdated(key.to_user_string(), month):
        return MonthStatus(metrics={}, run_id=records[0].run_id, missing=True)
    if not records or manifest is None:
        return MonthStatus(metrics={})
    materialization = records[0].asset_materialization
    metadata = materialization.metadata if materialization else {}
    numbers = {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value.value, int | float)
    }
    reason, not_scored = metadata.get("reason"), metadata.get("not_scored")
    return MonthStatus(
        materialized=True,
        rows=numbers.pop("dagster/row_count", None),
        data_version=manifest.data_version,
        run_id=records[0].run_id,
        metrics=numbers,
        reason=None if reason is None else str(reason.value),
        not_scored=_texts(not_scored.value if not_scored else None),
    )


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
