"""`fitness status`."""

import dataclasses
import json

import click

from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--all", "show_all", is_flag=True, help="Show every month, not only the newest.")
def status(as_json: bool, show_all: bool) -> None:
    """Show what is materialized, with one metric of each asset and month.

    The newest months are shown in full. One line summarizes the earlier ones.
    """
    settings = Settings.from_env()
    from fitness_assets import clock
    from fitness_assets.cli.inventory import outdated_months, partial_months, take_inventory
    from fitness_assets.cli.run_report import (
        print_inventory,
        print_missing,
        print_overdue,
        print_partial,
        print_stale,
        print_whole_inventory,
    )
    from fitness_assets.months import spans
    from fitness_assets.orchestration.freshness import overdue_months

    overdue = overdue_months(settings, clock.now())
    inventory = take_inventory(settings, settings.months())
    if not as_json:
        shown = print_whole_inventory(inventory) if show_all else print_inventory(inventory)
        print_partial(settings, shown)
        if outdated := outdated_months(settings, settings.months()):
            say(
                f"models of {spans(outdated)} were stored by an older version of "
                f"fitness_assets; run `fitness backfill {outdated[0]} {outdated[-1]}`"
            )
        print_overdue(settings, overdue)
        print_missing(inventory, shown)
        print_stale(settings, shown)
        return
    assets = {
        name: {month: dataclasses.asdict(status) for month, status in months.items()}
        for name, months in inventory.items()
    }
    months = settings.months()
    partial = {month: str(last) for month, last in partial_months(settings, months).items()}
    document = {"assets": assets, "partial_until": partial, "overdue": overdue}
    for line in json.dumps(document, indent=2).splitlines():
        say(line)
