"""What the commands print: how each run ended, and one metric of each asset."""

import sys
import time
from collections.abc import Iterator, Mapping

import click
from rich.console import Console
from rich.table import Table

from fitness_assets.cli.inventory import HEADLINE, Inventory, MonthStatus, take_inventory
from fitness_assets.cli.progress import steps_bar
from fitness_assets.cli.runs import Plan, peak_memory, run_months
from fitness_assets.settings import Settings

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 200


def run_and_report(settings: Settings, plan: Plan) -> None:
    """Run `plan`, then print how each month ended and the headline metrics of its assets.

    Raises
    ------
    click.Abort
        If a signal interrupted a run (exit status 130).
    click.exceptions.Exit
        If a month failed (exit status 1).
    """
    began = time.monotonic()
    with steps_bar() as bar:
        total = sum(map(len, plan.values()))
        task = bar.add_task(f"{min(plan)} starting", total=total)

        def progress(month: str, asset: str) -> None:
            bar.update(task, advance=1, description=f"{month} {asset:<20}")

        outcomes = run_months(settings, plan, progress)
    for outcome in outcomes:
        result = outcome.error or f"{len(plan[outcome.month])} assets in {outcome.seconds:.1f} s"
        click.echo(f"{outcome.month}  {'FAILED' if outcome.error else 'ok':<6}  {result}")
        for warning in outcome.warnings:
            click.echo(f"{outcome.month}  {'warns':<6}  {warning}")
    planned = {key.to_user_string() for assets in plan.values() for key in assets}
    inventory = take_inventory(settings, sorted(plan))
    print_inventory({name: months for name, months in inventory.items() if name in planned})
    peak = peak_memory()
    click.echo(
        f"{sum(o.error is None for o in outcomes)} of {len(plan)} months "
        f"in {time.monotonic() - began:.0f} s"
        + (f", peak memory {peak / 1e9:.2f} GB with the JVM" if peak else "")
    )
    if outcomes[-1].interrupted:
        raise click.Abort
    if any(outcome.error for outcome in outcomes):
        raise click.exceptions.Exit(1)


def print_inventory(inventory: Inventory) -> None:
    """Print the headline metric of each asset and month."""
    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    table.add_column("metric")
    for month in next(iter(inventory.values())):
        table.add_column(month, justify="right")
    for name, months in inventory.items():
        metric = HEADLINE.get(name, "rows")
        table.add_row(name, metric, *_headlines(months, metric))
    width = None if sys.stdout.isatty() else _WIDTH
    Console(width=width).print(table)


def _headlines(months: Mapping[str, MonthStatus], metric: str) -> Iterator[str]:
    for status in months.values():
        value = status.rows if metric == "rows" else status.metrics.get(metric)
        if not status.materialized:
            yield "-"
        elif not status.metrics.get("released", True):
            yield "not released"
        elif value is None:
            yield "none"
        else:
            yield f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
