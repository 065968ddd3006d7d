"""Import exports from ``HOME/inbox``; the months they change are requested as any change is."""

import hashlib
import os

import dagster as dg

from fitness_assets.orchestration.outside import outside_note
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.inbox import import_waiting, waiting_exports

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
        if note := outside_note(settings, changed):
            context.log.warning(note)

    @dg.job(name="import_inbox", description="Imports the exports in HOME/inbox.")
    def import_inbox() -> None:
        import_exports()

    return import_inbox


def inbox_sensor(settings: Settings, import_inbox: dg.JobDefinition) -> dg.SensorDefinition:
    """Run the job `import_inbox` when an export is complete. On if the source is ``exports``."""
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
        return dg.RunRequest(run_key=hashlib.sha256(os.fsencode(listing)).hexdigest())

    return inbox
