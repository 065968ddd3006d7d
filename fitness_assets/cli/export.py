"""`fitness export`."""

from pathlib import Path

import click

from fitness_assets.cli.terminal import say
from fitness_assets.formatting import number
from fitness_assets.settings import Settings


@click.command()
@click.argument("user")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The zip to write.  [default: USER.zip]"
)
def export(user: str, output: Path | None) -> None:
    """Write all data of USER, by name or pseudonym, into a zip of CSV files."""
    settings = Settings.from_env()
    from fitness_assets.cli.personal_data import export_user

    path = output or Path(f"{user}.zip")
    tables = export_user(settings, user, path)
    say(f"{path}: " + ", ".join(f"{name} {number(rows)}" for name, rows in tables.items()))
