"""What was measured during workouts, of formats whose workouts only have a start and an end."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from fitness_assets.errors import SourceError
from fitness_assets.record.workouts import Workout
from fitness_assets.sources.exports.workouts import MAX_WORKOUTS


@dataclass
class _Session:
    """One workout, its end in seconds since 1970, and what was measured until then."""

    workout: Workout
    end: float
    amounts: dict[str, float] = field(default_factory=dict)
    rates: int = 0
    total_rate: float = 0.0
    greatest_rate: float = 0.0


class Sessions:
    """Workouts of one user by the app that recorded them.

    An amount or a heart rate belongs to the last workout of its app that began before it, if it
    ended before that workout did.
    """

    def __init__(self) -> None:
        self._by_source: dict[str, list[_Session]] = {}
        # The starts of the sessions of a source, sorted; empty until all are added.
        self._starts: dict[str, list[float]] = {}
        self._count = 0

    def add(self, source: str, workout: Workout, end: float) -> None:
        """Add a workout that ends at `end`, in seconds since 1970."""
        self._count += 1
        if self._count > MAX_WORKOUTS:
            raise SourceError(f"more than {MAX_WORKOUTS:,} workouts")
        self._by_source.setdefault(source, []).append(_Session(workout, end))

    def close(self) -> None:
        """Prepare for amounts and heart rates: all workouts were added."""
        for source, sessions in self._by_source.items():
            sessions.sort(key=lambda each: (each.workout.start, each.end))
            self._starts[source] = [each.workout.start.timestamp() for each in sessions]

    def add_amount(
        self, source: str, span: tuple[float, float], column: str, amount: float
    ) -> None:
        """Add an amount that was measured from the first to the second instant of `span`."""
        session = self._during(source, *span)
        if session is not None:
            session.amounts[column] = session.amounts.get(column, 0.0) + amount

    def add_heart_rate(self, source: str, instant: float, rate: float) -> None:
        """Add one heart rate."""
        session = self._during(source, instant, instant)
        if session is not None:
            session.rates += 1
            session.total_rate += rate
            session.greatest_rate = max(rate, session.greatest_rate)

    def workouts(self) -> Iterator[tuple[Workout, dict[str, float]]]:
        """The workouts, each with its amounts and heart rates by column."""
        for sessions in self._by_source.values():
            for each in sessions:
                values = dict(each.amounts)
                if each.rates:
                    values["heart_rate_avg"] = each.total_rate / each.rates
                    values["heart_rate_max"] = each.greatest_rate
                yield each.workout, values

    def _during(self, source: str, start: float, end: float) -> _Session | None:
        starts = self._starts.get(source)
        if not starts:
            return None
        place = bisect_right(starts, start) - 1
        session = self._by_source[source][place] if place >= 0 else None
        return session if session is not None and end <= session.end else None
