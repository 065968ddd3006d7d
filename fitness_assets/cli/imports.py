"""`fitness import`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fitness_assets import system_errors
from fitness_assets.cli.terminal import say
from fitness_assets.declarations import timezone_of
from fitness_assets.errors import FitnessError
from fitness_assets.formatting import number, plural
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.sources.exports.options import ImportOptions
    from fitness_assets.sources.import_manifest import ImportInfo


@click.command("import")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--user", help="The user of an export that does not name its user.")
@click.option(
    "--timezone",
    help="Time zone of an export that does not state one, such as Europe/Berlin.  "
    "[default: FITNESS_TIMEZONE]",
)
@click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="STREAM=ZONE",
    help="Time zone of one stream, such as calories=UTC, if it differs from that of the format.",
)
@click.option(
    "--layout",
    type=click.Path(path_type=Path),
    help="A TOML file that describes the columns of tidy CSV or Parquet files.",
)
@click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="A TOML file with the order in which sources are preferred, such as "
    'order = ["Oura", "watch"].',
)
@click.option(
    "--explain",
    is_flag=True,
    help="Say how each PATH would be read, and import nothing. For an unknown CSV, write a "
    "layout to begin with next to it.",
)
def import_(  # noqa: PLR0913, PLR0917 - one parameter an option
    paths: tuple[Path, ...],
    user: str | None,
    timezone: str | None,
    zones: tuple[str, ...],
    layout: Path | None,
    sources: Path | None,
    explain: bool,
) -> None:
    """Import device exports, and materialize the months that they affect.

    Each PATH is a file, a zip, a tar or a folder of an export of a device or an app, or of tidy CSV
    or Parquet. docs/formats.md lists the formats. A table says what was used of each file, and what
    was left out and why. The original is not changed; a copy is kept. Importing the same export
    again changes nothing. A PATH may be a link; links and pipes within a folder are not read. Needs
    FITNESS_SOURCE=exports.

    With --explain nothing is imported: it prints formats, time zone, what would be used of each
    file, the first records and problems.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.import_table import print_files
    from fitness_assets.cli.progress import bytes_bar
    from fitness_assets.sources.configured import configured_imports

    options = _options(settings, user, timezone, zones, layout, sources)
    # A link that the user names is followed. Links within a folder are not.
    targets = [each.resolve() if each.is_symlink() else each for each in paths]
    if explain:
        _explain(targets, options)
        return
    imports = configured_imports(settings)
    changed: set[str] = set()
    failed = False
    for path in targets:
        try:
            with bytes_bar(path.name) as progress:
                imported, months = imports.add(path, options, progress)
        except (FitnessError, OSError) as error:
            failed = True
            say(f"fitness: {system_errors.explain(error, str(path)) or error}", err=True)
            continue
        changed |= months
        done = _what_was_done(imported, is_new=bool(months))
        say(f"{path.name}  {summary(imported)}{done}")
        print_files(imported.files)
    _rebuild(settings, changed)
    if failed:
        raise click.exceptions.Exit(1)


def _explain(paths: list[Path], options: "ImportOptions") -> None:
    """Print how each of `paths` would be read; exit with 1 if any cannot be."""
    from fitness_assets.cli.explain import explain_path

    failed = False
    for path in paths:
        try:
            failed |= not explain_path(path, options)
        except (FitnessError, OSError) as error:
            failed = True
            say(f"fitness: {system_errors.explain(error, str(path)) or error}", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def _options(  # noqa: PLR0913, PLR0917 - one parameter an option
    settings: Settings,
    user: str | None,
    timezone: str | None,
    zones: tuple[str, ...],
    layout: Path | None,
    sources: Path | None,
) -> "ImportOptions":
    from fitness_assets.sources.exports import layout as layouts
    from fitness_assets.sources.exports import source_order
    from fitness_assets.sources.exports.options import ImportOptions

    by_stream = {
        stream: timezone_of("--zone", zone)
        for stream, _, zone in (each.partition("=") for each in zones)
    }
    return ImportOptions(
        user=user,
        zone=timezone_of("--timezone", timezone) if timezone else settings.timezone,
        zones=by_stream,
        layout=layouts.load(layout.resolve()) if layout else None,
        source_order=source_order.load(sources.resolve()) if sources else (),
    )


def summary(imported: "ImportInfo") -> str:
    """The formats, records, users and months of an import, and how much is quarantined."""
    months = imported.months
    span = f"{min(months)} to {max(months)}" if months else "no month"
    text = (
        f"{', '.join(imported.sources)}: {plural(sum(months.values()), 'user-day')} "
        f"of {plural(len(imported.users), 'user')}, {span}"
    )
    not_worn = sum(imported.not_worn.values())
    if not_worn:
        text += f", {number(not_worn)} of them not worn"
    if imported.workouts:
        text += f", {plural(sum(imported.workouts.values()), 'workout')}"
    if imported.quarantined:
        entries = plural(len(imported.quarantined), "entry", "entries")
        text += f"; {entries} quarantined (fitness quarantine)"
    return text


def _what_was_done(imported: "ImportInfo", *, is_new: bool) -> str:
    if not is_new:
        return "; already imported"
    if imported.older_reader is not None:
        return "; read again, since an older version had imported it"
    return ""


def _rebuild(settings: Settings, changed: set[str]) -> None:
    """Materialize the months `changed` and every month that depends on them, within the range."""
    if not changed:
        return
    if settings.source != "exports":
        say(
            "Kept, and not materialized: set FITNESS_SOURCE=exports and the range of months "
            "(FITNESS_FIRST_MONTH, FITNESS_LAST_MONTH), then run `fitness backfill --stale`"
        )
        return
    from fitness_assets.orchestration.outside import outside_note

    if note := outside_note(settings, changed):
        say(note)
    if changed.isdisjoint(settings.months()):
        return
    from fitness_assets.cli.run_report import run_stale_and_report

    run_stale_and_report(settings)
