"""The days of tables whose rows are minutes or hours."""

from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import NUMBERS
from fitness_assets.sources.derived import STORED_SCHEMA
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.combined_columns import summed
from fitness_assets.sources.exports.layout import Layout
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.stamps import Moment

#: Days of users and sources that are kept in memory, which takes about 220 MB.
MAX_DAYS = 200_000
_DAYS_AT_ONCE = 5_000
_HOURS, _HOUR_MINUTES = 24, 60
_MINUTES = {"hour": 60, "minute": 1}
_HEART_RATE = "heart_rate_avg"
# Constants that are not values of a day.
_NOT_FILLED = {"user_id", "source", "calories_kind", "ingested_at"}

# User, day and source.
_Key = tuple[str, date, str]


class IntervalDays:
    """Collects rows of minutes or hours.

    A sum is that of the source that has the most, since two sources measure the same. A mean heart
    rate is the mean of the hourly means; other means are those of the rows.

    Parameters
    ----------
    source : str
        The ``source`` of the records.
    layout : Layout
    options : ImportOptions
    """

    def __init__(self, source: str, layout: Layout, options: ImportOptions) -> None:
        self._source = str(layout.constants.get("source", source))
        self._layout = layout
        self._zone = options.zone
        self._minutes = _MINUTES[layout.rows]
        self._names = [name for name in (*layout.columns, *layout.combined) if name in NUMBERS]
        has_heart_rates = _HEART_RATE in self._names
        self._zeros = bytes(8 * 2 * (len(self._names) + _HOURS * has_heart_rates))
        # By user, day and source, the sum and the number of the values of each column; then those
        # of the heart rates of each hour.
        self._totals: dict[_Key, array[float]] = {}
        # The intervals that have a row, one bit each; and those that have a second one.
        self._seen: dict[_Key, int] = {}
        self._seen_twice: dict[_Key, int] = {}

    def add(
        self, user: str, begin: Moment, source: str, values: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """Add a row, and return the columns that it gives.

        Parameters
        ----------
        user : str
        begin : Moment
        source : str
            What measured it; empty if it is not known.
        values : mapping
            The known values by canonical column.

        Raises
        ------
        ValueError
            If there is a row of the same interval, user and source. In the hour that the user's
            clock shows twice, there may be two.
        SourceError
            If there are rows of too many days.
        """
        day, minute = begin.local.date(), begin.local.hour * _HOUR_MINUTES + begin.local.minute
        key, bit = (user, day, source), 1 << minute // self._minutes
        if self._seen.get(key, 0) & bit:
            if self._seen_twice.get(key, 0) & bit or not self._is_shown_twice(day, minute):
                raise ValueError(
                    f"there is another row of this {self._layout.rows} of the same user"
                )
            self._seen_twice[key] = self._seen_twice.get(key, 0) | bit
        self._seen[key] = self._seen.get(key, 0) | bit
        if key not in self._totals:
            if len(self._totals) >= MAX_DAYS:
                raise SourceError(f"rows of more than {MAX_DAYS:,} days of users: divide the files")
            self._totals[key] = array("d", self._zeros)
        totals = self._totals[key]
        for place, name in enumerate(self._names):
            if name in values:
                totals[2 * place] += values[name]
                totals[2 * place + 1] += 1
        if values.get(_HEART_RATE):
            place = len(self._names) + minute // _HOUR_MINUTES
            totals[2 * place] += values[_HEART_RATE]
            totals[2 * place + 1] += 1
        return tuple(name for name in self._names if name in values)

    def record_batches(
        self, quarantine: Quarantine, delivered: datetime | None
    ) -> Iterator[pa.RecordBatch]:
        """The canonical records, ordered by user and day, with the constants of the layout."""
        constants = {
            name: value for name, value in self._layout.constants.items() if name not in _NOT_FILLED
        }
        keys = sorted(self._totals)
        while keys:
            # Whole users: the records of a day are combined of those of its sources.
            count = min(_DAYS_AT_ONCE, len(keys))
            while count < len(keys) and keys[count][0] == keys[count - 1][0]:
                count += 1
            days = DayAggregator(self._source)
            for key in keys[:count]:
                self._add_day(days, key)
            del keys[:count]
            for batch in days.record_batches(quarantine, delivered):
                columns = [
                    _filled(column, constants.get(field.name))
                    for field, column in zip(STORED_SCHEMA, batch.columns, strict=True)
                ]
                yield pa.record_batch(columns, schema=STORED_SCHEMA)

    def _add_day(self, days: DayAggregator, key: _Key) -> None:
        user, day, source = key
        totals = self._totals.pop(key)
        for place, name in enumerate(self._names):
            total, count = totals[2 * place], int(totals[2 * place + 1])
            if not count or name == _HEART_RATE:
                continue
            if summed(name):
                kind = self._layout.constants.get("calories_kind")
                metric = f"{kind}_kcal" if name == "calories_burned" else name
                days.add_amount(user, day, metric, total, source)
            else:
                days.add_readings(user, day, name, source, total, count)
        for hour in range(_HOURS if _HEART_RATE in self._names else 0):
            place = len(self._names) + hour
            total, count = totals[2 * place], int(totals[2 * place + 1])
            if count:
                days.add_heart_rates(user, day, hour, source, total, count)

    def _is_shown_twice(self, day: date, minute: int) -> bool:
        shown = datetime(day.year, day.month, day.day, tzinfo=self._zone or UTC)
        shown += timedelta(minutes=minute)
        return shown.utcoffset() != shown.replace(fold=1).utcoffset()


def _filled(column: pa.Array, constant: Any) -> pa.Array:
    return column if constant is None else pa.array([constant] * len(column), column.type)
