"""The inbox: exports that wait to be imported.

A file directly in the inbox must contain user ids. A file or folder in ``inbox/NAME/`` belongs to
the user NAME. A ``layout.toml`` describes the columns of the tidy files in the same folder, a
``sources.toml`` the order in which sources are preferred.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets.errors import FitnessError
from fitness_assets.sources.exports import layout, source_order
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports, remove

LAYOUT_FILE = "layout.toml"
SOURCES_FILE = "sources.toml"
#: Seconds without a change after which an export counts as copied completely.
SETTLE_SECONDS = 10.0


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

    An export that cannot be used is moved too, and stored with the reason.

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
    changed: set[str] = set()
    for export in exports:
        try:
            options = ImportOptions(
                user=export.user,
                zone=zone,
                layout=_layout(export.path),
                source_order=_source_order(export.path),
            )
            info, changed_months = imports.add(export.path, options)
        except FitnessError as error:
            log(f"{export.path.name} was rejected: {error}")
            imports.reject(export.path, str(error))
            continue
        log(f"{export.path.name}: {sum(info.months.values()):,} records of {sorted(info.months)}")
        changed |= changed_months
        remove(export.path)
    return changed


def _exports(inbox: Path) -> Iterator[WaitingExport]:
    for entry in _entries(inbox):
        if entry.is_dir():
            for path in _entries(entry):
                yield WaitingExport(path, entry.name, _last_change(path))
        else:
            yield WaitingExport(entry, None, _last_change(entry))


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name not in {LAYOUT_FILE, SOURCES_FILE} and not path.name.startswith(".")
    )


def _last_change(path: Path) -> float:
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    # A copy may preserve the modification time, but not the change time of the inode.
    return max(max(stat.st_mtime, stat.st_ctime) for stat in map(Path.lstat, paths))


def _layout(path: Path) -> layout.Layout | None:
    declared = path.parent / LAYOUT_FILE
    is_tidy = path.is_file() and path.suffix.lower() in {".csv", ".parquet"}
    return layout.load(declared) if is_tidy and declared.is_file() else None


def _source_order(path: Path) -> tuple[str, ...]:
    declared = path.parent / SOURCES_FILE
    return source_order.load(declared) if declared.is_file() else ()
