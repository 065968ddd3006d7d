"""The canonical record of one user on one local calendar day, as a source delivers it.

`COLUMNS` is the only declaration of its columns. The Arrow schema, the Spark schema, the ranges of
the data checks, the numbers in the tables of a release, and the titles and units of the dashboard
are derived from it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

#: Called with the path of a file that cannot be read and the reason.
ReportUnreadable = Callable[[str, str], object]


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """The declaration of one column.

    Attributes
    ----------
    name : str
    type : DataType
    description : str
        Unit and meaning. It is stored in the Parquet files, so a new text gives new data versions.
    nullable : bool
    unit : str
        Unit of the stored values; empty for counts and for columns that are not numbers.
    range : tuple of (int, int), optional
        Lowest and highest plausible value, both included. The ETL replaces a value outside of it
        by null and flags it. Every column with a range is a number.
    trait : bool
        Whether the column describes the user rather than the day.
    label : str
        Title of a number in the dashboard.
    decimals : int
        Decimals of a number in the dashboard.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True
    unit: str = ""
    range: tuple[int, int] | None = None
    trait: bool = False
    label: str = ""
    decimals: int = 0

    def field(self) -> pa.Field:
        """Return the column as a field of an Arrow schema, with its description as metadata."""
        metadata = {"description": self.description}
        return pa.field(self.name, self.type, nullable=self.nullable, metadata=metadata)


#: The columns, in the order of the files.
COLUMNS = (
    ColumnSpec(
        name="user_id",
        type=pa.string(),
        description="stable per person",
        nullable=False,
    ),
    ColumnSpec(
        name="date",
        type=pa.date32(),
        description="the user's local day",
        nullable=False,
    ),
    ColumnSpec(
        name="steps",
        type=pa.int32(),
        description="count; null when not measured, never 0 for missing",
        range=(0, 100_000),
        label="Steps",
    ),
    ColumnSpec(
        name="distance_km",
        type=pa.float64(),
        description="km",
        unit="km",
        range=(0, 300),
        label="Distance",
        decimals=1,
    ),
    ColumnSpec(
        name="calories_burned",
        type=pa.float64(),
        description="kcal, of the kind that calories_kind says",
        unit="kcal",
        range=(0, 20_000),
        label="Energy",
    ),
    ColumnSpec(
        name="calories_kind",
        type=pa.string(),
        description="total (with resting energy) or active",
    ),
    ColumnSpec(
        name="heart_rate_avg",
        type=pa.float64(),
        description="mean heart rate, beats per minute",
        unit="bpm",
        range=(30, 220),
        label="Mean heart rate",
        decimals=1,
    ),
    ColumnSpec(
        name="resting_heart_rate",
        type=pa.float64(),
        description="beats per minute",
        unit="bpm",
        range=(30, 220),
        label="Resting heart rate",
        decimals=1,
    ),
    ColumnSpec(
        name="sleep_hours",
        type=pa.float64(),
        description="hours asleep, credited to the day of waking",
        unit="h",
        range=(0, 24),
        label="Sleep",
        decimals=1,
    ),
    ColumnSpec(
        name="active_minutes",
        type=pa.int32(),
        description="minutes of exercise",
        unit="min",
        range=(0, 1440),
        label="Active time",
    ),
    ColumnSpec(
        name="sedentary_minutes",
        type=pa.int32(),
        description="minutes awake without movement",
        unit="min",
        range=(0, 1440),
        label="Time sitting",
    ),
    ColumnSpec(
        name="activity_type",
        type=pa.string(),
        description="the day's main activity, lower snake case",
    ),
    ColumnSpec(
        name="age",
        type=pa.int32(),
        description="years",
        unit="years",
        range=(0, 120),
        trait=True,
        label="Age",
    ),
    ColumnSpec(
        name="sex",
        type=pa.string(),
        description="female or male, as the source states it",
        trait=True,
    ),
    ColumnSpec(
        name="height_cm",
        type=pa.float64(),
        description="cm",
        unit="cm",
        range=(50, 260),
        trait=True,
        label="Height",
    ),
    ColumnSpec(
        name="weight_kg",
        type=pa.float64(),
        description="kg",
        unit="kg",
        range=(2, 500),
        trait=True,
        label="Weight",
        decimals=1,
    ),
    ColumnSpec(
        name="source",
        type=pa.string(),
        description="where the record came from",
    ),
    ColumnSpec(
        name="ingested_at",
        type=pa.timestamp("us", tz="UTC"),
        description="when the source delivered it, if it says",
    ),
)

SCHEMA = pa.schema([column.field() for column in COLUMNS])

#: The columns that are numbers, by name.
NUMBERS = {column.name: column for column in COLUMNS if column.range is not None}

#: Lowest and highest plausible value of each number.
RANGES = {column.name: column.range for column in COLUMNS if column.range is not None}

#: The numbers that are measured each day.
MEASUREMENTS = tuple(name for name, column in NUMBERS.items() if not column.trait)

#: The columns that describe the user.
TRAITS = tuple(column.name for column in COLUMNS if column.trait)
