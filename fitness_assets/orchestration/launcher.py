"""Launch runs as Dagster does by default, and see when the process of one has ended.

``dagster.yaml`` names this class. Dagster's own launcher cannot check the processes of its runs, so
that a run whose process was killed would stay started, and would hold its place in the queue.
"""

from contextlib import suppress

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG

from fitness_assets.orchestration import liveness


class LocalRunLauncher(DefaultRunLauncher):
    """A `DefaultRunLauncher` for `run_monitoring`: runs on this machine are checked."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Record the run, then start its process."""
        liveness.record_launch(self._instance, context.dagster_run.run_id)
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Cancel a run: ask its code server, or else interrupt its process.

        No code server knows the runs of `fitness backfill` and `dagster asset materialize`, or
        those of a code server that was killed. Returns whether the run will be canceled.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if GRPC_INFO_TAG in run.tags:
            with suppress(DagsterUserCodeUnreachableError):
                if super().terminate(run_id):  # type: ignore[no-untyped-call]
                    return True
        holder = liveness.holder_of(self._instance, run_id)
        if holder is None or not holder.shares_process_ids():
            where = f"it is {holder}; end it there" if holder else "none is known"
            message = f"The process of this run cannot be interrupted from here: {where}"
            self._instance.report_engine_event(message, run, cls=type(self))
            return False
        if run.status != dg.DagsterRunStatus.CANCELING:
            # Before the process ends: it records a run that was being canceled as canceled.
            self._instance.report_run_canceling(run)
        return liveness.interrupt(holder)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether processes can be checked: yes."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Mark the runs whose process ended, and say whether `run` is one of them.

        A run without a lock file, such as one of another machine, counts as running.
        """
        dead = liveness.is_dead(self._instance, run.run_id)
        # This marks the run with the reason. `run_monitoring` then leaves it alone.
        liveness.end_dead_runs(self._instance)
        if dead:
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process ended")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
