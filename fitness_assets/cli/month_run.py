"""Execute the run of one month in this process, and say how it ended."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import dagster as dg

from fitness_assets.definitions import MONTHLY_JOB, build_defs
from fitness_assets.memory import without_old_garbage
from fitness_assets.orchestration.connections import kept_connections
from fitness_assets.orchestration.failures import first_failure, was_interrupted
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.liveness import holding
from fitness_assets.settings import Settings

#: Called with the month and the asset that was just stored.
Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    assets : list of str
        The assets of the run.
    error : str or None
        None if it succeeded, else one line that says which asset failed and why.
    failed : list of str
        The assets that were not stored, or that failed a blocking check.
    warnings : list of str
        A line for each check that failed and is not blocking.
    interrupted : bool
        Whether a signal ended it.
    """

    month: str
    assets: list[str]
    seconds: float
    error: str | None
    failed: list[str]
    warnings: list[str]
    interrupted: bool


class Runner:
    """Executes runs, one after another, with one set of definitions and open connections.

    Attributes
    ----------
    instance : DagsterInstance
        That of the home. It records the runs.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._stack = ExitStack()
        self.instance = self._stack.enter_context(open_instance(settings))
        self._stack.enter_context(kept_connections(self.instance))
        self._stack.enter_context(without_old_garbage())
        # A sensor and the commands themselves evaluate whether the last month is on time.
        loggers = {"console": _progress_logger(progress)}
        self._defs = build_defs(settings, loggers=loggers, on_time=False)
        self._monthly = self._defs.resolve_job_def(MONTHLY_JOB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, month: str, assets: Sequence[str]) -> Outcome:
        """Materialize `assets` of a month in one run."""
        began, run_id = time.monotonic(), str(uuid.uuid4())
        keys = [dg.AssetKey(asset) for asset in assets]
        # Dagster lists a run under its job. Assets on request are in no job but that of all.
        is_monthly = set(self._monthly.asset_layer.executable_asset_keys).issuperset(keys)
        job = self._monthly if is_monthly else self._defs.resolve_implicit_global_asset_job_def()
        with holding(self.instance, run_id):
            run = job.execute_in_process(
                instance=self.instance,
                run_id=run_id,
                partition_key=month,
                asset_selection=keys,
                run_config={"loggers": {"console": {}}},
                raise_on_error=False,
            )
        return Outcome(
            month=month,
            assets=list(assets),
            seconds=time.monotonic() - began,
            error=None if run.success else first_failure(run.all_events, run.run_id),
            failed=[] if run.success else _failed(run, assets),
            warnings=_warnings(run),
            interrupted=was_interrupted(run.all_events),
        )


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


def _failed(run: dg.ExecuteInProcessResult, assets: Sequence[str]) -> list[str]:
    events = run.get_asset_materialization_events()
    stored = {event.asset_key.to_user_string() for event in events if event.asset_key}
    blocked = {
        check.asset_key.to_user_string()
        for check in run.get_asset_check_evaluations()
        if check.blocking and not check.passed
    }
    return [asset for asset in assets if asset not in stored or asset in blocked]


def _warnings(run: dg.ExecuteInProcessResult) -> list[str]:
    return [
        f"{check.asset_key.to_user_string()}: {check.check_name}: {check.description}"
        for check in run.get_asset_check_evaluations()
        if not check.passed and not check.blocking
    ]
