"""Forget a user: remove the data, rematerialize what was made from it, and search for the rest.

Every step can be repeated: what a killed command left is found again, since each step looks at what
is stored. The list of forgotten users is changed first, so that no import brings the user back.
"""

import dataclasses
import shutil
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
from filelock import FileLock, Timeout

from fitness_assets import clock, months
from fitness_assets.cli.backup_runs import update_backups
from fitness_assets.cli.run_report import run_and_report, run_stale_and_report
from fitness_assets.cli.runs import select_assets
from fitness_assets.cli.subject import Subject, find_user, users_of
from fitness_assets.cli.terminal import say
from fitness_assets.errors import FitnessError, SourceError, StorageError
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.orchestration.propagation import busy_partitions, current_plan
from fitness_assets.orchestration.run_records import (
    rewrite_records,
    search_servers,
    unreachable_records,
)
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.regular_files import is_regular
from fitness_assets.release.bundle import MANIFESTS
from fitness_assets.settings import Settings
from fitness_assets.sources import originals
from fitness_assets.sources.configured import (
    configured_imports,
    configured_names,
    configured_notes,
    configured_pseudonyms,
)
from fitness_assets.storage.backup_records import BackupRecords
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.object_inventory import Inventory, search_objects
from fitness_assets.storage.publication import write_atomically
from fitness_assets.storage.trace_search import search, search_file
from fitness_assets.storage.traces import Traces, is_searchable
from fitness_assets.workspace import ASSETS, Workspace

_STAGING = "_staging-*"
# Another run, such as one of the daemon, may be rematerializing a month.
_WAIT_SECONDS = 3_600.0
_POLL_SECONDS = 5.0


def forget_user(settings: Settings, name: str) -> bool:
    """Remove all data of the user called `name`; return whether nothing is left.

    Parameters
    ----------
    settings : Settings
        Its range does not matter: every month that is stored is looked at.
    name : str
        The imported name in any spelling, or the pseudonym.

    Raises
    ------
    SourceError
        If there is no data of such a user, or the months of the user cannot be read again.
        Nothing is changed then.
    """
    workspace = Workspace.of(settings)
    user = find_user(settings, workspace, name)
    if not user.stored and not user.folders and not user.is_unfinished:
        raise SourceError(f"there is no data of a user called {name!r}")
    _check_source(settings, workspace, user)
    pseudonyms = configured_pseudonyms(settings)
    pseudonyms.forget(*user.ids)
    traces = _traces(settings, user)
    with open_instance(settings) as instance:
        # While the names of the files are known that only this user delivered.
        rewrite_records(instance, settings.dagster_home, _traces(settings, user, files=True))
    _remove_deliveries(settings, user, traces)
    whole = settings_of_all_months(settings, workspace)
    shared = _remove_own_months(settings, workspace, user)
    # First those of months that have gone: their receipts would be stale.
    problems = _remove_uploads(workspace, set())
    problems += _rematerialize(whole, workspace, user, shared)
    with open_instance(settings) as instance:
        rewrite_records(instance, settings.dagster_home, traces)
        problems += list(search_servers(instance, traces))
        unreachable = unreachable_records(instance)
    unreachable += [
        f"{backup}; run `fitness backup` to it again, and keep a copy of "
        f"{settings.home / 'people' / 'forgotten.json'} for its restore"
        for backup in update_backups(settings)
    ]
    problems += [where for folder in _folders(settings) for where in search(folder, traces)]
    for root in _object_folders(settings):
        # Those of earlier publications, which readers could still use for a while.
        root.store.delete(path.key for path in Inventory.of(root, MANIFESTS).unnamed())
        problems += search_objects(root, traces)
    _report(settings, traces, unreachable, problems)
    if not problems:
        pseudonyms.finish_forgetting(*user.ids)
    return not problems


def settings_of_all_months(settings: Settings, workspace: Workspace) -> Settings:
    """`settings` with a range that includes every month that is stored."""
    stored = workspace.months()
    if not stored:
        return settings
    last = settings.last_month
    if stored[-1] > months.last_complete(clock.today(settings.zone)):
        last = "now"
    elif not settings.is_open:
        last = max(last, stored[-1])
    return dataclasses.replace(
        settings, first_month=min(settings.first_month, stored[0]), last_month=last
    )


def _check_source(settings: Settings, workspace: Workspace, user: Subject) -> None:
    """Raise SourceError if the months of the user cannot be read from the source again."""
    held = [
        month
        for month in workspace.raw.months()
        if (found := users_of(workspace.raw, month)) is None or not user.ids.isdisjoint(found)
    ]
    if settings.source == "exports":
        return
    for month in held:
        try:
            imported = workspace.raw.info(month).is_imported
        except StorageError:
            continue
        if imported:
            raise SourceError(
                f"{month} is made from imports: set FITNESS_SOURCE=exports to forget the user"
            )
    if held:
        workspace.source.check()


def _traces(settings: Settings, user: Subject, *, files: bool = False) -> Traces:
    """What identifies the user; with `files`, also files that only this user delivered."""
    imports = configured_imports(settings).all() if files else []
    own = {each.name for each in imports if user.ids.issuperset(each.users)}
    own -= {each.name for each in imports if not user.ids.issuperset(each.users)}
    own = {each for each in own if is_searchable(Path(each).stem)}
    # Of a URL, what follows its scheme.
    places = [each.rpartition(":/")[2] for each in BackupRecords(settings.home).all()]
    backups = [Path(each) for each in places]
    folders = [*_folders(settings), *backups, Path.home(), Path.cwd()]
    paths = {variant for folder in folders for variant in (folder, folder.resolve())}
    names = [folder.name for folder in user.folders]
    return Traces(user.ids, names, own, [each for each in paths if len(each.parts) > 1])


def _folders(settings: Settings) -> list[Path]:
    """The folders that hold state, without those within another."""
    folders = {
        settings.home.resolve(),
        settings.dagster_home.resolve(),
        *(path.resolve() for path in (settings.release_cache, settings.people_cache)),
    }
    if settings.drive_folder is None and isinstance(settings.upload_folder, Path):
        uploads = settings.upload_folder.resolve()
        folders |= {uploads, uploads.with_name(f"{uploads.name}-people")}
    return sorted(
        folder
        for folder in folders
        if folder.is_dir() and not any(other in folder.parents for other in folders)
    )


def _object_folders(settings: Settings) -> list[ObjectPath]:
    """The folders of object stores that hold what is published, without those within another."""
    places = {settings.storage}
    if settings.drive_folder is None:
        places.add(settings.upload_folder)
    found = sorted(place for place in places if isinstance(place, ObjectPath))
    return [
        place for place in found if not any(str(place).startswith(f"{other}/") for other in found)
    ]


def _remove_deliveries(settings: Settings, user: Subject, traces: Traces) -> None:
    """Remove what the user delivered: imports, rejected files, and what waits in the inbox."""
    imports = configured_imports(settings)
    inbox = settings.home / "inbox"
    for folder in user.folders:
        originals.remove_below(inbox, folder)
    for path in sorted(inbox.glob("*")):
        if not is_regular(path):
            continue
        if path.suffix == ".toml":
            content = path.read_bytes()
            if (rewritten := traces.rewrite_bytes(content)) != content:
                write_atomically(path, rewritten)
        elif traces.in_text(path.name) or next(search_file(path, traces), None) is not None:
            originals.remove_below(inbox, path)
            say(f"removed {path.name} from the inbox: it holds data of the user")
    if rejected := imports.forget_rejected(user.ids, traces):
        say(f"removed {rejected} rejected files, which may hold data of the user")
    imports.forget(*user.ids, traces=traces)
    configured_names(settings).forget(user.ids)
    configured_notes(settings).forget(user.ids, traces)
    # The dashboard downloads its copy of the releases again.
    for copy in (settings.release_cache, settings.people_cache):
        shutil.rmtree(copy, ignore_errors=True)
    _remove_unfinished(settings.home)
    if settings.logins is not None and is_regular(settings.logins):
        _remove_logins(settings.logins, user)


def _remove_logins(path: Path, user: Subject) -> None:
    """Remove the lines of the login map that give an e-mail address the days of the user."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if user.ids.isdisjoint(_values(line))]
    if kept != lines:
        mode = path.stat().st_mode
        write_atomically(path, "".join(kept).encode())
        path.chmod(mode)
        say(f"removed the logins of the user from {path}")


def _values(line: str) -> set[str]:
    """The texts that one line of a TOML file assigns."""
    try:
        values = tomllib.loads(line).values()
    except tomllib.TOMLDecodeError:
        return set()
    return {value.strip() for value in values if isinstance(value, str)}


def _remove_unfinished(home: Path) -> None:
    """Remove what killed writers left; those that are still writing hold the lock."""
    for staging in sorted(home.rglob(_STAGING)):
        try:
            with FileLock(staging.parent / "_lock", timeout=0):
                if staging.is_dir():
                    shutil.rmtree(staging, ignore_errors=True)
                else:
                    staging.unlink(missing_ok=True)
        except Timeout:
            continue


def _remove_own_months(settings: Settings, workspace: Workspace, user: Subject) -> set[str]:
    """Remove the months that held nobody else; return those that held others as well."""
    imported = set(configured_imports(settings).months())
    shared = set()
    for month in workspace.months():
        delivered = [users_of(lake, month) for lake in (workspace.raw, workspace.workouts)]
        held = [*delivered, users_of(workspace.daily, month)]
        known = [users for users in held if users is not None]
        everyone = {each for users in known for each in users}
        if len(known) == len(held) and user.ids.isdisjoint(everyone):
            continue
        only = len(known) == len(held) and user.ids.issuperset(everyone)
        gone = settings.source == "exports" and month not in imported
        if only or gone:
            for asset in reversed(ASSETS):
                workspace.remove(asset, month)
        elif any(users is None or not user.ids.isdisjoint(users) for users in delivered):
            shared.add(month)
    return shared


def _rematerialize(
    settings: Settings, workspace: Workspace, user: Subject, shared: set[str]
) -> list[str]:
    """Rematerialize what was made from data of the user; remove what cannot be.

    Parameters
    ----------
    settings : Settings
        With a range that includes every month that is stored.
    shared : set of str
        The months whose raw records hold the user and others.

    Returns
    -------
    list of str
        What went wrong.
    """
    problems = []
    # Whether the records of most sources have changed is known only after reading them.
    if shared and not _succeeds(
        lambda: run_and_report(
            settings,
            dict.fromkeys(sorted(shared), select_assets(settings, "raw_telemetry,workouts")),
        )
    ):
        for month in sorted(shared):
            held = [users_of(lake, month) for lake in (workspace.raw, workspace.workouts)]
            if any(users is None or not user.ids.isdisjoint(users) for users in held):
                for asset in reversed(ASSETS):
                    workspace.remove(asset, month)
                problems.append(f"{month} could not be read again and was removed")
    affected = _affected(settings)
    # What is stale afterwards was made from data of the user: it may not stay.
    succeeded = _succeeds(lambda: run_stale_and_report(settings, missing=False))
    _wait_for_other_runs(settings, affected)
    left = sorted(affected & _affected(settings))
    for partition in left:
        if partition.asset != "drive_upload":
            workspace.remove(partition.asset, partition.month)
        problems.append(f"{partition} could not be rematerialized and was removed")
    not_uploaded = {partition.month for partition in left if partition.asset == "drive_upload"}
    problems += _remove_uploads(workspace, not_uploaded)
    return problems if succeeded or problems else ["a run failed"]


def _succeeds(run: Callable[[], None]) -> bool:
    """Whether every month of `run` succeeded, which printed how it went."""
    try:
        run()
    except click.exceptions.Exit:
        return False
    return True


def _affected(settings: Settings) -> set[Partition]:
    """What is stale, and what is downstream of it."""
    with open_instance(settings) as instance:
        return set(current_plan(settings, instance, missing=False).affected)


def _wait_for_other_runs(settings: Settings, affected: set[Partition]) -> None:
    """Wait until no other run materializes one of `affected`, and then rematerialize the rest."""
    deadline = time.monotonic() + _WAIT_SECONDS
    waited = False
    while True:
        with open_instance(settings) as instance:
            if affected.isdisjoint(busy_partitions(instance)) or time.monotonic() > deadline:
                break
        waited = True
        time.sleep(_POLL_SECONDS)
    if waited:
        _succeeds(lambda: run_stale_and_report(settings, missing=False))


def _remove_uploads(workspace: Workspace, not_uploaded: set[str]) -> list[str]:
    """Remove the uploaded copies of `not_uploaded`, and of months that have no release."""
    problems = []
    for month in workspace.receipts.months():
        if month in not_uploaded or workspace.releases.manifest(month) is None:
            try:
                workspace.remove_uploads(month)
            except FitnessError as error:
                problems.append(f"the uploaded copy of {month} could not be removed: {error}")
    return problems


def _report(settings: Settings, traces: Traces, records: list[str], problems: list[str]) -> None:
    """Print what is left, and what cannot be reached from here: `records`, and what others keep."""
    for problem in problems:
        say(f"left: {problem}", err=True)
    unreachable = [
        "downloads and mirrors of earlier releases, which keep what they had",
        "exports outside of this home",
        "copies of backups, and versions that an object store keeps of what was deleted",
    ]
    if settings.drive_folder is not None:
        unreachable.append("revisions that Google Drive keeps of files that were replaced")
    if settings.source == "folder":
        unreachable.append(f"the files in {settings.source_path}, whose records are skipped")
    for each in (*unreachable, *records):
        say(f"not reached: {each}")
    for name in traces.unsearchable:
        say(f"not searched: {name!r} is too common in text; it was removed as a user id")
    if problems:
        say("run the command again once the causes are removed", err=True)
    else:
        say("searched all folders, databases and logs: nothing of the user is left")
