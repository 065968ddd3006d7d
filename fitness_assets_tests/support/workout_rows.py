"""Rows of workouts for tests of the ETL and the lake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record.workouts import SCHEMA
from fitness_assets.storage.lake import describe
from fitness_assets.storage.rows import part, write_rows
from fitness_assets.workspace import Workspace

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


def publish_workouts(workspace: Workspace, rows: pa.Table) -> None:
    """Publish the months that `rows` have workouts of."""
    months = pc.strftime(rows["local_start"], format="%Y-%m")
    for month in sorted(pc.unique(months).to_pylist()):
        own = rows.filter(pc.equal(months, month))
        with workspace.workouts.writer(month) as writer:
            write_rows(writer.staging / part(0), own.to_batches(), SCHEMA)
            writer.publish(describe(writer.staging))
