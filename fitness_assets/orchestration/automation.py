"""By when a month is due: the monthly schedule and the freshness of assets."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from fitness_assets import months
from fitness_assets.orchestration.lineage import ON_DEMAND
from fitness_assets.settings import Settings

#: Devices deliver late: the schedule takes a month on the third day of the next, at 06:00 UTC.
_CRON = "0 6 3 * *"
#: The freshness policy expects a month by this time, materialized at most so long before it.
_DEADLINE, _DEADLINE_WINDOW = "0 12 3 * *", timedelta(hours=60)


def automate(
    assets: Sequence[dg.AssetsDefinition], settings: Settings
) -> Sequence[dg.AssetsDefinition]:
    """Add the freshness policy to `assets` if the range is open.

    In a range with a last month no new month is ever due, and its assets would be overdue forever;
    so would assets that are materialized on request.
    """
    policy = None
    if settings.last_month == "open":
        policy = dg.FreshnessPolicy.cron(_DEADLINE, lower_bound_delta=_DEADLINE_WINDOW)

    def automated(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(
            freshness_policy=None if spec.key.to_user_string() in ON_DEMAND else policy,
        )

    return [asset.map_asset_specs(automated) for asset in assets]


def monthly_schedule(settings: Settings, job: str) -> dg.ScheduleDefinition:
    """Run `job` once for the last complete month, if the range of `settings` contains it."""

    @dg.schedule(
        name="last_complete_month",
        cron_schedule=_CRON,
        job_name=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs every stage for the last complete month, on the third day of the next.",
    )
    def last_complete_month(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        today = context.scheduled_execution_time.date()
        month = months.last_complete(today)
        if month not in settings.months(today):
            return dg.SkipReason(
                f"{month} is not in the range FITNESS_FIRST_MONTH={settings.first_month} to "
                f"FITNESS_LAST_MONTH={settings.last_month}"
            )
        return dg.RunRequest(run_key=month, partition_key=month)

    return last_complete_month
