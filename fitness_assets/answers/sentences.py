"""Findings and numbers as sentences."""

from datetime import date

from fitness_assets.answers.findings import Finding
from fitness_assets.formatting import change, number, signed, signed_percent, significant
from fitness_assets.history.schema import DIRECTIONS
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note
from fitness_assets.text import shorten

# Measures whose changes are given in percent as well.
_PERCENT = {"steps", "distance_km", "calories_burned", "active_minutes", "sedentary_minutes"}


def day_text(day: date) -> str:
    """`day` such as "3 May 2022"."""
    return f"{day.day} {day:%B %Y}"


def span_text(first: date, last: date) -> str:
    """Days such as "3 to 9 May 2022"."""
    if first == last:
        return day_text(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day_text(last)}"
    return f"{day_text(first)} to {day_text(last)}"


def change_text(measure: str, before: float, after: float, units: Units) -> str:
    """The change between two values as they are shown, such as "+181 (+2%)".

    It is that of the rounded values, so that a reader who subtracts them gets the same.
    """
    old, new = units.shown(measure, before), units.shown(measure, after)
    text = _difference(measure, before, after, units)
    percent = percent_text(measure, old, new)
    return f"{text} ({percent})" if percent else text


def percent_text(measure: str, before: float, after: float) -> str:
    """The change in percent such as "+6%"; empty for measures whose percentages mean nothing."""
    if measure not in _PERCENT or before == 0:
        return ""
    return signed_percent((after - before) / before)


def label(measure: str) -> str:
    """The title of `measure` within a sentence."""
    return NUMBERS[measure].label.lower()


def change_point(found: Finding, units: Units) -> str:
    """A lasting change."""
    measure = _known(found.measure)
    before, after = _number(found.before), _number(found.after)
    text = (
        f"From {day_text(_day(found.start))}{_between(found)}: {label(measure)} "
        f"{units.text(measure, after)} instead of {units.text(measure, before)}, a change of "
        f"{_difference(measure, before, after, units)} (95% interval "
        f"{_interval(measure, found, units)}; {number(found.n)} days)."
    )
    if found.device is not None:
        text += f" The device {shorten(found.device)} begins then: the readings may have changed."
    return text


def _difference(measure: str, before: float, after: float, units: Units) -> str:
    """The change between two values as they are shown, without its unit."""
    factor = units.factor(measure)
    return change(before * factor, after * factor, NUMBERS[measure].decimals)


def _between(found: Finding) -> str:
    if found.earliest is None or found.latest is None or found.earliest == found.latest:
        return ""
    return f" (between {day_text(found.earliest)} and {day_text(found.latest)})"


def _interval(measure: str, found: Finding, units: Units) -> str:
    decimals = NUMBERS[measure].decimals
    low, high = (units.shown(measure, _number(each)) for each in (found.low, found.high))
    return f"{signed(low, decimals)} to {signed(high, decimals)}"


def association(found: Finding) -> str:
    """What goes with what."""
    more = "more" if _number(found.value) > 0 else "less"
    when = {0: "on the same day", 1: "one day later"}.get(found.lag or 0, f"{found.lag} days later")
    return (
        f"More {label(_known(found.measure))} goes with {more} {label(_known(found.other))} "
        f"{when}: "
        f"rank correlation {number(found.value, 2)} (95% interval {number(found.low, 2)} to "
        f"{number(found.high, 2)}), {number(found.n)} days, p {significant(found.p, 2)} adjusted "
        "for all that was tried."
    )


def streak(found: Finding, units: Units) -> str:
    """Consecutive days that reach a goal, or that were worn."""
    span = span_text(_day(found.start), _day(found.end))
    if found.measure is None or found.goal is None:
        what = "on which the device was worn"
    else:
        at = "at least" if DIRECTIONS.get(found.measure, 1) > 0 else "at most"
        what = f"with {label(found.measure)} of {at} {units.text(found.measure, found.goal)}"
    current = ", and still counting" if found.is_current else ""
    return f"{number(found.n)} days in a row {what}: {span}{current}."


def device_era(found: Finding) -> str:
    """The days of a device."""
    span = span_text(_day(found.start), _day(found.end))
    return f"Device {shorten(found.device or '')}: {span}, {number(found.n)} days."


def note(found: Note) -> str:
    """A dated note of the person."""
    text = f"{found.kind.capitalize()}, {span_text(found.first, found.last)}"
    return f"{text}: {found.text}" if found.text else f"{text}."


def _known(text: str | None) -> str:
    return text or ""


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _day(day: date | None) -> date:
    return day or date.min
