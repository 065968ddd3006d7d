"""What each input added to one estimate: a chart, the sum in words, and a table of all inputs."""

from dataclasses import dataclass

import streamlit as st

from dashboard import page
from dashboard.charts import common
from dashboard.text import label
from dashboard.units import feature_label
from fitness_assets.formatting import number, percent, signed
from fitness_assets.models.contributions import Explanation
from fitness_assets.record.raw import NUMBERS
from fitness_assets.text import verbatim

# Inputs with a bar of their own; the others share one.
_MOST = 7
# Smaller amounts, as they are shown, are rounded to 0.
_LEAST = 0.5
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class _Scale:
    """How amounts are shown: the factor, and the unit of amounts."""

    factor: float
    unit: str

    def change(self, amount: float) -> str:
        text = signed(amount * self.factor)
        unit = self.unit.removesuffix("s") if text.lstrip("+\N{MINUS SIGN}") == "1" else self.unit
        return f"{text} {unit}"

    def sum(self, amount: float) -> str:
        if self is _PROBABILITY:
            return percent(amount)
        return f"{number(amount)} {self.unit}"


_KCAL = _Scale(1.0, "kcal")
_PROBABILITY = _Scale(100.0, "points")


def draw(found: Explanation) -> None:
    """Draw `found` in the chosen units."""
    scale = _PROBABILITY if found.label else _KCAL
    bars = _bars(found, scale)
    if bars:
        axis_title = f"Added ({scale.unit})"
        page.chart(common.contribution_bars, bars, _title(found, scale), axis_title)
    st.caption(_sum(found, scale))
    with st.expander("What each input added, as a table"):
        page.table(_rows(found, scale), _columns(scale), "What each input added to the estimate")


def _bars(found: Explanation, scale: _Scale) -> dict[str, float]:
    """The shown amounts by label; empty if every input's is rounded to 0."""
    amounts = {name: amount * scale.factor for name, amount in found.added.items()}
    most = [name for name, amount in amounts.items() if abs(amount) >= _LEAST][:_MOST]
    if not most:
        return {}
    shown = {f"{feature_label(name)}: {_value(name, found)}": amounts[name] for name in most}
    shown["All other inputs"] = sum(amounts.values()) - sum(shown.values())
    return {name: amount for name, amount in shown.items() if abs(amount) >= _LEAST}


def _title(found: Explanation, scale: _Scale) -> str:
    """The finding: the input that changed the estimate most. Short enough for half of a page."""
    name, amount = next(iter(found.added.items()))
    return (
        f"Changed most by {feature_label(name).partition(' (')[0].lower()}: {scale.change(amount)}"
    )


def _sum(found: Explanation, scale: _Scale) -> str:
    inputs = sum(found.added.values())
    of = f" for {verbatim(label(found.label).lower())}" if found.label else ""
    return (
        f"A typical day, with the middle value of each input, has {scale.sum(found.typical)}{of}. "
        f"The inputs change this by {scale.change(inputs)}, to "
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
        if found.values[name] is not None
    ]
    rows.append({"input": "Estimate (sum)", "value": "", "added": found.estimate})
    return [row | {"added": float(row["added"]) * scale.factor} for row in rows]


def _columns(scale: _Scale) -> dict[str, object]:
    added = page.number_column(f"Added ({scale.unit})", 1)
    return {"input": "Input", "value": "Value", "added": added}


def _value(name: str, found: Explanation) -> str:
    """The value of a known input as text, in the chosen units."""
    value = found.values[name] or 0.0
    if isinstance(value, str):
        return label(value)
    if name == "day_of_week" and 1 <= value <= len(_WEEKDAYS):
        return _WEEKDAYS[int(value) - 1]
    measured = name.partition("_mean_")[0]
    if measured in NUMBERS:
        return page.chosen_units().text(measured, value)
    return number(value, 2)
