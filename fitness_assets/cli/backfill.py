"""`fitness backfill`."""

import click

from fitness_assets.errors import SettingsError
from fitness_assets.settings import Settings


@click.command()
@click.argument("first", metavar="[FROM]", required=False)
@click.argument("last", metavar="[TO]", required=False)
@click.option(
    "--select",
    "selection",
    help="Assets, in Dagster's selection syntax.  [default: those of the monthly job]",
)
@click.option(
    "--report", is_flag=True, help="Also materialize the compression report of the last month."
)
@click.option(
    "--stale", is_flag=True, help="Rematerialize what was made from something that has changed."
)
def backfill(
    first: str | None, last: str | None, selection: str | None, report: bool, stale: bool
) -> None:
    """Materialize the months FROM to TO, in order.

    TO defaults to FROM. Without both, the command takes every month of the configured range. A
    month is one Dagster run; of three or more months of imports, a second process trains the models
    in runs of their own. If a month fails, the other months continue.
    """
    settings = Settings.from_env()
    if stale:
        if first or selection or report:
            raise click.UsageError("--stale takes neither months nor --select nor --report")
        from fitness_assets.cli.run_report import run_stale_and_report

        run_stale_and_report(settings)
        return
    months = month_range(settings, first, last)
    # Imported after the months are validated, because the import takes seconds.
    from fitness_assets.cli.run_report import run_and_report
    from fitness_assets.cli.runs import select_assets
    from fitness_assets.sources.configured import configured_source

    assets = select_assets(settings, selection)
    if any(key.to_user_string() == "raw_telemetry" for key in assets):
        configured_source(settings).check()
    plan = dict.fromkeys(months, assets)
    if report:
        extra = select_assets(settings, "compression_report")
        plan[months[-1]] = [*assets, *(key for key in extra if key not in assets)]
    run_and_report(settings, plan)


def month_range(settings: Settings, first: str | None, last: str | None) -> list[str]:
    """The months from `first` to `last`.

    Raises
    ------
    SettingsError
        If one of them is not in the configured range, or `last` comes before `first`.
    """
    from fitness_assets.orchestration.outside import range_hints

    known = settings.months()
    if not known:
        done = "begun" if settings.last_month == "now" else "ended"
        raise SettingsError(f"no month since FITNESS_FIRST_MONTH={settings.first_month} has {done}")
    first, last = (first, last or first) if first else (known[0], known[-1])
    for month in (first, last):
        if month not in known:
            hints = range_hints(settings, [month])
            raise SettingsError(
                f"{month!r} is not a month of the range {known[0]} to {known[-1]} "
                f"(FITNESS_FIRST_MONTH, FITNESS_LAST_MONTH){f'; {hints}' if hints else ''}"
            )
    chosen = known[known.index(first) : known.index(last) + 1]
    if not chosen:
        raise SettingsError(f"{last} comes before {first}")
    return chosen
