"""`fitness forget`."""

import click

from fitness_assets.cli.terminal import say
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
    from fitness_assets.cli.report import run_and_report, run_stale_and_report
    from fitness_assets.cli.runs import select_assets

    changed = remove_user(settings, user)
    say(f"removed {user}")
    if changed:
        # Whether the records of most sources have changed is known only after reading them.
        raw = select_assets(settings, "raw_telemetry")
        run_and_report(settings, dict.fromkeys(sorted(changed), raw))
        run_stale_and_report(settings)
