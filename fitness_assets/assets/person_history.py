"""Stage 3: the years of each user, as summaries of weeks and months and as findings."""

from collections.abc import Iterator
from functools import lru_cache

import dagster as dg
import pyarrow as pa

from fitness_assets.assets.presentation import OWNERS, partial_metadata, result
from fitness_assets.formatting import days_text, number
from fitness_assets.history import findings, grid, summaries
from fitness_assets.history.schema import (
    FINDINGS,
    MAX_MONTHS,
    MAX_USERS,
    SUMMARIES,
    HistoryReport,
)
from fitness_assets.models.one_thread import one_thread
from fitness_assets.months import days, shift
from fitness_assets.orchestration.lineage import HISTORY
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.staleness import Partition, inputs_of
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record.raw import NUMBERS
from fitness_assets.storage.lake import DailyInfo, Lake
from fitness_assets.storage.models import encode_parts
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
        lake = workspace.daily
        window = [m for m in lake.listed(HISTORY.of(month)) if lake.manifest(m)]
        summarized = [m for m in window if m >= shift(month, -1)]
        partial_until = lake.info(month).last_day_so_far
        last = partial_until or days(month)[-1]
        users: list[str] = []
        rows = 0

        def by_bucket() -> Iterator[pa.Table]:
            nonlocal rows
            for records in lake.scan_buckets(summarized, grid.COLUMNS):
                users.extend(records["user_id"].unique().to_pylist())
                part = summaries.summarize(records, month, last)
                rows += len(part)
                yield part

        summarized_months = encode_parts(by_bucket(), SUMMARIES)
        reason = None
        found = FINDINGS.empty_table()
        if len(users) > MAX_USERS:
            reason = f"{number(len(users))} users are more than {MAX_USERS}"
            window = summarized
            inputs = _of_summaries(inputs, month)
        else:
            chosen = tuple(sorted(users))
            versions = [lake.published(m).data_version for m in window]
            history = pa.concat_tables(
                [
                    _days(lake, m, version, chosen)
                    for m, version in zip(window, versions, strict=True)
                ]
            )
            # Products of small matrices: a second thread takes longer to start than they do.
            with one_thread():
                found = findings.find(history, last, users)
        report = HistoryReport(
            users=len(users),
            months=len(window),
            summaries=rows,
            findings=_counts(found),
            reason=reason,
        )
        tables = {"summaries": summarized_months, "findings": found}
        manifest = workspace.history.save(month, None, report, tables, inputs)
        return result(
            manifest,
            **partial_metadata(partial_until),
            **{
                "dagster/row_count": rows,
                "users": report.users,
                "months_read": report.months,
                **{f"{kind}_rows": count for kind, count in report.findings.items()},
                **({"no_findings": reason} if reason else {}),
                **({"found": dg.MetadataValue.md(_text(found))} if len(found) else {}),
                "path": dg.MetadataValue.path(str(workspace.history.folder(month))),
            },
        )

    return person_history


def _of_summaries(inputs: dict[str, str], month: str) -> dict[str, str]:
    """Those of `inputs` that the summaries of `month` are computed from."""
    read = inputs_of(Partition("person_history", month), summaries_only=True)
    names = {str(partition) for partition in read}
    return {name: version for name, version in inputs.items() if name in names}


# A process that materializes several months reads each month of a small home once.
@lru_cache(maxsize=MAX_MONTHS + 1)
def _days(lake: Lake[DailyInfo], month: str, _version: str, users: tuple[str, ...]) -> pa.Table:
    """The records of `users` in `month`, of this data version."""
    return lake.scan_users(month, findings.COLUMNS, users)


def _counts(findings: pa.Table) -> dict[str, int]:
    """The number of findings by kind."""
    found = findings.group_by("kind").aggregate([("kind", "count")]).sort_by("kind")
    return dict(zip(found["kind"].to_pylist(), found["kind_count"].to_pylist(), strict=True))


def _text(found: pa.Table) -> str:
    """The change points and associations as a Markdown list."""
    lines = []
    for row in found.to_pylist():
        if row["kind"] == "change_point":
            decimals = NUMBERS[row["measure"]].decimals
            change = f"{number(row['before'], decimals)} to {number(row['after'], decimals)}"
            device = f", when {row['device']} began" if row["device"] else ""
            lines.append(f"- {row['user_id']}: {row['measure']} {change} on {row['start']}{device}")
        elif row["kind"] == "association":
            later = f"{row['lag']} days later" if row["lag"] else "on the same day"
            bounds = f"{number(row['low'], 2)} to {number(row['high'], 2)}"
            size = f"correlation {number(row['value'], 2)} ({bounds}), {days_text(row['n'])}"
            lines.append(f"- {row['user_id']}: {row['measure']}, {row['other']} {later}: {size}")
    return "\n".join(lines) or "Neither change points nor associations were found."
