"""`fitness forget`."""

import click

from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings


@click.command()
@click.argument("user")
@click.confirmation_option(prompt="Permanently remove all data of this user?")
def forget(user: str) -> None:
    """Remove all data of USER, and rematerialize what was made from it.

    USER is the imported name, in any spelling, or the pseudonym. Later imports skip the data of
    this user. The command ends with a search of all folders, databases and logs, and fails if
    anything is left. If it was interrupted, run it again.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.erasure import forget_user

    if not forget_user(settings, user):
        raise click.exceptions.Exit(1)
    say(f"removed {user}")
