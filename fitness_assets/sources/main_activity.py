"""The main activity of the days of several imports: that of the longest workout of any of them.

An import has the activity of its own longest workout. Another device may have recorded a longer
one, so that the main activity of a day is decided when imports are merged. Each workout counts
once, as in the lake. An activity that an export states for the day is not that of a workout, and
stays.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.etl.workouts import deduplicate, plausible
from fitness_assets.record.workouts import SCHEMA

#: A column of records that are merged: the activity of the day's longest workout. It is null if the
#: activity of the record is not that of a workout of its import.
LONGEST = pa.field("_longest_workout", pa.string())

_SEPARATOR = "\0"


class MainActivities:
    """The activity of the longest workout of each user and day.

    Parameters
    ----------
    workouts : mapping of int to Table
        The workouts of each import, by its number, with the schema of `record.workouts`.
    """

    def __init__(self, workouts: Mapping[int, pa.Table]) -> None:
        every = pa.concat_tables([SCHEMA.empty_table(), *workouts.values()])
        rows = _with_activity(deduplicate(plausible(every).rows))
        # As the reader of an export chooses: of equal lengths the last name.
        rows = rows.sort_by([("minutes", "descending"), ("activity", "descending")])
        self._keys = _keys(rows)
        self._activities = rows["activity"].combine_chunks()
        self._own = {
            number: _join(_keys(own), own["activity"].combine_chunks())
            for number, own in ((number, _with_activity(each)) for number, each in workouts.items())
        }

    def of(self, records: pa.RecordBatch, number: int) -> pa.Array:
        """`LONGEST` of `records` of the import with this `number`."""
        own = self._own.get(number)
        if own is None:
            return pa.nulls(records.num_rows, LONGEST.type)
        keys = _join(records.column("user_id"), records.column("date").cast(pa.string()))
        # Of several rows of a day, the first.
        longest = self._activities.take(pc.index_in(keys, self._keys))
        is_own = pc.is_in(_join(keys, records.column("activity_type")), own)
        return pc.if_else(is_own, longest, pa.scalar(None, LONGEST.type))


def _with_activity(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.is_valid(rows["activity"]))


def _keys(rows: pa.Table) -> pa.Array:
    days = rows["local_start"].cast(pa.date32()).cast(pa.string())
    return _join(rows["user_id"].combine_chunks(), days.combine_chunks())


def _join(first: pa.Array, second: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(first, second, _SEPARATOR)
