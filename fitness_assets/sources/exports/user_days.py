"""The days of one user, for formats whose files name none: what devices state, and readings.

`DayAggregator` combines values into records. This module adds what several formats share: local
times from instants and offsets, values of several precedences, means of readings, the last weight
of a day, and sleep on the day of waking.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.local_time import Clock, date_of
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.source_order import rank
from fitness_assets.sources.exports.written_times import parse_stamp

#: Days, times the metrics and sources that are kept apart: 40 years of 20 metrics of 10 sources.
MAX_VALUES = 3_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone
# Devices without stages write ``asleep``.
_ASLEEP = ("deep", "light", "rem", "asleep")
# A 0 of other metrics is a missing value.
_ZERO_IS_A_VALUE = {
    *("steps", "distance_km", "active_minutes", "sedentary_minutes", "floors"),
    *("light_minutes", "moderate_minutes", "vigorous_minutes", "active_kcal"),
}


@dataclass(frozen=True, kw_only=True)
class Sleep:
    """A night, or another sleep.

    Attributes
    ----------
    start, end : datetime or None
        On the user's local clock.
    day : date
        The local day of waking.
    asleep : float
        Minutes asleep.
    stages : mapping
        Minutes of ``deep``, ``light``, ``rem`` and ``awake``, as far as they are known.
    """

    day: date
    asleep: float
    start: datetime | None = None
    end: datetime | None = None
    stages: Mapping[str, float] = field(default_factory=dict)


def sleep_of(start: datetime, end: datetime, stages: Mapping[str, float]) -> Sleep:
    """A sleep whose minutes asleep are those of its stages, else all of its time.

    Raises
    ------
    ValueError
        If it ends before it starts.
    """
    if end < start:
        raise ValueError(f"a sleep ends at {end} and starts at {start}")
    asleep = sum(stages.get(stage, 0.0) for stage in _ASLEEP)
    minutes = (end - start).total_seconds() / 60 - stages.get("awake", 0.0)
    if not asleep:
        stages = {}
    return Sleep(
        day=check_day(end.date()), asleep=asleep or minutes, start=start, end=end, stages=stages
    )


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
        # By day, metric and source, the sum and the number of readings.
        self._readings: dict[tuple[date, str, str], tuple[float, int]] = {}
        self._last: dict[tuple[date, str], tuple[float, float]] = {}
        self._amounts: dict[tuple[date, str, str], float] = {}
        self._sleeps: dict[date, dict[str, dict[object, Sleep]]] = defaultdict(dict)

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
            If it is not between 1970 and 2099.
        """
        if not math.isfinite(instant):
            raise ValueError(f"{instant} seconds since 1970 is not a time")
        seconds = math.floor(instant)
        date_of(seconds)
        local = self._clock.to_local(seconds) if offset is None else seconds + offset
        return _EPOCH + timedelta(seconds=local)

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
            return parsed.replace(tzinfo=None)
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
            total, count = self._readings.get((day, metric, source), (0.0, 0))
            self._readings[day, metric, source] = (total + value, count + 1)
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
            day = check_day(local.date())
            self._days.add_heart_rates(self.user, day, local.hour, source, rate, 1)

    def add_sleep(self, sleep: Sleep, source: str = "", key: object = None) -> None:
        """Add a sleep; those of one day and source are summed, of the source with the most.

        Of sleeps with the same `key`, the longest is kept; without one, those with the same start
        and end are the same.
        """
        if sleep.asleep > 0:
            identity = (sleep.start, sleep.end) if key is None else key
            known = self._sleeps[sleep.day].setdefault(source, {})
            known[identity] = max(sleep, known.get(identity, sleep), key=_minutes_asleep)
            self._check_size()

    def add_workout(self, local: datetime, activity: str | None, minutes: float) -> None:
        """Add a workout that starts at `local`."""
        self._days.add_workout(self.user, check_day(local.date()), activity, minutes)

    def record_batches(self, quarantine: Quarantine) -> Iterator[pa.RecordBatch]:
        """The canonical records, ordered by day."""
        for (day, metric), (_, value) in self._stated.items():
            self._days.add_daily_values(self.user, day, {metric: value})
        for (day, metric), (_, value) in self._last.items():
            self._days.add_daily_values(self.user, day, {metric: value})
        self._add_amounts()
        self._add_means()
        self._add_sleeps()
        return self._days.record_batches(quarantine, self._options.delivered)

    def _add_amounts(self) -> None:
        order = self._options.source_order
        best: dict[tuple[date, str], tuple[int, float]] = {}
        for (day, metric, source), amount in self._amounts.items():
            candidate = (-min(rank(source, order), len(order)), amount)
            best[day, metric] = max(candidate, best.get((day, metric), candidate))
        for (day, metric), (_, amount) in best.items():
            self._days.add_amount(self.user, day, metric, amount, self._name)

    def _add_means(self) -> None:
        best: dict[tuple[date, str], tuple[int, float]] = {}
        for (day, metric, _), (total, count) in self._readings.items():
            candidate = (count, total / count)
            best[day, metric] = max(candidate, best.get((day, metric), candidate))
        for (day, metric), (_, mean) in best.items():
            self._days.add_amount(self.user, day, metric, mean, self._name)

    def _add_sleeps(self) -> None:
        for day, by_source in self._sleeps.items():
            sleeps = max(
                (list(each.values()) for each in by_source.values()),
                key=lambda each: sum(map(_minutes_asleep, each)),
            )
            asleep = sum(map(_minutes_asleep, sleeps))
            self._days.add_amount(self.user, day, "sleep_hours", asleep / 60, self._name)

    def _check_size(self) -> None:
        size = len(self._stated) + len(self._readings) + len(self._last) + len(self._amounts)
        if size > MAX_VALUES:
            raise SourceError(f"{self._name}: more than {MAX_VALUES:,} values of days and sources")


def _minutes_asleep(sleep: Sleep) -> float:
    return sleep.asleep
