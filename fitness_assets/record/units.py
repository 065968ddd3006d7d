"""The units that numbers are shown in.

Labels, stored units and decimals are those of the record's declaration.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fitness_assets.formatting import NO_DATA, change, number, signed
from fitness_assets.record.raw import NUMBERS

if TYPE_CHECKING:
    import pandas as pd

METRIC, IMPERIAL = "Metric", "Imperial"
#: The imperial unit for a stored one, and the factor between them.
_IMPERIAL_UNITS = {"km": ("mi", 0.621371), "cm": ("in", 0.393701), "kg": ("lb", 2.204623)}


@dataclass(frozen=True)
class Units:
    """The system of units that a reader has chosen."""

    system: str = METRIC

    def unit(self, name: str) -> str:
        """The unit in which `name`, a key of `NUMBERS`, is shown; empty for a count."""
        stored = NUMBERS[name].unit
        return _IMPERIAL_UNITS[stored][0] if self._converts(stored) else stored

    def factor(self, name: str) -> float:
        """The factor from the stored unit of `name` to the shown one."""
        stored = NUMBERS[name].unit
        return _IMPERIAL_UNITS[stored][1] if self._converts(stored) else 1.0

    def _converts(self, stored: str) -> bool:
        return self.system == IMPERIAL and stored in _IMPERIAL_UNITS

    def title(self, name: str) -> str:
        """Label and unit of `name`: "Distance (km)"."""
        unit = self.unit(name)
        return f"{NUMBERS[name].label} ({unit})" if unit else NUMBERS[name].label

    def shown(self, name: str, value: float) -> float:
        """`value`, in the stored unit of `name`, in the shown unit with the shown decimals."""
        return round(value * self.factor(name), NUMBERS[name].decimals)

    def text(self, name: str, value: float) -> str:
        """`value`, in the stored unit of `name`, as text in the shown unit: "220.5 lb"."""
        shown = number(value * self.factor(name), NUMBERS[name].decimals)
        return shown if shown == NO_DATA else f"{shown} {self.unit(name)}".rstrip()

    def number(self, name: str, value: float) -> str:
        """`value`, in the stored unit of `name`, as text in the shown unit, without its name."""
        return number(value * self.factor(name), NUMBERS[name].decimals)

    def change(self, name: str, value: float) -> str:
        """A difference, in the stored unit of `name`, as text: "+1.6 bpm", "±0"."""
        shown = signed(value * self.factor(name), NUMBERS[name].decimals)
        return shown if shown == NO_DATA else f"{shown} {self.unit(name)}".rstrip()

    def difference(self, name: str, before: float, after: float) -> str:
        """The difference of two values as they are shown, as text: "+1.6 bpm", "±0 h"."""
        factor = self.factor(name)
        shown = change(before * factor, after * factor, NUMBERS[name].decimals)
        return shown if shown == NO_DATA else f"{shown} {self.unit(name)}".rstrip()

    def convert(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """`frame` with its numbers converted from stored units to the shown ones."""
        return frame.assign(
            **{name: frame[name] * self.factor(name) for name in NUMBERS if name in frame}
        )
