"""Reads an export: from its path to canonical records."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.archive import Member, open_members
from fitness_assets.sources.exports.callbacks import Progress, Quarantine
from fitness_assets.sources.exports.formats import tidy
from fitness_assets.sources.exports.options import STREAMS, ImportOptions
from fitness_assets.sources.exports.registry import FORMATS, group_by_format, unknown_format

#: Entries of one file that are reported one by one; the others are counted.
MAX_REPORTED = 100
_TABLES = (".csv", ".parquet")


def read_export(
    path: Path,
    options: ImportOptions,
    quarantine: Quarantine,
    progress: Progress = lambda _done, _total: None,
) -> Iterator[pa.RecordBatch]:
    """The canonical records of an export: a file, a folder or a zip, of one or several formats.

    There is one record for each format, user and day. Rows of tidy files are not combined.

    Parameters
    ----------
    path : Path
    options : ImportOptions
    quarantine : callable
        Called for each file or record that is left out.
    progress : callable
        Called with the bytes read and the bytes to read.

    Raises
    ------
    SourceError
        If `path` is in no known format, or nothing of it can be read.
    """
    for stream in options.zones.keys() - set(STREAMS):
        raise SourceError(f"unknown stream {stream}: zones are declared for {', '.join(STREAMS)}")
    limited = _LimitedQuarantine(quarantine)
    done = total = 0

    def on_read(count: int) -> None:
        nonlocal done
        # Some files are read twice, such as Parquet in a zip: never report more than the total.
        done = min(done + count, total)
        progress(done, total)

    empty = True
    with open_members(path, limited, on_read) as members:
        if options.layout is None:
            groups = group_by_format(members, limited)
        else:
            groups = _tidy_only(members)
        if not groups:
            raise SourceError(limited.first) if limited.first else unknown_format(path)
        total = sum(member.size for group in groups.values() for member in group)
        for name, group in groups.items():
            for batch in FORMATS[name].read(group, options, limited):
                empty = False
                yield batch
    limited.report_counts()
    if empty:
        raise SourceError(f"{path}: {limited.first or 'it holds no data that is imported'}")


def _tidy_only(members: list[Member]) -> dict[str, list[Member]]:
    """All tables as tidy files, as a layout asks for; without any table, all members."""
    tables = [each for each in members if each.name.lower().endswith(_TABLES)] or members
    return {tidy.FORMAT.name: tables} if tables else {}


class _LimitedQuarantine:
    """Passes on up to `MAX_REPORTED` entries of each file, and counts the others.

    Attributes
    ----------
    first : str
        The first entry as a message, empty if there is none.
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._counts: Counter[str] = Counter()
        self.first = ""

    def __call__(self, file: str, place: str, reason: str) -> None:
        self.first = self.first or f"{file}{place and ', '}{place}: {reason}"
        self._counts[file] += 1
        if self._counts[file] <= MAX_REPORTED:
            self._quarantine(file, place, reason)

    def report_counts(self) -> None:
        for file, count in self._counts.items():
            if count > MAX_REPORTED:
                self._quarantine(file, "", f"{count - MAX_REPORTED:,} more entries left out")
