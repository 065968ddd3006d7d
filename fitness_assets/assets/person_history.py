"""Stage 3: the years of each user, as summaries of weeks and months and as findings."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.assets.presentation import OWNERS, partial_metadata, result
from fitness_assets.history import summaries
from fitness_assets.history.grid import COLUMNS
from fitness_assets.history.schema import FINDINGS, MAX_USERS, HistoryReport
from fitness_assets.months import days, shift
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.staleness import Partition, inputs_of
from fitness_assets.orchestration.state import input_versions
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `person_history` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=dependencies("person_history"),
        group_name="lake",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def person_history(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Each user's weeks and month in numbers, and what their years up to the month show.

        The month holds only summaries of its own weeks and of itself; a reader of years joins the
        months it has. Findings are bests, streaks, gaps, eras of devices, change points and
        associations. A home of more than 50 users has none.
        """
        month = context.partition_key
        inputs = input_versions(workspace, "person_history", month)
        scanned = [m for m in (shift(month, -1), month) if workspace.daily.manifest(m)]
        records = workspace.daily.scan(scanned, COLUMNS).table
        partial_until = workspace.daily.info(month).last_day_so_far
        last = partial_until or days(month)[-1]
        users = pc.count_distinct(records["user_id"]).as_py()
        reason = None
        findings = FINDINGS.empty_table()
        if users > MAX_USERS:
            reason = f"{users:,} users are more than {MAX_USERS}"
            read = {
                str(each)
                for each in inputs_of(Partition("person_history", month), summaries_only=True)
            }
            inputs = {name: version for name, version in inputs.items() if name in read}
        table = summaries.summarize(records, month, last)
        report = HistoryReport(
            users=users,
            months=len(scanned),
            summaries=len(table),
            findings=_counts(findings),
            reason=reason,
        )
        tables = {"summaries": table, "findings": findings}
        manifest = workspace.history.save(month, None, report, tables, inputs)
        return result(
            manifest,
            **partial_metadata(partial_until),
            **{
                "dagster/row_count": len(table),
                "users": users,
                "months_read": report.months,
                "findings": sum(report.findings.values()),
                **({"no_findings": reason} if reason else {}),
                "path": dg.MetadataValue.path(workspace.history.folder(month)),
            },
        )

    return person_history


def _counts(findings: pa.Table) -> dict[str, int]:
    """The number of findings by kind."""
    found = findings.group_by("kind").aggregate([("kind", "count")]).sort_by("kind")
    return dict(zip(found["kind"].to_pylist(), found["kind_count"].to_pylist(), strict=True))
