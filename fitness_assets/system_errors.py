"""Errors of the operating system as one line: which file, what happened, and what to do."""

import errno
import os
import sqlite3

_WRITABLE = "set FITNESS_HOME to a folder that can be written"
_FULL = "there is no space left; free space, or set FITNESS_HOME to a folder on another disk"
_READ_ONLY = f"the file system is read-only; {_WRITABLE}"
_DENIED = "permission denied; change its owner or mode, or, for a file of the home, " + _WRITABLE
_DAMAGED = "it is damaged; move the folder away, and run `fitness backfill`"

#: What happened and what to do, by error number. Others have the text of the system.
_CAUSES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EMFILE: "too many files are open; raise the limit with `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
    errno.EIO: "the disk cannot be read or written; check it",
    errno.EFBIG: "the file would be larger than the file system or a limit allows",
}
#: Beginnings of SQLite's messages about the file, not about a statement.
_SQLITE = {
    "attempt to write a readonly database": _READ_ONLY,
    "database or disk is full": _FULL,
    "unable to open database file": _DENIED,
    "file is not a database": _DAMAGED,
    "database disk image is malformed": _DAMAGED,
    "disk I/O error": f"the disk is full or cannot be written; {_FULL}",
}


def explain(error: BaseException, home: str) -> str | None:
    """One line about the system's error that caused `error`; None if there is none.

    Parameters
    ----------
    error : BaseException
    home : str
        Named if the error names no file.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return f"{_file(cause) or home}: {cause_of(cause)}"
        if isinstance(cause, sqlite3.Error):
            for start, text in _SQLITE.items():
                if str(cause).startswith(start):
                    return f"Dagster's database, below {home}: {text}"
        # SQLAlchemy keeps the error of the database in `orig`.
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None


def _file(error: OSError) -> str | None:
    names = [each for each in (error.filename, error.filename2) if isinstance(each, str | bytes)]
    return os.fsdecode(names[-1]) if names else None


def cause_of(error: OSError) -> str:
    """What happened, and what to do about it."""
    number = error.errno or 0
    return _CAUSES.get(number) or f"{os.strerror(number)[0].lower()}{os.strerror(number)[1:]}"
