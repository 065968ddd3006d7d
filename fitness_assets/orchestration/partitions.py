"""Monthly partitions, and the mappings between the months of assets."""

import dagster as dg

from fitness_assets.months import shift
from fitness_assets.settings import Settings

#: Number of months that a model is trained on: its own month and up to five before it.
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
    """Map a month to itself and the month before, which its baselines use."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-1, allow_nonexistent_upstream_partitions=True
    )


def month_before() -> dg.TimeWindowPartitionMapping:
    """Map a month to the month before, whose models were trained without it."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )


def trailing_window() -> dg.TimeWindowPartitionMapping:
    """Map a month to the window that its models are trained on: itself and the months before."""
    return dg.TimeWindowPartitionMapping(
        start_offset=1 - TRAILING_WINDOW, allow_nonexistent_upstream_partitions=True
    )
