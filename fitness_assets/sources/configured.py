"""The protocol of telemetry sources, and the source that the settings select."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import clock, months
from fitness_assets.record.raw import ReportUnreadable
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets.sources.folder import Folder
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.merge import VALUES
from fitness_assets.sources.preferred import SourceOrder
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets.storage.notes import NoteStore


class Source(Protocol):
    """Gives canonical records by month."""

    def check(self) -> None:
        """Raise SourceError if no month can be read."""

    def read(self, month: str, report_unreadable: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        """Read the records of `month`, with the canonical schema.

        Parameters
        ----------
        month : str
        report_unreadable : callable
            Called with each file that is skipped because it cannot be read: its path relative to
            the source, and the reason.

        Raises
        ------
        SourceError
            If the month cannot be read.
        """
        ...

    def version(self, month: str) -> str | None:
        """A hash of what `read` gives; None if it is not known without reading."""

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        """Read the workouts of `month`, with the schema of `record.workouts`, as delivered."""
        ...

    def workouts_version(self, month: str) -> str | None:
        """A hash of what `read_workouts` gives; None if it is not known without reading."""


class _DaysSoFar:
    """A synthetic source without the days after today, which it would generate as well.

    The version of a month that has not ended changes with the day.
    """

    def __init__(self, source: Source, zone: tzinfo) -> None:
        self._source = source
        self._zone = zone

    def check(self) -> None:
        self._source.check()

    def read(self, month: str, report_unreadable: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        today = clock.today(self._zone)
        for batch in self._source.read(month, report_unreadable):
            # Most months are over; their batches are passed on as they are.
            over = months.end(month) <= today
            yield batch if over else batch.filter(pc.less_equal(batch.column("date"), today))

    def version(self, month: str) -> str | None:
        today = clock.today(self._zone)
        return f"until {today}" if month == months.key(today) else self._source.version(month)

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        today = pa.scalar(clock.today(self._zone), pa.date32())
        for batch in self._source.read_workouts(month):
            days = batch.column("local_start").cast(pa.date32())
            yield batch.filter(pc.less_equal(days, today))

    def workouts_version(self, month: str) -> str | None:
        today = clock.today(self._zone)
        is_partial = month == months.key(today)
        return f"until {today}" if is_partial else self._source.workouts_version(month)


class _WithoutForgottenUsers:
    """A source without the records of forgotten users."""

    def __init__(self, source: Source, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms

    def check(self) -> None:
        self._source.check()

    def read(self, month: str, report_unreadable: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        for batch in self._source.read(month, report_unreadable):
            yield self._pseudonyms.drop_forgotten(batch)

    def version(self, month: str) -> str | None:
        return self._source.version(month)

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        for batch in self._source.read_workouts(month):
            yield self._pseudonyms.drop_forgotten(batch)

    def workouts_version(self, month: str) -> str | None:
        return self._source.workouts_version(month)


def configured_pseudonyms(settings: Settings) -> Pseudonyms:
    """The pseudonyms in the home that `settings` name."""
    return Pseudonyms(settings.home / "people")


def configured_names(settings: Settings) -> ImportedNames:
    """The names under which users were imported into the home that `settings` name."""
    return ImportedNames(settings.home / "people")


def configured_notes(settings: Settings) -> NoteStore:
    """The notes in the home that `settings` name."""
    return NoteStore(settings.home / "people")


def configured_imports(settings: Settings) -> Imports:
    """The imports in the home that `settings` name.

    Raises
    ------
    SettingsError
        If the order of sources names what is not known.
    """
    order = SourceOrder(settings.source_order)
    order.check(FORMATS, VALUES)
    return Imports(
        settings.home / "imports",
        configured_pseudonyms(settings),
        configured_names(settings),
        order,
    )


def configured_source(settings: Settings) -> Source:
    """The source that `settings` select, without the records of forgotten users."""
    source: Source
    if settings.source == "exports":
        source = configured_imports(settings)
    elif settings.source == "folder" and settings.source_path is not None:
        source = Folder(settings.source_path)
    else:
        cohort = Cohort(users=settings.cohort_users, seed=settings.cohort_seed)
        source = _DaysSoFar(cohort, settings.zone)
    return _WithoutForgottenUsers(source, configured_pseudonyms(settings))
