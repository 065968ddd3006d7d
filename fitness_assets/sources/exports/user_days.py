"""The days of one user, for formats whose files name none: what devices state, and readings.

`DayAggregator` combines values into records. This module adds what several formats share: local
times from instants and offsets, values of several precedences, amounts of several sources, the last
weight of a day, and nights that are delivered twice.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import Clock, date_of
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.source_order import rank
from fitness_assets.sources.exports.written_times import parse_stamp

#: Values by day, metric and source, and heart rates by hour and source: 20 years of three sources
#: are below both, which take about 150 MB each.
MAX_VALUES = 600_000
_HOUR_SECONDS = 3600
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone
# Minutes asleep of devices that do not know stages.
_WITHOUT_STAGE = "asleep"
_ASLEEP = ("sleep_deep", "sleep_light", "sleep_rem", _WITHOUT_STAGE)
# A 0 of other metrics is a missing value.
_ZERO_IS_A_VALUE = {
    *("steps", "distance_km", "active_minutes", "sedentary_minutes", "floors"),
    *("light_minutes", "moderate_minutes", "vigorous_minutes", "active_kcal"),
}


def night_of(start: datetime, end: datetime, stages: Mapping[str, float]) -> Night:
    """A night or a nap whose time asleep is that of its stages, else all of its time.

    Parameters
    ----------
    start, end : datetime
        On the user's local clock.
    stages : mapping
        Minutes by column of the record, and minutes ``asleep`` without a stage.

    Raises
    ------
    ValueError
        If it ends before it starts.
    """
    if end < start:
        raise ValueError(f"a sleep ends at {end} and starts at {start}")
    check_day(end.date())
    asleep = sum(stages.get(stage, 0.0) for stage in _ASLEEP)
    if not asleep:
        asleep = max((end - start).total_seconds() / 60 - stages.get("sleep_awake", 0.0), 0.0)
    known = {name: minutes for name, minutes in stages.items() if name != _WITHOUT_STAGE}
    return Night(hours=asleep / 60, start=start, end=end, stages=known)


class UserDays:
    """Collects the values of one user.

    Parameters
    ----------
    name, title : str
        Of the format.
    options : ImportOptions

    Raises
    ------
    SourceError
        If no user is declared.
    """

    def __init__(self, name: str, title: str, options: ImportOptions) -> None:
        self.user = options.required_user(title)
        self._name = name
        self._options = options
        self._clock = Clock(UTC, options.zone_or_utc)
        self._days = DayAggregator(name, options.source_order)
        # By day and metric, the precedence and the value.
        self._stated: dict[tuple[date, str], tuple[int, float]] = {}
        self._last: dict[tuple[date, str], tuple[float, float]] = {}
        self._amounts: dict[tuple[date, str, str], float] = {}
        # By day, metric and source, the sum and the number of readings.
        self._readings: dict[tuple[date, str, str], tuple[float, int]] = {}
        # By hour since 1970 and source, the sum and the number of heart rates.
        self._heart_rates: dict[tuple[int, str], tuple[float, int]] = {}
        self._nights_count = 0
        # By day of waking, source and identity.
        self._nights: dict[date, dict[str, dict[object, Night]]] = defaultdict(dict)

    def local(self, instant: float, offset: int | None = None) -> datetime:
        """An instant, in seconds since 1970, on the user's clock.

        Parameters
        ----------
        instant : float
        offset : int, optional
            Seconds by which the user's clock is ahead of UTC. Without it, the declared zone is
            used.

        Raises
        ------
        ValueError
            If it is no time, or of a day outside the range of `check_day`.
        """
        if not math.isfinite(instant):
            raise ValueError(f"{instant} seconds since 1970 is not a time")
        seconds = math.floor(instant)
        date_of(seconds)
        local = self._clock.to_local(seconds) if offset is None else seconds + offset
        shown = _EPOCH + timedelta(seconds=local)
        check_day(shown.date())
        return shown

    def local_of(self, stamp: str, offset: int | None = None) -> datetime:
        """An ISO 8601 timestamp on the user's clock: with an offset of its own, else in UTC.

        Parameters
        ----------
        stamp : str
        offset : int, optional
            As in `local`. Without it, the offset of the timestamp is taken for the user's, unless
            it is zero.

        Raises
        ------
        ValueError
            If it is not a timestamp.
        """
        parsed = parse_stamp(stamp)
        if parsed.tzinfo is None:
            return self.local(parsed.replace(tzinfo=UTC).timestamp(), offset)
        if offset is None and parsed.utcoffset():
            return parsed.replace(tzinfo=None, microsecond=0)
        return self.local(parsed.timestamp(), offset)

    def state(self, day: date, values: Mapping[str, float], precedence: int = 0) -> None:
        """Add values, by metric, that the export states for the day.

        Of several, the one of the lowest precedence is kept, then the largest.
        """
        for metric, value in values.items():
            if value > 0 or metric in _ZERO_IS_A_VALUE:
                known = self._stated.get((day, metric), (precedence, value))
                candidate = (precedence, value)
                is_better = (candidate[0], -candidate[1]) < (known[0], -known[1])
                self._stated[day, metric] = candidate if is_better else known
        self._check_size()

    def add_amount(self, day: date, metric: str, amount: float, source: str = "") -> None:
        """Add to what one source measured on the day.

        The source that matches the declared order first is kept, else the one with the most.
        """
        key = (day, metric, source)
        self._amounts[key] = self._amounts.get(key, 0.0) + amount
        self._check_size()

    def add_reading(self, day: date, metric: str, value: float, source: str = "") -> None:
        """Add a reading; the mean of a day is kept, of the source with most readings. 0 is none."""
        if value > 0:
            key = (check_day(day), metric, source)
            total, count = self._readings.get(key, (0.0, 0))
            self._readings[key] = (total + value, count + 1)
            self._check_size()

    def add_last(self, local: datetime, metric: str, value: float) -> None:
        """Add a value of which the last one of the day is kept. 0 is none."""
        if value > 0:
            key = (check_day(local.date()), metric)
            candidate = ((local - _EPOCH).total_seconds(), value)
            self._last[key] = max(candidate, self._last.get(key, candidate))
            self._check_size()

    def add_heart_rate(self, local: datetime, rate: float, source: str = "") -> None:
        """Add one heart rate. 0 is none."""
        if rate > 0:
            check_day(local.date())
            hour = int((local - _EPOCH).total_seconds()) // _HOUR_SECONDS
            total, count = self._heart_rates.get((hour, source), (0.0, 0))
            self._heart_rates[hour, source] = (total + rate, count + 1)
            if len(self._heart_rates) > MAX_VALUES:
                raise SourceError(f"{self._name}: heart rates of more than {MAX_VALUES:,} hours")

    def add_night(self, day: date, night: Night, source: str = "", key: object = None) -> None:
        """Add a night or a nap on the day of waking.

        Of nights of a source with the same `key`, the longest is kept; without one, those with the
        same start and end are the same.
        """
        identity = (night.start, night.end) if key is None else key
        known = self._nights[check_day(day)].setdefault(source, {})
        self._nights_count += identity not in known
        known[identity] = max(night, known.get(identity, night), key=attrgetter("hours"))
        self._check_size()

    def instant_of(self, local: datetime) -> datetime:
        """The instant of a time on the user's clock, in the declared zone."""
        return local.replace(tzinfo=self._options.zone_or_utc)

    def add_workout(self, workout: Workout) -> tuple[str, ...]:
        """Add a workout; return what it fills."""
        return self._days.add_workout(self.user, workout)

    def record_batches(self, quarantine: Quarantine) -> Iterator[pa.RecordBatch]:
        """The canonical records, ordered by day, and the workouts."""
        for (day, metric), (_, value) in self._stated.items():
            self._days.add_daily_values(self.user, day, {metric: value})
        for (day, metric), (_, value) in self._last.items():
            self._days.add_daily_values(self.user, day, {metric: value})
        self._add_amounts()
        while self._readings:
            (day, metric, source), (total, count) = self._readings.popitem()
            self._days.add_readings(self.user, day, metric, source, total, count)
        while self._heart_rates:
            (hour, source), (total, count) = self._heart_rates.popitem()
            day = date_of(hour * _HOUR_SECONDS)
            self._days.add_heart_rates(self.user, day, hour % 24, source, total, count)
        for day, by_source in self._nights.items():
            for source, nights in by_source.items():
                for night in nights.values():
                    self._days.add_night(self.user, day, source, night)
        return self._days.record_batches(quarantine, self._options.delivered)

    def _add_amounts(self) -> None:
        order = self._options.source_order
        best: dict[tuple[date, str], tuple[int, float]] = {}
        for (day, metric, source), amount in self._amounts.items():
            candidate = (-min(rank(source, order), len(order)), amount)
            best[day, metric] = max(candidate, best.get((day, metric), candidate))
        for (day, metric), (_, amount) in best.items():
            self._days.add_amount(self.user, day, metric, amount, self._name)

    def _check_size(self) -> None:
        size = len(self._stated) + len(self._last) + len(self._amounts) + len(self._readings)
        if size + self._nights_count > MAX_VALUES:
            raise SourceError(f"{self._name}: more than {MAX_VALUES:,} values of days and sources")
