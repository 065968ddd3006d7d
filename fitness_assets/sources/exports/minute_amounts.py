"""Amounts by source and minute."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping

from fitness_assets.errors import SourceError

_MINUTES_PER_DAY = 1440
_DAY_SECONDS = 86_400
_UNKNOWN = -1.0
#: Days of all sources together: 180 MB, of 40 years of one source or 10 of four.
MAX_DAYS = 15_000
#: Readings of one file, which are held in memory: more than a year has minutes.
MAX_READINGS = 600_000


class MinuteAmounts:
    """Amounts by source and minute. Of a minute delivered again, the larger amount is kept."""

    def __init__(self) -> None:
        # A day of one source takes 12 kB, so ten years take 42 MB.
        self._days: dict[tuple[str, int], array[float]] = {}

    def add(self, amounts: Mapping[tuple[str, int], float]) -> None:
        """Add the amounts of one file, by source and instant.

        Raises
        ------
        SourceError
            If there are too many days or sources.
        """
        minutes: dict[tuple[str, int], float] = defaultdict(float)
        for (source, instant), amount in amounts.items():
            minutes[source, instant // 60] += amount
        for (source, minute), amount in minutes.items():
            key = (source, minute // _MINUTES_PER_DAY)
            if key not in self._days:
                if len(self._days) >= MAX_DAYS:
                    raise SourceError(f"more than {MAX_DAYS:,} days of all sources together")
                self._days[key] = array("d", [_UNKNOWN]) * _MINUTES_PER_DAY
            index = minute % _MINUTES_PER_DAY
            self._days[key][index] = max(amount, self._days[key][index])

    def known(self) -> Iterator[tuple[str, int, float]]:
        """The source, the instant at which the minute begins, and the amount."""
        for (source, day), minutes in sorted(self._days.items()):
            for index, amount in enumerate(minutes):
                if amount != _UNKNOWN:
                    yield source, day * _DAY_SECONDS + index * 60, amount
