"""Which format a file is of, told from what it holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, opened
from fitness_assets.sources.exports.formats import (
    apple_health,
    fitabase,
    fitbit_web,
    garmin,
    garmin_api,
    google_fit,
    takeout,
    tidy,
)
from fitness_assets.sources.exports.options import ImportOptions, Quarantine


class Format(Protocol):
    """What a module of an adapter offers.

    Attributes
    ----------
    NAME : str
        The ``source`` of its records.
    TITLE : str
        What people call it.
    PADDED : bool
        Whether it fills up days to come.
    """

    NAME: str
    TITLE: str
    PADDED: bool

    def claims(self, head: bytes, /) -> bool:
        """Whether a file that begins with `head` is of this format."""

    def expects(self, name: str, /) -> bool:
        """Whether a file of this name, beside others of the format, should have been."""

    def gather(
        self,
        members: Sequence[Member],
        days: DayAggregator,
        told: ImportOptions,
        quarantine: Quarantine,
        /,
    ) -> None:
        """Read `members` into `days`."""


FORMATS: tuple[Format, ...] = (
    apple_health,
    fitabase,
    fitbit_web,
    takeout,
    garmin,
    garmin_api,
    google_fit,
)


def recognise(path: Path) -> str:
    """The name of the format that `path` is of; the first, where an archive holds several.

    Raises
    ------
    SourceError
        If it is of none.
    """
    with opened(path, lambda *_: None, lambda _: None) as members:
        formats, own = sorted_out(members, lambda *_: None)
    if not formats and not own:
        raise SourceError(unknown(path))
    return FORMATS[min(formats)].NAME if formats else tidy.NAME


def sorted_out(
    members: Sequence[Member], quarantine: Quarantine
) -> tuple[dict[int, list[Member]], list[Member]]:
    """The members of each format, by its place in `FORMATS`, and those that have our own columns.

    Members of no format are passed over, since exports hold much else; unless by their name they
    should be of a format that is there, which then says what is wrong with them.
    """
    formats: dict[int, list[Member]] = {}
    own, others = [], []
    for member in members:
        try:
            head = member.head()
        except SourceError as error:
            quarantine(member.name, "", str(error))
            continue
        claimed = [index for index, known in enumerate(FORMATS) if known.claims(head)]
        if claimed:
            formats.setdefault(claimed[0], []).append(member)
        elif tidy.claims(head):
            own.append(member)
        else:
            others.append(member)
    for member in others:
        for index, found in formats.items():
            if FORMATS[index].expects(member.name):
                found.append(member)
                break
    return formats, own


def unknown(path: Path) -> str:
    """That `path` is of no format, and what formats there are."""
    known = "; ".join(sorted([known.TITLE for known in FORMATS] + [tidy.TITLE]))
    return f"{path} is of no known format. Known are: {known}"
