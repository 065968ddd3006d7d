"""Changes of a home in any order, while its daemon requests runs that end in every way."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent

from fitness_assets.errors import QualityError
from fitness_assets.months import between
from fitness_assets.orchestration import liveness
from fitness_assets.orchestration.lineage import INPUTS, SOURCES
from fitness_assets.orchestration.propagation import CHANGE_TAG, MAX_ATTEMPTS, failures
from fitness_assets.orchestration.run_tags import months_of_run
from fitness_assets.orchestration.staleness import Partition, Stored, inputs_of, stale_partitions
from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.storage import publication
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support import daemon
from fitness_assets_tests.support.platform import MakeSettings, materialize

FIRST, LAST, EXTENDED = "2023-04", "2023-06", "2023-07"
#: Seeds of the cohort: the records of a month are those of one of them.
SEEDS = (1, 2, 3)

Versions = dict[Partition, str]


class Home:
    """A home whose months can be restated, each by another seed of the cohort."""

    def __init__(self, make_settings: MakeSettings, home: Path, instance: dg.DagsterInstance):
        self.instance = instance
        self.folder = home
        self.last = LAST
        self.seeds = dict.fromkeys(between(FIRST, LAST), SEEDS[0])
        self._make = make_settings

    def settings(self, month: str | None = None) -> Settings:
        """The settings, with the seed of `month`."""
        return self._make(
            self.folder,
            FITNESS_COHORT_USERS="3",
            FITNESS_COHORT_SEED=str(self.seeds[month] if month else SEEDS[0]),
            FITNESS_LAST_MONTH=self.last,
        )

    def extend(self) -> None:
        """Extend the range by a month, which is not materialized yet."""
        self.last = EXTENDED
        self.seeds.setdefault(EXTENDED, SEEDS[0])

    def materialize(self, month: str, assets: list[str] | None = None) -> None:
        """Run the monthly job, or some of its assets, with the records of the seed of `month`.

        What the source delivers is landed together: the versions of a cohort are not known.
        """
        if assets is not None and "raw_telemetry" in assets:
            assets = [*assets, "workouts"]
        assert materialize(self.settings(month), month, self.instance, assets).success

    def versions(self) -> Versions:
        """The data version of each stored partition."""
        state = read_state(Workspace.of(self.settings()), self.settings().months())
        return {each: stored.version for each, stored in state.items() if each.asset not in SOURCES}


class QuietHomes:
    """Homes in which every month was materialized once, in order. Each is made when first used.

    Those whose first months have the same records share what was made of them.
    """

    def __init__(self, make_settings: MakeSettings, root: Path) -> None:
        self._make_settings = make_settings
        self._root = root

    def folder(self, seeds: tuple[int, ...]) -> Path:
        """The home of the months from `FIRST` with these seeds. Do not write to it."""
        folder = self._root / "-".join(map(str, seeds))
        if not folder.exists():
            staged = folder.with_suffix(".part")
            if len(seeds) > 1:
                shutil.copytree(self.folder(seeds[:-1]), staged)
            with dg.DagsterInstance.ephemeral() as instance:
                home = self._home(staged, seeds, instance)
                home.materialize(list(home.seeds)[-1])
            staged.rename(folder)
        return folder

    def versions(self, seeds: tuple[int, ...]) -> Versions:
        """What such a home stores."""
        with dg.DagsterInstance.ephemeral() as instance:
            return self._home(self.folder(seeds), seeds, instance).versions()

    def _home(self, folder: Path, seeds: tuple[int, ...], instance: dg.DagsterInstance) -> Home:
        home = Home(self._make_settings, folder, instance)
        home.last = between(FIRST, EXTENDED)[len(seeds) - 1]
        home.seeds = dict(zip(between(FIRST, EXTENDED), seeds, strict=False))
        return home


class Interleaving:
    """One sequence of changes, ticks and ends of runs, drawn from a seed.

    Parameters
    ----------
    home : Home
    seed : int

    Attributes
    ----------
    log : list of str
        What happened, for the message of a test that fails.
    changes : int
        How often the records of a month changed.
    """

    def __init__(self, home: Home, seed: int) -> None:
        self.home = home
        self.log: list[str] = []
        self.changes = 0
        self._dice = random.Random(seed)  # noqa: S311
        self._daemon_down = 0
        self._runs: Counter[str] = Counter()
        #: What was stale when a run was requested, by run.
        self._asked: dict[str, set[Partition]] = {}

    def play(self) -> None:
        """Draw and do the steps, then let the daemon work until nothing is requested."""
        steps: list[Callable[[], None]] = [
            self.restate_raw,
            self.restate_through_the_pipeline,
            self.restate_two_months,
            self.extend,
            self.stop_daemon,
            self.cancel_queued,
        ]
        ends: list[Callable[[dg.DagsterRun], None]] = [
            self.succeed,
            self.fail,
            self.interrupt,
            self.kill,
            self.change_during_run,
        ]
        for _ in range(self._dice.randint(4, 10)):
            if self._dice.random() < 0.35:
                self._dice.choice(steps)()
            else:
                self.tick()
                if waiting := daemon.queued(self.home.instance):
                    self._dice.choice(ends)(waiting[0])
        self.settle()

    def restate_raw(self) -> None:
        """Other records of a month, of which only `raw_telemetry` is materialized."""
        self._restate(self._dice.choice(self._months()), ["raw_telemetry"])

    def restate_through_the_pipeline(self) -> None:
        """Other records of a month, which a user takes through every stage."""
        self._restate(self._dice.choice(self._months()), None)

    def restate_two_months(self) -> None:
        """Other records of two months at once."""
        assets = self._dice.choice([None, ["raw_telemetry"]])
        for month in self._dice.sample(self._months(), 2):
            self._restate(month, assets)

    def extend(self) -> None:
        """A month is added to the range; its schedule runs soon or only at the end."""
        self._note("extend")
        self.home.extend()
        if self._dice.random() < 0.5:
            self.run_schedule()

    def run_schedule(self) -> None:
        """The new month is materialized for the first time."""
        self._note("schedule")
        self.home.materialize(EXTENDED)

    def stop_daemon(self) -> None:
        """Nothing is evaluated during the next steps."""
        self._daemon_down = self._dice.randint(1, 4)
        self._note(f"daemon down {self._daemon_down}")

    def tick(self) -> None:
        """The daemon evaluates its sensors, unless it is down."""
        if self._daemon_down:
            self._daemon_down -= 1
            return
        before = len(daemon.queued(self.home.instance))
        liveness.end_dead_runs(self.home.instance)
        daemon.tick(self.home.settings(), self.home.instance)
        requested = daemon.queued(self.home.instance)[before:]
        stale = set(stale_partitions(self._state(), self.home.settings().months()))
        self._asked |= {run.run_id: stale for run in requested}
        self._note(f"tick {[_describe(run) for run in requested]}")

    def cancel_queued(self) -> None:
        """A user cancels a queued run."""
        if waiting := daemon.queued(self.home.instance):
            run = self._dice.choice(waiting)
            self._note(f"cancel queued {_describe(run)}")
            self.home.instance.report_run_canceled(run)

    def succeed(self, run: dg.DagsterRun) -> None:
        """The run succeeds. Each asset was stale when requested, or reads what has changed."""
        before = self._state()
        self._note(f"run {_describe(run)}")
        assert self._execute(run) == dg.DagsterRunStatus.SUCCESS, self.log
        after = self._state()
        (month,) = months_of_run(run)
        self._runs[month] += 1
        chosen = {key.to_user_string() for key in run.asset_selection or ()}
        asked = set(self._asked[run.run_id])
        for partition in (Partition(asset, month) for asset in INPUTS if asset in chosen):
            inputs = {each for each in inputs_of(partition) if each.asset in chosen}
            # The content of an input that was asked for may come out unchanged.
            if partition in before and partition not in asked and not inputs & asked:
                assert before[partition].inputs != after[partition].inputs, (partition, self.log)
            asked.add(partition)

    def fail(self, run: dg.DagsterRun) -> None:
        """A step raises an error, unless the run would not be requested again then."""
        if len(failures(self.home.instance, run.tags[CHANGE_TAG])) >= MAX_ATTEMPTS - 1:
            self.succeed(run)
            return

        def refuse() -> NoReturn:
            raise QualityError("refused by the test")

        self._at_a_crash_point(run, "fail", refuse)

    def interrupt(self, run: dg.DagsterRun) -> None:
        """The run is canceled while it works."""

        def interrupt() -> NoReturn:
            self.home.instance.report_run_canceling(run)
            raise DagsterExecutionInterruptedError

        self._at_a_crash_point(run, "cancel", interrupt)

    def kill(self, run: dg.DagsterRun) -> None:
        """The process of the run is killed; sooner or later its run is marked."""
        events = self._dice.randint(1, 8 * len(run.asset_selection or ()))
        counted = iter(range(events))
        self._note(f"kill {_describe(run)} at event {events}")
        self._execute(run, lambda _: next(counted, None) is None)

    def change_during_run(self, run: dg.DagsterRun) -> None:
        """Other records of a month are stored while the run works."""
        month = self._dice.choice(self._months())
        self._at_a_crash_point(
            run, "change during", lambda: self._restate(month, ["raw_telemetry"])
        )

    def settle(self) -> None:
        """Let the daemon and the queue work until nothing is requested."""
        if self.home.last == EXTENDED and Partition("drive_upload", EXTENDED) not in self._state():
            self.run_schedule()
        self._daemon_down = 0
        self._note("settle")
        while waiting := daemon.queued(self.home.instance):
            self.succeed(waiting[0])
        before = self._runs.copy()
        for _ in range(30):
            self.tick()
            waiting = daemon.queued(self.home.instance)
            if not waiting:
                break
            for run in waiting:
                self.succeed(run)
        else:
            pytest.fail(f"the daemon still requests runs: {self.log}")
        assert max((self._runs - before).values(), default=0) <= 2, self.log
        assert max(self._runs.values(), default=0) <= 2 * self.changes, self.log

    def _months(self) -> list[str]:
        """The months that are materialized."""
        return sorted({each.month for each in self.home.versions()})

    def _state(self) -> dict[Partition, Stored]:
        settings = self.home.settings()
        return read_state(Workspace.of(settings), settings.months())

    def _restate(self, month: str, assets: list[str] | None) -> None:
        self.home.seeds[month] = self._dice.choice(SEEDS)
        self._note(f"restate {month} as {self.home.seeds[month]}, {assets or 'all'}")
        self.changes += 1
        self.home.materialize(month, assets)

    def _execute(
        self, run: dg.DagsterRun, is_killed: Callable[[DagsterEvent], bool] = lambda _: False
    ) -> dg.DagsterRunStatus:
        (month,) = months_of_run(run)
        return daemon.execute(self.home.settings(month), self.home.instance, run, is_killed)

    def _at_a_crash_point(self, run: dg.DagsterRun, what: str, act: Callable[[], None]) -> None:
        """Execute a run, and call `act` once when it has stored some of what it stores."""
        number = self._dice.randint(0, 5 * len(run.asset_selection or ()))
        self._note(f"{what} at point {number} of {_describe(run)}")
        with pytest.MonkeyPatch.context() as patch:
            points = iter(range(number))

            def reached(_: object) -> None:
                if next(points, None) is None:
                    patch.undo()
                    act()

            patch.setattr(publication, "reached", reached)
            self._note(f"ended as {self._execute(run).value}")

    def _note(self, line: str) -> None:
        self.log.append(line)


def _describe(run: dg.DagsterRun) -> str:
    assets = [key.to_user_string() for key in run.asset_selection or ()]
    return f"{', '.join(months_of_run(run))} {'+'.join(sorted(assets))}"
