"""Stage 1: land one month of telemetry as its source delivers it."""

import dagster as dg

from fitness_assets.assets.presentation import (
    ONE_RUN_A_MONTH,
    OWNERS,
    column_schema,
    result,
)
from fitness_assets.resources.workspace import Workspace
from fitness_assets.storage.lake import describe, stage
from fitness_assets.telemetry.schema import SCHEMA


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `raw_telemetry` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="telemetry",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def raw_telemetry(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """One month of canonical records from the configured source, as delivered.

        Nothing is corrected here: duplicates, gaps and impossible values stay, so that the ETL can
        be run again on what really came.
        """
        month = context.partition_key
        with workspace.raw.writer(month) as writer:
            stage(writer, workspace.source.read(month), SCHEMA)
            manifest = writer.publish(describe(writer.staging))
        context.log.info(f"landed {manifest.info['rows']:,} records of {month}")
        return result(
            manifest,
            **{
                "dagster/row_count": manifest.info["rows"],
                "dagster/column_schema": column_schema(manifest.info["columns"]),
                "path": dg.MetadataValue.path(workspace.raw.folder(month)),
            },
        )

    return raw_telemetry
