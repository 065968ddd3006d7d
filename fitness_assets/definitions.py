"""The wiring of the code location: assets, jobs, schedules, sensors and resources."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from fitness_assets.assets import (
    compression_report,
    daily_activity,
    dashboard_release,
    drive_upload,
    model,
    model_backtest,
    person_history,
    raw_telemetry,
    workouts,
)
from fitness_assets.models.registry import MODELS
from fitness_assets.orchestration import alerts, automation, inbox
from fitness_assets.orchestration.executor import run_executor
from fitness_assets.orchestration.freshness import freshness_checks, freshness_sensors
from fitness_assets.orchestration.lineage import ON_DEMAND
from fitness_assets.orchestration.lineage_sensor import lineage_sensors
from fitness_assets.orchestration.partitions import monthly
from fitness_assets.orchestration.propagation import propagation_sensor
from fitness_assets.settings import Settings
from fitness_assets.spark.session import spark_resource
from fitness_assets.workspace import Workspace

#: The job that takes one month through every stage.
MONTHLY_JOB = "monthly_pipeline"
#: Its assets: all except those that are materialized on request.
MONTHLY = dg.AssetSelection.all() - dg.AssetSelection.assets(*ON_DEMAND)


def build_defs(
    settings: Settings,
    *,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    on_time: bool = True,
) -> dg.Definitions:
    """The definitions of the code location.

    Parameters
    ----------
    settings : Settings
        Range of months, source, and where artifacts are stored.
    loggers : mapping, optional
        Loggers that replace Dagster's console logger.
    on_time : bool
        Whether runs evaluate if the last month is on time.
    """
    with ignore_preview_warnings():
        return _build(settings, loggers, on_time=on_time)


@contextmanager
def ignore_preview_warnings() -> Iterator[None]:
    """Ignore Dagster's warnings about features in use that may still change.

    Backfill policies and partition mappings to months before the first are beta; partitioned checks
    are a preview. The lock file pins a version that has all three, and the tests cover them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def _build(
    settings: Settings, loggers: Mapping[str, dg.LoggerDefinition] | None, *, on_time: bool
) -> dg.Definitions:
    months = monthly(settings)
    job = dg.define_asset_job(
        MONTHLY_JOB,
        selection=MONTHLY,
        description="Runs every stage of one month, from telemetry to the upload.",
    )
    assets = [
        raw_telemetry.build(months),
        daily_activity.build(months, settings.least_complete),
        workouts.build(months),
        *(
            model.build(spec, months, getattr(settings, spec.budget), settings.model_memory)
            for spec in MODELS
        ),
        person_history.build(months),
        model_backtest.build(months),
        compression_report.build(months),
        dashboard_release.build(months, settings.memory, settings.least_complete),
        drive_upload.build(months),
    ]
    import_inbox = inbox.import_job(settings)
    return dg.Definitions(
        assets=[asset.with_attributes(backfill_policy=_policy(settings)) for asset in assets],
        asset_checks=freshness_checks(settings) if on_time else [],
        jobs=[job, import_inbox],
        schedules=[automation.monthly_schedule(settings, MONTHLY_JOB)],
        sensors=[
            propagation_sensor(settings),
            alerts.failure_sensor(settings),
            *freshness_sensors(settings),
            inbox.inbox_sensor(settings, import_inbox),
            *lineage_sensors(settings),
        ],
        resources={"workspace": Workspace.of(settings), "spark": spark_resource(settings)},
        loggers=loggers,
        executor=run_executor(settings),
    )


def _policy(settings: Settings) -> dg.BackfillPolicy:
    """How a backfill divides months into runs.

    A process for each small month and asset takes longer than the month, so that one run takes them
    all; the executor still runs each month alone. Each large month is a run, and a deployment
    executes several at once.
    """
    if settings.has_small_months:
        return dg.BackfillPolicy.single_run()
    return dg.BackfillPolicy.multi_run(1)


defs = build_defs(Settings.from_env())
