"""`fitness doctor`."""

import click

from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings


@click.command()
@click.option("--quick", is_flag=True, help="Do not start Spark, which takes some seconds.")
def doctor(quick: bool) -> None:
    """Check the machine and the home, and say what to do about each problem.

    Each line is ok, a warning or a fault. Nothing is changed. The exit status is 1 if there is a
    fault.
    """
    settings = Settings.from_env()
    from fitness_assets.diagnosis.checks import diagnose

    faults = 0
    for subject, finding in diagnose(settings, spark=not quick):
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        say(f"{finding.level:<7}  {subject:<12}  {finding.text}{remedy}")
        faults += finding.level == "fault"
    if faults:
        raise click.exceptions.Exit(1)
