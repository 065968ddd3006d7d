"""`fitness demo`."""

from pathlib import Path

import click

from fitness_assets.cli.backfill import backfill
from fitness_assets.cli.serve import serve
from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings, use_environment

_FIRST, _LAST = "2023-04", "2023-05"
# A month of so many has more records than are cleaned without Spark.
_USERS = 400


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path("fitness-demo"),
    show_default=True,
    help="Folder of the demo.",
)
@click.pass_context
def demo(context: click.Context, home: Path) -> None:
    """Materialize two months of a small synthetic cohort, then serve them as `fitness serve` does.

    The demo has a folder of its own. Of the settings, only hosts, ports and Spark's memory apply.
    """
    use_environment(
        {
            "FITNESS_HOME": str(home.absolute()),
            "FITNESS_FIRST_MONTH": _FIRST,
            "FITNESS_LAST_MONTH": _LAST,
            "FITNESS_COHORT_USERS": str(_USERS),
        }
    )
    from fitness_assets.cli.services import require_free_ports

    # Months take minutes: a port that is in use is reported before them.
    require_free_ports(Settings.from_env())
    say(f"{_FIRST} and {_LAST} of a synthetic cohort of {_USERS} users, in {home.absolute()}")
    context.invoke(backfill)
    context.invoke(serve)
