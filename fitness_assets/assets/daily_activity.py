"""Stage 2: the ETL, which makes one clean record per user and day; on Spark unless it is small."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.assets.presentation import (
    BLUE,
    OWNERS,
    SPARK_POOL,
    column_lineage,
    column_schema,
    partial_metadata,
    picture,
    plot,
    result,
)
from fitness_assets.errors import UnavailableError
from fitness_assets.etl import clean, quality
from fitness_assets.formatting import number
from fitness_assets.memory import collect_and_trim
from fitness_assets.months import shift
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record import raw as record
from fitness_assets.record.buckets import EVERYONE, Bucket, count_of
from fitness_assets.record.daily import inputs_of, schema_of
from fitness_assets.spark.session import SparkResource
from fitness_assets.storage.check_results import Judged
from fitness_assets.storage.lake import DailyInfo, Lake, RawInfo, describe, read_staged
from fitness_assets.storage.locations import ObjectPath, remove_folder
from fitness_assets.storage.parts import read_part
from fitness_assets.storage.publication import STAGING, Manifest
from fitness_assets.storage.rows import ROWS_PER_BUCKET, part, upload_rows, write_rows
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Records of a month up to which it is cleaned in the process of the run if Spark is local. That
#: takes less time than planning a Spark job, and ten years of it less than starting the JVM.
ROWS_WITHOUT_SPARK = 10_000


def build(months: dg.PartitionsDefinition[str], min_completeness: float) -> dg.AssetsDefinition:
    """Build the `daily_activity` asset over `months`.

    Parameters
    ----------
    months : PartitionsDefinition
    min_completeness : float
        Share of the expected user-days of a month below which it is refused.
    """

    @dg.asset(
        partitions_def=months,
        deps=dependencies("daily_activity"),
        check_specs=checks.daily_activity_specs(months),
        group_name="lake",
        kinds={"spark", "parquet"},
        pool=SPARK_POOL,
        owners=OWNERS,
    )
    def daily_activity(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        spark: SparkResource,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """One clean record per user and day, with features, in the lake.

        Impossible values are replaced by null and flagged, duplicates are resolved by a fixed rule,
        and baselines use the month before. The month is published whole or not at all, and not if
        it fails a blocking check. The results of the checks are stored for the release.
        """
        month = context.partition_key
        inputs = input_versions(workspace, "daily_activity", month)
        lake = workspace.daily
        delivered = workspace.raw.info(month)
        with lake.writer(month) as writer:
            stage(workspace.raw, spark, month, writer.staging)
            description = describe(writer.staging)
            read = partial(read_staged, writer.staging)
            description = msgspec.structs.replace(
                description, partial_until=delivered.partial_until
            )
            results = checks.check_daily_activity(
                workspace, month, read, description, min_completeness
            )
            yield from checks.report(results)
            checks.refuse_failed(results, month)
            info = DailyInfo(
                rows=description.rows,
                columns=description.columns,
                distributions=quality.distributions(read, description.columns),
                partial_until=delivered.partial_until,
                buckets=description.buckets,
            )
            manifest = writer.publish(info, inputs)
            workspace.check_results.save(month, judged_data(workspace, month, manifest), results)
        scan = lake.scan([month], ["user_id", "date", "steps", "worn", "quality_flags"])
        days = scan.table
        removed = delivered.rows - info.rows
        users = pc.count_distinct(days["user_id"]).as_py()
        context.log.info(f"{number(info.rows)} user-days of {month}, {number(removed)} duplicates")
        # A picture of few users would show their own days, and `fitness forget` cannot change it.
        is_drawn = users >= workspace.privacy.smallest_cell
        yield result(
            manifest,
            **{
                **partial_metadata(info.last_day_so_far),
                "dagster/row_count": info.rows,
                "dagster/column_schema": column_schema(info.columns),
                "dagster/column_lineage": column_lineage(
                    "raw_telemetry", {name: inputs_of(name) for name in info.columns}
                ),
                "path": dg.MetadataValue.path(str(lake.folder(month))),
                "users": users,
                "duplicates_removed": removed,
                "worn_share": pc.mean(days["worn"]).as_py(),
                "days_not_worn": pc.sum(pc.invert(days["worn"])).as_py(),
                "values_out_of_range": pc.sum(pc.list_value_length(days["quality_flags"])).as_py(),
                **({"steps_by_day": picture(_steps_by_day(days))} if is_drawn else {}),
            },
        )

    return daily_activity


def judged_data(workspace: Workspace, month: str, manifest: Manifest) -> Judged:
    """What the checks of `month`, published with `manifest`, judge and compare."""
    previous = workspace.daily.manifest(shift(month, -1))
    return Judged(
        data_version=manifest.data_version,
        compared_with=previous.data_version if previous else None,
    )


def stage(raw: Lake[RawInfo], spark: SparkResource, month: str, staging: Path) -> None:
    """Clean the records of `month` in `raw` into files in `staging`, one for each bucket."""
    previous = shift(month, -1)
    # Of the month, and of the month before it if it is stored.
    pinned = [raw.pin(each, staging / "raw") for each in (month, previous) if raw.manifest(each)]
    rows = [each.info.rows for each in pinned]
    optional = record.optional_in(pinned[0].info.columns)
    read = record.optional_in({name for each in pinned for name in each.info.columns})
    if max(rows) <= ROWS_WITHOUT_SPARK and spark.is_local:
        schema = record.schema_of(read)
        records = clean.with_history(*(read_part(each.part(EVERYONE), schema) for each in pinned))
        days = clean.daily_activity(records, optional)
        write_rows(staging / part(0), days.to_batches(), schema_of(optional))
        return
    # Only a run that needs Spark imports it, not every process that loads the assets.
    from fitness_assets.etl import distributed

    # As many as the raw records have, or as they would have if an older version had not written
    # them in one file; and more if the month before is larger, as before a month of few days.
    count = max(
        pinned[0].info.bucket_count,
        count_of(rows[0], ROWS_PER_BUCKET),
        count_of(sum(rows), 2 * ROWS_PER_BUCKET),
    )
    inputs = []
    for bucket in (Bucket(index, count) for index in range(count)):
        of_month, *earlier = (each.part(bucket) for each in pinned)
        inputs.append(distributed.BucketInputs(of_month, earlier[0] if earlier else None))
    columns = distributed.OptionalColumns(optional, read)
    # What earlier steps have freed would add to what the executors need on this machine.
    collect_and_trim()
    stored = raw.folder(month)
    if isinstance(stored, ObjectPath) and not spark.is_local:
        # The executors may share nothing with this process but the object store.
        remote = stored / f"{STAGING}{uuid4().hex}"
        access = distributed.Access(remote, read_part, upload_rows)
        try:
            uploaded = distributed.write_files(spark.spark_session, inputs, columns, access)
            for index, source in enumerate(uploaded):
                source.download(staging / part(index))
        finally:
            # They have rows of people. If the store does not answer, a later publication of the
            # raw records removes them.
            with suppress(UnavailableError):
                remove_folder(remote)
        return
    scratch = staging / "spark"
    scratch.mkdir()
    written = distributed.write_files(
        spark.spark_session, inputs, columns, distributed.Access(scratch, read_part, write_rows)
    )
    for index, path in enumerate(written):
        path.rename(staging / part(index))


def _steps_by_day(days: pa.Table) -> "Figure":
    """Plot the mean steps of each day of the month."""
    table = days.group_by("date").aggregate([("steps", "mean")]).sort_by("date")
    figure, axes = plot(5, 1.8)
    axes.bar([day.day for day in table["date"].to_pylist()], table["steps_mean"], color=BLUE)
    axes.set(xlabel="day of the month", ylabel="mean steps")
    return figure
