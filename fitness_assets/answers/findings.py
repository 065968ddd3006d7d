"""What the asset `person_history` found about one user, read for a report or an answer."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets.answers.records import VERSION_DIGITS
from fitness_assets.history.schema import HistoryReport
from fitness_assets.storage.models import ModelStore

# The kinds that a row of the kind "search" counts what was tried of, and its `other`.
_SEARCHES = {"change_point": "change_points", "association": "associations"}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the table `findings`; `history.schema.FINDINGS` explains the columns."""

    kind: str
    n: int
    measure: str | None = None
    other: str | None = None
    period: str | None = None
    start: date | None = None
    end: date | None = None
    earliest: date | None = None
    latest: date | None = None
    lag: int | None = None
    value: float | None = None
    before: float | None = None
    after: float | None = None
    low: float | None = None
    high: float | None = None
    slope: float | None = None
    p: float | None = None
    goal: float | None = None
    is_current: bool | None = None
    device: str | None = None


@dataclass(frozen=True)
class Findings:
    """The findings about one user.

    Attributes
    ----------
    month : str or None
        The month of `person_history`, whose findings are of all days up to its end; None if no
        such month is stored.
    version : str
        Its data version, shortened.
    found : list of Finding
    reason : str or None
        Why there are none.
    """

    month: str | None
    version: str
    found: list[Finding]
    reason: str | None

    def of(self, *kinds: str) -> list[Finding]:
        """Those of `kinds`, in the order of the table."""
        return [each for each in self.found if each.kind in kinds]

    def has_searched(self, kind: str) -> bool:
        """Whether there were enough days to look for findings of `kind`."""
        searches = {each.other: each.n for each in self.of("search")}
        return kind not in _SEARCHES or searches.get(_SEARCHES[kind], 0) > 0

    def __str__(self) -> str:
        return f"person_history {self.month} @{self.version}" if self.month else "no month"


#: Gives the findings about a user up to a month, or the newest.
ReadFindings = Callable[[str, str | None], Findings]


def read_findings(store: ModelStore[HistoryReport], user: str, month: str | None) -> Findings:
    """The findings about `user` of the newest month that is stored, and is not after `month`."""
    for name in reversed(store.months()):
        if (month is None or name <= month) and (manifest := store.manifest(name)) is not None:
            content = store.read(name, "findings.parquet")
            found = _rows(content, user) if content else []
            reason = store.report(name).reason
            return Findings(name, manifest.data_version[:VERSION_DIGITS], found, reason)
    wanted = f" up to {month}" if month else ""
    return Findings(None, "", [], f"person_history has no month{wanted}; run `fitness backfill`")


def _rows(content: bytes, user: str) -> list[Finding]:
    table = pq.read_table(io.BytesIO(content))
    own = table.filter(pc.equal(table["user_id"], user)).drop_columns("user_id")
    return [msgspec.convert(row, Finding) for row in own.to_pylist()]
