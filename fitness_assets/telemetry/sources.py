"""The sources of telemetry, and which one the settings ask for."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from fitness_assets.settings import Settings
from fitness_assets.telemetry.cohort import Cohort
from fitness_assets.telemetry.folder import Folder
from fitness_assets.telemetry.schema import SetAside


class Source(Protocol):
    """Hands out canonical records, a month at a time."""

    def check(self) -> None:
        """Raise SourceError if nothing could be read, whatever the month."""

    def read(self, month: str, set_aside: SetAside, /) -> Iterator[pa.RecordBatch]:
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


def configured(settings: Settings) -> Source:
    """The source that `settings` name."""
    if settings.source == "folder" and settings.source_path is not None:
        return Folder(settings.source_path)
    return Cohort(users=settings.cohort_users, seed=settings.cohort_seed)
