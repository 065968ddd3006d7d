"""A synthetic cohort: people with habits, and devices with faults.

People differ by persona and as individuals, and stay themselves from month to month
(see `lives`). A record is what a device would deliver: days it was not worn, readings that it does
not take or that are missing, steps that it does not count, slips of unit, days that come late, in
part or twice are all in it, for the ETL to deal with. What really happened is `Cohort.truth`.

Any month is generated alone, and a user's records depend on the seed, the user and the month only:
not on how many users there are, nor on what was generated before.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from fitness_assets import months
from fitness_assets.record.raw import SCHEMA, ReportUnreadable
from fitness_assets.sources.cohort import behaviour
from fitness_assets.sources.cohort.behaviour import Days, Draws, People
from fitness_assets.sources.cohort.ground_truth import Truth

# Chance per day of what goes wrong between a person and the platform. All are assumed.
_NOT_WORN = 0.04
_NO_SLEEP_READING = 0.05
_DELIVERED_TWICE = 0.01
_DELIVERED_IN_PART, _PART_HELD_BACK = 0.02, 0.005
# A device remembers so many days; it is synced before it forgets.
_LONGEST_WAIT = 14
# The hour, in UTC, at which a day is delivered, and how much later it comes again.
_DELIVERED_AT, _AGAIN_AFTER = 3, 6
# A day in part is as it stood between noon and ten in the evening. People wake from 8 to 23, and an
# hour later for each standard deviation of chronotype.
_PART_FROM, _PART_HOURS = 12.0, 10.0
_AWAKE_FROM, _AWAKE_HOURS, _HOUR_LATER = 8.0, 15.0, 1.0
_ROWS_PER_BATCH = 131_072
_HOUR = 3_600_000_000  # in microseconds


class Cohort:
    """The synthetic source.

    Parameters
    ----------
    users : int
        Number of people. A larger cohort begins with the people of a smaller one.
    seed : int
        Another seed gives other people.
    """

    def __init__(self, users: int, seed: int) -> None:
        self._users = users
        self._draws = Draws(seed)

    def check(self) -> None:
        """A cohort can always be read."""

    def version(self, month: str) -> None:
        """Not known without reading."""

    def read(
        self,
        month: str,
        set_aside: ReportUnreadable | None = None,  # noqa: ARG002 - there is no file to set aside
        /,
    ) -> Iterator[pa.RecordBatch]:
        """The records of `month`, by user and day; then days in part, and those that come again.

        All that was ever delivered of the month is there, some of it after its end.
        """
        people = self._people
        days = behaviour.live(people, month, self._draws)
        shape = days.steps.shape

        def happens(what: str, chance: np.ndarray | float) -> np.ndarray:
            return self._draws.uniform(f"{what} {month}", shape) < chance

        def of_device(attribute: str) -> np.ndarray:
            return people.of_device(attribute)[:, None]

        worn = ~happens("not worn", _NOT_WORN)
        minutes = happens("sleep in minutes", of_device("sleep_in_minutes"))
        metres = happens("distance in metres", of_device("distance_in_metres"))
        steps = days.steps * people.steps_counted[:, None]
        readings = _readings(people, days, steps) | {
            "distance_km": _distance(people, steps) * np.where(metres, 1000, 1),
            "sleep_hours": np.round(days.sleep * np.where(minutes, 60, 1), 2),
        }
        pulse = worn & of_device("heart_rate")
        slept = worn & of_device("sleep") & ~happens("no sleep reading", _NO_SLEEP_READING)
        known = dict.fromkeys(readings, worn) | {
            "heart_rate_avg": pulse,
            "resting_heart_rate": pulse,
            "sleep_hours": slept,
        }
        arrived = self._arrived(month)
        whole = _records(people, month, readings, known, arrived)
        yield from whole.to_batches(max_chunksize=_ROWS_PER_BATCH)

        chance = self._draws.uniform(f"in part {month}", shape)
        hours = _PART_FROM + _PART_HOURS * self._draws.uniform(f"in part at {month}", shape)
        rows = np.nonzero(worn & (chance < _DELIVERED_IN_PART))
        late = _HOUR_LATER * people.chronotype[rows[0]]
        by_then = _midnights(month)[rows[1]] + (hours[rows] * _HOUR).astype(np.int64)
        yield from _in_part(
            whole.take(np.ravel_multi_index(rows, shape)),
            hours[rows],
            np.clip((hours[rows] - _AWAKE_FROM - late) / _AWAKE_HOURS, 0.05, 0.95),
            # Held back by a phone without a connection, it comes with the whole day.
            np.where(chance[rows] < _PART_HELD_BACK, arrived[rows], by_then),
        ).to_batches()

        # A second, later delivery of the same day, with the same readings.
        twice = np.flatnonzero(happens("delivered twice", _DELIVERED_TWICE))
        again = arrived.ravel()[twice] + _AGAIN_AFTER * _HOUR
        yield from _with(whole.take(twice), {"ingested_at": again}).to_batches()

    def truth(self, month: str) -> Truth:
        """What really happened in `month`, which no record that `read` gives tells."""
        people = self._people
        days = behaviour.live(people, month, self._draws)
        readings = _readings(people, days, days.steps)
        known = dict.fromkeys(readings, np.ones(days.steps.shape, bool))
        clean = _records(people, month, readings, known, None)
        return Truth.of(people, days, clean)

    @cached_property
    def _people(self) -> People:
        return behaviour.people(self._users, self._draws)

    def _arrived(self, month: str) -> np.ndarray:
        """When each day is delivered, in microseconds: in the night after the next sync."""
        chance = self._people.of_device("synced")
        day = np.arange(len(months.days(month)))
        synced = self._draws.uniform(f"synced {month}", (self._users, len(day))) < chance[:, None]
        # Of the days after the month only the first on which it is synced matters.
        tries = np.log(self._draws.uniform(f"synced after {month}", (self._users,)))
        after = len(day) + np.floor(tries / np.log1p(-chance))
        then = np.where(synced, day, after[:, None])
        then = np.minimum.accumulate(then[:, ::-1], axis=1)[:, ::-1]
        wait = np.minimum(then - day, _LONGEST_WAIT).astype(np.int64)
        nights = (wait + 1) * 24 + _DELIVERED_AT
        arrived: np.ndarray = _midnights(month) + nights * _HOUR
        return arrived


def _readings(people: People, days: Days, steps: np.ndarray) -> dict[str, np.ndarray]:
    """What a device shows of `days` when it has counted `steps`."""
    return {
        "steps": np.round(steps),
        "distance_km": _distance(people, steps),
        "calories_burned": np.round(days.calories),
        "heart_rate_avg": np.round(days.heart_rate, 1),
        "resting_heart_rate": np.round(days.resting),
        "sleep_hours": np.round(days.sleep, 2),
        "active_minutes": np.round(days.active_minutes),
        "sedentary_minutes": np.round(days.sedentary_minutes),
        "activity_type": days.activity,
    }


def _distance(people: People, steps: np.ndarray) -> np.ndarray:
    kilometres: np.ndarray = np.round(steps * people.stride_km[:, None], 2)
    return kilometres


def _records(
    people: People,
    month: str,
    readings: Mapping[str, np.ndarray],
    known: Mapping[str, np.ndarray],
    arrived: np.ndarray | None,
) -> pa.Table:
    """Canonical records of readings of shape (users, days), as far as they are known."""
    days = np.array(months.days(month), "datetime64[D]")
    users = len(people.user_id)
    rows = users * len(days)
    columns = {
        name: pa.array(values.ravel(), mask=~known[name].ravel())
        for name, values in readings.items()
    }

    def each_user(values: np.ndarray) -> pa.Array:
        return pa.array(np.repeat(values, len(days)))

    def words(values: Sequence[str] | np.ndarray, which: pa.Array) -> pa.Array:
        return pa.array(values).take(which)

    columns |= {
        "user_id": words(people.user_id, each_user(np.arange(users))),
        "date": pa.array(np.tile(days, users)),
        "calories_kind": pa.repeat("total", rows),
        "activity_type": words(behaviour.ACTIVITIES, columns["activity_type"]),
        "age": each_user(people.age),
        "sex": words(["female", "male"], each_user(people.male.astype(int))),
        "height_cm": each_user(people.height_cm),
        "weight_kg": each_user(people.weight_kg),
        "source": pa.repeat("cohort", rows),
        "ingested_at": pa.nulls(rows) if arrived is None else pa.array(arrived.ravel()),
    }
    return pa.table([columns[field.name].cast(field.type) for field in SCHEMA], schema=SCHEMA)


def _in_part(
    whole: pa.Table, hours: np.ndarray, share: np.ndarray, arrived: np.ndarray
) -> pa.Table:
    """Days as they stood at `hours`, when `share` of the waking day was over.

    The main activity and the resting heart rate are told when a day is over.
    """

    def so_far(name: str, of_it: np.ndarray, decimals: int = 0) -> np.ndarray:
        values: np.ndarray = np.round(whole[name].to_numpy() * of_it, decimals)
        return values

    return _with(
        whole,
        {
            "steps": so_far("steps", share),
            "distance_km": so_far("distance_km", share, 2),
            # Most of the energy is spent by the clock.
            "calories_burned": so_far("calories_burned", hours / 24),
            "active_minutes": so_far("active_minutes", share),
            "sedentary_minutes": so_far("sedentary_minutes", share),
            "resting_heart_rate": None,
            "activity_type": None,
            "ingested_at": arrived,
        },
    )


def _with(records: pa.Table, values: Mapping[str, np.ndarray | None]) -> pa.Table:
    """`records` with other values in some columns."""
    for name, array in values.items():
        column = pa.nulls(len(records)) if array is None else pa.array(array)
        field = SCHEMA.field(name)
        place = SCHEMA.get_field_index(name)
        records = records.set_column(place, field, column.cast(field.type))
    return records


def _midnights(month: str) -> np.ndarray:
    """The beginning of each day, in microseconds, UTC."""
    return np.array(months.days(month), "datetime64[us]").astype(np.int64)
