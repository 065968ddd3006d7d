"""Merging of the records of one user and day, measure by measure.

For each measure, the value of the preferred source is taken, if an order of sources is declared.
Else it is that of the record that was delivered last; of records without a time of delivery or with
the same one, that of the record with more known values, then the larger one. If this value was
derived from readings, and another record of the same source states it for the day, the stated value
is taken instead: hours of steps that are imported after the daily totals do not replace these. A
measure that a record lacks stays as another record has it, and a value that is not plausible is
taken only if no record has a plausible one.
The activity of a day is that of its longest workout in any import, unless an export states it.
Energy and its kind are taken from one record: from one of total energy, if there is any, since
active energy is a part of it. The stages of a night are from one record too, and so are its start
and end: from the record that the hours of sleep are from, if it has them.

The columns that describe the user (`TRAITS`) hold until the next known value.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record import wear
from fitness_assets.record.raw import FULL_SCHEMA, RANGES, SLEEP_SPAN, SLEEP_STAGES, TRAITS
from fitness_assets.sources.derived import DERIVED, is_derived
from fitness_assets.sources.main_activity import LONGEST
from fitness_assets.sources.preferred import NO_ORDER, OF_DEVICE, SourceOrder

#: An optional column of the input: the number of the import that a record is from.
ORIGIN = "_origin"
#: The columns that are merged by themselves.
VALUES = tuple(
    name
    for name in FULL_SCHEMA.names
    if name not in {"user_id", "date", "calories_kind", "source", "ingested_at"}
)

_KEY = ("user_id", "date")
# A value of these means nothing without the value of the other column in the same record.
_BELONGS_TO = {"calories_kind": "calories_burned"}

_Mask = npt.NDArray[np.bool_]
# Numbers of rows; -1 for none.
_Rows = npt.NDArray[np.int64]


def origin_of(column: str) -> str:
    """Name of the column with the number of the import that a value of `column` is from."""
    return f"{ORIGIN}_{column}"


def merge_days(records: pa.Table, order: SourceOrder = NO_ORDER) -> pa.Table:
    """Merge `records` into one record per user and day.

    Parameters
    ----------
    records : Table
        In any order: ``user_id``, ``date``, ``ingested_at``, any other columns of the canonical
        record, and optionally `DERIVED`, `LONGEST` and `ORIGIN`.
    order : SourceOrder, optional
        The preferred sources.

    Returns
    -------
    Table
        The columns of the canonical record, sorted by user and day. ``source`` names the sources of
        all values. In place of `ORIGIN` there is one column per column of values, named by
        `origin_of`.
    """
    names = [name for name in VALUES if name in records.column_names]
    records = _best_first(records.combine_chunks(), names, order)
    starts = np.flatnonzero(_changes(records, _KEY))
    known = {name: _known(records[name]) for name in names}
    chosen = {}
    for name in names:
        plausible = known[name] & _plausible(records, name)
        preferred = order.of_measure(name)
        rows = _preferred_rows(records, name, plausible, starts, preferred)
        if name == "calories_burned" and "calories_kind" in records.column_names:
            total = pc.equal(records["calories_kind"], "total").fill_null(False).to_numpy()
            rows_of_total = _preferred_rows(records, name, plausible & total, starts, preferred)
            rows = np.where(rows_of_total < 0, rows, rows_of_total)
        chosen[name] = np.where(rows < 0, _first_rows(known[name], starts), rows)
        if name == "activity_type" and LONGEST.name in records.column_names:
            chosen[name] = _of_longest_workout(records, chosen[name], starts)
    for group in (SLEEP_STAGES, SLEEP_SPAN):
        chosen |= _of_one_night(group, chosen, known, starts)
    contributing = np.stack(list(chosen.values()))
    # The record of a day's best value; of a day without any, its first record.
    best = np.where(contributing < 0, len(records), contributing).min(axis=0)
    best = np.where(best == len(records), starts, best)
    days = {
        name: _take(records[name], chosen.get(_BELONGS_TO.get(name, name), best))
        for name in records.column_names
        if name not in {ORIGIN, DERIVED.name, LONGEST.name}
    }
    if "source" in days:
        days["source"] = _sources(records["source"], contributing, days["source"])
    if ORIGIN in records.column_names:
        days |= {origin_of(name): _take(records[ORIGIN], chosen[name]) for name in names}
    return pa.table(days)


def fill_traits(days: pa.Table, before: pa.Table) -> pa.Table:
    """Fill the traits that are null with the last known plausible value of the user.

    Parameters
    ----------
    days : Table
        From `merge_days`.
    before : Table
        From `last_traits`, of earlier days.
    """
    rows = np.arange(len(days))
    new_user = _changes(days, ("user_id",))
    first_row = np.maximum.accumulate(np.where(new_user, rows, 0))
    row_before = pc.index_in(days["user_id"], before["user_id"].combine_chunks())
    for name in TRAITS:
        plausible = _known(days[name]) & _plausible(days, name)
        last = np.maximum.accumulate(np.where(plausible, rows, -1))
        last[last < first_row] = -1
        for column in (name, origin_of(name)):
            if column in days.column_names:
                values = pc.coalesce(
                    days[column], _take(days[column], last), before[column].take(row_before)
                )
                position = days.column_names.index(column)
                days = days.set_column(position, column, values)
    return days


def last_traits(days: pa.Table) -> pa.Table:
    """The last known plausible value of each trait, one row per user with any.

    Parameters
    ----------
    days : Table
        From `merge_days`.
    """
    starts = np.flatnonzero(_changes(days, ("user_id",)))
    columns: dict[str, pa.ChunkedArray] = {"user_id": _take(days["user_id"], starts)}
    for name in TRAITS:
        last = _last_rows(_known(days[name]) & _plausible(days, name), starts)
        for column in (name, origin_of(name)):
            if column in days.column_names:
                columns[column] = _take(days[column], last)
    return pa.table(columns)


def trait_records(records: pa.Table) -> pa.Table:
    """The records of the last known plausible value of each trait of each user.

    Parameters
    ----------
    records : Table
        In any order: ``user_id``, ``date``, ``ingested_at`` and `TRAITS`.

    Returns
    -------
    Table
        At most one row per user and trait, with the same columns.
    """
    days = merge_days(records)
    starts = np.flatnonzero(_changes(days, ("user_id",)))
    rows = [_last_rows(_known(days[name]) & _plausible(days, name), starts) for name in TRAITS]
    found = np.unique(np.concatenate(rows))
    return days.take(pa.array(found[found >= 0]))


def _of_one_night(
    group: tuple[str, ...], chosen: dict[str, _Rows], known: dict[str, _Mask], starts: _Rows
) -> dict[str, _Rows]:
    """The rows of the columns of `group`: of each day, one row for all of them.

    It is that of the hours of sleep if it has any: stages and hours of two devices do not add up.
    """
    names = [name for name in group if name in chosen]
    if not names:
        return {}
    has_any = np.logical_or.reduce([known[name] for name in names])
    rows = _first_rows(has_any, starts)
    if "sleep_hours" in chosen:
        of_hours = chosen["sleep_hours"]
        rows = np.where((of_hours >= 0) & has_any[of_hours], of_hours, rows)
    return {name: np.where((rows >= 0) & known[name][rows], rows, -1) for name in names}


def _of_longest_workout(records: pa.Table, chosen: _Rows, starts: _Rows) -> _Rows:
    """The `chosen` rows of activities, or the first of the day whose activity is `LONGEST`.

    Rows without `LONGEST`, such as those of stated activities, stay.
    """
    wanted = _take(records[LONGEST.name], chosen)
    day = np.cumsum(np.isin(np.arange(len(records)), starts)) - 1
    of_day = wanted.take(pa.array(day))
    mask = pc.equal(records["activity_type"], of_day).fill_null(False).to_numpy()
    rows = _first_rows(mask, starts)
    return np.where(rows < 0, chosen, rows)


def _best_first(records: pa.Table, names: list[str], order: SourceOrder) -> pa.Table:
    """Sort by user and day, and the records of a day by preference."""
    fullness = sum((_known(records[name]).astype(np.int8) for name in names), np.int8(0))
    unordered = {*_KEY, "ingested_at", DERIVED.name, LONGEST.name}
    others = [name for name in records.column_names if name not in unordered]
    keyed = records.append_column("_fullness", pa.array(fullness))
    descending = ["ingested_at", "_fullness", *others]
    for source in reversed(order.of_all()):
        keyed = keyed.append_column(f"_is_{source}", pa.array(_is_of(records, source)))
        descending.insert(0, f"_is_{source}")
    rows = pc.sort_indices(
        keyed,
        sort_keys=[(name, "ascending") for name in _KEY]
        + [(name, "descending", "at_end") for name in descending],
    )
    return records.take(rows)


def _changes(table: pa.Table, columns: tuple[str, ...]) -> _Mask:
    """Whether a row differs from the row before in any of `columns`."""
    changes = np.ones(len(table), bool)
    changes[1:] = False
    for name in columns:
        column = table[name].combine_chunks()
        changes[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    return changes


def _known(values: pa.ChunkedArray) -> _Mask:
    """Whether a value is known; blank text is not a value."""
    mask = pc.is_valid(values)
    if pa.types.is_string(values.type):
        mask = pc.and_(mask, pc.not_equal(pc.utf8_trim_whitespace(values), "").fill_null(False))
    known: _Mask = mask.to_numpy()
    return known


def _plausible(table: pa.Table, name: str) -> _Mask:
    """Whether a value is in the range of its column, which NaN is not, and was measured.

    Zeros of a device that was not worn do not replace what another device measured.
    """
    if name not in RANGES:
        return np.ones(len(table), bool)
    low, high = RANGES[name]
    values = table[name]
    inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    plausible: _Mask = inside.fill_null(False).to_numpy()
    is_movement = name in {*wear.MOVEMENT, *wear.OPTIONAL_MOVEMENT}
    return plausible & ~wear.not_worn(table) if is_movement else plausible


def _first_rows(mask: _Mask, starts: _Rows) -> _Rows:
    """The first row of each group for which `mask` is true."""
    rows = np.where(mask, np.arange(len(mask)), len(mask))
    first = np.minimum.reduceat(rows, starts) if len(starts) else starts
    return np.where(first == len(mask), -1, first)


def _preferred_rows(
    records: pa.Table, name: str, mask: _Mask, starts: _Rows, preferred: Sequence[str]
) -> _Rows:
    """As `_first_stated_rows`, of the first of the `preferred` sources that has a row."""
    rows = np.full(len(starts), -1)
    for source in preferred:
        wanted = mask & _is_of(records, source)
        rows = np.where(rows < 0, _first_stated_rows(records, name, wanted, starts), rows)
    return np.where(rows < 0, _first_stated_rows(records, name, mask, starts), rows)


def _first_stated_rows(records: pa.Table, name: str, mask: _Mask, starts: _Rows) -> _Rows:
    """The first row of each day for which `mask` is true.

    If its value was derived, it is the first row of the same source that states the value. Files of
    a device (``garmin_fit``) and summaries of its service (``garmin``) are one source.
    """
    first = _first_rows(mask, starts)
    derived = is_derived(records, name)
    if not derived.any():
        return first
    sources = _families(records).combine_chunks().dictionary_encode().indices
    codes = sources.fill_null(-1).to_numpy()
    day = np.cumsum(np.isin(np.arange(len(records)), starts)) - 1
    stated = _first_rows(mask & ~derived & (codes == codes[first][day]), starts)
    return np.where(stated < 0, first, stated)


def _is_of(records: pa.Table, source: str) -> _Mask:
    """Whether each record is of `source`, or of files of its devices."""
    is_source = pc.or_(pc.equal(records["source"], source), pc.equal(_families(records), source))
    mask: _Mask = is_source.fill_null(False).to_numpy()
    return mask


def _families(records: pa.Table) -> pa.ChunkedArray:
    """The sources, with files of a device under the name of its service."""
    return pc.replace_substring_regex(records["source"], OF_DEVICE, "")


def _last_rows(mask: _Mask, starts: _Rows) -> _Rows:
    """The last row of each group for which `mask` is true."""
    rows = np.where(mask, np.arange(len(mask)), -1)
    return np.maximum.reduceat(rows, starts) if len(starts) else starts


def _take(values: pa.ChunkedArray, rows: _Rows) -> pa.ChunkedArray:
    return values.take(pa.array(rows, mask=rows < 0))


def _sources(sources: pa.ChunkedArray, rows: _Rows, best: pa.ChunkedArray) -> pa.ChunkedArray:
    """The names of the sources of all values of each day, sorted; `best` where there is one."""
    names = sources.combine_chunks().dictionary_encode()
    codes = names.indices.fill_null(-1).to_numpy()
    of_values = np.where(rows < 0, -1, codes[rows])
    several = (np.where(of_values < 0, of_values.max(axis=0), of_values).min(axis=0)) < (
        of_values.max(axis=0)
    )
    if not several.any():
        return best
    texts = best.to_pylist()
    for day in np.flatnonzero(several):
        found = {code for code in of_values[:, day] if code >= 0}
        texts[day] = ", ".join(sorted(names.dictionary[int(code)].as_py() for code in found))
    return pa.chunked_array([pa.array(texts, best.type)])
