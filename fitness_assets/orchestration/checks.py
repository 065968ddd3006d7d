"""The asset checks, and how their results reach Dagster.

They judge a month while it is staged. One that fails a blocking check is never published: there is
nothing for this run or a later one to learn from, and what was published of it before stands.
Likewise a model that fails a gate is not stored, and so not released; its month goes on without it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from fitness_assets.errors import QualityError
from fitness_assets.etl import quality
from fitness_assets.models import gates
from fitness_assets.months import shift
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage.lake import Lake

_RAW, _DAILY = "raw_telemetry", "daily_activity"
_BLOCKING = {
    "not_empty": "At least one user-day.",
    "right_schema": "The columns declared, of their types.",
    "unique_days": "One record a user and day.",
    "dates_inside": "Every day lies in the month.",
    "values_in_range": "Every value known lies in the range of its column.",
    "complete": "Enough of the days expected of the people of the month before.",
}
_GATES = {
    "better_than_baseline": "It saves some of the loss of no model on unseen users, by no luck.",
    "no_worse_than_before": "It scores about as well as the model of the month before.",
    "within_budget": "It is no larger, on disk and in memory, than it may be.",
}


def of_raw_telemetry(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The checks of `raw_telemetry` over `months`."""
    told = "Every file of the source could be read; those that could not were set aside."
    return [_spec("every_file_read", _RAW, months, told, blocking=False)]


def of_daily_activity(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The checks of `daily_activity` over `months`."""
    told = "Each number is distributed as in the month before (population stability index)."
    return [
        *(_spec(name, _DAILY, months, text, blocking=True) for name, text in _BLOCKING.items()),
        _spec("no_drift", _DAILY, months, told, blocking=False),
    ]


def of_model(name: str, months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The gates of the model asset `name` over `months`."""
    # Not blocking as Dagster means it, which would be to leave the release of the month undone.
    return [_spec(gate, name, months, _GATES[gate], blocking=False) for gate in gates.of(name)]


def run_checks(
    lake: Lake, month: str, read: quality.Read, described: Mapping[str, Any], least: float
) -> list[CheckResult]:
    """Every check of the days of `month`, beside what `lake` has published of the month before.

    Parameters
    ----------
    lake : Lake
    month : str
    read : callable
        Reads columns of the days.
    described : mapping
        As `storage.lake.describe` gives it.
    least : float
        Share of the days expected below which the month is not complete.
    """
    before = None
    if manifest := lake.manifest(shift(month, -1)):
        before = quality.PreviousMonth(
            shift(month, -1),
            lambda columns: lake.scan([shift(month, -1)], columns).table,
            manifest.info["rows"],
            manifest.info["distributions"],
        )
    return quality.run_checks(read, described, month, before, least)


def report(results: Iterable[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    """Each result as Dagster records it; one that does not block is a warning."""
    for result in results:
        blocks = result.name in _BLOCKING or result.name in _GATES
        yield dg.AssetCheckResult(
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
            description=result.message,
            metadata=result.values,
        )


def refuse_failed(results: Iterable[CheckResult], month: str) -> None:
    """Raise QualityError if `month` must not be published."""
    failed = [r for r in results if not r.passed and r.name in _BLOCKING]
    if failed:
        reasons = "; ".join(f"{r.name} ({r.message})" for r in failed)
        raise QualityError(f"{month} is not published, because it fails {reasons}")


def _spec(
    name: str, asset: str, months: dg.PartitionsDefinition[str], told: str, *, blocking: bool
) -> dg.AssetCheckSpec:
    # Without partitions each month would overwrite the result of the last. It is a preview
    # feature in the version that is locked.
    return dg.AssetCheckSpec(
        name, asset=asset, description=told, blocking=blocking, partitions_def=months
    )
