"""The `fitness` command group, and how it reports errors."""

import sys

import click

from fitness_assets.cli.backfill import backfill
from fitness_assets.cli.export import export
from fitness_assets.cli.forget import forget
from fitness_assets.cli.imports import import_
from fitness_assets.cli.origins import imports
from fitness_assets.cli.quarantine import quarantine
from fitness_assets.cli.release import release
from fitness_assets.cli.serve import serve
from fitness_assets.cli.spark import spark
from fitness_assets.cli.status import status
from fitness_assets.errors import FitnessError


def main() -> None:
    """Run the command. A `FitnessError` is printed as one line, with exit status 1."""
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
    """Turn fitness-tracker telemetry into small models, month by month.

    Settings are environment variables; the README lists them.
    """


for command in (
    backfill,
    export,
    forget,
    import_,
    imports,
    quarantine,
    release,
    serve,
    spark,
    status,
):
    cli.add_command(command)
