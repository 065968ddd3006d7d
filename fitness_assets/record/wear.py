"""Whether the device was worn on a day: the only definition, for all formats and sources.

A device that is not worn still delivers the day: no steps, 1440 sedentary minutes, and the energy
that its user burns at rest. Such a day says nothing about the user.

Studies count a day as valid from 10 hours of wear (Troiano et al., Med Sci Sports Exerc 40:181,
2008), where hours of wear are those with a heart rate or with steps (Baroudi et al., JMIR mHealth
uHealth 13:e46149, 2025). The record has neither hours, so the rule is the part of these definitions
that a day's totals can show: a day without heart rate, steps or other movement was not worn. A
quiet day, of which the heart rate or part of the day was measured, and a day of partial wear were
worn.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: The columns that are null on a day on which the device was not worn.
MOVEMENT = ("steps", "distance_km", "calories_burned", "active_minutes", "sedentary_minutes")
#: The optional columns of which the same holds.
OPTIONAL_MOVEMENT = ("floors", "light_minutes", "moderate_minutes", "vigorous_minutes")

#: The columns that say whether the device was worn.
INPUTS = (
    *("steps", "active_minutes", "distance_km", "sedentary_minutes", "heart_rate_avg"),
    *("resting_heart_rate", "sleep_hours", "calories_burned", "calories_kind"),
)

_MINUTES_PER_DAY = 1440
_MISSING = -1
_ACTIVE = "active"

# A column of records: a number or a NumPy array. Missing values are -1, so that no
# operator needs to know about nulls.
_Value = Any


def is_worn(column: Callable[[str], _Value], active_kcal: _Value) -> _Value:
    """Whether the device was worn, by the operators ``>``, ``>=``, ``<``, ``&`` and ``|`` only.

    Parameters
    ----------
    column : callable
        Gives the values of a column of the canonical record by its name, with -1 for missing ones.
    active_kcal : number or array
        ``calories_burned`` where it is active energy, else -1.
    """
    moved = (
        (column("steps") > 0)
        | (column("active_minutes") > 0)
        | (column("distance_km") > 0)
        | (active_kcal > 0)
        | (column("heart_rate_avg") > 0)
    )
    sedentary = column("sedentary_minutes")
    partly_sedentary = (sedentary >= 0) & (sedentary < _MINUTES_PER_DAY)
    # On a wholly sedentary day a night was entered by hand, and the resting heart rate is that of
    # the days before.
    rested = (sedentary < 0) & ((column("sleep_hours") > 0) | (column("resting_heart_rate") > 0))
    return moved | partly_sedentary | rested


def keeps_movement(column: Callable[[str], _Value], active_kcal: _Value) -> _Value:
    """Whether the movement of a record is kept; parameters as of `is_worn`.

    It is not kept if the device was not worn. Energy alone is kept although it does not count as
    worn, since a source may deliver nothing else.
    """
    states_no_movement = (
        (column("steps") < 0)
        & (column("active_minutes") < 0)
        & (column("distance_km") < 0)
        & (column("sedentary_minutes") < 0)
    )
    return is_worn(column, active_kcal) | states_no_movement


def movement_is_kept(record: Mapping[str, Any]) -> bool:
    """`keeps_movement` of one record, by name of the column."""

    def column(name: str) -> float:
        value = record.get(name)
        return _MISSING if value is None else float(value)

    is_active = record.get("calories_kind") == _ACTIVE
    return bool(keeps_movement(column, column("calories_burned") if is_active else _MISSING))


def worn_and_kept(
    records: pa.Table | pa.RecordBatch,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """`is_worn` and `keeps_movement` of each of `records`.

    A column of the canonical record that `records` lack counts as missing.
    """
    names = set(records.schema.names)

    def column(name: str) -> np.ndarray:
        if name not in names:
            return np.full(records.num_rows, _MISSING)
        return np.asarray(records.column(name).cast(pa.float64()).fill_null(_MISSING))

    energy = np.full(records.num_rows, _MISSING)
    if "calories_kind" in names:
        is_active = pc.equal(records.column("calories_kind"), _ACTIVE).fill_null(False)
        energy = np.where(np.asarray(is_active), column("calories_burned"), _MISSING)
    return is_worn(column, energy), keeps_movement(column, energy)


def not_worn(records: pa.Table | pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Whether each of `records` is of a day not worn, whose movement is not kept."""
    _, kept = worn_and_kept(records)
    return ~kept
