"""Import exports from ``HOME/inbox``, and request the months whose imports changed."""

import hashlib
from collections.abc import Iterator

import dagster as dg

from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.inbox import import_waiting, waiting_exports
from fitness_assets.workspace import Workspace

_INTERVAL_SECONDS = 30


def import_job(settings: Settings) -> dg.JobDefinition:
    """The job that imports what is in the inbox."""

    @dg.op
    def import_exports(context: dg.OpExecutionContext) -> None:
        """Move complete exports from the inbox to the imports; reject what cannot be read."""
        exports = waiting_exports(settings.home / "inbox")
        imports = configured_imports(settings)
        changed = import_waiting(exports, imports, settings.timezone, context.log.info)
        context.log.info(f"months whose records changed: {', '.join(sorted(changed)) or 'none'}")

    @dg.job(name="import_inbox", description="Imports the exports in HOME/inbox.")
    def import_inbox() -> None:
        import_exports()

    return import_inbox


def import_sensors(
    settings: Settings, import_inbox: dg.JobDefinition, monthly_job: str
) -> list[dg.SensorDefinition]:
    """The sensors of the inbox and of the imports. They run if the source is ``exports``.

    Parameters
    ----------
    settings : Settings
    import_inbox : JobDefinition
        The job that imports what is in the inbox.
    monthly_job : str
        Name of the job that runs every stage of one month.
    """
    folder = settings.home / "inbox"
    status = (
        dg.DefaultSensorStatus.RUNNING
        if settings.source == "exports"
        else dg.DefaultSensorStatus.STOPPED
    )

    @dg.sensor(
        job=import_inbox,
        name="inbox",
        default_status=status,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Looks for exports in HOME/inbox that are no longer being written.",
    )
    def inbox() -> dg.RunRequest | dg.SkipReason:
        found = waiting_exports(folder)
        if not found:
            return dg.SkipReason(f"{folder} contains no complete export")
        listing = "\n".join(f"{each.path} {each.changed}" for each in found)
        return dg.RunRequest(run_key=hashlib.sha256(listing.encode()).hexdigest())

    @dg.sensor(
        job_name=monthly_job,
        name="imported_months",
        default_status=status,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Requests the months whose imports differ from what raw_telemetry holds.",
    )
    def imported_months() -> Iterator[dg.RunRequest]:
        imports, raw = configured_imports(settings), Workspace.of(settings).raw
        for month in sorted(set(imports.months()) & set(settings.months())):
            version = imports.version(month)
            if raw.manifest(month) is None or raw.info(month).source_version != version:
                yield dg.RunRequest(run_key=f"{month} {version}", partition_key=month)

    return [inbox, imported_months]
