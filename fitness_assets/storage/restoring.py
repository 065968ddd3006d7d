"""The mark of a home that is being restored, which no other command may use."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents
from fitness_assets.storage.publication import STAGING, write_atomically

#: In the home until it is complete.
RESTORING = "restoring.json"


class _Mark(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from"}):
    source: str
    made: datetime | None = None


def require_complete(home: Path) -> None:
    """Raise StorageError if the restore of `home` was interrupted.

    What a command computes from a part of a home is wrong, and a backup of it would replace the
    whole one.
    """
    if (home / RESTORING).exists():
        raise StorageError(
            f"{home} is not restored whole: run `fitness restore` again, with the same folder or "
            "URL, or empty the home"
        )


def begin_restore(home: Path, made: datetime, source: str) -> None:
    """Mark `home` as incomplete, which is empty, or holds a part of the same backup.

    Parameters
    ----------
    home : Path
    made : datetime
        When the backup was made, which identifies it.
    source : str
        The place of the backup.

    Raises
    ------
    StorageError
        If the home holds anything else. The files of two backups would be mixed.
    """
    mark = home / RESTORING
    if mark.exists():
        begun = documents.decode(mark.read_bytes(), _Mark, str(mark))
        if begun.made is not None and begun.made != made:
            raise StorageError(
                f"{home} holds a part of the backup of {begun.made:%Y-%m-%d %H:%M} UTC in "
                f"{begun.source}, and this one is of {made:%Y-%m-%d %H:%M} UTC; empty the home"
            )
    elif home.exists() and any(entries(home)):
        raise StorageError(
            f"{home} is not empty; set FITNESS_HOME to a folder that is empty or does not exist"
        )
    for left in home.rglob(f"{STAGING}*"):
        left.unlink()
    home.mkdir(parents=True, exist_ok=True)
    write_atomically(mark, documents.encode(_Mark(source=source, made=made)))


def finish_restore(home: Path) -> None:
    """Remove the mark."""
    (home / RESTORING).unlink()


def entries(folder: Path) -> Iterator[Path]:
    """What is in a folder, without what a file system has of its own, or a killed writer left."""
    return (
        path
        for path in folder.iterdir()
        if path.name != "lost+found" and not path.name.startswith(STAGING)
    )
