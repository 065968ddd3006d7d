"""The sources of telemetry, and which one the settings ask for."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from fitness_assets.record.raw import ReportUnreadable
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.sources.folder import Folder
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms


class Source(Protocol):
    """Hands out canonical records, a month at a time."""

    def check(self) -> None:
        """Raise SourceError if nothing could be read, whatever the month."""

    def read(self, month: str, set_aside: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        """The records of `month`, with the canonical schema.

        Parameters
        ----------
        month : str
        set_aside : callable
            Told of each file that cannot be read and need not stop the month: its path below the
            source, and the reason.

        Raises
        ------
        SourceError
            If the month cannot be read.
        """
        ...

    def version(self, month: str) -> str | None:
        """A hash that is equal where what `read` hands out is equal; None if only reading tells."""


class _Forgetting:
    """A source without the records of those who are forgotten."""

    def __init__(self, source: Source, people: Pseudonyms) -> None:
        self._source = source
        self._people = people

    def check(self) -> None:
        self._source.check()

    def read(self, month: str, set_aside: ReportUnreadable, /) -> Iterator[pa.RecordBatch]:
        for batch in self._source.read(month, set_aside):
            yield self._people.without_forgotten(batch)

    def version(self, month: str) -> str | None:
        return self._source.version(month)


def people_of(settings: Settings) -> Pseudonyms:
    """The pseudonyms of the home that `settings` name."""
    return Pseudonyms(settings.home / "people")


def imports_of(settings: Settings) -> Imports:
    """The imports of the home that `settings` name."""
    return Imports(settings.home / "imports", people_of(settings))


def configured(settings: Settings) -> Source:
    """The source that `settings` name, without those who are forgotten."""
    source: Source
    if settings.source == "exports":
        source = imports_of(settings)
    elif settings.source == "folder" and settings.source_path is not None:
        source = Folder(settings.source_path)
    else:
        source = Cohort(users=settings.cohort_users, seed=settings.cohort_seed)
    return _Forgetting(source, people_of(settings))
