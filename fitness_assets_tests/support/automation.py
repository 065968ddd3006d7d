"""The automation of a home, in this process."""

import dagster as dg

from fitness_assets.definitions import build_defs
from fitness_assets.settings import Settings


class Automation:
    """The work of the sensor and the queue, in this process: evaluate, run the requests, repeat.

    Parameters
    ----------
    settings : Settings
    instance : DagsterInstance
    """

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self._settings = settings
        self._instance = instance

    @property
    def job(self) -> dg.JobDefinition:
        """The job of all assets."""
        return build_defs(self._settings).resolve_implicit_global_asset_job_def()

    def tick(self) -> list[dg.RunRequest]:
        """What the sensor requests now."""
        defs = build_defs(self._settings)
        context = dg.build_sensor_context(
            instance=self._instance, repository_def=defs.get_repository_def()
        )
        tick = defs.resolve_sensor_def("propagate_changes").evaluate_tick(context)
        return list(tick.run_requests or [])

    def run(self, request: dg.RunRequest, settings: Settings | None = None) -> bool:
        """Run `request`; whether it succeeded."""
        defs = build_defs(settings or self._settings)
        job = defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self._instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or []),
            tags=dict(request.tags or {}),
            raise_on_error=False,
        ).success

    def settle(self) -> list[str]:
        """Run until nothing more is requested. Returns the month of each run."""
        runs: list[str] = []
        while requests := self.tick():
            for request in requests:
                assert self.run(request)
                runs.append(request.partition_key or "")
            assert len(runs) < 100, runs
        return runs
