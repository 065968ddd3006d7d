"""Reads an export: from its path to canonical records."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.archive import Member, open_members
from fitness_assets.sources.exports.callbacks import Progress, Quarantine
from fitness_assets.sources.exports.formats import tidy
from fitness_assets.sources.exports.options import STREAMS, ImportOptions
from fitness_assets.sources.exports.registry import FORMATS, group_by_format, unknown_format
from fitness_assets.sources.exports.report import (
    COLUMNS_NOT_READ,
    FileReport,
    grouped,
    note_of_unread,
    pattern_of,
)
from fitness_assets.sources.exports.workouts import is_workouts

#: Entries of one file that are reported one by one; the others are counted.
MAX_REPORTED = 100
#: Entries of all files that are reported one by one.
MAX_REPORTED_IN_ALL = 2_000
#: Files, or kinds of files, of which is reported what was used of them.
MAX_FILES = 500
_MAX_TEXT = 500
_TABLES = (".csv", ".parquet")
_NOTHING_USED = "nothing of it is used: it has no value that a column of the record holds"


def read_export(  # noqa: PLR0913 - the callbacks have defaults
    path: Path,
    options: ImportOptions,
    quarantine: Quarantine,
    progress: Progress = lambda _done, _total: None,
    report: Callable[[FileReport], object] = lambda _: None,
    *,
    observe: bool = False,
    workouts: Callable[[pa.RecordBatch], object] = lambda _: None,
) -> Iterator[pa.RecordBatch]:
    """The canonical records of an export: a file, a folder or an archive, of one or more formats.

    There is one record for each format, user and day. Rows of tidy files are not combined. Formats
    that combine readings add the column `sources.derived.DERIVED`.

    Parameters
    ----------
    path : Path
    options : ImportOptions
    quarantine : callable
        Called for each file or record that is left out.
    progress : callable
        Called with the bytes read and the bytes to read.
    report : callable
        Called at the end with what was used of each file. Files of one format whose names differ
        only in numbers are combined.
    observe : bool
        Whether the report names the columns of tables that were not read, which takes time.
    workouts : callable
        Called with rows of workouts, with the schema of `record.workouts`.

    Raises
    ------
    SourceError
        If `path` is in no known format, or nothing of it can be read.
    """
    for stream in options.zones.keys() - set(STREAMS):
        raise SourceError(f"unknown stream {stream}: zones are declared for {', '.join(STREAMS)}")
    limited = LimitedQuarantine(quarantine)
    done = total = 0

    def on_read(count: int) -> None:
        nonlocal done
        # Some files are read twice, such as Parquet in a zip: never report more than the total.
        done = min(done + count, total)
        progress(done, total)

    empty = True
    with open_members(path, limited, on_read) as members:
        if options.layout is None:
            groups, unmatched = group_by_format(members, limited)
        else:
            groups, unmatched = _tidy_only(members), {}
        if not groups:
            raise SourceError(limited.first or unknown_format(path, unmatched))
        if observe:
            for member in members:
                member.usage.unread = {}
        total = sum(member.size for group in groups.values() for member in group)
        for name, group in groups.items():
            for batch in FORMATS[name].read(group, options, limited):
                empty = False
                if is_workouts(batch):
                    workouts(batch)
                else:
                    yield batch
    _report_unused(groups, unmatched, limited)
    limited.report_counts()
    if empty:
        raise SourceError(f"{path}: {limited.first or 'it holds no data that is imported'}")
    for each in _within_limit(_reports(groups, limited)):
        report(each)


def _tidy_only(members: list[Member]) -> dict[str, list[Member]]:
    """All tables as tidy files, as a layout asks for; without any table, all members."""
    tables = [each for each in members if each.name.lower().endswith(_TABLES)] or members
    return {tidy.FORMAT.name: tables} if tables else {}


def _report_unused(
    groups: dict[str, list[Member]], unmatched: dict[str, str], limited: "LimitedQuarantine"
) -> None:
    """Report the files that no format reads, and those of which nothing was used."""
    for name, reason in unmatched.items():
        limited(name, "", reason)
    for group in groups.values():
        for member in group:
            if not member.usage.records and not limited.counts[member.name]:
                limited(member.name, "", _NOTHING_USED)


def _reports(groups: dict[str, list[Member]], limited: "LimitedQuarantine") -> list[FileReport]:
    """What was used of each file, the unused ones last."""
    reports = [
        FileReport(
            file=member.name,
            files=1,
            format=name,
            records=member.usage.records,
            columns=sorted(member.usage.columns),
            left_out=limited.counts[member.name],
            reason=_short(
                "; ".join(filter(None, [limited.reasons.get(member.name, ""), *_notes(member)]))
            ),
        )
        for name, group in groups.items()
        for member in group
    ]
    read = {each.file for each in reports}
    unread = [
        FileReport(
            file=file, files=1, format="", records=0, columns=[], left_out=count,
            reason=limited.reasons[file],
        )
        for file, count in sorted(limited.counts.items())
        if file not in read
    ]  # fmt: skip
    return grouped(reports + unread)


def _notes(member: Member) -> list[str]:
    """How a file was read, and the columns that were not read, if these were observed."""
    notes = list(member.usage.notes)
    is_said = any(note.startswith(COLUMNS_NOT_READ) for note in notes)
    if member.usage.unread and member.usage.records and not is_said:
        notes.append(note_of_unread(member.usage.unread))
    return notes


def _within_limit(reports: list[FileReport]) -> list[FileReport]:
    """The first of `reports`, and one for all others together."""
    first, others = reports[:MAX_FILES], reports[MAX_FILES:]
    if others:
        first.append(
            FileReport(
                file=f"{len(others):,} more kinds of files",
                files=sum(each.files for each in others),
                format="",
                records=sum(each.records for each in others),
                columns=sorted({column for each in others for column in each.columns}),
                left_out=sum(each.left_out for each in others),
                reason=f"only {MAX_FILES} kinds of files are listed",
            )
        )
    return first


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


class LimitedQuarantine:
    """Passes on up to `MAX_REPORTED` entries of each file, and counts the others.

    Of all files together, `MAX_REPORTED_IN_ALL` are passed on.

    Of files that are left out as a whole, with the same reason and names that differ only in
    numbers, the first is passed on and the others are counted.

    Attributes
    ----------
    first : str
        The first entry as a message, empty if there is none.
    counts : Counter
        Number of entries of each file.
    reasons : dict
        The reason of the first entry of each file.
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._whole_files: dict[tuple[str, str], tuple[str, int]] = {}
        self.counts: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.first = ""
        self._passed_on = self._only_counted = 0

    def __call__(self, file: str, place: str, reason: str) -> None:
        """Count an entry, and pass it on within the limit."""
        file, place, reason = _short(file), _short(place), _short(reason)
        if not self.first:
            where = "" if reason.startswith(file) else f"{file}{place and ', '}{place}: "
            self.first = f"{where}{reason}"
        self.counts[file] += 1
        # Some reasons begin with the file.
        self.reasons.setdefault(file, reason.removeprefix(file).lstrip(" :"))
        if not place:
            key = (pattern_of(file), pattern_of(reason))
            first, others = self._whole_files.get(key, (file, -1))
            self._whole_files[key] = (first, others + 1)
            if others >= 0:
                return
        if self.counts[file] <= MAX_REPORTED:
            self._pass_on(file, place, reason)

    def _pass_on(self, file: str, place: str, reason: str) -> None:
        if self._passed_on < MAX_REPORTED_IN_ALL:
            self._quarantine(file, place, reason)
            self._passed_on += 1
        else:
            self._only_counted += 1

    def report_counts(self) -> None:
        """Pass on the numbers of entries that were only counted."""
        for file, count in self.counts.items():
            if count > MAX_REPORTED:
                self._pass_on(file, "", f"{count - MAX_REPORTED:,} more entries left out")
        for (_, reason), (first, others) in self._whole_files.items():
            if others:
                self._pass_on(first, "", f"and {others:,} more like it: {reason}")
        if self._only_counted:
            self._quarantine(
                f"{self._only_counted:,} more entries",
                "",
                f"only {MAX_REPORTED_IN_ALL:,} entries of an import are listed",
            )
