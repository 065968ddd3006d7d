"""Eras of devices: from which day on another source delivers most days."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Another source begins an era if it has at least this many of the next days with a record.
_NEXT, _MOST = 14, 10
# Fewer days with a record are no era.
_LEAST = 7


@dataclass(frozen=True)
class Era:
    """The days of one device, as numbers of days from the first day of a grid; both included."""

    device: str
    first: int
    last: int
    days: int


def eras(sources: Sequence[str | None]) -> list[Era]:
    """The eras of devices in the days of one user.

    A day of another source, or two sources that alternate, do not begin an era.

    Parameters
    ----------
    sources : sequence of str or None
        The source of each day; None on a day without a worn record.
    """
    known = [(day, source) for day, source in enumerate(sources) if source is not None]
    days = [day for day, _ in known]
    names = sorted({source for _, source in known})
    codes = np.array([names.index(source) for _, source in known], dtype=np.int64)
    starts = _starts(codes, len(names))
    ends = [*starts[1:], len(codes)] if starts else []
    return [
        Era(names[codes[start]], days[start], days[end - 1], end - start)
        for start, end in zip(starts, ends, strict=True)
    ]


def _starts(codes: npt.NDArray[np.int64], sources: int) -> list[int]:
    """The positions at which eras begin."""
    if not len(codes):
        return []
    starts, current = [0], int(codes[0])
    # Records of each source among the next ones, from each position.
    counts = np.zeros((sources, len(codes) + _NEXT), dtype=np.int64)
    for source in range(sources):
        counts[source, : len(codes)] = codes == source
    totals = np.concatenate([np.zeros((sources, 1), dtype=np.int64), counts.cumsum(axis=1)], axis=1)
    ahead: npt.NDArray[np.int64] = totals[:, _NEXT:] - totals[:, :-_NEXT]
    for position in np.flatnonzero(codes[1:] != codes[:-1]) + 1:
        code = int(codes[position])
        if code == current:
            continue
        left = min(_NEXT, len(codes) - int(position))
        if left >= _LEAST and int(ahead[code, position]) * _NEXT >= _MOST * left:
            starts.append(int(position))
            current = code
    return starts
