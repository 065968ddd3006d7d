"""Drive months through the pipeline in one process: one Python, one JVM, a real run a month."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import psutil

from fitness_assets import errors, memory
from fitness_assets.definitions import MONTHLY, build_defs, known_unstable
from fitness_assets.errors import FitnessError, SettingsError
from fitness_assets.months import shift, trailing
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.partitions import TRAILING_WINDOW
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

#: Called with the month and the asset that was just stored for it.
Progress = Callable[[str, str], None]
#: Assets to materialize, by month.
Plan = Mapping[str, Sequence[dg.AssetKey]]


@dataclass(frozen=True)
class Outcome:
    """How one month's run ended.

    Attributes
    ----------
    error : str or None
        None if it succeeded, else one line that says which asset failed and why.
    warnings : list of str
        A line for each check that did not pass and does not block.
    interrupted : bool
        Whether a signal ended it.
    """

    month: str
    run_id: str
    seconds: float
    error: str | None
    warnings: list[str]
    interrupted: bool


def select(settings: Settings, selection: str | None) -> list[dg.AssetKey]:
    """The assets that `selection`, in Dagster's selection syntax, names.

    None names those of the monthly job.

    Raises
    ------
    SettingsError
        If the selection cannot be understood or names nothing.
    """
    graph = build_defs(settings).resolve_asset_graph()
    try:
        with known_unstable():
            named = dg.AssetSelection.from_string(selection) if selection else MONTHLY
            chosen = named.resolve(graph)
    except dg.DagsterError as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"--select {selection!r} is not a selection: {reason}") from error
    if not chosen:
        known = ", ".join(sorted(key.to_user_string() for key in graph.get_all_asset_keys()))
        raise SettingsError(f"--select {selection!r} names no asset; there are {known}")
    return [key for key in graph.toposorted_asset_keys if key in chosen]


def reached(settings: Settings, changed: Collection[str]) -> Plan:
    """What is to be made anew once the records of the months `changed` are other than before.

    Those months, every stage of them; and of what was made before, the month after each, whose
    baselines reach into it, and the months whose windows hold either.
    """
    workspace = Workspace.of(settings)
    graph = build_defs(settings).resolve_asset_graph()
    days = dg.AssetSelection.assets("daily_activity")
    backtest = dg.AssetSelection.assets("model_backtest")
    lake = {*changed, *(shift(month, 1) for month in changed)}
    plan = {}
    with known_unstable():
        for month in settings.months():
            again: dg.AssetSelection
            if month in changed:
                again = MONTHLY
            elif workspace.daily.manifest(month) is None:
                continue
            elif month in lake:
                again = MONTHLY & days.downstream()
            elif lake.intersection(trailing(month, TRAILING_WINDOW)):
                again = MONTHLY & days.downstream(include_self=False)
            elif lake.intersection(trailing(shift(month, -1), TRAILING_WINDOW)):
                # It scores the models of the month before.
                again = MONTHLY & backtest.downstream()
            else:
                continue
            chosen = again.resolve(graph)
            plan[month] = [key for key in graph.toposorted_asset_keys if key in chosen]
    return plan


def run_months(settings: Settings, plan: Plan, progress: Progress) -> list[Outcome]:
    """Materialize the assets of each month of `plan`, in order; a failure stays in its month.

    After SIGINT or SIGTERM no further month is begun.

    Parameters
    ----------
    settings : Settings
        Their instance records the runs.
    plan : mapping
        The assets to materialize, by month of the range.
    progress : callable
        Told of each asset as it is stored: its month and its name.
    """
    defs = build_defs(settings, loggers={"console": _progress_logger(progress)})
    job = defs.resolve_implicit_global_asset_job_def()
    outcomes = []
    with open_instance(settings) as instance:
        for month, assets in sorted(plan.items()):
            began = time.monotonic()
            run = job.execute_in_process(
                instance=instance,
                partition_key=month,
                asset_selection=assets,
                run_config={"loggers": {"console": {}}},
                raise_on_error=False,
            )
            seconds = time.monotonic() - began
            interrupted = any(kind in _INTERRUPTED for _, kind, _ in _causes(run))
            error = None if run.success else _failure(run)
            outcomes.append(Outcome(month, run.run_id, seconds, error, _warnings(run), interrupted))
            if interrupted:
                # A JVM that was being started does not end by itself.
                for child in psutil.Process().children(recursive=True):
                    child.kill()
                break
    return outcomes


def peak_memory() -> int | None:
    """Bytes that this process and its children (the JVM) held at most, each at its own peak.

    The sum is an upper bound, since the peaks need not have been at the same time. None where the
    system does not keep the figure.
    """
    own = memory.peak()
    if own is None:
        return None
    children = psutil.Process().children(recursive=True)
    return own + sum(memory.peak(child.pid) or 0 for child in children)


def _progress_logger(progress: Progress) -> dg.LoggerDefinition:
    """A logger that prints nothing and reports each materialization."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "dagster_event", None)
            if event is not None and event.is_step_materialization:
                progress(event.partition, event.asset_key.to_user_string())

    def make(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("fitness_assets.cli.backfill")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.handlers = [Handler()]
        return logger

    return dg.LoggerDefinition(make)


def _warnings(run: dg.ExecuteInProcessResult) -> list[str]:
    return [
        f"{check.check_name}: {check.description}"
        for check in run.get_asset_check_evaluations()
        if not check.passed and not check.blocking
    ]


def _causes(run: dg.ExecuteInProcessResult) -> Iterator[tuple[str, str, str]]:
    """What failed, and class and message of each error of its chain, the outermost first."""
    for event in run.all_events:
        if event.is_step_failure:
            failed, error = str(event.step_key), event.step_failure_data.error
        elif event.is_job_failure:
            failed, error = "the run", event.job_failure_data.error
        else:
            continue
        while error is not None:
            yield failed, str(error.cls_name), " ".join(error.message.split())
            error = error.cause


def _failure(run: dg.ExecuteInProcessResult) -> str:
    causes = list(_causes(run))
    if not causes:
        return f"run {run.run_id} failed before its first step"
    first, _, _ = causes[0]
    chain = [(kind, message) for failed, kind, message in causes if failed == first]
    telling = (each for each in chain if each[0] in _OURS | _INTERRUPTED)
    kind, message = next(telling, chain[-1])
    if kind in _INTERRUPTED:
        return f"{first} was interrupted"
    if kind in _OURS:
        return f"{first}: {message.partition(': ')[2]}"
    return f"{first}: {message} (the log of run {run.run_id} has it all)"


_INTERRUPTED = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
_OURS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FitnessError)
}
