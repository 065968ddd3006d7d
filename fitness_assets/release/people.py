"""The tables with rows of people: which part of a release holds them, and who may read it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fitness_assets.errors import ReleaseError
from fitness_assets.release.parts import table_of
from fitness_assets.release.personal import is_personal

#: Where releases have tables with rows of people: nowhere, in a bundle of their own that only named
#: readers get (private), or in the release that anyone may read (public).
PeopleMode = Literal["none", "private", "public"]
#: The tables with rows of people. All other tables are about everyone.
PEOPLE_TABLES = (
    *("user_days", "segments", "user_map", "sample"),
    *("summaries", "findings", "workouts"),
)

#: Those with rows by user that have a file for each bucket of users.
TABLES_IN_PARTS = ("user_days", "segments", "user_map", "summaries", "workouts")


@dataclass(frozen=True)
class Privacy:
    """What a release may say about single people.

    Attributes
    ----------
    people : PeopleMode
    by_hand : bool
        Whether `people` is set in the environment, and not a default.
    real : bool
        Whether the source holds data of real people, and not of the synthetic cohort.
    smallest_cell : int
        Cells of tables about everyone with fewer people are suppressed, unless the rows of people
        are public too.
    """

    people: PeopleMode
    by_hand: bool
    real: bool
    smallest_cell: int

    @property
    def protects(self) -> bool:
        """Whether tables about everyone must not show single people."""
        return self.people != "public"

    @property
    def new_ids(self) -> bool:
        """Whether a release names people by ids of its own, which no other release has."""
        return self.real and self.people == "public"

    def check_upload(self, month: str, *, has_people: bool) -> None:
        """Check that the release of `month` has no rows of people that must not be public.

        Parameters
        ----------
        month : str
        has_people : bool
            Whether the release, which anyone may read once it is uploaded, has rows of people.

        Raises
        ------
        ReleaseError
            If it has, unless they are synthetic, or FITNESS_RELEASE_PEOPLE=public was set by hand.
        """
        allowed = self.people == "public" and (self.by_hand or not self.real)
        if has_people and not allowed:
            raise ReleaseError(
                f"the release of {month} has tables with rows of people, which anyone could read "
                "after the upload: rematerialize dashboard_release, or set "
                "FITNESS_RELEASE_PEOPLE=public"
            )


def is_release_id(user: str) -> bool:
    """Whether `user` is an id of one release only (`Privacy.new_ids`)."""
    return re.fullmatch(r"r[0-9a-f]{20}", user) is not None


def split(
    files: Mapping[str, bytes], people: PeopleMode
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of the release that anyone may read, and those of the private bundle.

    Parameters
    ----------
    files : mapping
        Content by file name.
    people : PeopleMode
    """
    if people == "public":
        return dict(files), {}
    of_people = {name: content for name, content in files.items() if _is_of_people(name)}
    public = {name: content for name, content in files.items() if name not in of_people}
    return public, of_people if people == "private" else {}


def _is_of_people(file: str) -> bool:
    return table_of(file) in PEOPLE_TABLES or is_personal(file)
