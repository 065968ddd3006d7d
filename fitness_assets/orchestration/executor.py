"""The executor of all jobs: one Python and one JVM a run, alive as long as its lock is held.

A run of a range of months executes its steps for each month, in order, as a run of that month
would: each month has its own checks, data versions and materializations, and one that fails does
not stop the others. The run fails if a month failed.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.tags import RETRY_STRATEGY_TAG

from fitness_assets.memory import without_old_garbage
from fitness_assets.orchestration import liveness
from fitness_assets.orchestration.connections import kept_connections
from fitness_assets.orchestration.failures import first_failure
from fitness_assets.orchestration.instance import prepare_home
from fitness_assets.orchestration.run_tags import FAILURE_TAG, months_of_run, tags_of_month
from fitness_assets.settings import Settings

# Characters of a reason in a list of runs.
_LONGEST_REASON = 200


class _Executor(InProcessExecutor):
    """Dagster's executor for one process, which first takes the lock of the run."""

    def __init__(self, retries: RetryMode, settings: Settings) -> None:
        super().__init__(retries)
        self._settings = settings

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute all steps in this process."""
        liveness.hold_until_exit(plan_context.instance, plan_context.run_id)
        recorded = Path(plan_context.instance.root_directory)
        if recorded.resolve() != self._settings.dagster_home.resolve():
            # So that the value can be used: Dagster does not create the folder.
            home = prepare_home(self._settings)
            plan_context.log.warning(
                f"This run is recorded in {recorded} and not in {home}, where `fitness status` and "
                f"`fitness serve` look for it. Set DAGSTER_HOME={home}"
            )
        with kept_connections(plan_context.instance), without_old_garbage():
            reason = None
            if FAILURE_TAG in plan_context.dagster_run.tags:
                # Of the run that this one retries, whose tags it has.
                _set_reason(plan_context, "")
            for context in _by_month(plan_context):
                for event in super().execute(context, execution_plan):
                    if event.is_step_failure and reason is None:
                        reason = first_failure([event], plan_context.run_id)
                        _set_reason(plan_context, reason)
                    yield event


def _set_reason(context: PlanOrchestrationContext, reason: str) -> None:
    tags = {FAILURE_TAG: textwrap.shorten(reason, _LONGEST_REASON, placeholder="…")}
    context.instance.add_run_tags(context.run_id, tags)


def _by_month(context: PlanOrchestrationContext) -> Iterator[PlanOrchestrationContext]:
    """The context of each month of a run, or that of the run if it has one month or none."""
    run = context.dagster_run
    months = months_of_run(run)
    if len(months) <= 1:
        yield context
        return
    # A step that succeeded for one month may have failed, or not begun, for another.
    context.instance.add_run_tags(run.run_id, {RETRY_STRATEGY_TAG: "ALL_STEPS"})
    for month in months:
        context.log.info(f"{month}, of {months[0]} to {months[-1]}")
        of_month = run.with_tags(tags_of_month(run, month))
        yield PlanOrchestrationContext(
            plan_data=context.plan_data._replace(dagster_run=of_month),
            log_manager=context.log,
            executor=context.executor,
            output_capture=None,
            resume_from_failure=context.resume_from_failure,
        )


def run_executor(settings: Settings) -> dg.ExecutorDefinition:
    """A process for each step would spend seconds on imports."""

    # The name and the config of Dagster's `in_process_executor`: saved run configs stay valid.
    @dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
    def in_process(context: dg.InitExecutorContext) -> _Executor:
        retries = RetryMode.from_config(context.executor_config["retries"])  # type: ignore[arg-type]
        return _Executor(retries or RetryMode.ENABLED, settings)

    return in_process
