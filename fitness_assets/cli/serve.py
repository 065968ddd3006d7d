"""`fitness serve`."""

import click

from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings


@click.command()
def serve() -> None:
    """Start the Dagster UI, its daemon and the dashboard; stop them together."""
    settings = Settings.from_env()
    from fitness_assets.cli.services import run_services

    raise click.exceptions.Exit(run_services(settings, say))
