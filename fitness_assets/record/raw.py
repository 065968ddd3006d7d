"""The canonical record: one user on one local calendar day."""

from collections.abc import Callable

import pyarrow as pa

#: Given the path of a file and the reason why it is left out.
ReportUnreadable = Callable[[str, str], object]

#: (column, type, unit and meaning). Only user_id and date are never null.
_COLUMNS: list[tuple[str, pa.DataType, str]] = [
    ("user_id", pa.string(), "stable per person"),
    ("date", pa.date32(), "the user's local day"),
    ("steps", pa.int32(), "count; null when not measured, never 0 for missing"),
    ("distance_km", pa.float64(), "km"),
    ("calories_burned", pa.float64(), "kcal, of the kind that calories_kind says"),
    ("calories_kind", pa.string(), "total (with resting energy) or active"),
    ("heart_rate_avg", pa.float64(), "mean heart rate, beats per minute"),
    ("resting_heart_rate", pa.float64(), "beats per minute"),
    ("sleep_hours", pa.float64(), "hours asleep, credited to the day of waking"),
    ("active_minutes", pa.int32(), "minutes of exercise"),
    ("sedentary_minutes", pa.int32(), "minutes awake without movement"),
    ("activity_type", pa.string(), "the day's main activity, lower snake case"),
    ("age", pa.int32(), "years"),
    ("sex", pa.string(), "female or male, as the source states it"),
    ("height_cm", pa.float64(), "cm"),
    ("weight_kg", pa.float64(), "kg"),
    ("source", pa.string(), "where the record came from"),
    ("ingested_at", pa.timestamp("us", tz="UTC"), "when the source delivered it, if it says"),
]

SCHEMA = pa.schema(
    [
        pa.field(
            name, kind, nullable=name not in {"user_id", "date"}, metadata={"description": text}
        )
        for name, kind, text in _COLUMNS
    ]
)
