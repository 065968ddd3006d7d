"""Tags of a run: its months, why it failed, and whether its process ended."""

import dagster as dg

from fitness_assets import months

#: Tag of a run that failed because its process ended.
PROCESS_ENDED_TAG = "fitness/process_ended"
#: Tag of a run with one line that says which step failed first, and why.
FAILURE_TAG = "fitness/failure"

_PARTITION, _RANGE_START, _RANGE_END = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


def months_of_run(run: dg.DagsterRun) -> list[str]:
    """The months that a run materializes; none if it has no partitions.

    Runs of asset backfills and of automation have a range, all others a partition.
    """
    if month := run.tags.get(_PARTITION):
        return [month]
    first, last = run.tags.get(_RANGE_START), run.tags.get(_RANGE_END)
    return months.between(first, last) if first and last else []


def tags_of_month(run: dg.DagsterRun, month: str) -> dict[str, str]:
    """The tags of a run of several months, as a run of `month` alone would have them."""
    others = {name: tag for name, tag in run.tags.items() if name not in (_RANGE_START, _RANGE_END)}
    return {**others, _PARTITION: month}


def describe_run(run: dg.DagsterRun) -> str:
    """What a message calls a run: its job and its months."""
    job = "selected assets" if run.job_name.startswith("__") else run.job_name
    return " ".join([job, months.spans(months_of_run(run)) or "without a month"])
