"""Aggregation of readings, which arrive in any order, into one record a user and day.

For one user, day and metric
- a daily value stated by the export takes precedence over sums of readings; of several stated
  values the largest is kept (collection periods overlap, and the last day of the earlier one is
  incomplete);
- readings with a time of day are merged by time: for each quarter of an hour or hour, one source
  is taken, a device on the body before a phone before others, and the day is the sum of these;
- readings without a time of day are summed by source, and the largest sum is kept: a phone and a
  watch count the same steps, so what they measured at the same time is never added together;
- the mean heart rate is the mean of the hourly means of the source with the most hours: devices
  measure more often during exercise, which would bias a plain mean;
- other readings that are averaged are those of the source with the most readings;
- the hours of sleep are those of the source with the longest sleep; stages, start and end are from
  the same source, or else from the one with the longest sleep of those that have them. Several
  nights and naps of a source are added, and start and end are those of its longest.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import FULL_SCHEMA
from fitness_assets.record.wear import MOVEMENT, OPTIONAL_MOVEMENT, movement_is_kept
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.derived import DERIVED, STORED_SCHEMA
from fitness_assets.sources.exports import sleep
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.intraday import DayAmounts, merge
from fitness_assets.sources.exports.report import column_of
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.source_order import rank
from fitness_assets.sources.exports.workouts import Workouts

#: Days outside this range are rejected: no step counter is older, and later ones are errors.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)

#: Devices and apps whose readings are kept apart. An export of 15 years names up to 50.
MAX_SOURCES = 1_000
_MAX_INT32 = 2**31 - 1
_ROWS_PER_BATCH = 8192
_DIGITS = 6

# Devices write zero for a missing value of these.
_ZERO_IS_MISSING = frozenset(
    {
        "total_kcal",
        "basal_kcal",
        "heart_rate_avg",
        "resting_heart_rate",
        "sleep_hours",
        "height_cm",
        "weight_kg",
        "hrv_rmssd",
        "hrv_sdnn",
        "spo2",
        "respiration_rate",
        "vo2_max",
    }
)
_COUNTS = {field.name for field in FULL_SCHEMA if pa.types.is_integer(field.type)}

_Key = tuple[str, date]


class DayAggregator:
    """Collects readings and builds canonical records.

    Metrics are the columns of the canonical record, except that energy is added as
    ``total_kcal``, ``active_kcal`` or ``basal_kcal``.

    Parameters
    ----------
    source : str
        Name of the format, which becomes the ``source`` of the records.
    source_order : sequence of str
        Parts of the names of devices, most preferred first, before the default order.

    Attributes
    ----------
    exported_at : datetime or None
        When the export was made, if it states that.
    """

    def __init__(self, source: str, source_order: Sequence[str] = ()) -> None:
        self.source = source
        self._source_order = source_order
        self.exported_at: datetime | None = None
        self._stated: dict[_Key, dict[str, float]] = defaultdict(dict)
        self._sums: dict[_Key, dict[tuple[str, str], float]] = defaultdict(dict)
        # By metric and source.
        self._amounts: dict[_Key, dict[tuple[str, str], DayAmounts]] = defaultdict(dict)
        self._sources: set[str] = set()
        # By source, its place among those that measured the same time.
        self._ranks: dict[str, int] = {}
        # By source and hour, the sum and the number of heart rates.
        self._heart_rates: dict[_Key, dict[str, dict[int, tuple[float, int]]]] = defaultdict(dict)
        # By metric and source, the sum and the number of readings.
        self._readings: dict[_Key, dict[tuple[str, str], tuple[float, int]]] = defaultdict(dict)
        self._nights: dict[_Key, dict[str, list[Night]]] = defaultdict(dict)
        self._workouts = Workouts(source)
        self._profiles: dict[str, tuple[date | None, str | None]] = {}

    def add_daily_values(self, user: str, day: date, values: Mapping[str, float]) -> None:
        """Add values, by metric, that the export states for the whole day."""
        stated = self._stated[user, day]
        for metric, value in values.items():
            if value > 0 or metric not in _ZERO_IS_MISSING:
                stated[metric] = max(value, stated.get(metric, 0.0))

    def add_amount(self, user: str, day: date, metric: str, amount: float, source: str) -> None:
        """Add an amount that one source measured on the day, at a time that is not known."""
        self._check_source(source)
        sums = self._sums[user, day]
        sums[metric, source] = sums.get((metric, source), 0.0) + amount

    def add_amounts(  # noqa: PLR0913, PLR0917 - all of them identify the readings
        self,
        user: str,
        day: date,
        metric: str,
        amounts: DayAmounts,
        source: str,
        device: str | None = None,
    ) -> None:
        """Add amounts that one source measured on the day, by the time of day.

        `amounts` must not change afterwards. `device` is the name of the source's device, from
        which its rank follows (None: `source` is that name).
        """
        self._check_source(source)
        if source not in self._ranks:
            name = source if device is None else device
            self._ranks[source] = rank(name, self._source_order)
        known = self._amounts[user, day]
        if (metric, source) in known:
            merged = DayAmounts()
            merged.update(known[metric, source])
            merged.update(amounts)
            amounts = merged
        known[metric, source] = amounts

    def add_heart_rates(  # noqa: PLR0913, PLR0917 - all of them identify the readings
        self, user: str, day: date, hour: int, source: str, total: float, count: int
    ) -> None:
        """Add the heart rates that one source measured in one hour, as their sum and number."""
        self._check_source(source)
        hours = self._heart_rates[user, day].setdefault(source, {})
        total_before, count_before = hours.get(hour, (0.0, 0))
        hours[hour] = (total_before + total, count_before + count)

    def add_readings(  # noqa: PLR0913, PLR0917 - all of them identify the readings
        self, user: str, day: date, metric: str, source: str, total: float, count: int = 1
    ) -> None:
        """Add readings of one source that the day averages, as their sum and number.

        A zero is a missing value.
        """
        if total <= 0:
            return
        self._check_source(source)
        readings = self._readings[user, day]
        total_before, count_before = readings.get((metric, source), (0.0, 0))
        readings[metric, source] = (total_before + total, count_before + count)

    def add_night(self, user: str, day: date, source: str, night: Night) -> None:
        """Add a night or a nap of one source, on the day of waking."""
        self._check_source(source)
        self._nights[user, day].setdefault(source, []).append(night)

    def add_workout(self, user: str, workout: Workout) -> tuple[str, ...]:
        """Add a workout, and return what it fills; the longest of a day becomes its activity."""
        check_day(workout.local_start.date())
        return self._workouts.add(user, workout)

    def add_activity(self, user: str, day: date, activity: str, minutes: float) -> None:
        """Add an activity of a day, of which the start is not known."""
        self._workouts.add_activity(user, day, activity, minutes)

    def _check_source(self, source: str) -> None:
        if source not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                raise SourceError(f"{self.source}: readings of more than {MAX_SOURCES:,} sources")
            self._sources.add(source)

    def set_profile(self, user: str, birth_date: date | None, sex: str | None) -> None:
        """Set what the export states about the user; None keeps an earlier value."""
        known_birth_date, known_sex = self._profiles.get(user, (None, None))
        self._profiles[user] = (birth_date or known_birth_date, sex or known_sex)

    def record_batches(
        self,
        quarantine: Quarantine,
        exported_at: datetime | None,
        *,
        drop_trailing_empty_days: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """The canonical records and the column `DERIVED`, by user and day; then the workouts.

        A day with a workout has a record, also if nothing else is known of it.

        Weight and height are those that were measured on the day.

        Parameters
        ----------
        quarantine : callable
            Called for each value that the canonical record cannot hold.
        exported_at : datetime or None
            When the export was made, if it does not state that.
        drop_trailing_empty_days : bool
            Leave out the days after the last day on which a user's device was worn, for formats
            that fill future days with zeros.
        """
        keys = sorted(
            {
                *self._stated,
                *self._sums,
                *self._amounts,
                *self._heart_rates,
                *self._readings,
                *self._nights,
                *self._workouts.days,
            }
        )
        rows: list[dict[str, Any]] = []
        pending: list[dict[str, Any]] = []
        user = None
        for key in keys:
            if key[0] != user:
                user, pending = key[0], []
            row, has_values = self._record(key, quarantine)
            pending.append(row | {"ingested_at": self.exported_at or exported_at})
            if has_values or not drop_trailing_empty_days:
                rows += pending
                pending = []
            if len(rows) >= _ROWS_PER_BATCH:
                yield pa.RecordBatch.from_pylist(rows, schema=STORED_SCHEMA)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=STORED_SCHEMA)
        yield from self._workouts.record_batches(self.exported_at or exported_at)

    def _record(self, key: _Key, quarantine: Quarantine) -> tuple[dict[str, Any], bool]:
        """The record of a day, and whether it has a value that the lake keeps."""
        user, day = key
        values, calories_kind = self._values(key)
        has_values = (
            key in self._workouts.days
            or not values.keys() <= {*MOVEMENT, *OPTIONAL_MOVEMENT}
            or movement_is_kept(values | {"calories_kind": calories_kind})
        )
        birth_date, sex = self._profiles.get(user, (None, None))
        row: dict[str, Any] = {
            "user_id": user,
            "date": day,
            "calories_kind": calories_kind,
            "activity_type": self._workouts.activities.get(key, (0.0, None))[1],
            "age": _age(birth_date, day),
            "sex": sex,
            "source": self.source,
            DERIVED.name: sorted(self._derived(key, values)),
            **sleep.span(self._nights.get(key, {})),
            **{name: round(value, _DIGITS) for name, value in values.items()},
        }
        for name in values:
            if not math.isfinite(row[name]):
                quarantine(self.source, f"{user}, {day}", f"{name} is {row.pop(name)}")
        for name in _COUNTS & values.keys():
            if name in row and row[name] > _MAX_INT32:
                quarantine(self.source, f"{user}, {day}", f"{name} is {row.pop(name):.0f}")
            elif name in row:
                row[name] = round(row[name])
        return row, has_values

    def _derived(self, key: _Key, values: Mapping[str, float]) -> set[str]:
        """The columns of `values` that the export does not state for the day."""
        return values.keys() - {column_of(metric) for metric in self._stated.get(key, {})}

    def _values(self, key: _Key) -> tuple[dict[str, float], str | None]:
        """The day's values by canonical column, and the kind of its energy."""
        values = self._combined(key)
        total, active, basal = (
            values.pop(name, None) for name in ("total_kcal", "active_kcal", "basal_kcal")
        )
        if total is None and active is not None and basal is not None:
            total = active + basal
        energy = active if total is None else total
        if energy is not None:
            values["calories_burned"] = energy
        kind = "active" if total is None else "total"
        return values, kind if "calories_burned" in values else None

    def _combined(self, key: _Key) -> dict[str, float]:
        """One value a metric, by the rules in the module's docstring."""
        values: dict[str, float] = {}
        for (metric, _), amount in self._sums.get(key, {}).items():
            if amount > 0 or metric not in _ZERO_IS_MISSING:
                values[metric] = max(amount, values.get(metric, 0.0))
        for metric, amount in self._merged(key):
            if amount > 0 or metric not in _ZERO_IS_MISSING:
                values[metric] = max(amount, values.get(metric, 0.0))
        sources = self._heart_rates.get(key, {}).values()
        if sources:
            values["heart_rate_avg"] = max(map(_rank_source, sources))[-1]
        # Of several sources, the last one has the most readings.
        readings = self._readings.get(key, {}).items()
        for (metric, _), (total, count) in sorted(readings, key=_by_count):
            values[metric] = total / count
        values |= sleep.combined(self._nights.get(key, {})) | self._stated.get(key, {})
        return sleep.without_empty_stages(values)

    def _merged(self, key: _Key) -> Iterator[tuple[str, float]]:
        """The amount of each metric, of the amounts by the time of day."""
        by_metric: dict[str, list[tuple[int, float, str, DayAmounts]]] = defaultdict(list)
        for (metric, source), amounts in self._amounts.get(key, {}).items():
            # Of sources of one rank, the one that measured most is preferred.
            most_first = -round(amounts.total(), _DIGITS)
            by_metric[metric].append((self._ranks[source], most_first, source, amounts))
        for metric, ranked in by_metric.items():
            yield (
                metric,
                merge([amounts for *_, amounts in sorted(ranked, key=itemgetter(0, 1, 2))]),
            )


def check_day(day: date) -> date:
    """Return `day`; ValueError if it is outside `FIRST_DAY` to `LAST_DAY`."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"{day} is not between {FIRST_DAY} and {LAST_DAY}")
    return day


def _rank_source(hours: dict[int, tuple[float, int]]) -> tuple[int, int, float]:
    """The number of hours, the number of readings, and the mean of the hourly means."""
    means = sorted(total / count for total, count in hours.values())
    return len(hours), sum(count for _, count in hours.values()), sum(means) / len(means)


def _by_count(readings: tuple[tuple[str, str], tuple[float, int]]) -> tuple[int, float]:
    """The number of readings, and their sum."""
    _, (total, count) = readings
    return count, total


def _age(birth_date: date | None, day: date) -> int | None:
    if birth_date is None or birth_date > day:
        return None
    before_birthday = (day.month, day.day) < (birth_date.month, birth_date.day)
    return day.year - birth_date.year - before_birthday
