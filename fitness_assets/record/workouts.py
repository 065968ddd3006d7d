"""The record of one workout, as a source delivers it and as the lake stores it.

`COLUMNS` is the only declaration of its columns: the Arrow schema and the ranges are derived from
it. A workout belongs to the month of its local start.
"""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from fitness_assets.record.raw import ColumnSpec

#: The columns, in the order of the files.
COLUMNS = (
    ColumnSpec(
        name="user_id",
        type=pa.string(),
        description="stable per person",
        nullable=False,
    ),
    ColumnSpec(
        name="start",
        type=pa.timestamp("us", tz="UTC"),
        description="start, as an instant",
        nullable=False,
    ),
    ColumnSpec(
        name="local_start",
        type=pa.timestamp("us"),
        description="start on the user's local clock",
        nullable=False,
    ),
    ColumnSpec(
        name="activity",
        type=pa.string(),
        description="name of the activity as in activity_type of the day, lower snake case",
    ),
    ColumnSpec(
        name="minutes",
        type=pa.float64(),
        description="duration as the device states it, without pauses if it knows them",
        nullable=False,
        unit="min",
        range=(0, 2880),
        label="Duration",
    ),
    ColumnSpec(
        name="distance_km",
        type=pa.float64(),
        description="km",
        unit="km",
        range=(0, 1000),
        label="Distance",
        decimals=1,
    ),
    ColumnSpec(
        name="calories_burned",
        type=pa.float64(),
        description="kcal of the workout, with or without resting energy as the device counts",
        unit="kcal",
        range=(0, 20_000),
        label="Energy",
    ),
    ColumnSpec(
        name="heart_rate_avg",
        type=pa.float64(),
        description="mean heart rate of the workout, beats per minute",
        unit="bpm",
        range=(30, 220),
        label="Mean heart rate",
        decimals=1,
    ),
    ColumnSpec(
        name="heart_rate_max",
        type=pa.float64(),
        description="greatest heart rate of the workout, beats per minute",
        unit="bpm",
        range=(30, 240),
        label="Greatest heart rate",
    ),
    ColumnSpec(
        name="source",
        type=pa.string(),
        description="where the record came from; of several, their names with a comma between",
    ),
    ColumnSpec(
        name="ingested_at",
        type=pa.timestamp("us", tz="UTC"),
        description="when the source delivered it, if it says",
    ),
)

#: The columns of every file.
SCHEMA = pa.schema([column.field() for column in COLUMNS])

#: The columns that are numbers, by name.
NUMBERS = {column.name: column for column in COLUMNS if column.range is not None}

#: The columns that a device may know of a workout.
KNOWN = ("activity", "distance_km", "calories_burned", "heart_rate_avg", "heart_rate_max")


@dataclass(frozen=True, kw_only=True)
class Workout:
    """A workout of one user; None and 0 of the optional numbers mean that it is not known.

    Attributes
    ----------
    start : datetime
        With a zone.
    local_start : datetime
        On the user's local clock, without a zone.
    activity : str or None
        A name of `record.activities`.
    minutes : float
    distance_km : float or None
    calories_burned : float or None
        In kcal.
    heart_rate_avg, heart_rate_max : float or None
        In beats per minute.
    """

    start: datetime
    local_start: datetime
    activity: str | None
    minutes: float
    distance_km: float | None = None
    calories_burned: float | None = None
    heart_rate_avg: float | None = None
    heart_rate_max: float | None = None
