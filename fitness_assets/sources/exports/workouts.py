"""The workouts of one export, as rows of `record.workouts`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.workouts import KNOWN, SCHEMA, Workout

#: Workouts of one export: 15 years of 30 a day are below it, which take about 150 MB.
MAX_WORKOUTS = 200_000
#: What a format reports as filled by a workout, next to the activity of its day.
WORKOUTS = "workouts"
_NUMBERS = tuple(name for name in KNOWN if name != "activity")
_ROWS_PER_BATCH = 8192
_DIGITS = 6


class Workouts:
    """Collects workouts, and builds rows of them.

    An export may hold a workout twice. Of those of a user with the same start and activity, the one
    with most known values is kept, then the longest.

    Parameters
    ----------
    source : str
        Name of the format, which becomes the ``source`` of the rows.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[tuple[str, datetime, str], Workout] = {}
        self._longest: dict[tuple[str, date], tuple[float, str]] = {}
        #: By user, the days that have one.
        self.days: set[tuple[str, date]] = set()

    def add(self, user: str, workout: Workout) -> tuple[str, ...]:
        """Add a workout; return what it fills."""
        found = replace(
            workout,
            start=workout.start.astimezone(UTC),
            distance_km=workout.distance_km or None,
            calories_burned=workout.calories_burned or None,
            heart_rate_avg=workout.heart_rate_avg or None,
            heart_rate_max=workout.heart_rate_max or None,
        )
        key = (user, found.start, found.activity or "")
        known = self._found.get(key)
        if known is None and len(self._found) >= MAX_WORKOUTS:
            raise SourceError(f"{self._source}: more than {MAX_WORKOUTS:,} workouts")
        self._found[key] = found if known is None else max(found, known, key=_fullness)
        self.days.add((user, found.local_start.date()))
        if found.activity is None:
            return (WORKOUTS,)
        self.add_activity(user, found.local_start.date(), found.activity, found.minutes)
        return (WORKOUTS, "activity_type")

    def add_activity(self, user: str, day: date, activity: str, minutes: float) -> None:
        """Add an activity of a day that is no workout: its start is not known."""
        self.days.add((user, day))
        candidate = (minutes, activity)
        self._longest[user, day] = max(candidate, self._longest.get((user, day), candidate))

    @property
    def activities(self) -> Mapping[tuple[str, date], tuple[float, str]]:
        """By user and day, the minutes and the name of the longest activity."""
        return self._longest

    def record_batches(self, delivered: datetime | None) -> Iterator[pa.RecordBatch]:
        """The rows, with the schema of `record.workouts`, by user and start."""
        rows: list[dict[str, Any]] = []
        for (user, _, _), workout in sorted(self._found.items(), key=lambda found: found[0]):
            row = {"user_id": user, **asdict(workout)}
            row |= {name: _rounded(row[name]) for name in ("minutes", *_NUMBERS)}
            rows.append(row | {"source": self._source, "ingested_at": delivered})
            if len(rows) >= _ROWS_PER_BATCH:
                yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def is_workouts(batch: pa.RecordBatch) -> bool:
    """Whether a batch of an export has workouts, and not records of days."""
    return bool(batch.schema.equals(SCHEMA))


def _fullness(workout: Workout) -> tuple[int, float]:
    return sum(getattr(workout, name) is not None for name in _NUMBERS), workout.minutes


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
