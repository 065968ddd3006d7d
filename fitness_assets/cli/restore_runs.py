"""Restore a backup into an empty home, without the users who were forgotten since."""

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fitness_assets.cli.backup_runs import PUBLISHED, set_variables
from fitness_assets.cli.erasure import forget_user
from fitness_assets.cli.progress import bytes_bar
from fitness_assets.cli.subject import stored_users
from fitness_assets.cli.terminal import say
from fitness_assets.diagnosis.machine import nearest
from fitness_assets.errors import StorageError
from fitness_assets.formatting import joined, plural, size
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_names, configured_pseudonyms
from fitness_assets.sources.pseudonyms import read_forgotten
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_encryption import Secrets
from fitness_assets.storage.backup_manifest import Backup
from fitness_assets.storage.backup_places import open_place
from fitness_assets.storage.backup_records import BackupRecord, BackupRecords
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.restoring import finish_restore
from fitness_assets.workspace import Workspace


def restore_home(
    settings: Settings,
    source: str,
    secrets: Secrets,
    forgotten: Path | None,
    *,
    skip_damaged: bool = False,
) -> None:
    """Restore the backup in the place `source` into the home.

    Parameters
    ----------
    settings : Settings
    source : str
        A path or URL.
    secrets : Secrets
        Open the backup if it is encrypted.
    forgotten : Path, optional
        The list of forgotten users of a later state of the home.
    skip_damaged : bool
        Whether files are left out whose content is missing or damaged.

    Raises
    ------
    FitnessError
        If the backup cannot be opened or is damaged, or the home is not empty. If a forgotten user
        could not be removed, the home says that it is not complete; the command continues there.
    """
    if forgotten is not None:
        # An error is better before gigabytes are restored.
        read_forgotten(forgotten)
    store = BackupStore(open_place(source))
    if store.is_encrypted():
        store.unlock(secrets)
    found = store.read()
    _check_place(settings, [file.path for file in found.files])
    _check_room(found, settings.home)
    with bytes_bar(store.place.name) as progress:
        left_out = store.restore(found, settings.home, progress, skip_damaged=skip_damaged)
    restored = [file for file in found.files if file.path not in left_out]
    say(
        f"restored {plural(len(restored), 'file')}, {size(sum(file.bytes for file in restored))}, "
        f"of {found.made:%Y-%m-%d %H:%M} UTC into {settings.home}"
    )
    for path, reason in sorted(left_out.items()):
        say(f"left out {path}: {reason}")
    if left_out:
        say("run `fitness doctor`, which says how each folder that lacks a file is repaired")
    now = set_variables(settings)
    for variable, value in sorted(found.settings.items()):
        if now.get(variable) != value:
            say(f"the home that was backed up had {variable}={value}; set it before the backfill")
    # Whoever is forgotten from now on is removed from this backup as well.
    record = BackupRecord(
        made=found.made,
        everything=found.everything,
        key=store.key.text if store.key else None,
    )
    BackupRecords(settings.home).put(store.place.name, record)
    _forget_again(settings, forgotten)
    finish_restore(settings.home)


def _check_room(backup: Backup, home: Path) -> None:
    """Raise StorageError if the disk of the home has no room for the files that it lacks."""
    needed = sum(file.bytes for file in backup.files if not (home / file.path).exists())
    if needed > (free := shutil.disk_usage(nearest(home)).free):
        raise StorageError(
            f"the backup needs {size(needed)}, and the disk of {home} has {size(free)} free"
        )


def _forget_again(settings: Settings, forgotten: Path | None) -> None:
    """Remove the users that the lists of forgotten users have."""
    pseudonyms = configured_pseudonyms(settings)
    if forgotten is None:
        say(
            "whoever was forgotten after the backup is in it: name the list of the later home with "
            "--forgotten, or run `fitness forget` again"
        )
    else:
        pseudonyms.forget_those_of(forgotten)
    is_forgotten = pseudonyms.forgotten()
    users = stored_users(settings, Workspace.of(settings)) | set(configured_names(settings).all())
    for user in sorted(filter(is_forgotten, users)):
        say(f"{user} is in the backup and was forgotten")
        if not forget_user(settings, user):
            raise StorageError(f"{user} is not removed; run the command again once it can be")


def _check_place(settings: Settings, paths: Iterable[str]) -> None:
    """Raise StorageError if `paths` of a backup do not belong into the local part of the home."""
    parts = sorted({PurePosixPath(path).parts[0] for path in paths}.intersection(PUBLISHED))
    if parts and isinstance(settings.storage, ObjectPath):
        raise StorageError(
            f"the backup is of a local home: nothing would read its {joined(parts)} in "
            f"{settings.home}. Restore it with FITNESS_HOME={settings.home}, copy {joined(parts)} "
            f"to {settings.storage}, and then set FITNESS_HOME and FITNESS_STATE as they are now"
        )
