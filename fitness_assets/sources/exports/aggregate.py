"""What is known of each person's days, put together from readings in whatever order they come.

Of one person, day and metric
- a total that the export itself states counts before sums of its readings; of several stated, the
  largest (collection periods overlap, and the last day of the earlier one is cut short);
- readings are summed by source, and the largest sum counts: a phone and a watch count the same
  steps, so that sources are never added together;
- the mean heart rate is the mean of the hours' means, of the source that measured in most hours:
  devices measure more often in exercise, which a plain mean would take for most of the day.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.exports.options import Quarantine

#: No device that counts steps is older, and no stamp is of the future; else it is a slip.
FIRST, LAST = date(1990, 1, 1), date(2099, 12, 31)

_ALL_DAY = 1440
_MOST_INT = 2**31 - 1
_ROWS_PER_BATCH = 8192
_DIGITS = 6

# A zero of these is how devices spell that there is none.
_NEVER_ZERO = frozenset(
    {
        "total_kcal",
        "basal_kcal",
        "heart_rate_avg",
        "resting_heart_rate",
        "sleep_hours",
        "height_cm",
        "weight_kg",
    }
)
_COUNTS = ("steps", "active_minutes", "sedentary_minutes")
_MOVEMENT = (*_COUNTS, "distance_km", "calories_burned")

_Key = tuple[str, date]


class DayAggregator:
    """Gathers readings, and hands out canonical records.

    Metrics are the columns of the canonical record, except that energy comes as ``total_kcal``,
    ``active_kcal`` or ``basal_kcal``.

    Parameters
    ----------
    source : str
        Name of the format.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        #: When the export says that it was made.
        self.delivered: datetime | None = None
        self._stated: dict[_Key, dict[str, float]] = defaultdict(dict)
        self._sums: dict[_Key, dict[tuple[str, str], float]] = defaultdict(dict)
        self._pulse: dict[_Key, dict[str, dict[int, tuple[float, int]]]] = defaultdict(dict)
        self._longest: dict[_Key, tuple[float, str]] = {}
        self._people: dict[str, tuple[date | None, str | None]] = {}

    def state(self, user: str, day: date, figures: Mapping[str, float]) -> None:
        """A day's values by metric, as the export states them."""
        stated = self._stated[user, day]
        for metric, value in figures.items():
            if value > 0 or metric not in _NEVER_ZERO:
                stated[metric] = max(value, stated.get(metric, 0.0))

    def add(self, user: str, day: date, metric: str, amount: float, source: str) -> None:
        """An amount of the day, by one source."""
        sums = self._sums[user, day]
        sums[metric, source] = sums.get((metric, source), 0.0) + amount

    def pulse(  # noqa: PLR0913, PLR0917 - what a count of beats is of
        self, user: str, day: date, hour: int, source: str, total: float, readings: int
    ) -> None:
        """Heart rates of one hour by one source: their sum and their number."""
        hours = self._pulse[user, day].setdefault(source, {})
        before, count = hours.get(hour, (0.0, 0))
        hours[hour] = (before + total, count + readings)

    def exercise(self, user: str, day: date, activity: str | None, length: float) -> None:
        """A workout; the longest gives the day its activity."""
        if activity is not None:
            now = (length, activity)
            self._longest[user, day] = max(now, self._longest.get((user, day), now))

    def person(self, user: str, born: date | None, sex: str | None) -> None:
        """What the export says of the person, as far as it does."""
        known = self._people.get(user, (None, None))
        self._people[user] = (born or known[0], sex or known[1])

    def batches(
        self, quarantine: Quarantine, delivered: datetime | None, *, padded: bool
    ) -> Iterator[pa.RecordBatch]:
        """The canonical records, by user and day.

        The weight of the last weighing stands until the next, and so does the height.

        Parameters
        ----------
        quarantine : callable
            Told of values that the canonical record cannot hold.
        delivered : datetime or None
            When the export was made, if it does not say.
        padded : bool
            Whether the format fills up days to come: those after a person's last reading are then
            left out.
        """
        keys = sorted({*self._stated, *self._sums, *self._pulse, *self._longest})
        rows: list[dict[str, Any]] = []
        waiting: list[dict[str, Any]] = []
        body: dict[str, float] = {}
        user = None
        for key in keys:
            if key[0] != user:
                user, body, waiting = key[0], {}, []
            row, known = self._record(key, body, quarantine)
            waiting.append(row | {"ingested_at": self.delivered or delivered})
            if known or not padded:
                rows += waiting
                waiting = []
            if len(rows) >= _ROWS_PER_BATCH:
                yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)

    def _record(
        self, key: _Key, body: dict[str, float], quarantine: Quarantine
    ) -> tuple[dict[str, Any], bool]:
        """The record of a day, and whether anything at all is known of it."""
        figures, kind = self._figures(key)
        known = bool(figures) or key in self._longest
        for trait in ("height_cm", "weight_kg"):
            if trait in figures:
                body[trait] = figures.pop(trait)
        born, sex = self._people.get(key[0], (None, None))
        row: dict[str, Any] = {
            "user_id": key[0],
            "date": key[1],
            "calories_kind": kind,
            "activity_type": self._longest.get(key, (0.0, None))[1],
            "age": _age(born, key[1]),
            "sex": sex,
            "source": self.source,
            **{name: round(value, _DIGITS) for name, value in (figures | body).items()},
        }
        for name in _COUNTS:
            if name in row and row[name] > _MOST_INT:
                quarantine(self.source, f"{key[0]}, {key[1]}", f"{name} is {row.pop(name):.0f}")
            elif name in row:
                row[name] = round(row[name])
        return row, known

    def _figures(self, key: _Key) -> tuple[dict[str, float], str | None]:
        """The day's figures by canonical names, and of which kind its energy is.

        There are none of movement if the device was not worn.
        """
        figures = self._chosen(key)
        total, active, basal = (
            figures.pop(name, None) for name in ("total_kcal", "active_kcal", "basal_kcal")
        )
        if total is None and active is not None and basal is not None:
            total = active + basal
        energy = active if total is None else total
        if energy is not None:
            figures["calories_burned"] = energy
        if not _worn(figures):
            figures = {name: value for name, value in figures.items() if name not in _MOVEMENT}
        kind = "active" if total is None else "total"
        return figures, kind if "calories_burned" in figures else None

    def _chosen(self, key: _Key) -> dict[str, float]:
        figures: dict[str, float] = {}
        for (metric, _), amount in self._sums.get(key, {}).items():
            if amount > 0 or metric not in _NEVER_ZERO:
                figures[metric] = max(amount, figures.get(metric, 0.0))
        pulses = self._pulse.get(key, {}).values()
        if pulses:
            figures["heart_rate_avg"] = max(map(_mean_of_hours, pulses))[-1]
        return figures | self._stated.get(key, {})


def plausible(day: date) -> date:
    """`day`, or ValueError if no device was worn on it."""
    if not FIRST <= day <= LAST:
        raise ValueError(f"{day} is not a day that a device can tell of")
    return day


def _mean_of_hours(hours: dict[int, tuple[float, int]]) -> tuple[int, int, float]:
    """The number of hours and of readings, and the mean of the hours' means."""
    means = sorted(total / count for total, count in hours.values())
    return len(hours), sum(count for _, count in hours.values()), sum(means) / len(means)


def _worn(figures: dict[str, float]) -> bool:
    """Whether a device that counts steps was on the body.

    One that lies on the table counts no step, is sedentary all day, and goes on to burn what its
    owner burns at rest. Where minutes are not told, only a day without any other reading is taken
    to be such.
    """
    if figures.get("steps") or figures.get("active_minutes"):
        return True
    sedentary = figures.get("sedentary_minutes")
    if sedentary is not None:
        return sedentary < _ALL_DAY
    others = ("heart_rate_avg", "resting_heart_rate", "sleep_hours")
    return "steps" not in figures or any(name in figures for name in others)


def _age(born: date | None, day: date) -> int | None:
    if born is None or born > day:
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
