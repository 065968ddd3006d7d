"""Which assets are stale, in which months and why: a pure function of what is stored.

The answer does not depend on runs and events. After a missed tick or a failed run the next
evaluation requests the same months again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from fitness_assets.orchestration.lineage import INPUTS, LAKE, SOURCES, SUMMARIES_ONLY


class Partition(NamedTuple):
    """One asset in one month."""

    asset: str
    month: str

    def __str__(self) -> str:
        return f"{self.asset}/{self.month}"

    @classmethod
    def parse(cls, text: str) -> "Partition":
        """The partition that `str` wrote."""
        asset, _, month = text.rpartition("/")
        return cls(asset, month)


@dataclass(frozen=True)
class Stored:
    """What a store holds of one partition.

    Attributes
    ----------
    version : str
        Data version of the content.
    inputs : mapping
        Data versions of the partitions that it was materialized from.
    problem : str or None
        Why it must be rematerialized even if its inputs did not change.
    summaries_only : bool
        Whether it read only the windows of `lineage.SUMMARIES_ONLY`.
    """

    version: str
    inputs: Mapping[Partition, str]
    problem: str | None = None
    summaries_only: bool = False


#: What is stored, by partition. Partitions that were never materialized are absent.
State = Mapping[Partition, Stored]


@dataclass(frozen=True)
class Plan:
    """What is stale, and what can be rematerialized now.

    Attributes
    ----------
    stale : dict of Partition to str
        The reason, by partition, upstream assets and earlier months first.
    affected : list of Partition
        What is stale or missing, and what is downstream of it, in the same order.
    ready : dict of str to list of str
        By month, the assets that one run can rematerialize now, upstream assets first: their
        inputs are final, or are rematerialized by the same run.
    """

    stale: dict[Partition, str]
    affected: list[Partition]
    ready: dict[str, list[str]]


def inputs_of(partition: Partition, *, summaries_only: bool = False) -> list[Partition]:
    """The partitions that `partition` reads, whether they are stored or not.

    Parameters
    ----------
    partition : Partition
    summaries_only : bool
        Whether it reads only the windows of `lineage.SUMMARIES_ONLY`.
    """
    windows = SUMMARIES_ONLY if summaries_only else INPUTS
    return [
        Partition(asset, month)
        for asset, window in windows[partition.asset].items()
        for month in window.of(partition.month)
    ]


def changed_settings(recorded: Mapping[str, str], current: Mapping[str, str]) -> str | None:
    """Why content that was made with the settings `recorded` is stale; None if it is not.

    Parameters
    ----------
    recorded, current : mapping
        Value of each setting that the content depends on, by name. Which settings these are may
        depend on the values of others.
    """
    changed = [
        f"{name} was {recorded[name]} and is now {value}"
        for name, value in sorted(current.items())
        if name in recorded and recorded[name] != value
    ]
    if not changed and (missing := sorted(current.keys() - recorded.keys())):
        return f"no value of {', '.join(missing)} was recorded"
    return "; ".join(changed) or None


def stale_partitions(state: State, months: Collection[str]) -> dict[Partition, str]:
    """The stored partitions of `months` whose inputs are not those that are stored now, and why.

    A partition that was never materialized is missing, not stale.
    """
    return {
        partition: reason
        for partition in sorted(state, key=_order)
        if partition.asset not in SOURCES
        and partition.month in months
        and (reason := _reason(partition, state)) is not None
    }


def plan(
    state: State,
    months: Collection[str],
    *,
    wanted: Collection[Partition] = (),
    busy: Collection[Partition] = (),
) -> Plan:
    """What is stale, and which of it can be rematerialized now.

    An asset waits while an input is stale, is being materialized, or depends on such an input: it
    would be materialized twice. Assets downstream of a stale one join its run where their content
    is certain to change with it. The content of `daily_activity` and of `workouts` may come out
    unchanged, so that a run ends there, and what depends on it is requested once its content is
    known.

    Parameters
    ----------
    state : mapping
    months : collection of str
        The range. What is stored of other months is taken as it is.
    wanted : collection of Partition
        Materialized as well if they are missing.
    busy : collection of Partition
        Those that a run is materializing, or is queued to materialize.
    """
    stale = stale_partitions(state, months)
    missing = {each for each in wanted if each not in state and each.month in months}
    unsettled = set(busy)
    affected: list[Partition] = []
    joined: set[Partition] = set()
    stages: dict[tuple[str, bool], list[Partition]] = {}
    present = {each for each in state if each.asset not in SOURCES and each.month in months}
    for partition in sorted(present | missing, key=_order):
        changing = _edges(partition, state) & unsettled
        if partition not in stale and partition not in missing and not changing:
            continue
        unsettled.add(partition)
        affected.append(partition)
        stage = partition.month, partition.asset in LAKE
        stages.setdefault(stage, []).append(partition)
        if partition not in busy and all(
            each in joined
            and each.month == partition.month
            and (each.asset in _CERTAIN or each in missing)
            for each in changing
        ):
            joined.add(partition)
    # The lake of a month, then all that is made from it: one change runs no month more than twice.
    ready: dict[str, list[str]] = {}
    for (month, _), partitions in sorted(stages.items(), key=lambda stage: stage[0][0]):
        if joined.issuperset(partitions):
            ready.setdefault(month, []).extend(each.asset for each in partitions)
    by_order = {month: sorted(assets, key=_PLACE.__getitem__) for month, assets in ready.items()}
    return Plan(stale, affected, by_order)


#: Assets whose content names their inputs, so that it changes whenever one of these does. A
#: backtest or a release may come out unchanged if only the month before changed; what joined its
#: run then stores what it had.
_CERTAIN = frozenset(INPUTS) - {"daily_activity", "workouts"}
_PLACE = {asset: place for place, asset in enumerate((*SOURCES, *INPUTS))}


def _order(partition: Partition) -> tuple[int, str]:
    """Upstream assets first, and of one asset the earlier months."""
    return _PLACE[partition.asset], partition.month


def _edges(partition: Partition, state: State) -> frozenset[Partition]:
    """What `partition` reads, and what else it was made from, such as a fallback model."""
    stored = state.get(partition)
    if stored is None:
        return _reads(partition, summaries_only=False)
    return _reads(partition, summaries_only=stored.summaries_only).union(stored.inputs)


# An import of years asks after each of its months.
@lru_cache(maxsize=4096)
def _reads(partition: Partition, *, summaries_only: bool) -> frozenset[Partition]:
    return frozenset(inputs_of(partition, summaries_only=summaries_only))


def _reason(partition: Partition, state: State) -> str | None:
    stored = state[partition]
    if stored.problem is not None:
        return stored.problem
    recorded = stored.inputs
    added, changed = [], []
    for each in sorted(each for each in _edges(partition, state) if each in state):
        if each not in recorded:
            added.append(str(each))
        elif recorded[each] != state[each].version:
            changed.append(str(each))
    removed = [str(each) for each in sorted(recorded) if each not in state]
    parts = [
        f"{', '.join(names)} {change}"
        for names, change in ((changed, "changed"), (added, "added"), (removed, "removed"))
        if names
    ]
    return "; ".join(parts) or None
