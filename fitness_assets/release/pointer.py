"""``latest.json``: the published releases, the current one, and the digest of each manifest."""

import re
from collections.abc import Mapping
from typing import Annotated, Self

import msgspec

from fitness_assets import months
from fitness_assets.errors import ReleaseError
from fitness_assets.storage import documents

#: File name of the pointer.
LATEST = "latest.json"
#: Limits on a pointer: its serial, which each publication increments, and its number of months.
MAX_SERIAL, MAX_MONTHS = 1_000_000, 240
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Pointer(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag=1
):
    """The published releases and the current one.

    Attributes
    ----------
    serial : int
        Incremented by each change, so that readers can detect an older pointer.
    month : str or None
        Month of the current release; None if there is no release.
    releases : dict
        SHA-256 of the manifest, by month.
    ids : dict
        File ids by path, for targets that address files by id instead of by path.
    """

    serial: Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]
    month: str | None
    releases: Annotated[dict[str, str], msgspec.Meta(max_length=MAX_MONTHS)]
    ids: dict[str, str] = {}

    @classmethod
    def parse(cls, content: bytes, name: str) -> Self:
        """Decode and validate a pointer.

        Parameters
        ----------
        content : bytes
        name : str
            How error messages name the document.

        Raises
        ------
        ReleaseError
            If `content` is not a valid pointer.
        """
        try:
            documents.check_json(content)
            pointer = msgspec.json.decode(content, type=cls)
            for month, digest in pointer.releases.items():
                months.check(month)
                if not _SHA256.fullmatch(digest):
                    raise ReleaseError(f"{name} is not a pointer to a release: bad digest {digest}")
        except (ValueError, RecursionError) as error:
            raise ReleaseError(f"{name} is not a pointer to a release: {error}") from error
        if pointer.month not in (pointer.releases or [None]):
            raise ReleaseError(
                f"{name} is not a pointer to a release: it does not list its current month "
                f"{pointer.month}"
            )
        return pointer

    def encode(self) -> bytes:
        """Content of ``latest.json``."""
        return documents.encode(self)

    def with_current(self, month: str) -> "Pointer":
        """A copy whose current release is that of `month`.

        Raises
        ------
        ReleaseError
            If there is no release of `month`.
        """
        if month not in self.releases:
            raise ReleaseError(
                f"there is no release of {month}; there are {', '.join(sorted(self.releases))}"
            )
        if month == self.month:
            return self
        return msgspec.structs.replace(self, serial=self.serial + 1, month=month)

    def without(self, month: str) -> "Pointer":
        """A copy without the release of `month`.

        If that release was the current one, the newest remaining release becomes current.
        """
        if month not in self.releases:
            return self
        releases = {name: digest for name, digest in self.releases.items() if name != month}
        return Pointer(
            serial=self.serial + 1,
            month=self.month if self.month in releases else max(releases, default=None),
            releases=releases,
            ids={path: id_ for path, id_ in self.ids.items() if not path.startswith(f"{month}/")},
        )


def updated_pointer(
    before: Pointer | None, month: str, digest: str, ids: Mapping[str, str] | None = None
) -> Pointer:
    """The pointer after the release of `month` was published.

    New content for the current month or a later one becomes current. Publishing the same content
    again changes nothing, so that an older month which was made current stays current.

    Parameters
    ----------
    before : Pointer or None
        The pointer before the publication; None if there was none.
    month : str
    digest : str
        SHA-256 of the manifest of the release.
    ids : mapping, optional
        File ids by path, see `Pointer`.
    """
    ids = dict(ids or {})
    if before is None:
        return Pointer(serial=1, month=month, releases={month: digest}, ids=ids)
    unchanged = before.releases.get(month) == digest
    if unchanged and before.ids == ids:
        return before
    return Pointer(
        serial=before.serial + 1,
        month=before.month if unchanged else max(before.month or month, month),
        releases=before.releases | {month: digest},
        ids=ids,
    )
