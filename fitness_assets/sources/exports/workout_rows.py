"""The workouts of tables whose rows are workouts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.layout import Layout
from fitness_assets.sources.exports.stamps import Moment


class WorkoutRows:
    """Collects rows of workouts.

    Parameters
    ----------
    source : str
        The ``source`` of the records.
    layout : Layout
    """

    def __init__(self, source: str, layout: Layout) -> None:
        self._days = DayAggregator(str(layout.constants.get("source", source)))

    def add(
        self, user: str, begin: Moment, _source: str, values: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """Add a row, and return what it gives.

        Parameters
        ----------
        user : str
        begin : Moment
        values : mapping
            The known values by column of `layout.OF_WORKOUTS`.

        Raises
        ------
        ValueError
            If the duration is missing.
        SourceError
            If there are too many workouts.
        """
        if "minutes" not in values:
            raise ValueError("minutes is missing")
        known = {name: value for name, value in values.items() if name != "activity_type"}
        workout = Workout(
            start=datetime.fromtimestamp(begin.instant, UTC),
            local_start=begin.local,
            activity=values.get("activity_type"),
            **known,
        )
        return self._days.add_workout(user, workout)

    def record_batches(
        self, quarantine: Quarantine, delivered: datetime | None
    ) -> Iterator[pa.RecordBatch]:
        """The records of the days of the workouts, then the workouts."""
        yield from self._days.record_batches(quarantine, delivered)
