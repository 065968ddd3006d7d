"""The canonical record of one user on one local calendar day, as a source delivers it.

`COLUMNS` is the only declaration of its columns. The Arrow schema, the Spark schema, the ranges of
the data checks, the numbers in the tables of a release, and the titles and units of the dashboard
are derived from it.

Every file of the lake has the columns of `SCHEMA`. The optional columns come after them, and only
in files in which at least one value is known: a column that no source delivers takes neither time
nor space, and does not change the bytes of a file. Readers fill in nulls.
"""

from collections.abc import Callable, Collection
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
    optional : bool
        Whether only files in which a value is known have the column.
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
    optional: bool = False
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
    ColumnSpec(
        name="sleep_deep",
        type=pa.float64(),
        description="minutes of deep sleep of the night that sleep_hours counts",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Deep sleep",
    ),
    ColumnSpec(
        name="sleep_light",
        type=pa.float64(),
        description="minutes of light sleep (Apple: core) of the night that sleep_hours counts",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Light sleep",
    ),
    ColumnSpec(
        name="sleep_rem",
        type=pa.float64(),
        description="minutes of REM sleep of the night that sleep_hours counts",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="REM sleep",
    ),
    ColumnSpec(
        name="sleep_awake",
        type=pa.float64(),
        description="minutes awake between falling asleep and waking",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Time awake at night",
    ),
    ColumnSpec(
        name="sleep_start",
        type=pa.timestamp("us"),
        description="start of the longest sleep of the day of waking, on the user's local clock",
        optional=True,
    ),
    ColumnSpec(
        name="sleep_end",
        type=pa.timestamp("us"),
        description="end of the longest sleep of the day of waking, on the user's local clock",
        optional=True,
    ),
    ColumnSpec(
        name="hrv_rmssd",
        type=pa.float64(),
        description="heart-rate variability, root mean square of successive differences, ms",
        unit="ms",
        range=(1, 500),
        optional=True,
        label="Heart-rate variability (RMSSD)",
        decimals=1,
    ),
    ColumnSpec(
        name="hrv_sdnn",
        type=pa.float64(),
        description="heart-rate variability, standard deviation of beat intervals, ms",
        unit="ms",
        range=(1, 500),
        optional=True,
        label="Heart-rate variability (SDNN)",
        decimals=1,
    ),
    ColumnSpec(
        name="spo2",
        type=pa.float64(),
        description="mean blood oxygen saturation, %",
        unit="%",
        range=(50, 100),
        optional=True,
        label="Blood oxygen",
        decimals=1,
    ),
    ColumnSpec(
        name="respiration_rate",
        type=pa.float64(),
        description="mean breaths per minute",
        unit="1/min",
        range=(4, 60),
        optional=True,
        label="Respiration rate",
        decimals=1,
    ),
    ColumnSpec(
        name="vo2_max",
        type=pa.float64(),
        description="estimated maximal oxygen uptake, ml/kg/min",
        unit="ml/kg/min",
        range=(10, 100),
        optional=True,
        label="VO₂max",
        decimals=1,
    ),
    ColumnSpec(
        name="floors",
        type=pa.int32(),
        description="count of floors climbed",
        range=(0, 1000),
        optional=True,
        label="Floors",
    ),
    ColumnSpec(
        name="light_minutes",
        type=pa.int32(),
        description="minutes of light activity",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Light activity",
    ),
    ColumnSpec(
        name="moderate_minutes",
        type=pa.int32(),
        description="minutes of moderate activity",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Moderate activity",
    ),
    ColumnSpec(
        name="vigorous_minutes",
        type=pa.int32(),
        description="minutes of vigorous activity",
        unit="min",
        range=(0, 1440),
        optional=True,
        label="Vigorous activity",
    ),
)

#: The columns of every file.
SCHEMA = pa.schema([column.field() for column in COLUMNS if not column.optional])

#: All columns.
FULL_SCHEMA = pa.schema([column.field() for column in COLUMNS])

#: Names of the columns that only files with a known value have.
OPTIONAL = tuple(column.name for column in COLUMNS if column.optional)

#: Columns of one night that only mean something together: stages, and start and end.
SLEEP_STAGES = ("sleep_deep", "sleep_light", "sleep_rem", "sleep_awake")
SLEEP_SPAN = ("sleep_start", "sleep_end")

#: The columns that are numbers, by name.
NUMBERS = {column.name: column for column in COLUMNS if column.range is not None}

#: Lowest and highest plausible value of each number.
RANGES = {column.name: column.range for column in COLUMNS if column.range is not None}

#: The numbers that are measured each day, of the columns that every file has.
MEASUREMENTS = tuple(
    name for name, column in NUMBERS.items() if not column.trait and not column.optional
)

#: The numbers that are measured each day, of the optional columns.
OPTIONAL_MEASUREMENTS = tuple(name for name in OPTIONAL if name in NUMBERS)

#: The columns that describe the user.
TRAITS = tuple(column.name for column in COLUMNS if column.trait)


def optional_in(names: Collection[str]) -> tuple[str, ...]:
    """The optional columns among `names`, in the order of the files."""
    return tuple(name for name in OPTIONAL if name in names)


def schema_of(names: Collection[str]) -> pa.Schema:
    """`SCHEMA`, and those optional columns that are among `names`."""
    return pa.schema([*SCHEMA, *(FULL_SCHEMA.field(name) for name in optional_in(names))])
