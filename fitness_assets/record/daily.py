"""The columns of `daily_activity`: those of the canonical record, and those that the ETL adds.

The optional columns of the record come last, and only in months for which a value was delivered.
"""

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa

from fitness_assets.record import raw, wear
from fitness_assets.record.raw import ColumnSpec

#: The columns that have baselines, and the lengths of the baseline windows in days.
BASELINE_VALUES = ("steps", "calories_burned", "resting_heart_rate")
BASELINE_WINDOWS = (7, 28)


class Baseline(NamedTuple):
    """A trailing mean: the name of its column, the column it is the mean of, and its window."""

    name: str
    value: str
    window: int


#: The trailing means, in the order of their columns.
BASELINES = tuple(
    Baseline(f"{value}_mean_{window}d", value, window)
    for value in BASELINE_VALUES
    for window in BASELINE_WINDOWS
)

#: The columns that the ETL adds, in the order of the files.
ADDED_COLUMNS = (
    ColumnSpec(
        name="quality_flags",
        type=pa.list_(pa.field("element", pa.string())),
        description="names of the rules that nulled a value",
    ),
    ColumnSpec(
        name="day_of_week",
        type=pa.int32(),
        description="1 Monday to 7 Sunday",
    ),
    ColumnSpec(
        name="calories_per_step",
        type=pa.float64(),
        description="kcal; 0 for 0 steps, null where either is unknown",
    ),
    ColumnSpec(
        name="worn",
        type=pa.bool_(),
        description="whether the device was on the body",
    ),
    *(
        ColumnSpec(
            name=baseline.name,
            type=pa.float64(),
            description=f"mean of the {baseline.window} days before, as far as known",
        )
        for baseline in BASELINES
    ),
)

#: The columns of every file of `daily_activity`, in order.
SCHEMA = pa.schema([*raw.SCHEMA, *(column.field() for column in ADDED_COLUMNS)])


def inputs_of(name: str) -> tuple[str, ...]:
    """The columns of the raw record that a value of the column `name` is computed from.

    Which of two records of a day is kept depends on all columns, and does not count.
    """
    baselines = {baseline.name: baseline.value for baseline in BASELINES}
    if name in baselines:
        return _distinct("user_id", "date", *inputs_of(baselines[name]))
    own = {
        "quality_flags": tuple(raw.RANGES),
        "day_of_week": ("date",),
        "calories_per_step": ("calories_burned", "steps", *wear.INPUTS),
        "worn": wear.INPUTS,
    }.get(name, (name,))
    # Movement of a day on which the device was not worn is null.
    moves = name in (*wear.MOVEMENT, *wear.OPTIONAL_MOVEMENT, "calories_kind")
    return _distinct(*own, *(wear.INPUTS if moves else ()))


def _distinct(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def schema_of(names: Collection[str]) -> pa.Schema:
    """`SCHEMA`, and those optional columns of the record that are among `names`."""
    return pa.schema([*SCHEMA, *(raw.FULL_SCHEMA.field(name) for name in raw.optional_in(names))])
