"""When a month runs without a user: the monthly schedule."""

import dagster as dg

from fitness_assets import months
from fitness_assets.settings import Settings

#: Devices deliver late: the schedule takes a month on the third day of the next, at 06:00.
_CRON = "0 6 3 * *"


def monthly_schedule(settings: Settings, job: str) -> dg.ScheduleDefinition:
    """Run `job` once for the last complete month, if the range of `settings` contains it."""

    @dg.schedule(
        name="last_complete_month",
        cron_schedule=_CRON,
        execution_timezone=settings.zone.key,
        job_name=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs every stage for the last complete month, on the third day of the next.",
    )
    def last_complete_month(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        today = context.scheduled_execution_time.astimezone(settings.zone).date()
        month = months.last_complete(today)
        if month not in settings.months(today):
            return dg.SkipReason(
                f"{month} is not in the range FITNESS_FIRST_MONTH={settings.first_month} to "
                f"FITNESS_LAST_MONTH={settings.last_month}"
            )
        return dg.RunRequest(run_key=month, partition_key=month)

    return last_complete_month
