"""Rows of workouts for tests of the ETL and the lake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from fitness_assets.record.workouts import SCHEMA

#: A Monday.
MORNING = datetime(2023, 4, 3, 10, tzinfo=UTC)


def row(after: float = 0.0, minutes: float = 60.0, **values: Any) -> dict[str, Any]:
    """A run of ann that starts `after` minutes after `MORNING`, on a clock two hours ahead."""
    start = MORNING + timedelta(minutes=after)
    return {
        **dict.fromkeys(SCHEMA.names),
        "user_id": "ann",
        "start": start,
        "local_start": (start + timedelta(hours=2)).replace(tzinfo=None),
        "activity": "running",
        "minutes": minutes,
        "source": "whoop",
        **values,
    }


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
