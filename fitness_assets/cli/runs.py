"""Materialize months: one Dagster run a month, or three for each of several small months.

With several small months, a second process trains the models of a month while this one reads later
months and releases earlier ones. A run then has the lake of a month, its models, or the rest. With
large months both would need memory for training, or for Spark, at once.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import dagster as dg
import psutil

from fitness_assets import memory
from fitness_assets.cli.month_run import Outcome, Progress, Runner
from fitness_assets.cli.run_queue import MODELS, PlannedMonths, RunQueue, StaleMonths
from fitness_assets.cli.second_process import SecondProcess
from fitness_assets.definitions import MONTHLY, build_defs, ignore_preview_warnings
from fitness_assets.errors import SettingsError
from fitness_assets.orchestration.lineage import LAKE
from fitness_assets.orchestration.liveness import end_dead_runs
from fitness_assets.settings import Settings

#: Assets to materialize, by month.
Plan = Mapping[str, Sequence[dg.AssetKey]]

# Months with models from which a second process saves more time than its start takes.
_FEWEST_MONTHS = 3
# What the second process computes from the lake.
_TRAINED = MODELS | {"person_history"}


class Ran(NamedTuple):
    """What was run.

    Attributes
    ----------
    outcomes : list of Outcome
        One for each month, in order.
    interrupted : bool
        Whether a signal ended it before everything was run.
    peak_memory : int or None
        Peak memory of all processes, with the JVM, in bytes: the sum of each process's own peak,
        an upper bound, since the peaks need not coincide. None where the system does not record it.
    """

    outcomes: list[Outcome]
    interrupted: bool
    peak_memory: int | None


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


def run_months(settings: Settings, plan: Plan, progress: Progress) -> Ran:
    """Materialize the assets of each month of `plan`, in order. A failure stops only its month.

    After SIGINT or SIGTERM no further run starts.

    Parameters
    ----------
    settings : Settings
        The Dagster instance of its home records the runs.
    plan : mapping
        The assets to materialize, by month of the range.
    progress : callable
        Called with month and name of each asset that was stored. It may be called in a thread.
    """
    names = {month: [key.to_user_string() for key in keys] for month, keys in plan.items()}
    return _run(settings, lambda _: PlannedMonths(names), progress)


def run_stale(settings: Settings, progress: Progress, *, missing: bool = True) -> Ran:
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
    return _run(
        settings, lambda runner: StaleMonths(settings, runner.instance, missing=missing), progress
    )


def _run(settings: Settings, queue_of: Callable[[Runner], RunQueue], progress: Progress) -> Ran:
    with _terminated_as_interrupted(), Runner(settings, progress) as runner:
        # Runs that died would hold places in the queue, and no daemon may be running.
        end_dead_runs(runner.instance)
        todo, outcomes, second_peak = queue_of(runner), list[Outcome](), None
        if not settings.has_small_months or todo.months() < _FEWEST_MONTHS:
            interrupted = _run_in_one(runner, todo, outcomes)
        else:
            with SecondProcess(settings, progress) as second:
                interrupted = _run_in_two(runner, second, todo, outcomes)
            second_peak = second.peak
            end_dead_runs(runner.instance)
        children = psutil.Process().children(recursive=True)
        peaks = [memory.peak(), second_peak, *(memory.peak(child.pid) for child in children)]
        if interrupted:
            # A JVM that was still starting does not end with its run.
            for child in children:
                child.kill()
    return Ran(_by_month(outcomes), interrupted, sum(filter(None, peaks)) or None)


def _run_in_one(runner: Runner, todo: RunQueue, outcomes: list[Outcome]) -> bool:
    """Execute one run a month, and append its outcome. Returns whether one was interrupted."""
    while ready := todo.ready({}):
        month = min(ready)
        outcome = runner.run(month, ready[month])
        todo.ended(outcome)
        outcomes.append(outcome)
        if outcome.interrupted:
            return True
    return False


def _run_in_two(
    runner: Runner, second: SecondProcess, todo: RunQueue, outcomes: list[Outcome]
) -> bool:
    """As `_run_in_one`, with the models of each month in the second process."""
    try:
        while (own := _own(second, todo)) or second.submitted:
            # Earlier months first.
            ended = [runner.run(min(own), own[min(own)])] if own else second.ended(wait=True)
            ended += second.ended(wait=False)
            outcomes += ended
            for outcome in ended:
                todo.ended(outcome)
            if any(outcome.interrupted for outcome in ended):
                break
        else:
            return False
    except KeyboardInterrupt:
        # While no run was executed in this process.
        pass
    outcomes += second.interrupt()
    return True


def _own(second: SecondProcess, todo: RunQueue) -> dict[str, list[str]]:
    """The next run of each month in this process; those of models are submitted to the second."""
    own: dict[str, list[str]] = {}
    for month, assets in todo.ready(dict(second.submitted)).items():
        if lake := [asset for asset in assets if asset in LAKE]:
            own[month] = lake
        elif trained := [asset for asset in assets if asset in _TRAINED]:
            second.submit(month, trained)
        else:
            own[month] = list(assets)
    return own


def _by_month(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome a month: what all its runs did."""
    found: dict[str, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.month):
        earlier = found.get(outcome.month)
        if earlier is not None:
            outcome = Outcome(  # noqa: PLW2901 - the runs so far, as one
                month=outcome.month,
                assets=[*earlier.assets, *outcome.assets],
                seconds=earlier.seconds + outcome.seconds,
                error=earlier.error or outcome.error,
                failed=[*earlier.failed, *outcome.failed],
                warnings=[*earlier.warnings, *outcome.warnings],
                interrupted=earlier.interrupted or outcome.interrupted,
            )
        found[outcome.month] = outcome
    return list(found.values())


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt also while no run is executed in this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
