"""Transformations on Arrow tables: from raw records to one clean record per user and day.

All days of a user are in one table. Tasks of Spark call `daily_activity` on each bucket of users
(`distributed.py`); a small month is one table, and needs no Spark.
"""

import re
from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.etl.baselines import with_baselines
from fitness_assets.etl.dedupe import first_record_per_day, with_activities
from fitness_assets.record import raw, wear
from fitness_assets.record.daily import BASELINE_VALUES, BASELINE_WINDOWS, schema_of

#: The column that marks the records of the month before, which are input to the baselines only.
HISTORY = "_history"

_KEY = ("user_id", "date")
_FULLNESS = "_fullness"
_FLAGS = "quality_flags"
_FLAGS_TEXT = "_flags_text"

# Of two records of one day, the record that is larger in these columns, in this order, is kept: the
# one delivered last, then the one with more known values, then the one with larger values, so that
# the outcome does not depend on the order of files or rows. The columns that have baselines come
# before the others, so that a month and the history that the next month reads choose the same.
_PRECEDENCE = list(
    dict.fromkeys(
        ["ingested_at", _FULLNESS, *BASELINE_VALUES]
        + [name for name in raw.FULL_SCHEMA.names if name not in _KEY]
        + [_FLAGS_TEXT]
    )
)


def daily_activity(records: pa.Table, optional: Collection[str] = ()) -> pa.Table:
    """One clean record per user and day, with features, sorted by user and day.

    Parameters
    ----------
    records : Table
        Raw records of the month, with the columns of `record.raw.SCHEMA` and any optional columns,
        and those of the days before it. The column `HISTORY` marks the latter. All records of a
        user are included.
    optional : collection of str
        The optional columns of the month, which are those of the result.

    Returns
    -------
    Table
        With `record.daily.schema_of`, without the records of the days before the month.
    """
    schema = schema_of(optional)
    cleaned = with_fullness(with_wear(null_out_of_range(canonical_text(records))))
    days = with_baselines(first_record_per_day(best_first(cleaned)))
    days = with_features(days.filter(pc.invert(days[HISTORY])))
    return with_activities(days).select(schema.names).cast(schema)


def with_history(records: pa.Table, earlier: pa.Table | None = None) -> pa.Table:
    """`records` of a month and those of the days before it, marked by `HISTORY`.

    Parameters
    ----------
    records : Table
    earlier : Table, optional
        The records of the month before. No window of a baseline begins before its last days, and
        those of other days are left out.
    """
    tables = [(records, False)]
    if earlier is not None:
        dates = earlier["date"]
        following = pc.ceil_temporal(dates, unit="month", ceil_is_strictly_greater=True)
        is_recent = pc.less_equal(pc.days_between(dates, following), max(BASELINE_WINDOWS))
        tables.append((earlier.filter(is_recent), True))
    return pa.concat_tables(
        table.append_column(HISTORY, pa.array(np.full(table.num_rows, is_history)))
        for table, is_history in tables
    )


def canonical_text(records: pa.Table) -> pa.Table:
    """Trim the user ids, and write ``sex`` and ``calories_kind`` in lower snake case."""
    records = _replaced(records, "user_id", _of_distinct(records["user_id"], _trimmed))
    for name in ("sex", "calories_kind"):
        records = _replaced(records, name, _of_distinct(records[name], _snake_case))
    return records


def null_out_of_range(records: pa.Table) -> pa.Table:
    """Replace each value outside of its range by null and name its rule in ``quality_flags``.

    The rest of the record is kept: one bad reading does not cost the day. NaN is outside of every
    range.
    """
    rules, outside = [], []
    for name, (low, high) in raw.RANGES.items():
        if name not in records.column_names:
            continue
        column = records[name]
        inside = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
        is_outside = np.asarray(pc.invert(inside).fill_null(False))
        if is_outside.any():
            rules.append(f"{name}_out_of_range")
            outside.append(is_outside)
            nothing = pa.scalar(None, column.type)
            records = _replaced(records, name, pc.if_else(pa.array(is_outside), nothing, column))
    # Rows in order, and of each row the rules in order.
    failed = np.column_stack(outside) if outside else np.zeros((records.num_rows, 0), bool)
    ends = np.concatenate([[0], failed.sum(axis=1).cumsum()]).astype(np.int32)
    names = pa.array(rules, pa.string()).take(pa.array(np.nonzero(failed)[1]))
    return records.append_column(_FLAGS, pa.ListArray.from_arrays(pa.array(ends), names))


def with_wear(records: pa.Table) -> pa.Table:
    """Add ``worn``, and replace the movement of days on which the device was not worn by null.

    The definition is that of `record.wear`. Movement is replaced before the number of known values
    is counted, so that of two records of a day the worn one is kept.
    """
    worn, kept = (pa.array(each) for each in wear.worn_and_kept(records))
    # The kind of an energy that was null before is kept, as the source states it.
    states_kind = pc.or_(kept, pc.is_null(records["calories_burned"]))
    optional = [name for name in wear.OPTIONAL_MOVEMENT if name in records.column_names]
    for name in (*wear.MOVEMENT, *optional):
        records = _replaced(records, name, _where(kept, records[name]))
    kind = _where(states_kind, records["calories_kind"])
    return _replaced(records, "calories_kind", kind).append_column("worn", worn)


def with_fullness(records: pa.Table) -> pa.Table:
    """Add ``_fullness``, the number of known values; blank text is not a value."""
    count = np.zeros(records.num_rows, np.int32)
    for field in raw.schema_of(records.column_names):
        if field.name in _KEY:
            continue
        column = records[field.name]
        if pa.types.is_string(field.type):
            known = pc.not_equal(pc.utf8_trim(column, characters=" "), "").fill_null(False)
        else:
            known = pc.is_valid(column)
        count += np.asarray(known)
    return records.append_column(_FULLNESS, pa.array(count))


def best_first(records: pa.Table) -> pa.Table:
    """Sort by user and day; of the records of one day, the one to keep comes first."""
    flags = records[_FLAGS].combine_chunks()
    text = pc.binary_join(flags, "\0")
    keyed = records.append_column(_FLAGS_TEXT, text).combine_chunks()
    by_key = [(name, "ascending", "at_end") for name in _KEY]
    by_value = [
        (name, "descending", "at_end") for name in _PRECEDENCE if name in keyed.column_names
    ]
    return keyed.take(pc.sort_indices(keyed, by_key + by_value))


def with_features(days: pa.Table) -> pa.Table:
    """Add the features that depend on the day alone.

    ``day_of_week`` is 1 for Monday to 7 for Sunday. ``calories_per_step`` is 0 for a day of 0 steps
    and null if either value is unknown. Year and month are columns of the lake by the names of its
    folders, which is the convention of Hive.
    """
    weekday = pc.day_of_week(days["date"], count_from_zero=False).cast(pa.int32())
    ratio = calories_per_step(days["calories_burned"], days["steps"])
    return days.append_column("day_of_week", weekday).append_column("calories_per_step", ratio)


def calories_per_step(calories: pa.ChunkedArray, steps: pa.ChunkedArray) -> pa.ChunkedArray:
    """Kcal per step: 0 for 0 steps, null if either value is unknown."""
    is_zero = pc.equal(steps, 0)
    # Division by 1 where there are no steps, and the result is 0.
    ratio = pc.divide(calories, pc.if_else(is_zero, 1, steps).cast(pa.float64()))
    return pc.if_else(pc.and_(is_zero, pc.is_valid(ratio)), 0.0, ratio)


def _where(kept: pa.Array, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(kept, column, pa.scalar(None, column.type))


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _of_distinct(column: pa.ChunkedArray, function: Callable[[str], str | None]) -> pa.Array:
    """`function` of each text. There are fewer distinct texts than rows."""
    encoded = column.combine_chunks().dictionary_encode()
    values = [function(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _trimmed(text: str) -> str:
    return text.strip(" ")


def _snake_case(text: str) -> str | None:
    return re.sub("[^a-z0-9]+", "_", text.strip(" ").lower()).strip("_") or None
