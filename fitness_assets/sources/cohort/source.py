"""The synthetic cohort as a source: users with habits, and devices with measurement errors.

Users differ by persona and individually, and their traits are the same in every month (module
`behaviour`). A record is what a device would deliver. The records include, for the ETL to handle,
days on which the device was not worn, missing readings, uncounted steps, wrong units, and days that
are delivered late, partially or twice. `Cohort.truth` gives what really happened.

Each month is generated independently. A user's records depend on the seed, the user and the month
only: neither on the number of users nor on the months generated before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pyarrow as pa

from fitness_assets import months
from fitness_assets.record.raw import FULL_SCHEMA, OPTIONAL, SCHEMA, ReportUnreadable
from fitness_assets.sources.cohort import behaviour, sensors, workouts
from fitness_assets.sources.cohort.behaviour import CohortUsers, UserDays
from fitness_assets.sources.cohort.ground_truth import GroundTruth, ground_truth
from fitness_assets.sources.cohort.population import ACTIVITIES
from fitness_assets.sources.cohort.random_streams import RandomStreams
from fitness_assets.sources.cohort.sensors import SensedDays
from fitness_assets.sources.cohort.workouts import TrueWorkouts

# Probabilities per day of errors between the user and the platform. All are assumed.
_NOT_WORN = 0.04
_NO_SLEEP_READING = 0.05
_DUPLICATE = 0.01
_PARTIAL, _PARTIAL_DELAYED = 0.02, 0.005
# A device stores this many days and is always synced before they are lost.
_MAX_SYNC_DELAY_DAYS = 14
# Hour (UTC) of delivery, and hours until the duplicate.
_DELIVERY_HOUR, _DUPLICATE_DELAY_HOURS = 3, 6
# A partial day ends at a time from 12:00 to 22:00. Users are awake from 8:00 to 23:00, and an hour
# later for each standard deviation of chronotype.
_PARTIAL_FROM, _PARTIAL_HOURS = 12.0, 10.0
_AWAKE_FROM, _AWAKE_HOURS, _CHRONOTYPE_HOURS = 8.0, 15.0, 1.0
_ROWS_PER_BATCH = 131_072
# Users that are simulated at once.
_USERS_PER_BLOCK = 20_000
_HOUR = 3_600_000_000  # in microseconds


class Cohort:
    """The synthetic source.

    Parameters
    ----------
    users : int
        Number of users. A larger cohort starts with the users of a smaller one.
    seed : int
        Another seed gives other users.
    """

    def __init__(self, users: int, seed: int) -> None:
        self._user_count = users
        self._streams = RandomStreams(seed)

    def check(self) -> None:
        """Do nothing: a cohort can always be read."""

    def version(self, month: str) -> None:
        """Return None: the version is not known without reading."""

    def workouts_version(self, month: str) -> None:
        """Return None: there are no versions."""

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        """Read the workouts of `month` as each device recorded them, of the users who have any."""
        for block in self._blocks():
            yield from block.read_workouts(month)

    def read(
        self,
        month: str,
        report_unreadable: ReportUnreadable | None = None,  # noqa: ARG002 - there are no files
        /,
    ) -> Iterator[pa.RecordBatch]:
        """Read the records of `month`, some users after the other.

        Of these users by user and day, then partial days, then duplicates. They have all optional
        columns, which most devices do not measure.

        The records are all that was ever delivered for the month, some of it after its end.
        """
        for block in self._blocks():
            yield from block.read(month)

    def truth(self, month: str) -> GroundTruth:
        """What really happened in `month`; the records that `read` gives do not contain it."""
        return self._block(0, self._user_count).truth(month)

    def _blocks(self) -> "Iterator[_Block]":
        """Blocks of users. One is in memory at a time, so that it does not grow with the cohort."""
        for first in range(0, self._user_count, _USERS_PER_BLOCK):
            yield self._block(first, min(first + _USERS_PER_BLOCK, self._user_count))

    def _block(self, first: int, last: int) -> "_Block":
        here = slice(first, last)
        users = CohortUsers(
            **{each.name: getattr(self._users, each.name)[here] for each in fields(CohortUsers)}
        )
        before = self._sensors[:first]
        return _Block(
            users,
            self._sensors[here],
            self._streams.after(first),
            sensors_before=int(np.count_nonzero(before)),
            recorders_before=len(workouts.recorders(before)),
        )

    @cached_property
    def _users(self) -> CohortUsers:
        return behaviour.sample_users(self._user_count, self._streams)

    @cached_property
    def _sensors(self) -> np.ndarray:
        return sensors.sample_sensors(self._users, self._streams)


@dataclass(frozen=True)
class _Block:
    """Some of the users of a cohort.

    Attributes
    ----------
    users : CohortUsers
    sensors : ndarray
        Index into SENSORS of each user.
    streams : RandomStreams
        Of these users.
    sensors_before, recorders_before : int
        The number of users of the cohort before them who have additional sensors, and who record
        workouts. Their values are drawn for them alone.
    """

    users: CohortUsers
    sensors: np.ndarray
    streams: RandomStreams
    sensors_before: int
    recorders_before: int

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        """See `Cohort.read_workouts`."""
        days = behaviour.simulate_month(self.users, month, self.streams)
        true = self._true_workouts(days, self._sensed(days, month), month)
        worn, delivered = self._worn(month), self._delivery_times(month)
        yield from workouts.recorded(true, worn, delivered, self._of_recorders)

    def read(self, month: str) -> Iterator[pa.RecordBatch]:
        """See `Cohort.read`."""
        users = self.users
        days = behaviour.simulate_month(users, month, self.streams)
        shape = days.steps.shape

        def happens(name: str, probability: np.ndarray | float) -> np.ndarray:
            return self.streams.uniform(f"{name} {month}", shape) < probability

        def device_attribute(name: str) -> np.ndarray:
            return users.device_attribute(name)[:, None]

        worn = self._worn(month)
        in_minutes = happens("sleep in minutes", device_attribute("sleep_in_minutes"))
        in_metres = happens("distance in metres", device_attribute("distance_in_metres"))
        steps = days.steps * users.counted_share[:, None]
        readings = _readings(users, days, steps) | {
            "distance_km": _distance(users, steps) * np.where(in_metres, 1000, 1),
            "sleep_hours": np.round(days.sleep_hours * np.where(in_minutes, 60, 1), 2),
        }
        has_heart_rate = worn & device_attribute("heart_rate")
        has_sleep = (
            worn & device_attribute("sleep") & ~happens("no sleep reading", _NO_SLEEP_READING)
        )
        measured = dict.fromkeys(readings, worn) | {
            "heart_rate_avg": has_heart_rate,
            "resting_heart_rate": has_heart_rate,
            "sleep_hours": has_sleep,
        }
        sensed = self._sensed(days, month)
        kinds, here = self.sensors[sensed.users], np.s_[sensed.users]
        sensor_measured = {
            name: sensors.measured_columns(kinds, name)[:, None]
            & (has_sleep if name in sensors.NIGHT else worn)[here]
            for name in OPTIONAL
        }
        delivered = self._delivery_times(month)
        complete = _records(users, month, readings, measured, delivered)
        first = 0
        for batch in complete.to_batches(max_chunksize=_ROWS_PER_BATCH):
            positions = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            wider = sensors.with_sensors(batch, positions, sensed, sensor_measured)
            yield from wider.to_batches()

        draw = self.streams.uniform(f"in part {month}", shape)
        hours = _PARTIAL_FROM + _PARTIAL_HOURS * self.streams.uniform(f"in part at {month}", shape)
        rows = np.nonzero(worn & (draw < _PARTIAL))
        shift = _CHRONOTYPE_HOURS * users.chronotype[rows[0]]
        same_day = _midnights(month)[rows[1]] + (hours[rows] * _HOUR).astype(np.int64)
        positions = np.ravel_multi_index(rows, shape)
        yield from _partial_days(
            sensors.with_sensors(complete.take(positions), positions, sensed, sensor_measured),
            hours[rows],
            np.clip((hours[rows] - _AWAKE_FROM - shift) / _AWAKE_HOURS, 0.05, 0.95),
            # A partial day that a phone without a connection delays arrives with the complete day.
            np.where(draw[rows] < _PARTIAL_DELAYED, delivered[rows], same_day),
        ).to_batches()

        # A second, later delivery of the same day with the same readings.
        duplicated = np.flatnonzero(happens("delivered twice", _DUPLICATE))
        later = delivered.ravel()[duplicated] + _DUPLICATE_DELAY_HOURS * _HOUR
        twice = sensors.with_sensors(complete.take(duplicated), duplicated, sensed, sensor_measured)
        yield from _with_columns(twice, {"ingested_at": later}).to_batches()

    def truth(self, month: str) -> GroundTruth:
        """See `Cohort.truth`."""
        users = self.users
        days = behaviour.simulate_month(users, month, self.streams)
        readings = _readings(users, days, days.steps)
        measured = dict.fromkeys(readings, np.ones(days.steps.shape, bool))
        sensed = self._sensed(days, month)
        records = _records(users, month, readings, measured, None)
        exercise = self._true_workouts(days, sensed, month)
        return ground_truth(users, days, records, sensed, exercise)

    def _sensed(self, days: UserDays, month: str) -> SensedDays:
        return sensors.simulate(
            self.users, self.sensors, days, month, self.streams.after(self.sensors_before)
        )

    def _true_workouts(self, days: UserDays, sensed: SensedDays, month: str) -> TrueWorkouts:
        return workouts.simulate(self.users, days, sensed, month, self._of_recorders)

    def _worn(self, month: str) -> np.ndarray:
        """Whether the device of each user was worn on each day."""
        shape = (len(self.users.user_id), len(months.days(month)))
        worn: np.ndarray = self.streams.uniform(f"not worn {month}", shape) >= _NOT_WORN
        return worn

    def _delivery_times(self, month: str) -> np.ndarray:
        """When each day is delivered, in microseconds: in the night after the next sync."""
        probability = self.users.device_attribute("sync_probability")
        day = np.arange(len(months.days(month)))
        shape = (len(self.users.user_id), len(day))
        synced = self.streams.uniform(f"synced {month}", shape) < probability[:, None]
        # After the month only the first day with a sync matters.
        draws = np.log(self.streams.uniform(f"synced after {month}", (len(self.users.user_id),)))
        first_after = len(day) + np.floor(draws / np.log1p(-probability))
        next_sync = np.where(synced, day, first_after[:, None])
        next_sync = np.minimum.accumulate(next_sync[:, ::-1], axis=1)[:, ::-1]
        delay = np.minimum(next_sync - day, _MAX_SYNC_DELAY_DAYS).astype(np.int64)
        hours = (delay + 1) * 24 + _DELIVERY_HOUR
        delivered: np.ndarray = _midnights(month) + hours * _HOUR
        return delivered

    @property
    def _of_recorders(self) -> RandomStreams:
        return self.streams.after(self.recorders_before)


def _readings(users: CohortUsers, days: UserDays, steps: np.ndarray) -> dict[str, np.ndarray]:
    """The readings of `days` by a device that counted `steps`."""
    return {
        "steps": np.round(steps),
        "distance_km": _distance(users, steps),
        "calories_burned": np.round(days.calories),
        "heart_rate_avg": np.round(days.heart_rate, 1),
        "resting_heart_rate": np.round(days.resting_heart_rate),
        "sleep_hours": np.round(days.sleep_hours, 2),
        "active_minutes": np.round(days.active_minutes),
        "sedentary_minutes": np.round(days.sedentary_minutes),
        "activity_type": days.activity,
    }


def _distance(users: CohortUsers, steps: np.ndarray) -> np.ndarray:
    kilometres: np.ndarray = np.round(steps * users.step_length_km[:, None], 2)
    return kilometres


def _records(
    users: CohortUsers,
    month: str,
    readings: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
    delivered: np.ndarray | None,
) -> pa.Table:
    """Canonical records of `readings` of shape (users, days), null where not `measured`."""
    days = np.array(months.days(month), "datetime64[D]")
    count = len(users.user_id)
    rows = count * len(days)
    columns = {
        name: pa.array(values.ravel(), mask=~measured[name].ravel())
        for name, values in readings.items()
    }

    def per_user(values: np.ndarray) -> pa.Array:
        return pa.array(np.repeat(values, len(days)))

    def labels(values: Sequence[str] | np.ndarray, index: pa.Array) -> pa.Array:
        return pa.array(values).take(index)

    columns |= {
        "user_id": labels(users.user_id, per_user(np.arange(count))),
        "date": pa.array(np.tile(days, count)),
        "calories_kind": pa.repeat("total", rows),
        "activity_type": labels(ACTIVITIES, columns["activity_type"]),
        "age": per_user(users.age),
        "sex": labels(["female", "male"], per_user(users.male.astype(int))),
        "height_cm": per_user(users.height_cm),
        "weight_kg": per_user(users.weight_kg),
        "source": pa.repeat("cohort", rows),
        "ingested_at": pa.nulls(rows) if delivered is None else pa.array(delivered.ravel()),
    }
    # A column that is not simulated is null.
    not_simulated = pa.nulls(rows)
    arrays = [columns.get(field.name, not_simulated).cast(field.type) for field in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)


def _partial_days(
    complete: pa.Table, hours: np.ndarray, awake_share: np.ndarray, delivered: np.ndarray
) -> pa.Table:
    """Records of the first `hours` of days, when `awake_share` of the waking day was over.

    The main activity and the resting heart rate are known only when a day is over.
    """

    def scaled(name: str, share: np.ndarray, decimals: int = 0) -> np.ndarray:
        values: np.ndarray = np.round(complete[name].to_numpy() * share, decimals)
        return values

    return _with_columns(
        complete,
        {
            "steps": scaled("steps", awake_share),
            "distance_km": scaled("distance_km", awake_share, 2),
            # Most of the energy is used at a constant rate over the 24 hours.
            "calories_burned": scaled("calories_burned", hours / 24),
            "active_minutes": scaled("active_minutes", awake_share),
            "sedentary_minutes": scaled("sedentary_minutes", awake_share),
            "resting_heart_rate": None,
            "activity_type": None,
            "ingested_at": delivered,
            **{name: scaled(name, awake_share) for name in sensors.MOVEMENT},
        },
    )


def _with_columns(records: pa.Table, values: Mapping[str, np.ndarray | None]) -> pa.Table:
    """`records` with some columns replaced; None replaces a column by nulls."""
    for name, array in values.items():
        column = pa.nulls(len(records)) if array is None else pa.array(array, from_pandas=True)
        field = FULL_SCHEMA.field(name)
        position = FULL_SCHEMA.get_field_index(name)
        records = records.set_column(position, field, column.cast(field.type))
    return records


def _midnights(month: str) -> np.ndarray:
    """The start of each day in UTC, in microseconds."""
    return np.array(months.days(month), "datetime64[us]").astype(np.int64)
