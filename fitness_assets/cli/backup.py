"""`fitness backup` and `fitness restore`."""

from pathlib import Path

import click

from fitness_assets.cli.terminal import say
from fitness_assets.declarations import declarations
from fitness_assets.settings import Settings

#: What cannot be computed again.
_SOURCES = ("imports", "people", "dagster/dagster.yaml")
_RAW = ("lake/raw_telemetry",)
#: The raw records, and what can be computed again from them.
_ALL = ("lake", "models", "reports", "releases", "releases-people")
_FOLDER = click.Path(file_okay=False, path_type=Path)

#: Of the folders of one machine: a restored home has its own.
_OF_MACHINE = {
    "FITNESS_HOME",
    "DAGSTER_HOME",
    "FITNESS_RELEASE_SOURCE",
    "FITNESS_RELEASE_CACHE",
    "JAVA_HOME",
}


def _variables(settings: Settings) -> dict[str, str]:
    """The settings that the environment sets, by variable, without secrets."""
    environment = settings.environment()
    return {
        each.variable: environment[each.variable]
        for each in declarations(Settings).values()
        if each.variable not in _OF_MACHINE and not each.secret and environment.get(each.variable)
    }


@click.command()
@click.argument("to", type=_FOLDER)
@click.option("--all", "everything", is_flag=True, help="Include what can be computed again.")
@click.option("--verify", is_flag=True, help="Read the whole backup afterwards.")
def backup(to: Path, everything: bool, verify: bool) -> None:
    """Back up the home to the folder TO: imports, keys, raw records and settings.

    Only contents that the folder lacks are copied. The folder holds the newest backup only. It is
    not encrypted: whoever can read it can read the data, and the key of the pseudonyms.
    """
    settings = Settings.from_env()
    from fitness_assets import clock
    from fitness_assets.errors import FitnessError
    from fitness_assets.formatting import plural, size
    from fitness_assets.storage.backup import BackupFolder

    if to.resolve().is_relative_to(settings.home.resolve()):
        raise FitnessError(f"{to} is inside the home {settings.home}; a backup belongs elsewhere")
    parts = (*_SOURCES, *(_ALL if everything else _RAW))
    if not any((settings.home / part).exists() for part in parts):
        raise FitnessError(f"{settings.home} holds nothing to back up")
    folder = BackupFolder(to)
    made, added = folder.write(settings.home, parts, _variables(settings), clock.now())
    if verify:
        folder.verify(made)
    verified = ", verified" if verify else ""
    say(
        f"{to} holds {plural(len(made.files), 'file')}, {size(made.bytes)}, of which {size(added)} "
        f"are new{verified}"
    )


@click.command()
@click.argument("source", metavar="FROM", type=_FOLDER)
def restore(source: Path) -> None:
    """Restore the backup in the folder FROM into the home, which must be empty.

    Everything is verified. `fitness backfill` then computes the rest, with the same data versions.
    """
    settings = Settings.from_env()
    from fitness_assets.formatting import plural, size
    from fitness_assets.storage.backup import BackupFolder

    folder = BackupFolder(source)
    found = folder.read()
    folder.restore(found, settings.home)
    say(
        f"restored {plural(len(found.files), 'file')}, {size(found.bytes)}, of "
        f"{found.made:%Y-%m-%d %H:%M} UTC into {settings.home}"
    )
    now = _variables(settings)
    for variable, value in sorted(found.settings.items()):
        if now.get(variable) != value:
            say(f"the home that was backed up had {variable}={value}")
    say("run `fitness backfill` to compute the rest")
