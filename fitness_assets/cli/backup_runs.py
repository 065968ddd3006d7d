"""Backups of the home to a place, and their update after a user was forgotten."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from fitness_assets import clock
from fitness_assets.cli.progress import bytes_bar
from fitness_assets.cli.terminal import say
from fitness_assets.declarations import declarations
from fitness_assets.errors import FitnessError, SettingsError, StorageError, UnavailableError
from fitness_assets.formatting import plural, size
from fitness_assets.settings import Settings
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_encryption import BackupKey, Protection, Secrets
from fitness_assets.storage.backup_manifest import Backup
from fitness_assets.storage.backup_places import FolderPlace, open_place
from fitness_assets.storage.backup_records import BackupRecord, BackupRecords
from fitness_assets.storage.locations import ObjectPath

#: What cannot be computed again.
_SOURCES = ("imports", "people", "dagster/dagster.yaml")
_RAW = ("lake/raw_telemetry",)
#: The raw records, and what can be computed again from them: what is published.
PUBLISHED = ("lake", "models", "reports", "releases", "releases-people")

#: Of the folders of one machine: a restored home has its own.
_OF_MACHINE = {
    "FITNESS_HOME",
    "FITNESS_STATE",
    "DAGSTER_HOME",
    "FITNESS_RELEASE_SOURCE",
    "FITNESS_RELEASE_CACHE",
    "JAVA_HOME",
}


@dataclass(frozen=True)
class BackupOptions:
    """What a backup includes, and who may restore it."""

    everything: bool = False
    verify: bool = False
    protection: Protection = dataclasses.field(default_factory=Protection)


def set_variables(settings: Settings) -> dict[str, str]:
    """The settings that the environment sets, by variable, without secrets."""
    environment = settings.environment()
    return {
        each.variable: environment[each.variable]
        for each in declarations(Settings).values()
        if each.variable not in _OF_MACHINE and not each.secret and environment.get(each.variable)
    }


def back_up(
    settings: Settings,
    to: str,
    options: BackupOptions,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Back up the home to the place `to`, and record it.

    Parameters
    ----------
    settings : Settings
    to : str
        A path or URL.
    options : BackupOptions
    variables : mapping, optional
        The settings to record, by variable; by default those that are set.

    Raises
    ------
    FitnessError
        If the home has nothing to back up, or the place cannot be written.
    """
    place = open_place(to)
    home = settings.home
    if isinstance(place, FolderPlace) and place.root.resolve().is_relative_to(home.resolve()):
        raise FitnessError(f"{to} is inside the home {home}; a backup belongs elsewhere")
    parts = (*_SOURCES, *(PUBLISHED if options.everything else _RAW))
    if isinstance(settings.storage, ObjectPath):
        say(
            f"{settings.storage} is not in the backup, which has what is in {home}: copy it with "
            "the tools of the object store"
        )
    if not any((home / part).exists() for part in parts):
        raise FitnessError(f"{home} holds nothing to back up")
    store, records = BackupStore(place), BackupRecords(home)
    _set_key(store, records, options.protection)
    with store.writing():
        before = _backup_before(store, records)
        # Before the backup is there: `fitness forget` must know of it however the command ends.
        records.put(place.name, records.of(place.name))
        manifest = Backup(
            made=clock.now(),
            settings=set_variables(settings) if variables is None else variables,
            everything=options.everything,
            home=records.home_id(),
        )
        with bytes_bar(place.name) as progress:
            made, added = store.write(home, parts, manifest, progress)
    record = msgspec.structs.replace(
        records.of(place.name), made=made.made, everything=options.everything, is_behind=False
    )
    records.put(place.name, record)
    if before and (gone := _imports(before) - _imports(made)):
        say(
            f"{plural(len(gone), 'import')} that the home no longer has, and {to} had, were removed"
        )
    if options.verify:
        with bytes_bar(f"{place.name}, verified") as progress:
            store.verify(made, progress)
    words = [", encrypted"] * (store.key is not None) + [", verified"] * options.verify
    say(
        f"{to} holds {plural(len(made.files), 'file')}, {size(made.bytes)}, of which {size(added)} "
        f"are new{''.join(words)}"
    )


def _backup_before(store: BackupStore, records: BackupRecords) -> Backup | None:
    """The backup that is at a place, and will be replaced.

    Raises
    ------
    StorageError
        If another home made it. It may be the only one of that home, which may be lost.
    """
    place = store.place
    record = records.of(place.name)
    if store.is_encrypted() is None:
        if record.made is not None:
            say(
                f"{place.name} no longer holds the backup of {record.made:%Y-%m-%d %H:%M} UTC, and "
                "gets a new one; check that its disk is mounted"
            )
        return None
    try:
        found = store.read()
    except UnavailableError:
        raise
    except StorageError:
        # The home that made it replaces one that is damaged.
        if record.made is None:
            raise
        return None
    if not _is_own(found, record, records):
        raise StorageError(
            f"{place.name} holds a backup of {found.made:%Y-%m-%d %H:%M} UTC that another home "
            "made: restore it, use another place, or delete it"
        )
    return found


def _is_own(found: Backup, record: BackupRecord, records: BackupRecords) -> bool:
    """Whether this home made a backup, or was restored from it."""
    return found.made == record.made or found.home == records.home_id()


def _imports(backup: Backup) -> set[str]:
    """The folders of the imports in a backup."""
    paths = [PurePosixPath(file.path).parts for file in backup.files]
    return {parts[1] for parts in paths if parts[0] == "imports" and len(parts) > 1 + 1}


def _set_key(store: BackupStore, records: BackupRecords, protection: Protection) -> None:
    """Set the key of a backup that is encrypted, or is to be.

    Raises
    ------
    FitnessError
        If the backup that is there is not encrypted or encrypted for others, or its key is unknown.
    """
    place, wanted = store.place, bool(protection.recipients) or protection.passphrase is not None
    protection.check()
    is_encrypted = store.is_encrypted()
    if is_encrypted is False and wanted:
        raise SettingsError(
            f"{place.name} holds a backup that is not encrypted; use another place, or delete it"
        )
    if is_encrypted is None and not wanted and (records.of(place.name).key or store.has_key()):
        raise SettingsError(
            f"the backup in {place.name} was encrypted, or was to be, and is not there: check that "
            "its disk is mounted, or name --encrypt-to or --passphrase-file for a new one"
        )
    if is_encrypted is None and wanted:
        key = BackupKey.generate()
        # Before the key is at the place, so that the home never lacks the key of a backup.
        record = BackupRecord(key=key.text, recipients=protection.recipients)
        records.put(place.name, record)
        store.protect(key, protection)
    elif is_encrypted:
        record = records.of(place.name)
        if protection.passphrase is not None:
            store.unlock(Secrets(passphrase=protection.passphrase))
        elif record.key is None:
            raise StorageError(
                f"{place.name} holds an encrypted backup whose key this home does not have: name "
                "its --passphrase-file, restore it, use another place, or delete it"
            )
        else:
            store.key = BackupKey(record.key)
            # Fails if another home has made it.
            store.read()
        if protection.recipients and set(protection.recipients) != set(record.recipients):
            raise SettingsError(
                f"{place.name} is encrypted for others than --encrypt-to names; use another place, "
                "or delete it"
            )
        if store.key is not None and store.key.text != record.key:
            records.put(place.name, msgspec.structs.replace(record, key=store.key.text))


def update_backups(settings: Settings) -> Iterator[str]:
    """Make the recorded backups again, so that they lack what the home lacks.

    Each has its key in the home. A backup that another home has made since is not touched.

    Yields
    ------
    str
        A backup that could not be updated, with the reason.
    """
    records = BackupRecords(settings.home)
    for name, record in sorted(records.all().items()):
        try:
            store = BackupStore(open_place(name), BackupKey(record.key) if record.key else None)
            if record.made is None and store.is_encrypted() is None:
                if store.place.first_names():
                    store.delete_unnamed()
                continue
            records.put(name, msgspec.structs.replace(record, is_behind=True))
            found = store.read()
            if _is_own(found, record, records):
                problem = ""
                options = BackupOptions(everything=found.everything)
                back_up(settings, name, options, found.settings)
            else:
                problem = "it was replaced by another command or home"
        except (FitnessError, OSError) as error:
            problem = str(error)
        if problem:
            records.put(name, msgspec.structs.replace(records.of(name), is_behind=True))
            made = f"the backup of {record.made:%Y-%m-%d %H:%M} UTC" if record.made else "a backup"
            yield f"{made} in {name}: {problem}"
