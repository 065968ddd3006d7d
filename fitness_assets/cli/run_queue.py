"""What a command has yet to materialize, and which of it one run can materialize now."""

from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from fitness_assets.cli.month_run import Outcome
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.orchestration.lineage import INPUTS
from fitness_assets.orchestration.propagation import current_plan
from fitness_assets.orchestration.staleness import Partition, Plan, inputs_of
from fitness_assets.orchestration.state import read_state, with_month
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace

MODELS = frozenset(MODEL_NAMES)


class PlannedMonths:
    """The assets of a plan. If one fails, what reads it in the same month is left out."""

    def __init__(self, plan: Mapping[str, Sequence[str]]) -> None:
        self._left = {month: list(assets) for month, assets in sorted(plan.items())}

    def months(self) -> int:
        """Return how many months have models to train."""
        return sum(not MODELS.isdisjoint(assets) for assets in self._left.values())

    def ready(self, running: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
        """Return, by month, the assets that one run can materialize now.

        The inputs of each are final, or are materialized by the same run.

        Parameters
        ----------
        running : mapping
            What another process is materializing, by month. Of these months nothing is ready.
        """
        pending = {Partition(asset, month) for month in self._left for asset in self._left[month]}
        found: dict[str, list[str]] = {}
        for month, assets in self._left.items():
            batch: list[str] = []
            for asset in assets:
                waits_for = pending.intersection(inputs_of(Partition(asset, month)))
                if waits_for <= {Partition(other, month) for other in batch}:
                    batch.append(asset)
            if batch and month not in running:
                found[month] = batch
        return found

    def ended(self, outcome: Outcome) -> None:
        """Record how a run ended."""
        without = set(outcome.failed)
        left = []
        for asset in self._left[outcome.month]:
            if not without.isdisjoint(INPUTS[asset]):
                without.add(asset)
            if asset not in without and asset not in outcome.assets:
                left.append(asset)
        self._left[outcome.month] = left


class StaleMonths:
    """What is stale or missing, as stored. If an asset fails, what reads it waits."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, *, missing: bool) -> None:
        self._settings, self._instance, self._missing = settings, instance, missing
        self._workspace, self._failed = Workspace.of(settings), set[Partition]()
        self._state, self._is_current = read_state(self._workspace, settings.months()), True

    def months(self) -> int:
        """As of `PlannedMonths`."""
        found = self._plan({})
        return len({each.month for each in found.affected if each.asset in MODELS})

    def ready(self, running: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
        """As of `PlannedMonths`."""
        found = self._plan(running)
        if not found.ready and not running and not self._is_current:
            # Other processes may have stored something since.
            self._state = read_state(self._workspace, self._settings.months())
            self._is_current = True
            found = self._plan(running)
        return {month: assets for month, assets in found.ready.items() if month not in running}

    def ended(self, outcome: Outcome) -> None:
        """As of `PlannedMonths`."""
        # Reading every month again after each would take longer than a small month.
        self._state = with_month(self._state, self._workspace, outcome.month)
        self._is_current = False
        self._failed.update(Partition(asset, outcome.month) for asset in outcome.failed)

    def _plan(self, running: Mapping[str, Collection[str]]) -> Plan:
        busy = {Partition(asset, month) for month, assets in running.items() for asset in assets}
        return current_plan(
            self._settings,
            self._instance,
            self._failed | busy,
            missing=self._missing,
            state=self._state,
        )


RunQueue = PlannedMonths | StaleMonths
