"""What an export does not say of itself, and whoever imports it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import Layout

#: Given what is left out: the file, the place in it (empty for all of it), and the reason.
Quarantine = Callable[[str, str, str], object]

#: What a zone of its own can be declared for.
STREAMS = ("steps", "distance", "calories", "heart_rate", "exercise")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What is declared of an export.

    Attributes
    ----------
    user : str or None
        Whose it is, where the export is of one person and does not say. Formats that carry ids of
        their own keep those.
    zone : ZoneInfo
        Where the person lives: what carries no offset is given to the days of this zone.
    zones : mapping
        The clock that the stamps of a stream of `STREAMS` were written by, where they carry no
        offset and it is not the one that the format is known for.
    layout : Layout or None
        What the columns of a tidy file mean. With one, CSV and Parquet are read as it says, and
        nothing else is.
    delivered : datetime or None
        When the export was made, unless it says so itself: it becomes ``ingested_at``.
    """

    user: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    zones: Mapping[str, ZoneInfo] = field(default_factory=dict)
    layout: Layout | None = None
    delivered: datetime | None = None

    def person(self, format_name: str) -> str:
        """The user declared.

        Raises
        ------
        SourceError
            If there is none.
        """
        if not self.user:
            raise SourceError(f"{format_name} does not say whose it is: name the user")
        return self.user
