"""Staleness by content: missed, interrupted and repeated runs end as one undisturbed rebuild."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable

import pytest

from fitness_assets.orchestration.lineage import INPUTS, SOURCE
from fitness_assets.orchestration.staleness import (
    Partition,
    State,
    Stored,
    inputs_of,
    plan,
    stale_partitions,
)

MONTHS = [f"2023-{month:02}" for month in range(1, 9)]
ASSETS = [asset for asset in INPUTS if asset != "compression_report"]


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


class Home:
    """A home whose assets are hashes of their inputs, with runs that can be interrupted."""

    def __init__(self, months: Iterable[str]) -> None:
        self.months = list(months)
        self.stored: dict[Partition, Stored] = {}
        self.materialized: Counter[Partition] = Counter()
        self.runs: Counter[str] = Counter()
        for month in self.months:
            self.restate(month, 0)
        for month in self.months:
            self.run(month, ASSETS)
        self.materialized.clear()
        self.runs.clear()

    def restate(self, month: str, records: int) -> None:
        self.stored[Partition(SOURCE, month)] = Stored(digest(month, records), {})

    def read(self, partition: Partition) -> dict[Partition, str]:
        return {
            each: self.stored[each].version for each in inputs_of(partition) if each in self.stored
        }

    def publish(self, partition: Partition, inputs: dict[Partition, str]) -> None:
        versions = sorted(inputs.items())
        if partition.asset == "daily_activity":
            # Cleaned records are the same for two of three raw records.
            versions = [(each, str(int(version, 16) % 3)) for each, version in versions]
        self.stored[partition] = Stored(digest(partition, versions), inputs)
        self.materialized[partition] += 1

    def run(self, month: str, assets: Iterable[str], until: int | None = None) -> None:
        self.runs[month] += 1
        for asset in list(assets)[:until]:
            partition = Partition(asset, month)
            self.publish(partition, self.read(partition))

    def settle(self) -> None:
        while ready := plan(self.stored, self.months).ready:
            month = min(ready)
            self.run(month, ready[month])

    def versions(self) -> dict[Partition, str]:
        return {each: stored.version for each, stored in self.stored.items()}


def rebuilt(home: Home) -> dict[Partition, str]:
    """The versions in a new home with everything materialized from the same source."""
    quiet = Home(home.months)
    for month in home.months:
        source = Partition(SOURCE, month)
        quiet.stored[source] = home.stored[source]
    for month in home.months:
        quiet.run(month, ASSETS)
    return quiet.versions()


def test_nothing_is_stale_after_a_quiet_run() -> None:
    home = Home(MONTHS)
    assert plan(home.stored, MONTHS).ready == {}
    assert stale_partitions(home.stored, MONTHS) == {}


def test_the_same_content_again_makes_nothing_stale() -> None:
    home = Home(MONTHS)
    home.restate("2023-03", 0)
    home.run("2023-03", ["raw_telemetry", "daily_activity"])
    assert stale_partitions(home.stored, MONTHS) == {}


def test_a_change_in_the_latest_month_runs_that_month_alone() -> None:
    home = Home(MONTHS)
    home.restate(MONTHS[-1], 1)
    home.settle()
    assert set(home.runs) == {MONTHS[-1]}
    assert home.versions() == rebuilt(home)


@pytest.mark.parametrize("seed", range(200))
def test_every_interleaving_ends_as_a_quiet_rebuild(seed: int) -> None:
    """Changes, runs that stop half-way, and the months of others, in any order."""
    dice = random.Random(seed)  # noqa: S311
    home = Home(MONTHS)
    for step in range(dice.randint(1, 12)):
        ready = plan(home.stored, MONTHS).ready
        match dice.choice(["restate", "pipeline", "tick", "killed", "changed while it runs"]):
            case "restate":
                home.restate(dice.choice(MONTHS), dice.randint(0, step + 1))
            case "pipeline":
                month = dice.choice(MONTHS)
                home.restate(month, dice.randint(0, step + 1))
                home.run(month, ASSETS)
            case "tick" if ready:
                month = dice.choice(list(ready))
                home.run(month, ready[month])
            case "killed" if ready:
                month = dice.choice(list(ready))
                home.run(month, ready[month], until=dice.randint(0, len(ready[month]) - 1))
            case "changed while it runs" if ready:
                month = dice.choice(list(ready))
                partition = Partition(ready[month][0], month)
                before = home.read(partition)
                home.restate(month, 100 + step)
                home.run(month, ["raw_telemetry"])
                home.publish(partition, before)
    home.settle()
    assert stale_partitions(home.stored, MONTHS) == {}
    assert home.versions() == rebuilt(home)


@pytest.mark.parametrize("seed", range(50))
def test_one_change_runs_no_month_more_than_twice_and_nothing_unasked(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    home = Home(MONTHS)
    before = home.versions()
    for month in dice.sample(MONTHS, dice.randint(1, 3)):
        home.restate(month, 1 + seed)
    home.settle()
    after = home.versions()
    assert max(home.runs.values()) <= 2
    assert set(home.materialized.values()) == {1}
    for partition in home.materialized:
        assert any(before.get(each) != after.get(each) for each in inputs_of(partition)), partition


def test_what_is_being_materialized_is_not_requested_and_holds_up_what_reads_it() -> None:
    home = Home(MONTHS)
    home.restate("2023-02", 1)
    home.run("2023-02", ["raw_telemetry"])
    busy = [Partition("daily_activity", "2023-02")]
    assert plan(home.stored, MONTHS, busy=busy).ready == {"2023-03": ["daily_activity"]}


def test_the_reason_names_what_changed() -> None:
    home = Home(MONTHS)
    home.restate("2023-02", 1)
    assert stale_partitions(home.stored, MONTHS) == {
        Partition("raw_telemetry", "2023-02"): "source/2023-02 changed"
    }


def test_what_has_a_problem_is_stale() -> None:
    home = Home(MONTHS[:1])
    raw = Partition("raw_telemetry", MONTHS[0])
    problem = "its inputs were not recorded"
    state: State = home.stored | {raw: Stored(home.stored[raw].version, {}, problem)}
    assert stale_partitions(state, MONTHS) == {raw: problem}


def test_what_else_a_partition_was_made_from_counts_as_well() -> None:
    """As a fallback model does, which no window names."""
    home = Home(MONTHS)
    release = Partition("dashboard_release", "2023-05")
    fallback = Partition("calorie_regressor", "2023-02")
    inputs = home.read(release) | {fallback: home.stored[fallback].version}
    home.publish(release, inputs)
    home.run("2023-05", ["drive_upload"])
    assert stale_partitions(home.stored, MONTHS) == {}
    home.stored[fallback] = Stored("other", home.stored[fallback].inputs)
    assert list(stale_partitions(home.stored, MONTHS))[-1] == release


def test_a_wanted_month_that_is_missing_is_materialized_in_one_run() -> None:
    home = Home(MONTHS)
    for asset in ASSETS:
        del home.stored[Partition(asset, MONTHS[-1])]
    wanted = [Partition(asset, MONTHS[-1]) for asset in ASSETS]
    assert plan(home.stored, MONTHS).ready == {}
    assert plan(home.stored, MONTHS, wanted=wanted).ready == {MONTHS[-1]: ASSETS}


def test_what_was_not_reached_of_a_wanted_month_is_materialized() -> None:
    home = Home(MONTHS)
    release, upload = (Partition(each, MONTHS[-1]) for each in ASSETS[-2:])
    del home.stored[release], home.stored[upload]
    assert plan(home.stored, MONTHS, wanted=[release, upload]).ready == {MONTHS[-1]: ASSETS[-2:]}


def test_months_outside_the_range_are_taken_as_they_are() -> None:
    home = Home(MONTHS)
    home.restate(MONTHS[0], 1)
    assert plan(home.stored, MONTHS[1:]).ready == {}
