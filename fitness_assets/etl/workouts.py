"""The workouts of a month: plausible values only, and each workout once.

Two devices and an app record the same workout under other starts and lengths. Two rows of a user
are one workout if their times overlap by at least half of the shorter one. Of these, the row of the
preferred source is kept, if an order of sources is declared, then the one with most known columns,
then the one that was delivered last. What it does not know is filled in from the others, if the
times overlap by at least half of the longer one too: the distance of a day trip is not that of its
climb. Rows are compared with the kept row only, and not with one another, so that a long row does
not join two workouts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record.workouts import KNOWN, NUMBERS, SCHEMA

#: Share of the shorter of two rows from which on they are one workout.
SHARE = 0.5
# Filled in together: the mean of one device and the greatest of another may contradict.
_FILLED = (
    ("activity",),
    ("distance_km",),
    ("calories_burned",),
    ("heart_rate_avg", "heart_rate_max"),
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# More than the seconds since 1970 of any time.
_BEYOND = 1 << 34

_Row = dict[str, Any]
#: The place of a source in an order of preference.
Rank = Callable[[str | None], int]


def _no_rank(_source: str | None) -> int:
    return 0


@dataclass(frozen=True)
class Plausible:
    """The result of `plausible`.

    Attributes
    ----------
    rows : Table
    nulled : int
        Values outside of their range, which are null.
    left_out : int
        Rows whose length is not plausible.
    """

    rows: pa.Table
    nulled: int
    left_out: int


def plausible(rows: pa.Table) -> Plausible:
    """`rows`, of `record.workouts`, without values outside of the ranges of their columns."""
    nulled, delivered = 0, len(rows)
    for name, column in NUMBERS.items():
        low, high = column.range or (0, 0)
        values = rows[name]
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        inside = inside.fill_null(False)
        if not column.nullable:
            rows = rows.filter(inside)
            continue
        nulled += len(rows) - values.null_count - (pc.sum(inside).as_py() or 0)
        place = rows.schema.get_field_index(name)
        known = pc.if_else(inside, values, pa.scalar(None, values.type))
        rows = rows.set_column(place, rows.schema.field(name), known)
    return Plausible(rows, nulled, delivered - len(rows))


def deduplicate(rows: pa.Table, rank: Rank = _no_rank) -> pa.Table:
    """`rows`, of `record.workouts`, with each workout once, by user and start.

    Parameters
    ----------
    rows : Table
    rank : callable, optional
        The place of a source in the order of preference, 0 for the best.
    """
    rows = _sorted(rows)
    single, groups = _groups(rows)
    kept = [row for group in groups for row in _distinct(group, rank)]
    merged = pa.Table.from_pylist(kept, schema=rows.schema)
    return _sorted(pa.concat_tables([rows.filter(pa.array(single)), merged])).combine_chunks()


def repeated(rows: pa.Table) -> int:
    """The number of rows that are the same workout as another one of their user."""
    _, groups = _groups(_sorted(rows))
    return sum(
        any(_overlap(row, other, longer=False) for other in group[:place])
        for group in groups
        for place, row in enumerate(group)
    )


def _sorted(rows: pa.Table) -> pa.Table:
    others = [name for name in SCHEMA.names if name not in {"user_id", "start"}]
    return rows.sort_by([(name, "ascending") for name in ("user_id", "start", *others)])


def _groups(rows: pa.Table) -> tuple[np.ndarray, list[list[_Row]]]:
    """Which of the sorted `rows` are alone at their time, and the others by group."""
    bounds = list(_overlapping(rows))
    single = np.ones(len(rows), bool)
    for start, end in bounds:
        single[start:end] = False
    # Each conversion of a part of a table takes as long as one of hundreds of rows.
    several = iter(rows.filter(pa.array(~single)).to_pylist())
    return single, [list(islice(several, end - start)) for start, end in bounds]


def _overlapping(rows: pa.Table) -> Iterator[tuple[int, int]]:
    """Bounds of the rows of a user whose times touch, of several rows; `rows` are sorted."""
    if not len(rows):
        return
    changes = pc.not_equal(rows["user_id"][1:], rows["user_id"][:-1])
    users = np.concatenate([[0], np.cumsum(changes.to_numpy())])
    starts = rows["start"].cast(pa.int64()).to_numpy() // 1_000_000 + users * _BEYOND
    ends = starts + np.ceil(rows["minutes"].to_numpy() * 60).astype(np.int64) + 1
    latest = np.maximum.accumulate(ends)
    firsts = np.flatnonzero(np.concatenate([[True], starts[1:] > latest[:-1]]))
    for start, end in pairwise([*firsts.tolist(), len(rows)]):
        if end - start > 1:
            yield start, end


def _distinct(group: list[_Row], rank: Rank) -> list[_Row]:
    """The rows of one user, each workout once."""
    kept: list[_Row] = []
    for row in sorted(group, key=lambda row: (rank(row["source"]), *_preference(row))):
        same = next((each for each in kept if _overlap(each, row, longer=False)), None)
        if same is None:
            kept.append(dict(row))
        elif _overlap(same, row, longer=True):
            _fill(same, row)
    return kept


def _preference(row: _Row) -> tuple[Any, ...]:
    known = sum(row[name] is not None for name in KNOWN)
    delivered = row["ingested_at"] or _LONG_AGO
    age = -(delivered - _LONG_AGO).total_seconds()
    return -known, age, row["source"] or "", -row["minutes"], row["start"]


def _fill(row: _Row, other: _Row) -> None:
    """Fill in what `row` does not know."""
    for names in _FILLED:
        if all(row[name] is None for name in names) and any(
            other[name] is not None for name in names
        ):
            row.update({name: other[name] for name in names})
            sources = {each["source"] for each in (row, other)} - {None}
            names_of_all = {name for source in sources for name in source.split(", ")}
            row["source"] = ", ".join(sorted(names_of_all)) or None


def _overlap(first: _Row, second: _Row, *, longer: bool) -> bool:
    """Whether the common time is at least `SHARE` of the shorter or the longer of two rows."""
    starts = [each["start"].timestamp() for each in (first, second)]
    lengths = [each["minutes"] * 60 for each in (first, second)]
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    common: float = min(ends) - max(starts)
    reference: float = max(lengths) if longer else min(lengths)
    return common >= max(0.0, SHARE * reference)
