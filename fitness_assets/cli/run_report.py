"""What the commands print: how each run ended, and one metric of each asset."""

import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import click
from rich.console import Console
from rich.table import Table

from fitness_assets.cli.inventory import (
    HEADLINES,
    Inventory,
    MonthStatus,
    partial_months,
    take_inventory,
)
from fitness_assets.cli.month_run import Outcome, Progress
from fitness_assets.cli.ownership import is_served
from fitness_assets.cli.progress import steps_bar
from fitness_assets.cli.runs import Plan, Ran, run_months, run_stale
from fitness_assets.cli.terminal import cell, say
from fitness_assets.formatting import joined, number, plural, seconds, size
from fitness_assets.months import spans, text_until
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.lineage import ON_DEMAND
from fitness_assets.orchestration.propagation import current_plan, unrequested_months
from fitness_assets.orchestration.state import OLDER_VERSION
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 200
#: Width of the columns asset and metric, and of the column of a month, in characters.
_NAMES_WIDTH, _MONTH_WIDTH = 50, 13
#: Runs whose outcome is printed in full.
_OUTCOMES = 12
#: The state of a month in which nothing is missing or stale.
_COMPLETE = "complete"
_NOTHING = "not materialized"


def run_and_report(settings: Settings, plan: Plan) -> None:
    """Run `plan`, then print how each month ended and the headline metrics of its assets.

    Raises
    ------
    click.Abort
        If a signal interrupted a run (exit status 130).
    click.exceptions.Exit
        If a month failed (exit status 1).
    """
    total = sum(map(len, plan.values()))
    _report(settings, partial(run_months, settings, plan), sorted(plan), total)


def run_stale_and_report(settings: Settings, *, missing: bool = True) -> None:
    """Rematerialize what is stale, and report and raise as `run_and_report` does.

    `missing` is that of `run_stale`.
    """
    with open_instance(settings) as instance:
        found = current_plan(settings, instance, missing=missing)
    if not found.affected:
        say("nothing is stale")
        return
    months = sorted({each.month for each in found.affected})
    _report(settings, partial(run_stale, settings, missing=missing), months, len(found.affected))


def _report(
    settings: Settings, run: Callable[[Progress], Ran], months: Sequence[str], total: int
) -> None:
    """Run the `total` assets of `months`, and print how it went."""
    began = time.monotonic()
    with steps_bar() as bar:
        task = bar.add_task(f"{months[0]} starting", total=total)

        def progress(month: str, asset: str) -> None:
            bar.update(task, advance=1, description=f"{month} {asset:<20}")

        outcomes, interrupted, peak = run(progress)
    if interrupted and not outcomes:
        raise click.Abort
    if not outcomes:
        say("every stale month is being materialized by another run")
        return
    _print_outcomes(outcomes)
    materialized = {asset for outcome in outcomes for asset in outcome.assets}
    inventory = take_inventory(settings, months)
    print_inventory({name: cells for name, cells in inventory.items() if name in materialized})
    print_partial(settings, months)
    ended = {outcome.month for outcome in outcomes}
    failed = {outcome.month for outcome in outcomes if outcome.error is not None}
    say(
        f"{len(ended - failed)} of {len(months)} months in {seconds(time.monotonic() - began)}"
        + (f", peak memory {size(peak)} with the JVM" if peak else "")
    )
    if interrupted:
        raise click.Abort
    print_hint(settings, failed)
    if failed:
        raise click.exceptions.Exit(1)


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print how each run ended; of many runs, only the newest and those that failed."""
    earlier = [each for each in outcomes[:-_OUTCOMES] if each.error is None]
    if earlier:
        say(
            f"{spans({each.month for each in earlier})}  ok  "
            f"{sum(len(each.assets) for each in earlier)} assets in "
            + seconds(sum(each.seconds for each in earlier))
            + _warned(earlier)
        )
    for outcome in outcomes:
        if any(outcome is each for each in earlier):
            continue
        result = outcome.error or f"{len(outcome.assets)} assets in {seconds(outcome.seconds)}"
        say(f"{outcome.month}  {'FAILED' if outcome.error else 'ok':<6}  {result}")
        for warning in outcome.warnings:
            say(f"{outcome.month}  {'warns':<6}  {warning}")


def _warned(outcomes: Sequence[Outcome]) -> str:
    """Which assets, such as models, have warnings of checks, and in which months."""
    months: dict[str, set[str]] = {}
    for outcome in outcomes:
        for warning in outcome.warnings:
            months.setdefault(warning.partition(": ")[0], set()).add(outcome.month)
    parts = [f"{asset} in {spans(found)}" for asset, found in sorted(months.items())]
    return f"; warnings of checks of {joined(parts)}" if parts else ""


def print_stale(settings: Settings, months: Collection[str]) -> None:
    """Print which of `months` are stale, why, and whether they are requested again."""
    with open_instance(settings) as instance:
        found = current_plan(settings, instance)
        given_up = unrequested_months(settings, instance, found)
    by_month: dict[str, list[tuple[str, str]]] = {}
    for partition, reason in found.stale.items():
        if reason == OLDER_VERSION:
            continue  # `fitness status` has a line of its own for these
        by_month.setdefault(partition.month, []).append((partition.asset, reason))
    for month, stale in sorted(by_month.items()):
        if month not in months:
            continue
        asset, reason = stale[0]
        others = f", and {len(stale) - 1} more assets" if len(stale) > 1 else ""
        state = "; its runs failed, see `fitness serve`" if month in given_up else ""
        say(f"{month}  stale   {asset} ({reason}){others}{state}")
    if by_month:
        say("`fitness backfill --stale` rematerializes what is stale, as does a daemon")


def print_missing(inventory: Inventory, months: Sequence[str]) -> None:
    """Print what is recorded as materialized for `months` but is not stored."""
    for month in months:
        assets = [asset for asset, cells in inventory.items() if cells[month].missing]
        if assets:
            say(
                f"{month}  missing {', '.join(assets)} (materialized before, and not stored now); "
                f"run `fitness backfill {month}`"
            )


def print_overdue(settings: Settings, overdue: Mapping[str, Sequence[str]]) -> None:
    """Print the month that is due, if an asset lacks it."""
    for month, assets in overdue.items():
        if settings.source == "exports" and month not in configured_imports(settings).months():
            say(f"{month}  OVERDUE no import has days of it; `fitness import` a newer export")
            continue
        others = f", and {len(assets) - 1} more assets" if len(assets) > 1 else ""
        say(f"{month}  OVERDUE {assets[0]}{others}; run `fitness backfill {month}`")


def print_hint(settings: Settings, failed: Collection[str]) -> None:
    """Print which months are stale after a run, and what updates them.

    Parameters
    ----------
    settings : Settings
    failed : collection of str
        Months whose own run failed.
    """
    with open_instance(settings) as instance:
        stale = {each.month for each in current_plan(settings, instance).stale} - set(failed)
    if stale:
        updates = "`fitness serve`" if is_served(settings) else "`fitness backfill --stale`"
        say(f"{spans(stale)} became stale; {updates} updates them")


def print_partial(settings: Settings, months: Sequence[str]) -> None:
    """Print which of `months` had not ended when they were stored, and until which day they go."""
    for month, last in partial_months(settings, months).items():
        say(f"{month}  PARTIAL {text_until(last)}; its models learned from the months before")


def print_inventory(inventory: Inventory) -> list[str]:
    """Print the headline metric of each asset for the newest months, and a summary of the others.

    If nothing of the newest months is materialized, the table ends with the last month that is: a
    range up to now may be of an export that ended years ago.

    Returns
    -------
    list of str
        The months of the table.
    """
    months = list(next(iter(inventory.values())))
    columns = _columns()
    made = [
        index
        for index, month in enumerate(months, start=1)
        if _state({name: each[month] for name, each in inventory.items()}) != _NOTHING
    ]
    newest = len(months) - columns
    end = len(months) if not made or made[-1] > newest else max(made[-1], columns)
    shown = months[:end][-columns:]
    _print_table(inventory, shown)
    if earlier := months[: months.index(shown[0])]:
        say(_summary(inventory, earlier, "earlier"))
    if later := months[end:]:
        say(_summary(inventory, later, "later"))
    return shown


def print_whole_inventory(inventory: Inventory) -> list[str]:
    """Print the headline metric of each asset and month, in as many tables as fit the width.

    Returns
    -------
    list of str
        The months of the tables: all.
    """
    months, columns = list(next(iter(inventory.values()))), _columns()
    for first in range(0, len(months), columns):
        if first:
            say("")
        _print_table(inventory, months[first : first + columns])
    return months


def _columns() -> int:
    """The number of months that fit the width of a table, at least 1."""
    return max(1, (_width() - _NAMES_WIDTH) // _MONTH_WIDTH)


def _width() -> int:
    return Console().width if sys.stdout.isatty() else _WIDTH


def _print_table(inventory: Inventory, months: Sequence[str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    table.add_column("metric")
    for month in months:
        table.add_column(month, justify="right")
    for name, by_month in inventory.items():
        statuses = {month: by_month[month] for month in months}
        label = name
        for metric, baseline in HEADLINES.get(name, {"rows": ""}).items():
            table.add_row(*map(cell, (label, metric, *_headlines(statuses, metric))))
            if any(baseline in status.metrics for status in statuses.values()):
                # Below the score of a model, its name is not repeated.
                short = f"baseline_{baseline.rpartition('baseline_')[2]}"
                table.add_row(*map(cell, ("", short, *_headlines(statuses, baseline))))
            label = ""
    Console(width=_width()).print(table)
    for month in months:
        for name, by_month in inventory.items():
            if reason := by_month[month].reason:
                say(f"{month}  {_without_model(by_month[month])}  {name}: {reason}")
            if reasons := by_month[month].not_scored.values():
                say(f"{month}  not scored  {name}: {'; '.join(reasons)}")


def _without_model(status: MonthStatus) -> str:
    """The state of a model that is not released."""
    return "not released" if status.metrics.get("learned", True) else "not learned"


def _summary(inventory: Inventory, months: Sequence[str], which: str) -> str:
    """One line about the earlier or later `months`: how many there are, and which have problems."""
    groups: dict[str, list[str]] = {}
    for month in months:
        found = {name: by_month[month] for name, by_month in inventory.items()}
        groups.setdefault(_state(found), []).append(month)
    states = [
        f"{len(each)} {state}" + ("" if state == _COMPLETE else f" ({spans(each)})")
        for state, each in groups.items()
    ]
    return (
        f"{plural(len(months), f'{which} month')}, {spans(months)}: {', '.join(states)}; "
        "`fitness status --all` lists them"
    )


def _state(assets: Mapping[str, MonthStatus]) -> str:
    """The state of the assets of one month, in a word or two."""
    if any(status.missing for status in assets.values()):
        return "missing"
    if any(status.stale for status in assets.values()):
        return "stale"
    materialized = [status.materialized for name, status in assets.items() if name not in ON_DEMAND]
    if all(materialized):
        return _COMPLETE
    return "incomplete" if any(materialized) else _NOTHING


def _headlines(months: Mapping[str, MonthStatus], metric: str) -> Iterator[str]:
    for status in months.values():
        value = status.rows if metric == "rows" else status.metrics.get(metric)
        if not status.materialized:
            yield "-"
        elif not status.metrics.get("released", True):
            yield _without_model(status)
        elif value is None:
            yield "not scored" if status.not_scored else "none"
        else:
            text = number(value, 3 if isinstance(value, float) else 0)
            yield f"{text} personal" if status.metrics.get("personal") else text
