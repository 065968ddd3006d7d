"""`fitness quarantine`."""

import click

from fitness_assets.settings import Settings


@click.command()
def quarantine() -> None:
    """List what could not be imported, with file, place and reason."""
    settings = Settings.from_env()
    from fitness_assets.sources.configured import configured_imports

    imports = configured_imports(settings)
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
