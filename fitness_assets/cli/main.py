"""The `fitness` command group, and how it reports errors."""

import io
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from fitness_assets.cli.backfill import backfill
from fitness_assets.cli.backup import backup, restore
from fitness_assets.cli.demo import demo
from fitness_assets.cli.doctor import doctor
from fitness_assets.cli.export import export
from fitness_assets.cli.forget import forget
from fitness_assets.cli.imports import import_
from fitness_assets.cli.mcp import mcp
from fitness_assets.cli.origins import imports
from fitness_assets.cli.predict import predict
from fitness_assets.cli.quarantine import quarantine
from fitness_assets.cli.release import release
from fitness_assets.cli.report import report
from fitness_assets.cli.serve import serve
from fitness_assets.cli.spark import spark
from fitness_assets.cli.status import status
from fitness_assets.cli.terminal import say
from fitness_assets.errors import FitnessError
from fitness_assets.settings import Settings, declared_home
from fitness_assets.system_errors import explain

P = ParamSpec("P")
T = TypeVar("T")

#: Commands that do without the home, or are for one that is not complete.
_WITHOUT_HOME = {"demo", "doctor", "restore", "spark"}


def main() -> None:
    """Run the command. An error that a user can act on is one line, with exit status 1."""
    # By it Dagster's UI cancels the run of a command. A process that a script starts in the
    # background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(cli(standalone_mode=False))
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        for line in text.getvalue().splitlines():
            say(line, err=True)
        sys.exit(error.exit_code)
    except FitnessError as error:
        say(f"fitness: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader, such as `head`, has ended. Nothing can be printed at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        explained = explain(error, declared_home())
        if explained is None:
            raise
        say(f"fitness: {explained}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fitness-assets")
def cli() -> None:
    """Turn fitness-tracker telemetry into small models, month by month.

    Settings are environment variables; docs/reference/settings.md lists them.
    """


def _for_complete_home(callback: Callable[P, T]) -> Callable[P, T]:
    """Refuse a command of a home whose restore was interrupted."""

    @wraps(callback)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        from fitness_assets.storage.restoring import require_complete

        require_complete(Settings.from_env().home)
        return callback(*arguments, **options)

    return run


for command in (
    backfill,
    backup,
    demo,
    doctor,
    export,
    forget,
    import_,
    imports,
    mcp,
    predict,
    quarantine,
    release,
    report,
    restore,
    serve,
    spark,
    status,
):
    if command.name not in _WITHOUT_HOME and command.callback is not None:
        command.callback = _for_complete_home(command.callback)
    cli.add_command(command)
