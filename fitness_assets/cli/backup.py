"""`fitness backup` and `fitness restore`."""

from pathlib import Path

import click

from fitness_assets.cli.terminal import say
from fitness_assets.settings import Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("to")
@click.option("--all", "everything", is_flag=True, help="Include what can be computed again.")
@click.option("--verify", is_flag=True, help="Read the whole backup afterwards.")
@click.option(
    "--encrypt-to",
    "recipients",
    metavar="RECIPIENT",
    multiple=True,
    help="Encrypt for the owner of this public key (age1… or SSH); can be repeated.",
)
@click.option(
    "--passphrase-file",
    type=_FILE,
    help="Encrypt with the passphrase in the first line of this file.",
)
def backup(
    to: str,
    everything: bool,
    verify: bool,
    recipients: tuple[str, ...],
    passphrase_file: Path | None,
) -> None:
    """Back up the home to TO: imports, keys, raw records and settings.

    TO is a folder, or the URL of an object store: s3://bucket/prefix, gs://… or az://…. Only
    contents that it lacks are copied. It holds the newest backup only. Without encryption, whoever
    can read it can read the data, and the key of the pseudonyms. Later backups to the same place
    are encrypted as the first one was.
    """
    if recipients and passphrase_file:
        raise click.UsageError("name recipients or a passphrase, not both")
    settings = Settings.from_env()
    from fitness_assets.cli.backup_runs import BackupOptions, back_up
    from fitness_assets.storage.backup_encryption import Protection, read_passphrase

    passphrase = read_passphrase(passphrase_file) if passphrase_file else None
    options = BackupOptions(everything, verify, Protection(recipients, passphrase))
    back_up(settings, to, options)


@click.command()
@click.argument("source", metavar="FROM")
@click.option(
    "--identity",
    "identities",
    type=_FILE,
    multiple=True,
    help="File with a key that the backup is encrypted to, of age or SSH; can be repeated.",
)
@click.option("--passphrase-file", type=_FILE, help="File with the passphrase of the backup.")
@click.option(
    "--forgotten",
    type=_FILE,
    help="people/forgotten.json of a later home: its users are removed from what is restored.",
)
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Restore the other files if the content of some is damaged or missing.",
)
def restore(
    source: str,
    identities: tuple[Path, ...],
    passphrase_file: Path | None,
    forgotten: Path | None,
    skip_damaged: bool,
) -> None:
    """Restore the backup in FROM, a folder or URL, into the home, which must be empty.

    Everything is verified. `fitness backfill` then computes the rest, with the same data versions.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.restore_runs import restore_home
    from fitness_assets.storage.backup_encryption import Secrets, read_passphrase

    passphrase = read_passphrase(passphrase_file) if passphrase_file else None
    secrets = Secrets(identities, passphrase)
    restore_home(settings, source, secrets, forgotten, skip_damaged=skip_damaged)
    say("run `fitness backfill` to compute the rest")
