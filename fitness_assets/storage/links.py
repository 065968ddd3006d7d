"""Links to files that keep their content when the files are replaced or removed."""

import errno
import shutil
from pathlib import Path

#: Errors of a file system that has no hard links, or has no room for another one.
_NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no hard links.

    Raises
    ------
    FileExistsError
        If there is a `target`.
    FileNotFoundError
        If there is no `source`.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
    else:
        return
    with source.open("rb") as content, target.open("xb") as copied:
        shutil.copyfileobj(content, copied)
