"""Stage 1: one month of telemetry, as its source delivers it."""

from collections.abc import Iterator

import dagster as dg

from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, column_schema, result
from fitness_assets.etl.quality import RAW_CHECKS, run_checks
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record.raw import SCHEMA
from fitness_assets.storage.lake import RawInfo, describe, part, write_rows
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the `raw_telemetry` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        check_specs=checks.raw_telemetry_specs(months),
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="telemetry",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def raw_telemetry(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """One month of canonical records from the configured source, as delivered.

        Nothing is corrected here. Duplicates, gaps and impossible values are kept, so that the ETL
        can be run again on the original records.
        """
        month = context.partition_key
        unread: dict[str, str] = {}
        inputs = input_versions(workspace, "raw_telemetry", month)
        version = workspace.source.version(month)
        with workspace.raw.writer(month) as writer:
            records = workspace.source.read(month, unread.setdefault)
            write_rows(writer.staging / part(0), records, SCHEMA)
            table = describe(writer.staging)
            info = RawInfo(
                rows=table.rows, columns=table.columns, unread=unread, source_version=version
            )
            manifest = writer.publish(info, inputs)
        context.log.info(f"stored {info.rows:,} records of {month}")
        yield from checks.report(run_checks(RAW_CHECKS, unread))
        yield result(
            manifest,
            **{
                "unread": dg.MetadataValue.json(unread),
                "dagster/row_count": info.rows,
                "dagster/column_schema": column_schema(info.columns),
                "path": dg.MetadataValue.path(workspace.raw.folder(month)),
            },
        )

    return raw_telemetry
