"""The `fitness` command."""

import json
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fitness_assets.errors import FitnessError, SettingsError
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.resources.workspace import Workspace

# Dagster, Spark and scikit-learn take seconds to import; each command imports what it needs.


def main() -> None:
    """Run the command; an error the user can act on is one line and exit status 1."""
    try:
        sys.exit(cli(standalone_mode=False))
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except FitnessError as error:
        click.echo(f"fitness: {error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fitness-assets")
def cli() -> None:
    """Fitness-tracker telemetry to models that fit, month by month.

    Settings come from the environment; see the README for the list.
    """


@cli.command()
@click.argument("first", metavar="[FROM]", required=False)
@click.argument("last", metavar="[TO]", required=False)
@click.option(
    "--select",
    "selection",
    help="Assets, in Dagster's selection syntax.  [default: those of the monthly job]",
)
def backfill(first: str | None, last: str | None, selection: str | None) -> None:
    """Materialize the months FROM to TO, in order, in one process.

    TO is FROM unless given; without either it is every month of the configured range. Each month
    is a Dagster run of its own, and a failure stays in its month.
    """
    settings = Settings.from_env()
    months = _range(settings, first, last)
    # Not before the months are known to be right: this import takes seconds.
    from fitness_assets.backfill import peak_memory, run_months, select
    from fitness_assets.telemetry.sources import configured

    assets = select(settings, selection)
    if any(key.to_user_string() == "raw_telemetry" for key in assets):
        configured(settings).check()
    console = Console(stderr=True)
    began = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}", justify="left"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(f"{months[0]} starting", total=len(months) * len(assets))

        def progress(month: str, asset: str) -> None:
            bar.update(task, advance=1, description=f"{month} {asset:<20}")

        outcomes = run_months(settings, months, assets, progress)
    for outcome in outcomes:
        told = outcome.error or f"{len(assets)} assets in {outcome.seconds:.1f} s"
        click.echo(f"{outcome.month}  {'FAILED' if outcome.error else 'ok':<6}  {told}")
        for warning in outcome.warnings:
            click.echo(f"{outcome.month}  {'warns':<6}  {warning}")
    peak = peak_memory()
    click.echo(
        f"{sum(o.error is None for o in outcomes)} of {len(months)} months "
        f"in {time.monotonic() - began:.0f} s"
        + (f", peak memory {peak / 1e9:.2f} GB with the JVM" if peak else "")
    )
    if any(outcome.error for outcome in outcomes):
        raise click.exceptions.Exit(1)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(as_json: bool) -> None:
    """Say per asset and month whether it is materialized, and its headline figure."""
    settings = Settings.from_env()
    from fitness_assets import status as report

    months = settings.months()
    assets = report.status(settings, months)
    if as_json:
        click.echo(json.dumps({"assets": assets}, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    table.add_column("figure")
    for month in months:
        table.add_column(month, justify="right")
    for name, cells in assets.items():
        headline = report.HEADLINE.get(name)
        shown = []
        for cell in cells.values():
            value = cell["metrics"].get(headline) if headline else cell["rows"]
            if not cell["materialized"]:
                shown.append("-")
            elif not cell["metrics"].get("released", True):
                shown.append("not released")
            elif value is None:
                shown.append("none")
            else:
                shown.append(f"{value:.3f}" if isinstance(value, float) else f"{value:,}")
        table.add_row(name, headline or "rows", *shown)
    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(table)


@cli.group()
def release() -> None:
    """What the dashboard is offered."""


@release.command("list")
def list_releases() -> None:
    """List the releases, with the digest that a consumer may pin.

    The current one, which the dashboard shows first, is marked.
    """
    workspace = _workspace()
    pointer = workspace.releases.pointer()
    if pointer is None:
        click.echo(f"{workspace.releases.root} holds no release yet")
        return
    for month, digest in sorted(pointer.releases.items()):
        info = workspace.releases.open(month).manifest.info
        without = "".join(
            f"; {name} not released"
            + (
                f", that of {info['stand_ins'][name]} stands in"
                if name in info["stand_ins"]
                else ""
            )
            for name in info["not_released"]
        )
        mark = "current" if month == pointer.month else ""
        click.echo(f"{month}  {mark:<7}  {digest}{without}")


@release.command()
@click.argument("month")
def rollback(month: str) -> None:
    """Make the release of MONTH the current one, here and where it was uploaded to.

    It stays so until a release of MONTH or a later month has new content.
    """
    workspace = _workspace()
    workspace.releases.show(month)
    workspace.uploads.show(month)
    click.echo(f"the release of {month} is current")


def _workspace() -> "Workspace":
    from fitness_assets.resources.workspace import Workspace

    return Workspace.of(Settings.from_env())


@cli.command()
def serve() -> None:
    """Start the Dagster UI, its daemon and the dashboard; stop them together."""
    settings = Settings.from_env()
    from fitness_assets.serve import serve as run

    raise click.exceptions.Exit(run(settings, click.echo))


def _range(settings: Settings, first: str | None, last: str | None) -> list[str]:
    """The months that the user asked for; SettingsError unless all are in the range."""
    known = settings.months()
    if not known:
        raise SettingsError(f"no month since FITNESS_FIRST_MONTH={settings.first_month} has ended")
    first, last = (first, last or first) if first else (known[0], known[-1])
    for month in (first, last):
        if month not in known:
            raise SettingsError(
                f"{month!r} is not a month of the range {known[0]} to {known[-1]} "
                "(FITNESS_FIRST_MONTH, FITNESS_LAST_MONTH)"
            )
    chosen = known[known.index(first) : known.index(last) + 1]
    if not chosen:
        raise SettingsError(f"{last} comes before {first}")
    return chosen
