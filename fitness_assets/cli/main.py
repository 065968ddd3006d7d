"""The `fitness` command."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from fitness_assets.errors import FitnessError, SettingsError
from fitness_assets.settings import Settings, parse_timezone

if TYPE_CHECKING:
    from fitness_assets.cli.backfill import Plan
    from fitness_assets.cli.status import Cell
    from fitness_assets.sources.import_manifest import ImportInfo
    from fitness_assets.workspace import Workspace

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
@click.option("--report", is_flag=True, help="Make the last month's compression report as well.")
def backfill(first: str | None, last: str | None, selection: str | None, report: bool) -> None:
    """Materialize the months FROM to TO, in order, in one process.

    TO is FROM unless given; without either it is every month of the configured range. Each month
    is a Dagster run of its own, and a failure stays in its month.
    """
    settings = Settings.from_env()
    months = _range(settings, first, last)
    # Not before the months are known to be right: this import takes seconds.
    from fitness_assets.cli.backfill import select
    from fitness_assets.sources.configured import configured_source

    assets = select(settings, selection)
    if any(key.to_user_string() == "raw_telemetry" for key in assets):
        configured_source(settings).check()
    plan = dict.fromkeys(months, assets)
    if report:
        also = select(settings, "compression_report")
        plan[months[-1]] = [*assets, *(key for key in also if key not in assets)]
    _materialize(settings, plan)


def _materialize(settings: Settings, plan: "Plan") -> None:
    """Run `plan` and say how each month went and what came of it.

    The exit status is 1 if one failed, 130 if a signal ended it.
    """
    from fitness_assets.cli.backfill import peak_memory, run_months
    from fitness_assets.cli.status import status

    began = time.monotonic()
    with _progress() as bar:
        total = sum(map(len, plan.values()))
        task = bar.add_task(f"{min(plan)} starting", total=total)

        def progress(month: str, asset: str) -> None:
            bar.update(task, advance=1, description=f"{month} {asset:<20}")

        outcomes = run_months(settings, plan, progress)
    for outcome in outcomes:
        told = outcome.error or f"{len(plan[outcome.month])} assets in {outcome.seconds:.1f} s"
        click.echo(f"{outcome.month}  {'FAILED' if outcome.error else 'ok':<6}  {told}")
        for warning in outcome.warnings:
            click.echo(f"{outcome.month}  {'warns':<6}  {warning}")
    made = {key.to_user_string() for assets in plan.values() for key in assets}
    cells = status(settings, sorted(plan))
    _tell({name: months for name, months in cells.items() if name in made})
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


def _tell(assets: "Mapping[str, Mapping[str, Cell]]") -> None:
    """Print the headline figure of each asset and month."""
    from fitness_assets.cli.status import HEADLINE

    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    table.add_column("figure")
    for month in next(iter(assets.values())):
        table.add_column(month, justify="right")
    for name, cells in assets.items():
        headline = HEADLINE.get(name)
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


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}", justify="left"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@cli.command("import")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--user", help="Whose it is, where the export does not say itself.")
@click.option("--timezone", help="Where they live, as Europe/Berlin.  [default: FITNESS_TIMEZONE]")
@click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="STREAM=ZONE",
    help="The clock of a stream, as calories=UTC, where it is not the one the format is known for.",
)
@click.option(
    "--layout",
    type=click.Path(path_type=Path),
    help="A TOML file that says what the columns of tidy CSV or Parquet files mean.",
)
def import_(
    paths: tuple[Path, ...],
    user: str | None,
    timezone: str | None,
    zones: tuple[str, ...],
    layout: Path | None,
) -> None:
    """Take in device exports, and make the months that they touch.

    Each PATH is a file, a zip or a folder of an Apple Health, Fitabase, Fitbit, Garmin, Google
    Takeout or Google Fit export, or of tidy CSV or Parquet. It stays as it is; a copy is kept. The
    same export again changes nothing. Needs FITNESS_SOURCE=exports.
    """
    settings = Settings.from_env()
    from fitness_assets.sources.configured import configured_imports
    from fitness_assets.sources.exports import layout as layouts
    from fitness_assets.sources.exports.options import ImportOptions

    told = ImportOptions(
        user=user,
        zone=parse_timezone("--timezone", timezone) if timezone else settings.timezone,
        zones={
            name: parse_timezone("--zone", zone)
            for name, _, zone in (z.partition("=") for z in zones)
        },
        layout=layouts.load(layout) if layout else None,
    )
    imports = configured_imports(settings)
    changed: set[str] = set()
    failed = False
    for path in paths:
        try:
            with _reading(path.name) as progress:
                added, touched = imports.add(path, told, progress)
        except FitnessError as error:
            failed = True
            click.echo(f"fitness: {error}", err=True)
            continue
        changed |= touched
        click.echo(f"{path.name}  {_imported(added, touched)}")
    _rebuild(settings, changed)
    if failed:
        raise click.exceptions.Exit(1)


def _imported(added: "ImportInfo", touched: set[str]) -> str:
    span = f"{min(added.months)} to {max(added.months)}" if added.months else "no month"
    told = (
        f"{', '.join(added.sources)}: {sum(added.months.values()):,} user-days "
        f"of {len(added.users):,} people, {span}"
    )
    if added.quarantined:
        told += f"; {len(added.quarantined):,} entries quarantined (fitness quarantine)"
    return told + ("" if touched else "; it was there already")


def _rebuild(settings: Settings, changed: set[str]) -> None:
    """Make the months `changed` and what their change reaches, as far as they are in the range."""
    if not changed:
        return
    if settings.source != "exports":
        click.echo("Kept. FITNESS_SOURCE=exports makes the months from it.")
        return
    outside = sorted(changed - set(settings.months()))
    if outside:
        click.echo(
            f"not in the range FITNESS_FIRST_MONTH={settings.first_month} to "
            f"FITNESS_LAST_MONTH={settings.last_month}, and so not made: {', '.join(outside)}"
        )
    if changed.issubset(outside):
        return
    from fitness_assets.cli.backfill import reached

    _materialize(settings, reached(settings, changed))


@contextmanager
def _reading(name: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of the bytes of a file."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@cli.command()
def quarantine() -> None:
    """List what could not be used of the exports, with file, place and reason."""
    from fitness_assets.sources.configured import configured_imports

    imports = configured_imports(Settings.from_env())
    count = 0
    for origin, entries in [
        *((each.name, each.quarantined) for each in imports.all()),
        ("inbox", imports.rejected()),
    ]:
        for entry in entries:
            count += 1
            place = f", {entry.place}" if entry.place else ""
            click.echo(f"{origin}  {entry.file}{place}: {entry.reason}")
    click.echo(f"{count:,} entries quarantined")


@cli.command()
@click.argument("user")
@click.confirmation_option(prompt="Remove all that is held about this person, for good?")
def forget(user: str) -> None:
    """Remove USER from raw files to releases, and make anew what held them.

    USER is the name that was imported, or the pseudonym. Nothing of them is taken in again.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.backfill import reached
    from fitness_assets.cli.personal_data import forget as remove

    again = remove(settings, user)
    click.echo(f"{user} is forgotten")
    if again:
        _materialize(settings, reached(settings, again))


@cli.command()
@click.argument("user")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The zip to write.  [default: USER.zip]"
)
def export(user: str, output: Path | None) -> None:
    """Write all that is held about USER, by name or pseudonym, into a zip of CSV files."""
    from fitness_assets.cli.personal_data import export as write

    path = output or Path(f"{user}.zip")
    tables = write(Settings.from_env(), user, path)
    click.echo(f"{path}: " + ", ".join(f"{name} {rows:,}" for name, rows in tables.items()))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(as_json: bool) -> None:
    """Say per asset and month whether it is materialized, and its headline figure."""
    settings = Settings.from_env()
    from fitness_assets.cli import status as report

    months = settings.months()
    assets = report.status(settings, months)
    if as_json:
        click.echo(json.dumps({"assets": assets}, indent=2))
        return
    _tell(assets)


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
        info = workspace.releases.open(month).info
        without = "".join(
            f"; {name} not released"
            + (f", that of {info.fallbacks[name]} stands in" if name in info.fallbacks else "")
            for name in info.not_released
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
    workspace.releases.set_current(month)
    workspace.uploads.set_current(month)
    click.echo(f"the release of {month} is current")


def _workspace() -> "Workspace":
    from fitness_assets.workspace import Workspace

    return Workspace.of(Settings.from_env())


@cli.command()
def serve() -> None:
    """Start the Dagster UI, its daemon and the dashboard; stop them together."""
    settings = Settings.from_env()
    from fitness_assets.cli.serve import serve as run

    raise click.exceptions.Exit(run(settings, click.echo))


@cli.group()
def spark() -> None:
    """A Spark cluster of one's own: a master, and workers. FITNESS_SPARK_MASTER is its URL."""


@spark.command()
@click.option(
    "--host", help="The name or address by which it is reached.  [default: the machine's]"
)
@click.option("--port", type=click.IntRange(1, 65535), default=7077, show_default=True)
def master(host: str | None, port: int) -> None:
    """Run the master, in the foreground."""
    from fitness_assets.spark.cluster import become

    become(Settings.from_env(), "Master", [*_given("--host", host), "--port", str(port)])


@spark.command()
@click.argument("url", metavar="spark://HOST:PORT")
@click.option(
    "--host", help="The name or address by which it is reached.  [default: the machine's]"
)
@click.option("--cores", type=click.IntRange(1), help="[default: all]")
@click.option("--memory", metavar="SIZE", help="As 2g.  [default: all but 1 GB]")
def worker(url: str, host: str | None, cores: int | None, memory: str | None) -> None:
    """Run a worker of the master at URL, in the foreground."""
    from fitness_assets.spark.cluster import become

    options = (("--host", host), ("--cores", cores), ("--memory", memory))
    become(
        Settings.from_env(), "Worker", [*(a for option in options for a in _given(*option)), url]
    )


def _given(option: str, value: object) -> list[str]:
    return [] if value is None else [option, str(value)]


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
