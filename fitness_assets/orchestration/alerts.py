"""Report runs that fail."""

import json
import urllib.request

import dagster as dg

from fitness_assets.orchestration.run_tags import (
    PROCESS_ENDED_TAG,
    describe_run,
    months_of_run,
)
from fitness_assets.settings import Settings

_WEBHOOK_TIMEOUT_SECONDS = 10


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """Log each run that fails, and post it to the configured webhook."""

    @dg.run_failure_sensor(
        name="run_failure_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs each failed run, and posts it to FITNESS_FAILURE_WEBHOOK if that is set.",
    )
    def run_failure_alert(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        steps = [event.step_key for event in context.get_step_failure_events()]
        if PROCESS_ENDED_TAG in run.tags:
            cause = "was killed"
        else:
            cause = f"failed at {', '.join(map(str, steps)) or 'its start'}"
        summary = f"{describe_run(run)} {cause}"
        context.log.error(f"{summary}: {context.failure_event.message}")
        if settings.failure_webhook is not None:
            document = {
                # The field that chat services show.
                "text": f"fitness_assets: {summary}",
                "run_id": run.run_id,
                "job": run.job_name,
                "month": ", ".join(months_of_run(run)) or "no month",
                "steps": steps,
                "error": context.failure_event.message,
            }
            request = urllib.request.Request(  # noqa: S310 - the settings allow http and https only
                settings.failure_webhook,
                data=json.dumps(document).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=_WEBHOOK_TIMEOUT_SECONDS
            ):
                context.log.info("posted the failure to the webhook")

    return run_failure_alert
