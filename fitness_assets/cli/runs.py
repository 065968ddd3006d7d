"""Materialize months in one process: one Python, one JVM, and one Dagster run a month."""

import gc
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import psutil

from fitness_assets import errors, memory
from fitness_assets.definitions import MONTHLY, MONTHLY_JOB, build_defs, ignore_preview_warnings
from fitness_assets.errors import FitnessError, SettingsError
from fitness_assets.orchestration import freshness
from fitness_assets.orchestration.connections import kept_connections
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.liveness import end_dead_runs, holding
from fitness_assets.orchestration.propagation import current_plan
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.orchestration.state import read_state, with_month
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

#: Called with the month and the asset that was just stored.
Progress = Callable[[str, str], None]
#: Assets to materialize, by month.
Plan = Mapping[str, Sequence[dg.AssetKey]]


@dataclass(frozen=True)
class Outcome:
    """How the run of one month ended.

    Attributes
    ----------
    error : str or None
        None if it succeeded, else one line that says which asset failed and why.
    warnings : list of str
        A line for each check that failed and is not blocking.
    interrupted : bool
        Whether a signal ended it.
    """

    month: str
    assets: list[str]
    run_id: str
    seconds: float
    error: str | None
    warnings: list[str]
    interrupted: bool


def select_assets(settings: Settings, selection: str | None) -> list[dg.AssetKey]:
    """The assets of `selection`, in Dagster's selection syntax, upstream assets first.

    Commas separate selections, whose union is selected. None selects the assets of the monthly job.

    Raises
    ------
    SettingsError
        If the selection cannot be parsed or selects nothing.
    """
    graph = build_defs(settings).resolve_asset_graph()
    try:
        with ignore_preview_warnings():
            parsed: dg.AssetSelection = MONTHLY
            if selection:
                # As `dagster asset materialize --select` takes it.
                parts = [part.strip() for part in selection.split(",")]
                parsed = dg.AssetSelection.from_coercible(parts)
            chosen = parsed.resolve(graph)
    except dg.DagsterError as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"--select {selection!r} is not a selection: {reason}; write it as "
            "raw_telemetry,daily_activity or 'key:raw_telemetry or key:daily_activity'"
        ) from error
    if not chosen:
        known = ", ".join(sorted(key.to_user_string() for key in graph.get_all_asset_keys()))
        raise SettingsError(f"--select {selection!r} selects no asset; there are {known}")
    return [key for key in graph.toposorted_asset_keys if key in chosen]


def run_months(settings: Settings, plan: Plan, progress: Progress) -> list[Outcome]:
    """Materialize the assets of each month of `plan`, in order. A failure stops only its month.

    After SIGINT or SIGTERM no further month starts.

    Parameters
    ----------
    settings : Settings
        The Dagster instance of its home records the runs.
    plan : mapping
        The assets to materialize, by month of the range.
    progress : callable
        Called with month and name of each asset that was stored.
    """
    with open_instance(settings) as instance, kept_connections(instance), _without_old_garbage():
        return list(_run_each(settings, instance, sorted(plan.items()), progress))


def run_stale(settings: Settings, progress: Progress, *, missing: bool = True) -> list[Outcome]:
    """Rematerialize what is stale, and what is missing of imported months, until nothing is.

    What another run is materializing is left to that run. An asset that fails is not tried again,
    and what reads it waits.

    Parameters
    ----------
    settings, progress
        As in `run_months`.
    missing : bool
        Whether imported months that were never materialized are materialized as well.
    """
    outcomes: list[Outcome] = []
    with open_instance(settings) as instance, kept_connections(instance), _without_old_garbage():

        def ready() -> Iterator[tuple[str, list[dg.AssetKey]]]:
            workspace, failed = Workspace.of(settings), set[Partition]()
            state, is_current = read_state(workspace, settings.months()), True
            while True:
                found = current_plan(settings, instance, failed, missing=missing, state=state)
                if not found.ready and is_current:
                    return
                if not found.ready:
                    # Other processes may have stored something since.
                    state, is_current = read_state(workspace, settings.months()), True
                    continue
                month = min(found.ready)
                yield month, [dg.AssetKey(asset) for asset in found.ready[month]]
                # Reading every month again after each would take longer than a small month.
                state, is_current = with_month(state, workspace, month), False
                if outcomes[-1].error is not None:
                    failed.update(Partition(asset, month) for asset in found.ready[month])

        # One by one: what is ready next depends on how the last run ended.
        for outcome in _run_each(settings, instance, ready(), progress):
            outcomes.append(outcome)  # noqa: PERF402
    return outcomes


@contextmanager
def _without_old_garbage() -> Iterator[None]:
    """The garbage collector would look at all modules and definitions again and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _run_each(
    settings: Settings,
    instance: dg.DagsterInstance,
    batches: Iterable[tuple[str, Sequence[dg.AssetKey]]],
    progress: Progress,
) -> Iterator[Outcome]:
    """Run the assets of each month; stop after an interrupted run."""
    defs = build_defs(settings, loggers={"console": _progress_logger(progress)})
    monthly = defs.resolve_job_def(MONTHLY_JOB)
    in_monthly = set(monthly.asset_layer.executable_asset_keys)
    # Runs that died would hold places in the queue, and no daemon may be running.
    end_dead_runs(instance)
    for month, assets in batches:
        began = time.monotonic()
        run_id = str(uuid.uuid4())
        with holding(instance, run_id):
            # Dagster lists the run under its job. Assets on request are in no job but that of all.
            is_monthly = in_monthly.issuperset(assets)
            job = monthly if is_monthly else defs.resolve_implicit_global_asset_job_def()
            run = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                partition_key=month,
                asset_selection=assets,
                run_config={"loggers": {"console": {}}},
                raise_on_error=False,
            )
        interrupted = any(kind in _INTERRUPTED for _, kind, _ in _causes(run))
        if interrupted:
            # A JVM that was still starting does not end with the run.
            for child in psutil.Process().children(recursive=True):
                child.kill()
        yield Outcome(
            month=month,
            assets=[key.to_user_string() for key in assets],
            run_id=run.run_id,
            seconds=time.monotonic() - began,
            error=None if run.success else _failure(run),
            warnings=_warnings(run),
            interrupted=interrupted,
        )
        if interrupted:
            return


def peak_memory() -> int | None:
    """Peak memory of this process and its children (the JVM), in bytes.

    It is the sum of each process's own peak: an upper bound, since the peaks need not coincide.
    None where the system does not record peaks.
    """
    own = memory.peak()
    if own is None:
        return None
    children = psutil.Process().children(recursive=True)
    return own + sum(memory.peak(child.pid) or 0 for child in children)


def _progress_logger(progress: Progress) -> dg.LoggerDefinition:
    """A Dagster logger that prints nothing and calls `progress` for each materialization."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "dagster_event", None)
            if event is not None and event.is_step_materialization:
                progress(event.partition, event.asset_key.to_user_string())

    def build(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger(__name__)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.handlers = [Handler()]
        return logger

    return dg.LoggerDefinition(build)


def _warnings(run: dg.ExecuteInProcessResult) -> list[str]:
    return [
        f"{check.check_name}: {check.description}"
        for check in run.get_asset_check_evaluations()
        # Whether another month is overdue says nothing about this one.
        if not check.passed and not check.blocking and check.check_name != freshness.CHECK
    ]


def _causes(run: dg.ExecuteInProcessResult) -> Iterator[tuple[str, str, str]]:
    """Step, class and message of each error in the chain of causes, the outermost first."""
    for event in run.all_events:
        if event.is_step_failure:
            step, error = str(event.step_key), event.step_failure_data.error
        elif event.is_job_failure:
            step, error = "the run", event.job_failure_data.error
        else:
            continue
        while error is not None:
            yield step, str(error.cls_name), " ".join(error.message.split())
            error = error.cause


def _failure(run: dg.ExecuteInProcessResult) -> str:
    """One line that says which step failed first and why."""
    causes = list(_causes(run))
    if not causes:
        return f"run {run.run_id} failed before its first step"
    first, _, _ = causes[0]
    chain = [(kind, message) for step, kind, message in causes if step == first]
    known = (each for each in chain if each[0] in _FITNESS_ERRORS | _INTERRUPTED)
    kind, message = next(known, chain[-1])
    if kind in _INTERRUPTED:
        return f"{first} was interrupted"
    if kind in _FITNESS_ERRORS:
        return f"{first}: {message.partition(': ')[2]}"
    return f"{first}: {message} (see the log of run {run.run_id})"


_INTERRUPTED = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
#: Names of the errors whose message is complete for a user.
_FITNESS_ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FitnessError)
}
