"""How artifacts are keyed: by month, and models by the months they learn from."""

import dagster as dg

from fitness_assets.months import shift
from fitness_assets.settings import Settings

#: Models of a month learn from that month and up to five before it.
TRAILING_WINDOW = 6


def monthly(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """The partitions of the configured range, with keys such as ``2023-04``."""
    last = settings.last_month
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first_month,
        end_date=None if last == "open" else shift(last, 1),
        fmt="%Y-%m",
    )


def month_and_before() -> dg.TimeWindowPartitionMapping:
    """Map a month to itself and the one before, which its baselines reach into."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-1, allow_nonexistent_upstream_partitions=True
    )


def month_before() -> dg.TimeWindowPartitionMapping:
    """Map a month to the one before, whose models have not seen it."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )


def trailing_window() -> dg.TimeWindowPartitionMapping:
    """Map a month to itself and the months before it that its models learn from."""
    return dg.TimeWindowPartitionMapping(
        start_offset=1 - TRAILING_WINDOW, allow_nonexistent_upstream_partitions=True
    )
