"""Monthly partitions, and the dependencies of assets on months of their inputs."""

import dagster as dg

from fitness_assets.months import shift
from fitness_assets.orchestration.lineage import INPUTS, MONTH, ON_DEMAND, SOURCES, Window
from fitness_assets.settings import Settings


def monthly(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """The partitions of the configured range, with keys such as ``2023-04``.

    Dagster evaluates them when it needs them, so a new month appears without a restart. They are
    those of `Settings.months`.
    """
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first_month,
        end_date=None if settings.is_open else shift(settings.last_month, 1),
        fmt="%Y-%m",
        timezone=settings.zone.key,
        # One more than the months that have ended.
        end_offset=1 if settings.last_month == "now" else 0,
    )


def dependencies(asset: str) -> list[dg.AssetDep]:
    """The inputs of `asset` that Dagster knows, each with the mapping of its window.

    An input that is materialized on request is left out: of a month without it, Dagster would ask
    whether to materialize the others all the same. `lineage` has it.
    """
    return [
        dg.AssetDep(name, partition_mapping=_mapping(window))
        for name, window in INPUTS[asset].items()
        if name not in (*SOURCES, *ON_DEMAND)
    ]


def _mapping(window: Window) -> dg.TimeWindowPartitionMapping | None:
    if window == MONTH:
        return None
    return dg.TimeWindowPartitionMapping(
        start_offset=window.first,
        end_offset=window.last,
        allow_nonexistent_upstream_partitions=True,
    )
