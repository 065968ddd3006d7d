"""What runs by itself: a schedule, a change that travels, and word of what failed."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg

from fitness_assets import months
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.inbox import import_waiting, waiting_exports
from fitness_assets.workspace import Workspace

#: Assets that take long and are made for a month when someone asks for them.
ON_DEMAND = ("compression_report",)

#: Devices deliver late, so a month is taken on the morning (UTC) of the third day after it.
_CRON = "0 6 3 * *"
#: By when a month should be there, and how long before that it can be.
_DEADLINE, _EARLIEST = "0 12 3 * *", timedelta(hours=60)
_WEBHOOK_TIMEOUT_SECONDS = 10

# `eager` looks at the latest month only, and acts on any materialization of an input. A month that
# has been made is made again where the content of an input has changed, whatever its age; a month
# that has not been made is for the schedule and for backfills. It waits while an input is made,
# as does whatever is being made. No condition on asset checks: a month that fails one is not
# published, so that its last good version is still a sound input.
_changed = dg.AutomationCondition.any_deps_match(
    (
        dg.AutomationCondition.data_version_changed()
        & ~dg.AutomationCondition.executed_with_root_target()
    )
    | dg.AutomationCondition.will_be_requested()
)
_busy = dg.AutomationCondition.in_progress() | dg.AutomationCondition.backfill_in_progress()
#: The condition of every asset that has inputs.
WHEN_INPUT_CHANGES = (
    _changed.since_last_handled()
    & ~dg.AutomationCondition.missing()
    & ~_busy
    & ~dg.AutomationCondition.any_deps_match(_busy)
).with_label("when_input_changes")


def automate(
    assets: Sequence[dg.AssetsDefinition], settings: Settings
) -> Sequence[dg.AssetsDefinition]:
    """Give `assets` their condition and, where the range has no end, their freshness policy.

    A range that has ended is never made again, and would be overdue for good; so would what is
    made on demand.
    """
    policy = None
    if settings.last_month == "open":
        policy = dg.FreshnessPolicy.cron(_DEADLINE, lower_bound_delta=_EARLIEST)

    def automated(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(
            automation_condition=WHEN_INPUT_CHANGES if spec.deps else None,
            freshness_policy=None if spec.key.to_user_string() in ON_DEMAND else policy,
        )

    return [asset.map_asset_specs(automated) for asset in assets]


def propagation() -> dg.AutomationConditionSensorDefinition:
    """Evaluate the assets' conditions. It acts on changes only, and so is on by default."""
    return dg.AutomationConditionSensorDefinition(
        "propagate_changes",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Makes again what was made from something that has changed since.",
    )


def schedule(settings: Settings, job: str) -> dg.ScheduleDefinition:
    """Run `job` once for the last complete month, if the range of `settings` holds it."""

    @dg.schedule(
        name="last_complete_month",
        cron_schedule=_CRON,
        job_name=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The last complete month through every stage, on the third of the next.",
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


def inbox(settings: Settings, job: str) -> tuple[dg.JobDefinition, list[dg.SensorDefinition]]:
    """Take in what is put into ``HOME/inbox``, and make the months that were touched.

    Parameters
    ----------
    settings : Settings
    job : str
        Takes a month through every stage.
    """
    folder = settings.home / "inbox"
    running = settings.source == "exports"
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.op
    def take_in_exports(context: dg.OpExecutionContext) -> None:
        """Move settled exports from the inbox to the imports; refuse what cannot be used."""
        exports = waiting_exports(folder)
        imports = configured_imports(settings)
        changed = import_waiting(exports, imports, settings.timezone, context.log.info)
        context.log.info(f"months with other records than before: {sorted(changed) or 'none'}")

    @dg.job(name="import_inbox", description="Takes in what lies in the inbox.")
    def import_inbox() -> None:
        take_in_exports()

    @dg.sensor(
        job=import_inbox,
        name="inbox",
        default_status=status,
        minimum_interval_seconds=30,
        description="Looks for exports in HOME/inbox of which nothing changes any more.",
    )
    def arrivals() -> dg.RunRequest | dg.SkipReason:
        found = waiting_exports(folder)
        if not found:
            return dg.SkipReason(f"nothing waits in {folder}")
        told = "\n".join(f"{each.path} {each.changed}" for each in found)
        return dg.RunRequest(run_key=hashlib.sha256(told.encode()).hexdigest())

    @dg.sensor(
        job_name=job,
        name="imported_months",
        default_status=status,
        minimum_interval_seconds=30,
        description="Requests the months whose imports are other than what was landed of them.",
    )
    def imported_months() -> Iterator[dg.RunRequest]:
        imports, raw = configured_imports(settings), Workspace.of(settings).raw
        for month in sorted(set(imports.months()) & set(settings.months())):
            version, landed = imports.version(month), raw.manifest(month)
            if landed is None or landed.info.get("source_version") != version:
                yield dg.RunRequest(run_key=f"{month} {version}", partition_key=month)

    return import_inbox, [arrivals, imported_months]


def failure_alert(settings: Settings) -> dg.SensorDefinition:
    """Log each run that fails, and tell the configured webhook."""

    @dg.run_failure_sensor(
        name="tell_of_failures",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs a failed run, and posts it to FITNESS_FAILURE_WEBHOOK where that is set.",
    )
    def tell_of_failures(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        month = run.tags.get("dagster/partition", "no month")
        steps = [event.step_key for event in context.get_step_failure_events()]
        told = f"{run.job_name} {month} failed at {', '.join(map(str, steps)) or 'its start'}"
        context.log.error(f"{told}: {context.failure_event.message}")
        if settings.failure_webhook is not None:
            document = {
                # The field that chat services show.
                "text": f"fitness_assets: {told}",
                "run_id": run.run_id,
                "job": run.job_name,
                "month": month,
                "steps": steps,
                "error": context.failure_event.message,
            }
            request = urllib.request.Request(  # noqa: S310 - settings let http and https through
                settings.failure_webhook,
                data=json.dumps(document).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=_WEBHOOK_TIMEOUT_SECONDS
            ):
                context.log.info("the webhook was told")

    return tell_of_failures
