"""The files of a table in a release: one, or one for each bucket of users (`record.buckets`)."""

import re
from collections.abc import Iterable

from fitness_assets.errors import StorageError

_TABLE_FILE = re.compile(r"(\w+?)(?:-\d{5})?\.parquet", re.ASCII)


def part_file(name: str, index: int, count: int) -> str:
    """The file with bucket `index` of `count` buckets of the table `name`."""
    return f"{name}.parquet" if count == 1 else f"{name}-{index:05d}.parquet"


def table_of(file: str) -> str | None:
    """The name of the table that `file` has, or a part of it; None if it is of no table."""
    found = _TABLE_FILE.fullmatch(file)
    return found[1] if found else None


def files_of(name: str, files: Iterable[str]) -> list[str]:
    """Those of `files` that have the table `name`, in the order of the buckets.

    Raises
    ------
    StorageError
        If there is not one for each of a power of two of buckets.
    """
    found = sorted(file for file in files if table_of(file) == name)
    count = len(found)
    if count & (count - 1) or found != [part_file(name, index, count) for index in range(count)]:
        raise StorageError(f"the table {name} has {count} files, of which some are missing")
    return found
