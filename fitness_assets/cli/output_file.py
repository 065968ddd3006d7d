"""Files that a command writes where the user says: whole, or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fitness_assets import regular_files
from fitness_assets.errors import FitnessError
from fitness_assets.system_errors import cause_of


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once the block has ended without an error.

    A link is followed. A file that is replaced keeps its mode; a new one has that of any file that
    the user creates.

    Raises
    ------
    FitnessError
        If `path` is neither a regular file nor new, or cannot be written; the message names it.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        kind = regular_files.kind_of(target.stat().st_mode)
        raise FitnessError(f"{path} cannot be written: it is {kind}")
    staged = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with staged.open("xb") as file:
            if target.exists():
                staged.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        staged.replace(target)
    except OSError as error:
        raise FitnessError(f"{path} cannot be written: {cause_of(error)}") from error
    finally:
        # Where it could not be created, it cannot be removed either.
        with suppress(OSError):
            staged.unlink()
