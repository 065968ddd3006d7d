"""The data checks of `workouts`."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import months
from fitness_assets.etl.quality import DataCheck, Outcome
from fitness_assets.etl.workouts import repeated
from fitness_assets.formatting import number, percent, plural

# Share of the delivered workouts from which on implausible values are more than a few errors.
_MANY = 0.05


@dataclass(frozen=True)
class CheckedWorkouts:
    """A month of `workouts`, before it is published.

    Attributes
    ----------
    month : str
    rows : Table
    delivered : int
        Workouts as delivered, of all devices.
    nulled : int
        Values that were not plausible.
    left_out : int
        Workouts whose length was not plausible.
    """

    month: str
    rows: pa.Table
    delivered: int
    nulled: int
    left_out: int


def workouts_of_the_month(data: CheckedWorkouts) -> Outcome:
    """Each workout starts in the month, on the user's clock."""
    first, end = months.start(data.month), months.end(data.month)
    days = data.rows["local_start"].cast(pa.date32())
    inside = pc.and_(
        pc.greater_equal(days, pa.scalar(first, pa.date32())),
        pc.less(days, pa.scalar(end, pa.date32())),
    )
    outside = len(days) - (pc.sum(inside).as_py() or 0)
    message = f"{plural(outside, 'workout')} of another month"
    return Outcome(not outside, message, {"workouts": outside})


def distinct_workouts(data: CheckedWorkouts) -> Outcome:
    """No two workouts of a user overlap by half of the shorter one or more."""
    found = repeated(data.rows)
    return Outcome(not found, f"{plural(found, 'repeated workout')}", {"workouts": found})


def plausible_workouts(data: CheckedWorkouts) -> Outcome:
    """Few of the delivered workouts have values out of range."""
    if not data.delivered:
        return Outcome(True, "no workouts", judged=False)
    found = data.nulled + data.left_out
    share = found / data.delivered
    message = (
        f"{number(data.nulled)} values set to missing and {number(data.left_out)} workouts left "
        f"out, of {number(data.delivered)} delivered ({percent(share, 1)})"
    )
    return Outcome(share <= _MANY, message, {"values": data.nulled, "left_out": data.left_out})


#: The checks of `workouts`, in the order in which they run.
WORKOUT_CHECKS = (
    DataCheck(
        workouts_of_the_month, "Each workout starts in the month, local time.", blocking=True
    ),
    DataCheck(
        distinct_workouts,
        "No two workouts of a user overlap by half of the shorter one or more.",
        blocking=True,
    ),
    DataCheck(
        plausible_workouts,
        "Implausible values are fewer than 5 in 100 delivered workouts; they are set to missing.",
    ),
)
