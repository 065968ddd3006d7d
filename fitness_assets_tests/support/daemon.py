"""Dagster's daemon of a home, in this process: it evaluates the sensors and queues their runs."""

import logging
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, suppress

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import CodeLocationOrigin, InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from fitness_assets.definitions import build_defs
from fitness_assets.orchestration import liveness
from fitness_assets.settings import Settings

_LOGGER = logging.getLogger(__name__)
#: The settings of the code location that is loaded next.
_settings: list[Settings] = []


def definitions() -> dg.Definitions:
    """The code location."""
    return build_defs(_settings[-1])


class _Target(WorkspaceLoadTarget):
    """A workspace with the one code location, loaded in this process."""

    def create_origins(self) -> list[CodeLocationOrigin]:
        origin = LoadableTargetOrigin(
            executable_path=sys.executable, module_name=__name__, attribute=definitions.__name__
        )
        return [InProcessCodeLocationOrigin(origin, location_name="fitness_assets.definitions")]


def tick(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Evaluate every sensor that is running, as the daemon does, whenever it was evaluated last."""
    for state in instance.all_instigator_state():
        instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
    _settings[:] = [settings]
    with warnings.catch_warnings(), ExitStack() as stack:
        # Dagster reads a deprecated property of every schedule.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = stack.enter_context(create_test_daemon_workspace_context(_Target(), instance))
        for error in execute_sensor_iteration(context, _LOGGER, None, None):
            assert error is None, error


def queued(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The queued runs, the first one first."""
    wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    return list(instance.get_runs(wanted))[::-1]


def execute(
    settings: Settings,
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    is_killed: Callable[[DagsterEvent], bool] = lambda _: False,
) -> dg.DagsterRunStatus:
    """Execute a queued run in this process.

    Parameters
    ----------
    settings : Settings
    instance : DagsterInstance
    run : DagsterRun
    is_killed : callable
        Called with each event. If it returns true the run ends there, as if its process had been
        killed: it is not recorded as ended, and leaves its lock file.

    Returns
    -------
    DagsterRunStatus
        Its status, as recorded.
    """
    starting = DagsterEvent(DagsterEventType.RUN_STARTING.value, job_name=run.job_name)
    instance.report_dagster_event(starting, run_id=run.run_id)
    job = InMemoryJob(build_defs(settings).resolve_implicit_global_asset_job_def())
    starting_run = instance.get_run_by_id(run.run_id)
    assert starting_run is not None
    with (
        suppress(_KilledError),
        liveness.holding(instance, run.run_id),
        closing(_events(job, starting_run, instance)) as events,
    ):
        if any(map(is_killed, events)):
            raise _KilledError
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended.status


def _events(
    job: InMemoryJob, run: dg.DagsterRun, instance: dg.DagsterInstance
) -> Generator[DagsterEvent, None, None]:
    yield from execute_run_iterator(job, run, instance)


class _KilledError(Exception):
    """The process of a run is killed here."""
