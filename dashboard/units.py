"""What the numbers of a day are called, and the units they are told in."""

from dataclasses import dataclass

import pandas as pd

from fitness_assets.record import raw

METRIC, IMPERIAL = "Metric", "Imperial"


@dataclass(frozen=True)
class Number:
    """How one number is told.

    Attributes
    ----------
    label : str
    unit : str
        Metric, as the lake has it; empty for a count.
    decimals : int
        That are worth showing.
    imperial : tuple of (str, float), optional
        The other unit, and how many of it are one of the metric.
    """

    label: str
    unit: str
    decimals: int = 0
    imperial: tuple[str, float] | None = None


_IMPERIAL = {"km": ("mi", 0.621371), "cm": ("in", 0.393701), "kg": ("lb", 2.204623)}

NUMBERS = {
    name: Number(column.label, column.unit, column.decimals, _IMPERIAL.get(column.unit))
    for name, column in raw.NUMBERS.items()
}


@dataclass(frozen=True)
class Units:
    """The units that the user has chosen."""

    system: str = METRIC

    def unit(self, name: str) -> str:
        """The unit that `name`, a key of `NUMBERS`, is told in."""
        number = NUMBERS[name]
        return number.imperial[0] if number.imperial and self.system == IMPERIAL else number.unit

    def factor(self, name: str) -> float:
        """How many of that unit are one of the lake's."""
        number = NUMBERS[name]
        return number.imperial[1] if number.imperial and self.system == IMPERIAL else 1.0

    def title(self, name: str) -> str:
        """Name and unit, as of an axis."""
        unit = self.unit(name)
        return f"{NUMBERS[name].label} ({unit})" if unit else NUMBERS[name].label

    def text(self, name: str, value: float) -> str:
        """`value` of the lake with its unit, as in a sentence."""
        told = f"{value * self.factor(name):,.{NUMBERS[name].decimals}f}"
        return f"{told} {self.unit(name)}".rstrip()

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`frame` with the columns that are named after a number in the chosen units."""
        return frame.assign(
            **{name: frame[name] * self.factor(name) for name in NUMBERS if name in frame}
        )


def called(name: str) -> str:
    """What `name`, an input of a model, is called."""
    if name in NUMBERS:
        return NUMBERS[name].label
    number, mean, days = name.partition("_mean_")
    if mean and number in NUMBERS:
        return f"Usual {NUMBERS[number].label.lower()} ({days.removesuffix('d')} days)"
    return name.replace("_", " ").capitalize()
