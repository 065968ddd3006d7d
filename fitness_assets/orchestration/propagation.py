"""Request stale months: a sensor that compares stored versions, and ignores events."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG, months_of_run
from fitness_assets.orchestration.staleness import Partition, Plan, State, plan
from fitness_assets.orchestration.state import input_versions, read_state
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.workspace import Workspace

#: Runs of one change that may fail before it is left to the user.
MAX_ATTEMPTS = 3
#: Tag of a run with what it was requested for.
CHANGE_TAG = "fitness/change"

_INTERVAL_SECONDS = 30


def current_plan(
    settings: Settings,
    instance: dg.DagsterInstance,
    blocked: Collection[Partition] = (),
    *,
    missing: bool = True,
    state: State | None = None,
) -> Plan:
    """What is stale now, and what of it can be rematerialized.

    Parameters
    ----------
    settings : Settings
    instance : DagsterInstance
        Its unfinished runs are waited for.
    blocked : collection of Partition
        To be waited for as well.
    missing : bool
        Whether imported months that were never materialized are planned as well.
    state : mapping, optional
        What is stored. It is read if it is not given.
    """
    workspace, month_range = Workspace.of(settings), settings.months()
    wanted: list[Partition] = []
    if settings.source == "exports" and missing:
        # Every imported month is materialized, also for the first time.
        imported = set(configured_imports(settings).months())
        wanted = [
            Partition(asset, month)
            for month in month_range
            if month in imported
            for asset in INPUTS
            if asset not in ON_DEMAND
        ]
    return plan(
        read_state(workspace, month_range) if state is None else state,
        month_range,
        wanted=wanted,
        busy=busy_partitions(instance) | set(blocked),
    )


def busy_partitions(instance: dg.DagsterInstance) -> set[Partition]:
    """What a run is materializing, or is queued or about to be launched to materialize."""
    busy: set[Partition] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        assets = [key.to_user_string() for key in run.asset_selection or ()] or list(INPUTS)
        busy.update(Partition(asset, month) for month in months_of_run(run) for asset in assets)
    for backfill in instance.get_backfills(status=BulkActionStatus.REQUESTED):
        if backfill.asset_backfill_data is None:
            names = backfill.partition_names or ()
            busy.update(Partition(asset, month) for month in names for asset in INPUTS)
            continue
        remaining = backfill.asset_backfill_data
        for each in remaining.target_subset.iterate_asset_partitions():
            if each not in remaining.materialized_subset and each.partition_key is not None:
                busy.add(Partition(each.asset_key.to_user_string(), each.partition_key))
    return busy


def change_of(workspace: Workspace, month: str, assets: Sequence[str]) -> str:
    """A name for what a run of `assets` is requested for: the same as long as its inputs are."""
    inputs: dict[str, str] = {}
    for asset in assets:
        inputs |= input_versions(workspace, asset, month)
    for asset in assets:
        inputs.pop(str(Partition(asset, month)), None)
    described = json.dumps([month, list(assets), inputs], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:20]


def failures(instance: dg.DagsterInstance, change: str) -> list[dg.DagsterRun]:
    """The runs of a change that failed by themselves."""
    runs = instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={CHANGE_TAG: change})
    )
    return [run for run in runs if PROCESS_ENDED_TAG not in run.tags]


def unrequested_months(
    settings: Settings, instance: dg.DagsterInstance, found: Plan
) -> dict[str, str]:
    """The ready months whose runs failed too often to be requested again, and their change."""
    workspace = Workspace.of(settings)
    changes = {month: change_of(workspace, month, assets) for month, assets in found.ready.items()}
    return {
        month: change
        for month, change in changes.items()
        if len(failures(instance, change)) >= MAX_ATTEMPTS
    }


def propagation_sensor(settings: Settings) -> dg.SensorDefinition:
    """Request what is stale, one run a month. On by default, since it acts only on changes."""

    @dg.sensor(
        name="propagate_changes",
        asset_selection=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Rematerializes the months that were made from something that has changed.",
    )
    def propagate_changes(
        context: dg.SensorEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        found = current_plan(settings, context.instance)
        given_up = unrequested_months(settings, context.instance, found)
        if given_up:
            context.log.warning(
                f"the runs of {', '.join(given_up)} failed {MAX_ATTEMPTS} times; they are not "
                "requested again until an input changes, or `fitness backfill --stale` succeeds"
            )
        requested = {month: found.ready[month] for month in found.ready if month not in given_up}
        workspace = Workspace.of(settings)
        for month, assets in requested.items():
            yield dg.RunRequest(
                partition_key=month,
                asset_selection=[dg.AssetKey(asset) for asset in assets],
                tags={CHANGE_TAG: change_of(workspace, month, assets)},
            )
        if not requested:
            waiting = len(found.stale)
            yield dg.SkipReason(f"{waiting} stale, none ready" if waiting else "nothing is stale")

    return propagate_changes
