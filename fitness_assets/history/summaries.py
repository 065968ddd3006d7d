"""The summaries of a month: its weeks and itself, by user and measure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import months
from fitness_assets.history.grid import Floats, Grid, day_number, grid
from fitness_assets.history.schema import MEASURES, SUMMARIES

#: Days of the baseline before a period: three weeks, so that each weekday counts equally. They lie
#: in the month or the month before for every week and month.
BASELINE_DAYS = 21
# Fewer values are no baseline.
_LEAST_BASELINE = 7
_WEEK = 7
_QUANTILES = (0.1, 0.5, 0.9)
# Users whose grid is in memory at once: 20,000 take about 100 MB.
_USERS = 20_000


@dataclass(frozen=True)
class Span:
    """The days of a period, both included; `last` is the last day so far."""

    period: str
    first: date
    last: date


def spans(month: str, last: date) -> list[Span]:
    """The weeks of `month`, and the month itself, up to `last`.

    A week begins on Monday and is in the month of its Sunday.
    """
    found = []
    sunday = months.start(month) + timedelta(days=6 - months.start(month).weekday())
    while sunday < months.end(month):
        monday = sunday - timedelta(days=_WEEK - 1)
        if monday <= last:
            found.append(Span("week", monday, min(sunday, last)))
        sunday += timedelta(days=_WEEK)
    return [*found, Span("month", months.start(month), last)]


def summarize(days: pa.Table, month: str, last: date) -> pa.Table:
    """The table `summaries` of `month`.

    Quantiles are interpolated linearly (type 7 of Hyndman and Fan, Am Stat 50:361, 1996).

    Parameters
    ----------
    days : Table
        `grid.COLUMNS` of `daily_activity` of the month before and of `month`.
    month : str
    last : date
        The last day of the month, or its last day so far.
    """
    first = months.start(months.shift(month, -1))
    parts = [_summaries(grid(part, first, last), spans(month, last)) for part in _by_users(days)]
    return pa.concat_tables([SUMMARIES.empty_table(), *parts])


def _by_users(days: pa.Table) -> Iterator[pa.Table]:
    """The rows of some users after another, in the order of their ids."""
    users = sorted(days["user_id"].unique().to_pylist())
    if len(users) <= _USERS:
        yield days
        return
    for start in range(0, len(users), _USERS):
        chosen = pa.array(users[start : start + _USERS])
        yield days.filter(pc.is_in(days["user_id"], value_set=chosen))


def _summaries(found: Grid, periods: list[Span]) -> pa.Table:
    """The rows of `summaries` of the users of a grid."""
    shape = (len(found.users), len(MEASURES), len(periods))
    marks, baselines = np.empty((3, *shape)), np.empty(shape)
    counts, worn = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int16)
    start = day_number(found.first)
    for number, span in enumerate(periods):
        first, end = day_number(span.first) - start, day_number(span.last) - start + 1
        counts[..., number], marks[..., number] = quantiles(found.values[:, first:end])
        worn[..., number] = found.worn[:, first:end].sum(axis=1)[:, None]
        known, before = quantiles(found.values[:, first - BASELINE_DAYS : first])
        baselines[..., number] = np.where(known >= _LEAST_BASELINE, before[1], np.nan)
    # By user, measure, period ("month" comes before "week") and start.
    order = sorted(range(len(periods)), key=lambda i: (periods[i].period, periods[i].first))
    counts, worn, baselines = counts[..., order], worn[..., order], baselines[..., order]
    p10, median, p90 = marks[..., order]
    ordered = [periods[number] for number in order]
    user, measure, period = np.nonzero(counts)
    kept = user, measure, period
    columns = {
        "user_id": pa.array(found.users, pa.string()).take(pa.array(user)),
        "measure": pa.array(MEASURES, pa.string()).take(pa.array(measure)),
        "period": pa.array([span.period for span in ordered], pa.string()).take(pa.array(period)),
        "start": pa.array([span.first for span in ordered], pa.date32()).take(pa.array(period)),
        "median": median[kept].astype(np.float32),
        "p10": p10[kept].astype(np.float32),
        "p90": p90[kept].astype(np.float32),
        "days": counts[kept],
        "worn": worn[kept],
        "length": pa.array(
            [(span.last - span.first).days + 1 for span in ordered], pa.int16()
        ).take(pa.array(period)),
        "baseline": pa.array(baselines[kept].astype(np.float32), from_pandas=True),
    }
    return pa.table(columns, schema=SUMMARIES)


def quantiles(values: Floats) -> tuple[np.ndarray, Floats]:
    """Counts and `_QUANTILES` of the known values along the second axis.

    Returns
    -------
    counts : ndarray of shape (users, measures)
    quantiles : ndarray of shape (3, users, measures)
        NaN where nothing is known.
    """
    counts = np.isfinite(values).sum(axis=1)
    if not values.shape[1]:
        return counts, np.full((len(_QUANTILES), *counts.shape), np.nan)
    # NaN is sorted to the end.
    ordered = np.sort(values, axis=1)
    found = np.empty((len(_QUANTILES), *counts.shape))
    for number, share in enumerate(_QUANTILES):
        at = np.maximum(counts - 1, 0) * share
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(counts - 1, 0))
        below = np.take_along_axis(ordered, low[:, None], axis=1)[:, 0]
        above = np.take_along_axis(ordered, high[:, None], axis=1)[:, 0]
        found[number] = below + (above - below) * (at - low)
    return counts, found
