"""Whether the last month is on time: a check of each asset and month, and its evaluation.

Dagster judges a freshness policy by the latest materialization of an asset of any month: an
old month that is rematerialized would make a missing last month look fresh, and an asset without
any would be unknown. This check compares what is stored with what is due.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import dagster as dg

from fitness_assets import clock, months
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

CHECK = "on_time"
#: A month is due on the third day of the next at 12:00, six hours after its schedule.
_DUE = timedelta(days=2, hours=12)
_INTERVAL_SECONDS = 600
_ASSETS = [asset for asset in INPUTS if asset not in ON_DEMAND]


def due_month(settings: Settings, now: datetime) -> str | None:
    """The last month that must be materialized by `now`; None if none is.

    In a range with a last month no new month is ever due, and a month that has not ended never is.
    """
    if not settings.is_open:
        return None
    month = months.last_complete(now.astimezone(settings.zone).date())
    end = datetime.combine(months.end(month), datetime.min.time(), settings.zone)
    if now < end + _DUE:
        month = months.shift(month, -1)
    return month if month >= settings.first_month else None


def overdue_assets(settings: Settings, workspace: Workspace, now: datetime) -> dict[str, bool]:
    """Whether each asset lacks the month that is due. Assets on request are never due."""
    month = due_month(settings, now)
    if month is None:
        return dict.fromkeys(_ASSETS, False)
    state = read_state(workspace, [month])
    return {asset: Partition(asset, month) not in state for asset in _ASSETS}


def overdue_months(settings: Settings, now: datetime) -> dict[str, list[str]]:
    """The assets that lack the month that is due, by this month; empty if none does."""
    overdue = overdue_assets(settings, Workspace.of(settings), now)
    assets = [asset for asset, is_overdue in overdue.items() if is_overdue]
    month = due_month(settings, now)
    return {month: assets} if month is not None and assets else {}


def freshness_checks(settings: Settings) -> Sequence[dg.AssetChecksDefinition]:
    """The check of each asset, if the range is open. Runs of its asset evaluate it too."""
    if not settings.is_open:
        return []

    @dg.multi_asset_check(
        name=CHECK,
        specs=[
            dg.AssetCheckSpec(CHECK, asset=asset, description="The month that is due is stored.")
            for asset in _ASSETS
        ],
        can_subset=True,
        required_resource_keys={"workspace"},
    )
    def on_time(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        now = clock.now()
        overdue = overdue_assets(settings, context.resources.workspace, now)
        for key in context.selected_asset_check_keys:
            asset = key.asset_key.to_user_string()
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=CHECK,
                passed=not overdue[asset],
                severity=dg.AssetCheckSeverity.ERROR,
                description=_describe(settings, now, overdue=overdue[asset]),
            )

    return [on_time]


def freshness_sensors(settings: Settings) -> Sequence[dg.SensorDefinition]:
    """Evaluate the checks without a run, and record those whose result has changed."""
    if not settings.is_open:
        return []

    @dg.sensor(
        name="evaluate_on_time",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Records which assets lack the month that is due.",
    )
    def evaluate_on_time(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = clock.now()
        overdue = overdue_assets(settings, Workspace.of(settings), now)
        late = [asset for asset, is_late in overdue.items() if is_late]
        cursor = f"{due_month(settings, now)} {','.join(late)}"
        if cursor == context.cursor:
            return dg.SkipReason(f"unchanged: {len(late)} assets are overdue")
        if late:
            context.log.error(f"{_describe(settings, now, overdue=True)}: {', '.join(late)}")
        return dg.SensorResult(
            cursor=cursor,
            asset_events=[
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(asset),
                    check_name=CHECK,
                    passed=not is_late,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description=_describe(settings, now, overdue=is_late),
                )
                for asset, is_late in overdue.items()
            ],
        )

    return [evaluate_on_time]


def _describe(settings: Settings, now: datetime, *, overdue: bool) -> str:
    month = due_month(settings, now)
    if month is None:
        return "no month is due yet"
    return f"{month} is overdue" if overdue else f"{month} is on time"
