"""Wiring, and nothing else."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from fitness_assets.assets import (
    activity_classifier,
    calorie_regressor,
    compression_report,
    daily_activity,
    dashboard_release,
    drive_upload,
    model_backtest,
    raw_telemetry,
    segment_model,
)
from fitness_assets.orchestration import automation
from fitness_assets.orchestration.partitions import monthly
from fitness_assets.settings import Settings
from fitness_assets.spark.session import spark_resource
from fitness_assets.workspace import Workspace

#: The job that takes one month through every stage.
MONTHLY_JOB = "monthly_pipeline"
#: What it makes: all but what is made on demand.
MONTHLY = dg.AssetSelection.all() - dg.AssetSelection.assets(*automation.ON_DEMAND)


def build_defs(
    settings: Settings, *, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """Everything Dagster is told of.

    Parameters
    ----------
    settings : Settings
        Range of months, source, and where everything lives.
    loggers : mapping, optional
        In place of Dagster's console.
    """
    with known_unstable():
        return _build(settings, loggers)


@contextmanager
def known_unstable() -> Iterator[None]:
    """Silence what Dagster says of the features in use that it may still change.

    Backfill policies and windows that reach before the first month are beta, checks a partition a
    preview. The lock file holds the version in which they are, and the tests run all three.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def _build(settings: Settings, loggers: Mapping[str, dg.LoggerDefinition] | None) -> dg.Definitions:
    months = monthly(settings)
    job = dg.define_asset_job(
        MONTHLY_JOB,
        selection=MONTHLY,
        description="One month through every stage, from telemetry to the upload.",
    )
    assets = [
        raw_telemetry.build(months),
        daily_activity.build(months, settings.least_complete),
        segment_model.build(months, settings.segments_bytes, settings.model_memory),
        activity_classifier.build(months, settings.classifier_bytes, settings.model_memory),
        calorie_regressor.build(months, settings.regressor_bytes, settings.model_memory),
        model_backtest.build(months),
        compression_report.build(months),
        dashboard_release.build(months, settings.memory),
        drive_upload.build(months),
    ]
    import_inbox, arrivals = automation.inbox(settings, MONTHLY_JOB)
    return dg.Definitions(
        assets=automation.automate(assets, settings),
        jobs=[job, import_inbox],
        schedules=[automation.schedule(settings, MONTHLY_JOB)],
        sensors=[automation.propagation(), automation.failure_alert(settings), *arrivals],
        resources={"workspace": Workspace.of(settings), "spark": spark_resource(settings)},
        # One Python and one JVM a run: a process a step would cost seconds of imports each time.
        loggers=loggers,
        executor=dg.in_process_executor,
    )


defs = build_defs(Settings.from_env())
