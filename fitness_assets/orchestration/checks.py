"""The data checks and release gates as Dagster asset checks.

The data checks run on a month while it is staged. A month that fails a blocking check is not
published: no later run can read it, and the data published before is kept. A model that fails a
gate is not stored and so not released; its month continues without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import dagster as dg
import msgspec
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.execution.context.system import StepExecutionContext

from fitness_assets.errors import QualityError
from fitness_assets.etl import quality
from fitness_assets.etl.workout_checks import WORKOUT_CHECKS
from fitness_assets.models import gates
from fitness_assets.models.registry import ModelSpec
from fitness_assets.months import shift, text_until
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage.lake import TableInfo
from fitness_assets.workspace import Workspace

_BLOCKING = {check.name for check in (*quality.DAILY_CHECKS, *WORKOUT_CHECKS) if check.blocking}


def raw_telemetry_specs(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Specs of the checks of `raw_telemetry` over `months`."""
    return _specs("raw_telemetry", months, quality.RAW_CHECKS)


def daily_activity_specs(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Specs of the checks of `daily_activity` over `months`."""
    return _specs("daily_activity", months, quality.DAILY_CHECKS)


def workouts_specs(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Specs of the checks of `workouts` over `months`."""
    return _specs("workouts", months, WORKOUT_CHECKS)


def model_specs(spec: ModelSpec, months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Specs of the release gates of a model over `months`."""
    # Not blocking in Dagster's sense, which would also stop the release of the month.
    return [
        _spec(gate, spec.name, months, gates.GATES[gate], blocking=False) for gate in gates.of(spec)
    ]


def release_specs(months: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Specs of the gate of `dashboard_release` over `months`."""
    gate = gates.NO_WORSE
    return [_spec(gate, "dashboard_release", months, gates.GATES[gate], blocking=False)]


def check_daily_activity(
    workspace: Workspace,
    month: str,
    read: quality.Read,
    description: TableInfo,
    min_completeness: float,
) -> list[CheckResult]:
    """Run the checks of `daily_activity` on a staged month.

    Parameters
    ----------
    workspace : Workspace
        Has the month before, which is compared with, if it is published.
    month : str
    read : callable
        Reads columns of the staged rows.
    description : TableInfo
        Result of `storage.lake.describe`, or what was published of it. Of a partial month it says
        until which day: the checks judge the days until it, and each message says so.
    min_completeness : float
        Share of the expected user-days below which the month is not complete.
    """
    lake = workspace.daily
    before, previous = shift(month, -1), None
    if lake.manifest(before):
        info = lake.info(before)
        previous = quality.PreviousMonth(
            before,
            lambda columns: lake.scan([before], columns).table,
            info.rows,
            quality.days_so_far(before, info.last_day_so_far),
            info.distributions,
        )
    partial_until = description.last_day_so_far
    data = quality.CheckedMonth(
        month,
        read,
        description.rows,
        description.columns,
        previous,
        min_completeness,
        partial_until,
        workspace.raw.info(month).is_imported,
    )
    return mark_partial(quality.run_checks(quality.DAILY_CHECKS, data), partial_until)


def mark_partial(results: list[CheckResult], partial_until: date | None) -> list[CheckResult]:
    """`results`, whose messages say so if they judge only the days until `partial_until`."""
    if partial_until is None:
        return results
    mark = f"PARTIAL, {text_until(partial_until)}"
    return [
        msgspec.structs.replace(result, message=f"{mark}: {result.message}") for result in results
    ]


class _Result(dg.AssetCheckResult):
    """A result for which Dagster looks up only once in a step which materialization it judges.

    Dagster does so twice for each result, which takes longer than the checks of a small month.
    """

    def _get_target_materialization_data(
        self, step_context: StepExecutionContext, check_key: dg.AssetCheckKey
    ) -> AssetCheckEvaluationTargetMaterializationData | None:
        return _judged(step_context, check_key.asset_key)


@lru_cache(maxsize=1)
def _judged(
    step: StepExecutionContext, asset: dg.AssetKey
) -> AssetCheckEvaluationTargetMaterializationData | None:
    plain = dg.AssetCheckResult(passed=True)
    key = dg.AssetCheckKey(asset, "any")
    return plain._get_target_materialization_data(step, key)  # noqa: SLF001


def report(results: Iterable[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    """Convert `results` for Dagster: errors if a failure blocks or stops a model, else warnings."""
    for result in results:
        is_error = result.name in _BLOCKING or result.name in gates.GATES
        yield _Result(
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
            description=result.message if result.judged else f"not judged: {result.message}",
            metadata=result.values,
        )


def refuse_failed(results: Iterable[CheckResult], month: str) -> None:
    """Raise QualityError if a blocking check of `month` failed."""
    failed = [result for result in results if not result.passed and result.name in _BLOCKING]
    if failed:
        reasons = "; ".join(f"{result.name} ({result.message})" for result in failed)
        raise QualityError(f"{month} is not published, because it fails {reasons}")


def _specs(
    asset: str, months: dg.PartitionsDefinition[str], checks: Sequence[quality.DataCheck[Any]]
) -> list[dg.AssetCheckSpec]:
    return [
        _spec(check.name, asset, months, check.description, blocking=check.blocking)
        for check in checks
    ]


def _spec(
    name: str, asset: str, months: dg.PartitionsDefinition[str], description: str, *, blocking: bool
) -> dg.AssetCheckSpec:
    # Without partitions each month would overwrite the result of the last. Partitions of checks
    # are a preview feature of the locked Dagster version.
    return dg.AssetCheckSpec(
        name, asset=asset, description=description, blocking=blocking, partitions_def=months
    )
