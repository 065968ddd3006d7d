"""Amounts by the time of day, and how those of several sources become the amount of one day.

A phone and a watch count the same steps, so what two sources measured at the same time is never
added. What they measured at different times is: a phone in the morning and a watch in the
afternoon count different steps.
"""

from array import array
from collections.abc import Sequence

#: Length of the intervals in which amounts are kept.
QUARTER_MINUTES = 15
_QUARTERS_PER_HOUR = 4
_HOUR_MINUTES = 60
_DAY_MINUTES = 1440
_NO_AMOUNTS = bytes(8 * _DAY_MINUTES // QUARTER_MINUTES)


class DayAmounts:
    """What one source measured of one metric on one day, by quarter of an hour.

    Attributes
    ----------
    quarters : array of float
        Amounts of the 96 quarters of the day.
    coarse_hours : int
        Bit h is set if a reading of more than a quarter of an hour is within the hour h.
    without_time : float
        The amount of readings of more than an hour, whose time of day is not known well enough.
    """

    __slots__ = ("coarse_hours", "quarters", "without_time")

    def __init__(self) -> None:
        self.quarters = array("d", _NO_AMOUNTS)
        self.coarse_hours = 0
        self.without_time = 0.0

    def add(self, start: int, minutes: int, amount: float) -> None:
        """Add one reading; its amount is spread evenly over its time.

        Parameters
        ----------
        start : int
            The minute of the day at which it starts. What is after midnight belongs to the day of
            the start, at its last minutes.
        minutes : int
            Its length, rounded to minutes; 0 counts as 1.
        amount : float
        """
        end = min(start + (max(1, minutes)), _DAY_MINUTES)
        first, last = start // QUARTER_MINUTES, (end - 1) // QUARTER_MINUTES
        if minutes > _HOUR_MINUTES:
            self.without_time += amount
            return
        if minutes > QUARTER_MINUTES:
            for hour in range(first // _QUARTERS_PER_HOUR, last // _QUARTERS_PER_HOUR + 1):
                self.coarse_hours |= 1 << hour
        if first == last:
            self.quarters[first] += amount
            return
        for quarter in range(first, last + 1):
            begin = quarter * QUARTER_MINUTES
            overlap = min(end, begin + QUARTER_MINUTES) - max(start, begin)
            self.quarters[quarter] += amount * overlap / (end - start)

    def update(self, other: "DayAmounts") -> None:
        """Add the readings of `other`."""
        for quarter, amount in enumerate(other.quarters):
            self.quarters[quarter] += amount
        self.coarse_hours |= other.coarse_hours
        self.without_time += other.without_time

    def total(self) -> float:
        """The amount of the day."""
        return sum(self.quarters) + self.without_time


def merge(sources: Sequence[DayAmounts]) -> float:
    """The amount of one day, of several sources in descending order of preference.

    For each quarter of an hour, the amount is that of the first source that measured more than
    zero. Where a source has readings of more than a quarter of an hour, this applies to the hour
    as a whole. The result is never less than the total of a source with readings of more than an
    hour, which cannot be merged by time.
    """
    if len(sources) == 1:
        return sources[0].total()
    totals = [each.total() for each in sources if each.without_time]
    coarse = 0
    for each in sources:
        coarse |= each.coarse_hours
    merged = 0.0
    for hour in range(_DAY_MINUTES // _HOUR_MINUTES):
        start = hour * _QUARTERS_PER_HOUR
        quarters = [each.quarters[start : start + _QUARTERS_PER_HOUR] for each in sources]
        if coarse >> hour & 1:
            merged += next(filter(None, map(sum, quarters)), 0.0)
        else:
            merged += sum(
                next(filter(None, amounts), 0.0) for amounts in zip(*quarters, strict=True)
            )
    return max([merged, *totals])
