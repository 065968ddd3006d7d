"""What each input added to one estimate: a chart, the sum in words, and a table of all inputs."""

from dataclasses import dataclass

import streamlit as st

from dashboard import page
from dashboard.charts import common
from dashboard.text import label
from dashboard.units import feature_label
from fitness_assets.models.contributions import Explanation
from fitness_assets.record.raw import NUMBERS
from fitness_assets.text import verbatim

# Inputs with a bar of their own; the others share one.
_MOST = 7
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class _Scale:
    """How amounts are shown: the factor, and the units of amounts and of totals."""

    factor: float
    unit: str
    total: str

    def change(self, amount: float) -> str:
        return f"{amount * self.factor:+,.0f} {self.unit}".replace("-", "\N{MINUS SIGN}")

    def sum(self, amount: float) -> str:
        return f"{amount * self.factor:,.0f}{self.total}"


_KCAL = _Scale(1.0, "kcal", " kcal")
_PROBABILITY = _Scale(100.0, "points", "%")


def draw(found: Explanation) -> None:
    """Draw `found` in the chosen units."""
    scale = _PROBABILITY if found.label else _KCAL
    changes = {name: amount for name, amount in found.added.items() if amount}
    shown = {_with_value(name, found): amount for name, amount in list(changes.items())[:_MOST]}
    rest = sum(list(changes.values())[_MOST:])
    if len(changes) > _MOST:
        shown["All other inputs"] = rest
    if found.calibration:
        shown["Calibration"] = found.calibration
    bars = {name: amount * scale.factor for name, amount in shown.items()}
    page.chart(common.contribution_bars, bars, _title(found, scale), _axis(scale))
    st.caption(_sum(found, scale))
    with st.expander("What each input added, as a table"):
        page.table(_rows(found, scale), _columns(scale), "What each input added to the estimate")


def _title(found: Explanation, scale: _Scale) -> str:
    """The finding: the input that changed the estimate most."""
    name, amount = next(iter(found.added.items()), ("", 0.0))
    if not amount:
        return "No input differs from a typical day"
    of = f" of {label(found.label).lower()}" if found.label else ""
    return f"Largest change{of}: {feature_label(name).lower()}, {scale.change(amount)}"


def _axis(scale: _Scale) -> str:
    unit = "percentage points" if scale is _PROBABILITY else scale.unit
    return f"Added to a typical day ({unit})"


def _sum(found: Explanation, scale: _Scale) -> str:
    inputs = sum(found.added.values())
    calibration = ""
    if found.calibration:
        calibration = (
            f", and calibration, which makes the probabilities as often right as they say, by "
            f"{scale.change(found.calibration)}"
        )
    of = f" for {verbatim(label(found.label).lower())}" if found.label else ""
    return (
        f"A typical day, with the median of each number, has {scale.sum(found.typical)}{of}. The "
        f"inputs change this by {scale.change(inputs)}{calibration}, to "
        f"{scale.sum(found.estimate)}. What is not known adds nothing. This is how the model "
        "calculates, and not what causes what."
    )


def _rows(found: Explanation, scale: _Scale) -> list[dict[str, str | float]]:
    rows: list[dict[str, str | float]] = [
        {"input": "Typical day", "value": "", "added": found.typical}
    ]
    rows += [
        {"input": feature_label(name), "value": _value(name, found), "added": amount}
        for name, amount in found.added.items()
    ]
    if found.calibration:
        rows.append({"input": "Calibration", "value": "", "added": found.calibration})
    rows.append({"input": "Estimate (sum)", "value": "", "added": found.estimate})
    return [row | {"added": float(row["added"]) * scale.factor} for row in rows]


def _columns(scale: _Scale) -> dict[str, object]:
    unit = "percentage points" if scale is _PROBABILITY else scale.unit
    return {"input": "Input", "value": "Value", "added": page.number_column(f"Added ({unit})", 1)}


def _with_value(name: str, found: Explanation) -> str:
    return f"{feature_label(name)}: {_value(name, found)}"


def _value(name: str, found: Explanation) -> str:
    """The value of an input as text, in the chosen units."""
    value = found.values[name]
    if value is None:
        return "not known"
    if isinstance(value, str):
        return label(value)
    if name == "day_of_week" and 1 <= value <= len(_WEEKDAYS):
        return _WEEKDAYS[int(value) - 1]
    measured = name.partition("_mean_")[0]
    if measured in NUMBERS:
        return page.chosen_units().text(measured, value)
    return f"{value:,.2f}"
