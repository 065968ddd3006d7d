"""Stage 2: the Spark ETL, one clean record a user and day."""

from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.assets.presentation import (
    BLUE,
    ONE_RUN_A_MONTH,
    OWNERS,
    column_schema,
    picture,
    plot,
    result,
)
from fitness_assets.resources.spark import SparkResource
from fitness_assets.resources.workspace import Workspace
from fitness_assets.storage.lake import describe, stage_copies

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Records that go into one file of the lake, about 50 MB.
_ROWS_PER_FILE = 2_000_000


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `daily_activity` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=["raw_telemetry"],
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="lake",
        kinds={"spark", "parquet"},
        owners=OWNERS,
    )
    def daily_activity(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        spark: SparkResource,
    ) -> dg.MaterializeResult[None]:
        """One clean record a user and day, with features, in the lake.

        Impossible values are nulled and flagged, duplicates resolved by a declared rule, and the
        month appears whole or not at all.
        """
        # Spark is imported by the run that needs it, not by every process that loads the assets.
        from fitness_assets.etl import daily

        month = context.partition_key
        raw = workspace.raw.published(month)
        records = daily.read_raw(spark.spark_session, workspace.raw.files(month))
        cleaned = daily.daily_activity(records, files=1 + raw.info["rows"] // _ROWS_PER_FILE)
        with workspace.daily.writer(month) as writer:
            scratch = writer.staging / "spark"
            daily.write_parquet(cleaned, scratch)
            stage_copies(writer, scratch)
            manifest = writer.publish(describe(writer.staging))
        days = workspace.daily.scan([month], ["user_id", "date", "steps", "worn", "quality_flags"])
        removed = raw.info["rows"] - manifest.info["rows"]
        context.log.info(f"{manifest.info['rows']:,} user-days of {month}, {removed:,} duplicates")
        return result(
            manifest,
            **{
                "dagster/row_count": manifest.info["rows"],
                "dagster/column_schema": column_schema(manifest.info["columns"]),
                "path": dg.MetadataValue.path(workspace.daily.folder(month)),
                "users": pc.count_distinct(days["user_id"]).as_py(),
                "duplicates_removed": removed,
                "worn_share": pc.mean(days["worn"]).as_py(),
                "values_out_of_range": pc.sum(pc.list_value_length(days["quality_flags"])).as_py(),
                "steps_by_day": picture(_steps_by_day(days)),
            },
        )

    return daily_activity


def _steps_by_day(days: pa.Table) -> "Figure":
    """Mean steps of each day of the month."""
    table = days.group_by("date").aggregate([("steps", "mean")]).sort_by("date")
    figure, axes = plot(5, 1.8)
    axes.bar([day.day for day in table["date"].to_pylist()], table["steps_mean"], color=BLUE)
    axes.set(xlabel="day of the month", ylabel="mean steps")
    return figure
