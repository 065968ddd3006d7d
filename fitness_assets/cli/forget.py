"""`fitness forget`."""

import click

from fitness_assets.settings import Settings


@click.command()
@click.argument("user")
@click.confirmation_option(prompt="Permanently remove all data of this user?")
def forget(user: str) -> None:
    """Remove all data of USER, and rematerialize the months that held it.

    USER is the imported name or the pseudonym. Later imports skip the data of this user.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.personal_data import remove_user
    from fitness_assets.cli.report import run_and_report
    from fitness_assets.cli.runs import rebuild_plan

    changed = remove_user(settings, user)
    click.echo(f"removed {user}")
    if changed:
        run_and_report(settings, rebuild_plan(settings, changed))
