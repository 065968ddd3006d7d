"""The inbox: exports that wait to be imported.

A file directly in the inbox must contain user ids. A file or folder in ``inbox/NAME/`` belongs to
the user NAME. A ``layout.toml`` describes the columns of the tidy files in the same folder, a
``sources.toml`` the order in which sources are preferred.

Others may write to the inbox: links, pipes, devices and sockets are not opened, and nothing outside
of it is ever removed.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets import regular_files
from fitness_assets.errors import FitnessError, ForgottenUserError
from fitness_assets.sources import originals
from fitness_assets.sources.exports import layout, source_order
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.text import printable

LAYOUT_FILE = "layout.toml"
SOURCES_FILE = "sources.toml"
#: Seconds without a change after which an export counts as copied completely.
SETTLE_SECONDS = 10.0
# A later time of a change is that of a wrong clock; a sooner one may be that of a file server.
_MAX_CLOCK_SKEW = 3600.0


@dataclass(frozen=True)
class WaitingExport:
    """An export in the inbox.

    Attributes
    ----------
    path : Path
    user : str or None
        The name of the folder that it is in.
    changed : float
        Time of the last change of any of its files, in seconds since 1970.
    """

    path: Path
    user: str | None
    changed: float

    @property
    def inbox(self) -> Path:
        """The inbox that it is in."""
        return self.path.parent if self.user is None else self.path.parent.parent

    @property
    def name(self) -> str:
        """Its path in the inbox, for messages."""
        return printable(self.path.relative_to(self.inbox).as_posix())


def waiting_exports(inbox: Path, settle_seconds: float = SETTLE_SECONDS) -> list[WaitingExport]:
    """The exports in `inbox` that have not changed for `settle_seconds`."""
    last = time.time() - settle_seconds
    return [export for export in _exports(inbox) if export.changed <= last]


def import_waiting(
    exports: list[WaitingExport],
    imports: Imports,
    zone: ZoneInfo | None,
    log: Callable[[str], object],
) -> set[str]:
    """Move `exports` from the inbox to `imports`.

    An export that cannot be used is moved too, and stored with the reason. What cannot be copied,
    such as a link or an unreadable file, stays in the inbox, and the reason is stored. None stops
    the exports after it; an unexpected error is raised after the last.

    Parameters
    ----------
    exports : list of WaitingExport
    imports : Imports
    zone : ZoneInfo or None
        The users' time zone, if it is declared.
    log : callable
        Called with one line per export.

    Returns
    -------
    set of str
        The months whose records changed.
    """

    def say(line: str) -> None:
        log(printable(line))

    changed: set[str] = set()
    unexpected: Exception | None = None
    for export in exports:
        try:
            changed |= _import(export, imports, zone, say)
        except (FitnessError, OSError) as error:
            say(f"{export.name} stays in the inbox: {_reason(error)}")
            # If the disk is full, this fails as well.
            with suppress(FitnessError, OSError):
                imports.report_unreadable(export.name, _reason(error))
        except Exception as error:  # noqa: BLE001 - raised below
            say(f"{export.name} stays in the inbox: {type(error).__name__}: {error}")
            unexpected = unexpected or error
    if unexpected is not None:
        raise unexpected
    return changed


def _import(
    export: WaitingExport, imports: Imports, zone: ZoneInfo | None, log: Callable[[str], object]
) -> set[str]:
    """Import or reject one export, and remove it from the inbox; the months that changed."""
    originals.check_readable(export.path)
    before = originals.snapshot(export.path)
    changed: set[str] = set()
    try:
        options = ImportOptions(
            user=export.user,
            zone=zone,
            layout=_layout(export.path),
            source_order=_source_order(export.path),
        )
        info, changed = imports.add(export.path, options)
    except originals.ExportChangedError:
        raise
    except ForgottenUserError:
        # Its name may be that of the user.
        log("an export of a forgotten user was removed from the inbox")
    except FitnessError as error:
        log(f"{export.name} was rejected: {error}")
        imports.reject(export.path, str(error), export.user)
    else:
        count = sum(info.months.values())
        log(f"{export.name}: {count:,} records of {sorted(info.months)}")
    originals.check_unchanged(export.path, before)
    originals.remove_below(export.inbox, export.path)
    imports.clear_unreadable(export.name)
    return changed


def _reason(error: Exception) -> str:
    """Why an export stays in the inbox."""
    if not isinstance(error, OSError):
        return str(error)
    file = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return printable(f"{file}{error.strerror or error}")


def _exports(inbox: Path) -> Iterator[WaitingExport]:
    for entry in _entries(inbox):
        if regular_files.is_folder(entry):
            for path in _entries(entry):
                yield from _export(path, entry.name)
        else:
            yield from _export(entry, None)


def _export(path: Path, user: str | None) -> Iterator[WaitingExport]:
    # It may be removed meanwhile.
    with suppress(FileNotFoundError):
        yield WaitingExport(path, user, _last_change(path))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.name not in {LAYOUT_FILE, SOURCES_FILE} and not path.name.startswith(".")
        )
    except OSError:
        return []


def _last_change(path: Path) -> float:
    now = time.time()
    paths = [path, *path.rglob("*")] if regular_files.is_folder(path) else [path]
    found = [0.0]
    for state in map(Path.lstat, paths):
        # A copy may preserve any modification time, but not the change time of the inode.
        found += [state.st_mtime] if state.st_mtime <= now else []
        found += [state.st_ctime] if state.st_ctime <= now + _MAX_CLOCK_SKEW else []
    return max(found)


def _layout(path: Path) -> layout.Layout | None:
    declared = path.parent / LAYOUT_FILE
    is_tidy = path.suffix.lower() in {".csv", ".parquet"} and path.is_file()
    return layout.load(declared) if is_tidy and _is_declared(declared) else None


def _source_order(path: Path) -> tuple[str, ...]:
    declared = path.parent / SOURCES_FILE
    return source_order.load(declared) if _is_declared(declared) else ()


def _is_declared(path: Path) -> bool:
    """Whether there is such a file, or something in its place that cannot be read."""
    return os.path.lexists(path)
