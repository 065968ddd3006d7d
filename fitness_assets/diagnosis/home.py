"""Checks of the home: permissions, versions, damage, locks, and what killed writers left."""

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from fitness_assets.diagnosis.finding import Finding, fault, ok, warning
from fitness_assets.diagnosis.machine import nearest
from fitness_assets.errors import StorageError
from fitness_assets.formatting import joined, plural, size
from fitness_assets.months import spans
from fitness_assets.orchestration import locks
from fitness_assets.orchestration.locks import SERVE_LOCK
from fitness_assets.settings import Settings
from fitness_assets.sources.import_store import stored_import
from fitness_assets.storage.backup_records import BackupRecords
from fitness_assets.storage.locations import folder_names
from fitness_assets.storage.models import FORMAT
from fitness_assets.storage.object_store import is_object_url
from fitness_assets.storage.publication import LOCK, MANIFEST, STAGING, read_manifest
from fitness_assets.storage.restoring import RESTORING
from fitness_assets.workspace import Workspace

#: A file that is staged without a lock is published at once, unless its writer was killed.
_STALE_SECONDS = 60.0
#: Lines about one kind of problem.
_MAX_LINES = 5
_KERNEL_LOCKS = Path("/proc/locks")


class _Entry(NamedTuple):
    path: Path
    is_folder: bool


@dataclass(frozen=True)
class Home:
    """What is in the home and in Dagster's home, found in one pass.

    Attributes
    ----------
    entries : list of tuple of Path and bool
        Files and folders, and whether it is a folder.
    denied : list of Path
        What this user may not read, or, of folders, may not write.
    foreign : list of Path
        What belongs to another user.
    """

    entries: list[_Entry]
    denied: list[Path]
    foreign: list[Path]

    @classmethod
    def of(cls, settings: Settings) -> "Home":
        """Look at every file and folder, and read none."""
        home = cls([], [], [])
        for root in (settings.home, settings.dagster_home):
            try:
                if root.exists() and not any(each.path == root for each in home.entries):
                    home._add(root)
            except PermissionError:
                home.denied.append(root)
        return home

    def _add(self, root: Path) -> None:
        self._look_at(root, is_folder=True)
        for folder, folders, files in os.walk(root):
            # Of the file system, for root only.
            folders[:] = [name for name in folders if name != "lost+found"]
            for name in folders:
                self._look_at(Path(folder, name), is_folder=True)
            for name in files:
                self._look_at(Path(folder, name), is_folder=False)

    def _look_at(self, path: Path, *, is_folder: bool) -> None:
        try:
            owner = path.lstat().st_uid
        except OSError:
            # Deleted since the folder was listed, or in a folder that is listed as denied.
            return
        self.entries.append(_Entry(path, is_folder))
        wanted = os.R_OK | os.W_OK | os.X_OK if is_folder else os.R_OK
        if not path.is_symlink() and not os.access(path, wanted):
            self.denied.append(path)
        if owner != os.geteuid():
            self.foreign.append(path)

    def named(self, start: str) -> list[Path]:
        """The files and folders whose name begins with `start`, in order."""
        return sorted(each.path for each in self.entries if each.path.name.startswith(start))


def check_permissions(settings: Settings, home: Home) -> Iterator[Finding]:
    """Whether this user may read and write the home."""
    if not home.denied and not settings.home.exists():
        parent = nearest(settings.home)
        if os.access(parent, os.W_OK | os.X_OK):
            yield ok(f"{settings.home} does not exist yet; the first command creates it")
        else:
            yield fault(
                f"{settings.home} does not exist, and cannot be created in {parent}",
                f"change the owner or mode of {parent}, or set FITNESS_HOME",
            )
        return
    if not home.denied and not settings.home.is_dir():
        yield fault(f"{settings.home} is not a folder", "set FITNESS_HOME to a folder")
        return
    if home.named(RESTORING):
        yield fault(
            f"{settings.home} is not restored whole: the command was interrupted",
            "run `fitness restore` again, with the same folder or URL, or empty the home",
        )
    if home.denied:
        yield fault(
            f"{home.denied[0]}{_others(home.denied)} cannot be read or written by this user",
            "run as the owner of the home, or change owner or mode with chown or chmod",
        )
    if home.foreign:
        owner = home.foreign[0].lstat().st_uid
        yield warning(
            f"{home.foreign[0]}{_others(home.foreign)} is of user {owner}, and this is user "
            f"{os.geteuid()}",
            "run as one user, as files that one writes may be closed to the other",
        )
    if not home.denied and not home.foreign:
        files = sum(not each.is_folder for each in home.entries)
        yield ok(f"{settings.home} can be read and written; {plural(files, 'file')}")


def _others(paths: list[Path]) -> str:
    return f" and {plural(len(paths) - 1, 'other')}" if len(paths) > 1 else ""


def check_version(settings: Settings) -> Iterator[Finding]:
    """Whether models, reports and imports are stored in the formats of this version."""
    workspace = Workspace.of(settings)
    older, newer = set[str](), set[str]()
    for store in (*workspace.models.values(), *workspace.reports.values()):
        for name in folder_names(store.root):
            try:
                manifest = read_manifest(store.root / name)
            except (OSError, StorageError):
                # `check_manifests` reports it.
                continue
            found = None if manifest is None else manifest.info.get("format", 1)
            if isinstance(found, int) and found != FORMAT:
                (older if found < FORMAT else newer).add(name)
    if older:
        yield warning(
            f"models or reports of {spans(older)} were stored by an older version",
            f"run `fitness backfill {min(older)} {max(older)}`",
        )
    if newer:
        yield fault(
            f"models or reports of {spans(newer)} were stored by a newer version",
            "install that version; this one would replace them",
        )
    if not older and not newer:
        yield ok("everything is stored in the formats of this version")


def check_manifests(settings: Settings, home: Home) -> Iterator[Finding]:
    """Whether what is published is whole: manifests can be read, and their files are there."""
    damaged = []
    folders = [path.parent for path in home.named(MANIFEST) if path.name == MANIFEST]
    for folder in folders:
        try:
            is_import = folder.parent == settings.home / "imports"
            stored = stored_import(folder) if is_import else None
            manifest = stored.manifest if stored is not None else read_manifest(folder)
            files = () if manifest is None else manifest.files
            paths = {folder / file.path: file.bytes for file in files}
            damaged += [
                (folder, f"{path} has another size than was published")
                for path, size_published in paths.items()
                if path.stat().st_size != size_published
            ]
        except FileNotFoundError as error:
            damaged.append((folder, f"{error.filename} is missing"))
        except PermissionError:
            # `check_permissions` reports it.
            continue
        except StorageError as error:
            damaged.append((folder, str(error)))
    for folder, reason in damaged[:_MAX_LINES]:
        yield fault(reason, _repair(settings, folder))
    if len(damaged) > _MAX_LINES:
        more = plural(len(damaged) - _MAX_LINES, "more folder")
        yield fault(f"{more} of what is published damaged", "repair those above, and look again")
    if not damaged:
        yield ok(f"{plural(len(folders), 'publication')} with all files")


def _repair(settings: Settings, folder: Path) -> str:
    """What replaces the content of a folder."""
    if settings.home / "imports" in folder.parents:
        return "import the export again"
    parts = [part.partition("=")[2] or part for part in folder.parts[-2:]]
    month = parts[1] if len(parts[1]) > len("04") else "-".join(parts)
    return f"run `fitness backfill {month}`, which replaces it"


def check_locks(settings: Settings, home: Home) -> Iterator[Finding]:
    """Which process serves the home, and which are writing to it."""
    found = []
    for folder in sorted({settings.home, settings.dagster_home}):
        path = folder / SERVE_LOCK
        if _is_held(path):
            found.append(ok(f"{folder} is served by {locks.read_holder(path) or 'a process'}"))
    for path in home.named(LOCK):
        if path.name == LOCK and _is_held(path):
            found += _writers(path)
    yield from found or [ok("no process holds a lock")]


def _writers(path: Path) -> Iterator[Finding]:
    processes = list(_holders(path))
    if not processes:
        yield ok(f"{path.parent} is being written by a process of another container or machine")
    for process in processes:
        try:
            what = f"process {process.pid} ({process.name()} of {process.username()})"
            stopped = process.status() == psutil.STATUS_STOPPED
        except psutil.Error:
            continue
        text = f"{path.parent} is being written by {what}"
        if stopped:
            yield fault(
                f"{text}, which is stopped, so that others wait",
                f"continue it with `kill -CONT {process.pid}`, or end it",
            )
        else:
            yield ok(text)


def _holders(path: Path) -> Iterator[psutil.Process]:
    """The processes that hold the lock of the file `path`, as the kernel of Linux lists them."""
    try:
        inode, lines = str(path.stat().st_ino), _KERNEL_LOCKS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        # Such as "1: FLOCK  ADVISORY  WRITE 708 08:01:13149 0 EOF"; waiting ones begin with "->".
        words = line.split()
        if "->" in words or "WRITE" not in words:
            continue
        pid, file = words[4], words[5]
        if file.rpartition(":")[2] == inode and psutil.pid_exists(int(pid)):
            yield psutil.Process(int(pid))


def check_backups(settings: Settings) -> Iterator[Finding]:
    """When the home was backed up, what is newer, and whether a backup has forgotten users."""
    records = BackupRecords(settings.home).all()
    made = {place: each.made for place, each in records.items() if each.made}
    for place in sorted(place for place, each in records.items() if each.is_behind):
        yield warning(
            f"the backup in {place} has users who were forgotten",
            f"run `fitness backup {shlex.quote(place)}` once it can be reached, or destroy it",
        )
    manifests = list((settings.home / "imports").glob(f"*/{MANIFEST}"))
    if not made:
        if manifests:
            yield warning(
                "there are imports, and no backup",
                "run `fitness backup TO`, with a folder on another disk or an object store",
            )
        else:
            yield ok("nothing needs a backup")
        return
    place, last = max(made.items(), key=lambda item: item[1])
    newer = [path for path in manifests if path.stat().st_mtime > last.timestamp()]
    text = f"the last backup is of {last:%Y-%m-%d %H:%M} UTC, in {place}"
    if not is_object_url(place) and not Path(place).exists():
        text += ", which is not there now"
    if newer:
        yield warning(
            f"{text}; {plural(len(newer), 'import is newer', 'imports are newer')}",
            f"run `fitness backup {shlex.quote(place)}`",
        )
    else:
        yield ok(text)


def check_staging(home: Home) -> Iterator[Finding]:
    """What writers left behind that were killed."""
    left = [path for path in home.named(STAGING) if _is_stale(path)]
    if not left:
        yield ok("nothing is left of killed writers")
        return
    total = sum(map(_bytes, left))
    yield warning(
        f"{plural(len(left), 'file or folder', 'files or folders')} of killed writers, "
        f"{size(total)}, in {joined(sorted({str(path.parent) for path in left})[:_MAX_LINES])}",
        "nothing reads them, and the next writer of a folder deletes its own; delete others by "
        "hand if they take space",
    )


def _is_stale(path: Path) -> bool:
    try:
        return (
            not _is_held(path.parent / LOCK)
            and time.time() - path.lstat().st_mtime > _STALE_SECONDS
        )
    except OSError:
        return False


def _bytes(path: Path) -> int:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(each.lstat().st_size for each in files if each.is_file())


def _is_held(path: Path) -> bool:
    try:
        return locks.is_held(path)
    except OSError:
        # `check_permissions` reports a lock that cannot be opened.
        return False
