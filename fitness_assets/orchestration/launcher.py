"""Launch runs as Dagster does by default, and see when the process of one has ended.

``dagster.yaml`` names this class. Dagster's own launcher cannot check the processes of its runs, so
that a run whose process was killed would stay started, and would hold its place in the queue.
"""

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from fitness_assets.orchestration import liveness


class LocalRunLauncher(DefaultRunLauncher):
    """A `DefaultRunLauncher` for `run_monitoring`: runs on this machine are checked."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Record the run, then start its process."""
        liveness.record_launch(self._instance, context.dagster_run.run_id)
        super().launch_run(context)

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
