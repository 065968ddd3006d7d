"""When assets run without a user: the monthly schedule, and changes that propagate downstream."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from fitness_assets import months
from fitness_assets.settings import Settings

#: Assets that take long and are materialized only on request.
ON_DEMAND = ("compression_report",)

#: Devices deliver late: the schedule takes a month on the third day of the next, at 06:00 UTC.
_CRON = "0 6 3 * *"
#: The freshness policy expects a month by this time, materialized at most so long before it.
_DEADLINE, _DEADLINE_WINDOW = "0 12 3 * *", timedelta(hours=60)

# `AutomationCondition.eager` considers only the latest month and reacts to any materialization of
# an input. This condition requests a month that was materialized before if the content of an input
# changed, whatever its age; months that were never materialized are left to the schedule and to
# backfills. It waits while the asset or an input is being materialized. It does not consider asset
# checks: a month that fails a blocking check is not published, so its last published version is
# still a valid input.
_input_changed = dg.AutomationCondition.any_deps_match(
    (
        dg.AutomationCondition.data_version_changed()
        & ~dg.AutomationCondition.executed_with_root_target()
    )
    | dg.AutomationCondition.will_be_requested()
)
_busy = dg.AutomationCondition.in_progress() | dg.AutomationCondition.backfill_in_progress()
#: The condition of every asset that has inputs.
WHEN_INPUT_CHANGES = (
    _input_changed.since_last_handled()
    & ~dg.AutomationCondition.missing()
    & ~_busy
    & ~dg.AutomationCondition.any_deps_match(_busy)
).with_label("when_input_changes")


def automate(
    assets: Sequence[dg.AssetsDefinition], settings: Settings
) -> Sequence[dg.AssetsDefinition]:
    """Add the automation condition and, if the range is open, the freshness policy to `assets`.

    In a range with a last month no new month is ever due, and its assets would be overdue forever;
    so would assets that are materialized on request.
    """
    policy = None
    if settings.last_month == "open":
        policy = dg.FreshnessPolicy.cron(_DEADLINE, lower_bound_delta=_DEADLINE_WINDOW)

    def automated(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(
            automation_condition=WHEN_INPUT_CHANGES if spec.deps else None,
            freshness_policy=None if spec.key.to_user_string() in ON_DEMAND else policy,
        )

    return [asset.map_asset_specs(automated) for asset in assets]


def propagation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluate the conditions of the assets. On by default, since it acts only on changes."""
    return dg.AutomationConditionSensorDefinition(
        "propagate_changes",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Rematerializes the months of an asset whose inputs changed.",
    )


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
