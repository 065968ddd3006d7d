"""`fitness quarantine`."""

from typing import TYPE_CHECKING

import click

from fitness_assets.cli.terminal import say
from fitness_assets.formatting import plural
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.sources.import_manifest import QuarantineEntry


@click.command()
def quarantine() -> None:
    """List what each import used of its files, and what could not be imported and why."""
    settings = Settings.from_env()
    from fitness_assets.cli.import_table import print_files
    from fitness_assets.cli.imports import summary
    from fitness_assets.sources.configured import configured_imports

    imports = configured_imports(settings)
    count = 0
    for each in imports.all():
        say(f"{each.name}  {summary(each)}")
        print_files(each.files)
        for entry in each.quarantined:
            _print_entry(each.name, entry)
        count += len(each.quarantined)
        say("")
    rejected = imports.rejected()
    for entry in rejected:
        _print_entry("inbox", entry)
    say(f"{plural(count + len(rejected), 'entry', 'entries')} quarantined")


def _print_entry(origin: str, entry: "QuarantineEntry") -> None:
    place = f", {entry.place}" if entry.place else ""
    say(f"{origin}  {entry.file}{place}: {entry.reason}")
