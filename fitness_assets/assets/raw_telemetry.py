"""Stage 1: one month of telemetry, as its source delivers it."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import msgspec
import pyarrow.compute as pc

from fitness_assets import clock
from fitness_assets.assets.presentation import (
    OWNERS,
    column_schema,
    partial_metadata,
    result,
)
from fitness_assets.etl.quality import RAW_CHECKS, run_checks
from fitness_assets.formatting import number
from fitness_assets.months import start
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.state import input_versions
from fitness_assets.storage.lake import RawInfo, describe, read_staged
from fitness_assets.storage.rows import write_delivered
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the `raw_telemetry` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        check_specs=checks.raw_telemetry_specs(months),
        group_name="telemetry",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def raw_telemetry(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """One month of canonical records from the configured source, as delivered.

        Nothing is corrected here. Duplicates, gaps and impossible values are kept, so that the ETL
        can be run again on the original records. Imports are merged into one record per user and
        day, and are kept unmerged in their own store. A month that has not ended is partial: its
        days so far are stored, and it is stale once it has ended.
        """
        month = context.partition_key
        unread: dict[str, str] = {}
        # Before the records are read: a month that ends meanwhile is partial, and then stale.
        is_partial = not workspace.has_ended(month)
        inputs = input_versions(workspace, "raw_telemetry", month)
        version = workspace.source.version(month)
        with workspace.raw.writer(month) as writer:
            records = workspace.source.read(month, unread.setdefault)
            write_delivered(writer.staging, records)
            table = describe(writer.staging)
            info = RawInfo(
                rows=table.rows,
                columns=table.columns,
                unread=unread,
                source_version=version,
                partial_until=(
                    _last_day(writer.staging, month, clock.today(workspace.zone))
                    if is_partial
                    else msgspec.UNSET
                ),
                buckets=table.buckets,
            )
            manifest = writer.publish(info, inputs)
        context.log.info(f"stored {number(info.rows)} records of {month}")
        results = run_checks(RAW_CHECKS, unread)
        yield from checks.report(checks.mark_partial(results, info.last_day_so_far))
        yield result(
            manifest,
            **{
                "unread": dg.MetadataValue.json(unread),
                **partial_metadata(info.last_day_so_far),
                "dagster/row_count": info.rows,
                "dagster/column_schema": column_schema(info.columns),
                "path": dg.MetadataValue.path(str(workspace.raw.folder(month))),
            },
        )

    return raw_telemetry


def _last_day(staging: Path, month: str, today: date) -> date:
    """The last day so far of the staged records of `month`, which has not ended.

    It is that of the records and not `today`: the content does not change with the day. A record
    after tomorrow, which is the latest day in any time zone, comes from a wrong clock.
    """
    dates = read_staged(staging, ["date"])["date"]
    past = dates.filter(pc.less_equal(dates, today + timedelta(days=1)))
    last: date | None = pc.max(past).as_py()
    return last or start(month)
