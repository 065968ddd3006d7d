"""The workouts of a month, each once, next to the lake's days."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.assets.presentation import OWNERS, column_schema, partial_metadata, result
from fitness_assets.etl import workouts as etl
from fitness_assets.etl.quality import run_checks
from fitness_assets.etl.workout_checks import WORKOUT_CHECKS, CheckedWorkouts
from fitness_assets.formatting import plural
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record.workouts import SCHEMA
from fitness_assets.storage.lake import describe
from fitness_assets.storage.rows import part, write_rows
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the `workouts` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=dependencies("workouts"),
        check_specs=checks.workouts_specs(months),
        group_name="lake",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def workouts(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """One row per workout: start, activity, duration, distance, energy and heart rate.

        Rows come from the configured source. What two devices recorded at the same time is one
        workout, with the values of both. A month without workouts is stored empty.
        """
        month = context.partition_key
        inputs = input_versions(workspace, "workouts", month)
        delivered = pa.Table.from_batches(workspace.source.read_workouts(month), SCHEMA)
        found = etl.plausible(delivered)
        rows = etl.deduplicate(found.rows, workspace.source_order.rank)
        with workspace.workouts.writer(month) as writer:
            write_rows(writer.staging / part(0), rows.to_batches(), SCHEMA)
            info = describe(writer.staging)
            data = CheckedWorkouts(month, rows, len(delivered), found.nulled, found.left_out)
            results = run_checks(WORKOUT_CHECKS, data)
            yield from checks.report(results)
            checks.refuse_failed(results, month)
            manifest = writer.publish(info, inputs)
        context.log.info(f"{plural(info.rows, 'workout')} of {month}")
        yield result(
            manifest,
            **partial_metadata(workspace.partial_until(month)),
            **{
                "dagster/row_count": info.rows,
                "dagster/column_schema": column_schema(info.columns, SCHEMA),
                "path": dg.MetadataValue.path(str(workspace.workouts.folder(month))),
                "users": pc.count_distinct(rows["user_id"]).as_py(),
                "duplicates_removed": len(found.rows) - info.rows,
                "values_out_of_range": found.nulled,
                "workouts_left_out": found.left_out,
            },
        )

    return workouts
