"""What `daily_activity` promises of a day: its columns and their ranges, told without Spark."""

import pyarrow as pa

from fitness_assets.etl import baselines
from fitness_assets.record import raw

#: The values a body and a device can give; what lies outside is nulled and flagged.
RANGES = {
    "steps": (0, 100_000),
    "distance_km": (0, 300),
    "calories_burned": (0, 20_000),
    "heart_rate_avg": (30, 220),
    "resting_heart_rate": (30, 220),
    "sleep_hours": (0, 24),
    "active_minutes": (0, 1440),
    "sedentary_minutes": (0, 1440),
    "age": (0, 120),
    "height_cm": (50, 260),
    "weight_kg": (2, 500),
}

_ADDED: list[tuple[str, pa.DataType, str]] = [
    (
        "quality_flags",
        pa.list_(pa.field("element", pa.string())),
        "names of the rules that nulled a value",
    ),
    ("day_of_week", pa.int32(), "1 Monday to 7 Sunday"),
    ("calories_per_step", pa.float64(), "kcal; 0 for 0 steps, null where either is unknown"),
    ("worn", pa.bool_(), "whether the device was on the body"),
    *[
        (name, pa.float64(), f"mean of the {window} days before, as far as known")
        for name, _, window in baselines.COLUMNS
    ],
]

#: The columns of a day in the lake, in order.
SCHEMA = pa.schema(
    [
        *raw.SCHEMA,
        *[pa.field(n, kind, metadata={"description": text}) for n, kind, text in _ADDED],
    ]
)
