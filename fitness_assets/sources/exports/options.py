"""Import options: what an export does not state itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import Layout

#: The streams for which a time zone can be declared.
STREAMS = ("steps", "distance", "calories", "heart_rate", "exercise")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options of one import.

    Attributes
    ----------
    user : str or None
        The user of an export without user ids. Formats with user ids of their own ignore it; a
        tidy file uses it for rows without one.
    zone : ZoneInfo or None
        The user's time zone, if it is declared: instants are assigned to the days of this zone.
    zones : mapping
        By stream of `STREAMS`, the time zone in which its timestamps were written, if they carry
        no offset and the format's default is wrong.
    layout : Layout or None
        The columns of a tidy file. With a layout, CSV and Parquet files are read by it, and no
        other format is read.
    delivered : datetime or None
        When the export was made, if the export does not state it. It becomes ``ingested_at``.
    source_order : tuple of str
        Parts of the names of sources, such as ``Oura``. A source that matches an earlier part is
        preferred where several measured the same time, before the default order.
    """

    user: str | None = None
    zone: ZoneInfo | None = None
    zones: Mapping[str, ZoneInfo] = field(default_factory=dict)
    layout: Layout | None = None
    delivered: datetime | None = None
    source_order: tuple[str, ...] = ()

    @property
    def zone_or_utc(self) -> ZoneInfo:
        """The declared time zone, else UTC."""
        return self.zone or ZoneInfo("UTC")

    def required_user(self, format_title: str) -> str:
        """The declared user, for a format without user ids.

        Raises
        ------
        SourceError
            If no user is declared.
        """
        if not self.user:
            raise SourceError(
                f"{format_title} has no user ids: name the user (--user NAME, or a folder NAME in "
                "the inbox)"
            )
        return self.user
