"""Exports that wait to be taken in.

A file that lies in the inbox itself says whose its records are. One in ``inbox/NAME/``, or a
folder there, is of the person called NAME. A ``layout.toml`` says what the columns of the tidy
files beside it mean.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets.errors import FitnessError
from fitness_assets.sources.exports import layout
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports, remove

LAYOUT = "layout.toml"
#: Seconds for which nothing of an export may have changed: until then it is still being copied.
SETTLED = 10.0


@dataclass(frozen=True)
class Waiting:
    """An export in the inbox.

    Attributes
    ----------
    path : Path
    user : str or None
        Whose it is, by the folder that it lies in.
    changed : float
        When anything of it last changed, in seconds since 1970.
    """

    path: Path
    user: str | None
    changed: float


def waiting(inbox: Path, settled: float = SETTLED) -> list[Waiting]:
    """The exports in `inbox` of which nothing has changed for `settled` seconds."""
    last = time.time() - settled
    return [each for each in _exports(inbox) if each.changed <= last]


def take_in(
    exports: list[Waiting], imports: Imports, zone: ZoneInfo, tell: Callable[[str], object]
) -> set[str]:
    """Move `exports` from the inbox to `imports`; the months whose records are other than before.

    What cannot be used at all is moved too, and kept with the reason.
    """
    changed: set[str] = set()
    for export in exports:
        try:
            told = ImportOptions(user=export.user, zone=zone, layout=_layout(export.path))
            added, touched = imports.add(export.path, told)
        except FitnessError as error:
            tell(f"{export.path.name} was refused: {error}")
            imports.refuse(export.path, str(error))
            continue
        tell(
            f"{export.path.name}: {sum(added.months.values()):,} records of {sorted(added.months)}"
        )
        changed |= touched
        remove(export.path)
    return changed


def _exports(inbox: Path) -> Iterator[Waiting]:
    for entry in _entries(inbox):
        if entry.is_dir():
            for path in _entries(entry):
                yield Waiting(path, entry.name, _changed(path))
        else:
            yield Waiting(entry, None, _changed(entry))


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name != LAYOUT and not p.name.startswith("."))


def _changed(path: Path) -> float:
    every = [path, *path.rglob("*")] if path.is_dir() else [path]
    # A copy may keep the time of its content, but not that of its entry.
    return max(max(stat.st_mtime, stat.st_ctime) for stat in map(Path.lstat, every))


def _layout(path: Path) -> layout.Layout | None:
    declared = path.parent / LAYOUT
    is_tidy = path.is_file() and path.suffix.lower() in {".csv", ".parquet"}
    return layout.load(declared) if is_tidy and declared.is_file() else None
