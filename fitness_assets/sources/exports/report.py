"""What an import used of each file, and what it left out."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

# Metrics of the aggregation that are columns of the record under another name.
_COLUMN_OF_METRIC = dict.fromkeys(("total_kcal", "active_kcal", "basal_kcal"), "calories_burned")
#: The start of a note that names columns.
COLUMNS_NOT_READ = "columns not read: "
_DIGITS = re.compile(r"\d+")


def column_of(metric: str) -> str:
    """The column of the canonical record that a metric of the aggregation gives."""
    return _COLUMN_OF_METRIC.get(metric, metric)


@dataclass
class Usage:
    """What was used of one file; a format adds to it while it reads the file.

    Attributes
    ----------
    records : int
        Number of rows, readings or objects that gave at least one value.
    columns : set of str
        Columns of the canonical record that they gave.
    notes : list of str
        How the file was read, where that was inferred.
    unread : dict or None
        The columns of a table that were not read, as keys. None if that is not observed, which
        takes time.
    """

    records: int = 0
    columns: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    unread: dict[str, None] | None = None

    def add(self, metrics: Iterable[str], records: int = 1) -> None:
        """Count `records` that gave values of `metrics`; none if there are no metrics."""
        columns = {column_of(metric) for metric in metrics}
        if columns:
            self.records += records
            self.columns |= columns


def note_of_unread(columns: Iterable[str]) -> str:
    """The note that names columns of a table that were not read."""
    return f"{COLUMNS_NOT_READ}{', '.join(columns)}"


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of one file, or of several that differ only in the numbers of their names.

    Attributes
    ----------
    file : str
        Name of the file, with ``…`` in place of numbers if there are several.
    files : int
        Number of files.
    format : str
        Name of the format; empty if no format reads it.
    records : int
        Number of rows, readings or objects that gave at least one value.
    columns : list of str
        Columns of the canonical record that they gave.
    left_out : int
        Number of entries that were left out.
    reason : str
        Why the first of them was left out, or how the file was read; empty if there is nothing to
        say.
    """

    file: str
    files: int
    format: str
    records: int
    columns: list[str]
    left_out: int
    reason: str


def pattern_of(name: str) -> str:
    """`name` with ``…`` in place of each number."""
    return _DIGITS.sub("…", name)


def grouped(reports: Sequence[FileReport]) -> list[FileReport]:
    """`reports` with those of one format and kind of name combined."""
    groups: dict[tuple[str, str], list[FileReport]] = defaultdict(list)
    for each in reports:
        groups[pattern_of(each.file), each.format].append(each)
    return [
        group[0]
        if len(group) == 1
        else FileReport(
            file=pattern,
            files=sum(each.files for each in group),
            format=name,
            records=sum(each.records for each in group),
            columns=sorted({column for each in group for column in each.columns}),
            left_out=sum(each.left_out for each in group),
            reason=next((each.reason for each in group if each.reason), ""),
        )
        for (pattern, name), group in groups.items()
    ]
