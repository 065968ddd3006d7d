"""Several columns, or several rows, that give one number of the record: its sum or its mean."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fitness_assets.record.raw import NUMBERS, SLEEP_STAGES

#: Numbers of which a day, or a total of several columns, is the sum. Of the other `NUMBERS`, it is
#: the mean.
_SUMMED = frozenset(
    {
        *("steps", "distance_km", "calories_burned", "sleep_hours", "active_minutes"),
        *("sedentary_minutes", "floors", "light_minutes", "moderate_minutes", "vigorous_minutes"),
        *SLEEP_STAGES,
    }
)
#: The numbers that several columns or rows may give.
COMBINABLE = frozenset(NUMBERS) - {"age"}


def summed(name: str) -> bool:
    """Whether a day's value of a number is the sum of its parts, and not their mean."""
    return name in _SUMMED


@dataclass(frozen=True, kw_only=True)
class Combined:
    """The columns of a file that together give one canonical column.

    Attributes
    ----------
    columns : tuple of str
        Their names; empty if `pattern` says which.
    pattern : str or None
        Their name with ``*`` in place of a number or a time of day.
    factor : float
        From the file's unit to the canonical unit.
    missing_part : str or None
        What a part without a value does to a sum: it is ``missing`` then, or the part counts as
        ``zero``. None if parts are known to be missing, as minutes without a measurement are. A
        value without any part is missing in any case.
    """

    columns: tuple[str, ...] = ()
    pattern: str | None = None
    factor: float = 1.0
    missing_part: str | None = None

    def of(self, names: Iterable[str]) -> list[str]:
        """Those of the columns `names` that are a part."""
        if self.pattern is None:
            return [name for name in names if name in self.columns]
        before, after = map(re.escape, self.pattern.split("*"))
        part = re.compile(rf"{before}\d{{1,4}}(:\d\d){{0,2}}{after}")
        return [name for name in names if part.fullmatch(name)]

    def value(self, name: str, parts: Sequence[float | None]) -> float | None:
        """The value of the canonical column `name`."""
        known = [part for part in parts if part is not None]
        is_incomplete = len(known) < len(parts) and self.missing_part == "missing"
        if not known or (summed(name) and is_incomplete):
            return None
        return sum(known) if summed(name) else sum(known) / len(known)
