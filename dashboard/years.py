"""What years of one person show, in plain words. Pure functions of tables of `person_history`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from fitness_assets import months
from fitness_assets.formatting import date_text, days_text, number, signed_percent
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.text import verbatim

#: Smaller changes from one month to the next, as a share, are not named.
NOTABLE = 0.05
# How a sentence says on which of two days a measure is.
_LAGS = {0: "on the same day", 1: "on the next day", 2: "two days later"}


# Measures that are a level and not an amount of the day.
_LEVELS = {"heart_rate_avg", "resting_heart_rate", "weight_kg"}
_LARGE = 100


@dataclass(frozen=True)
class MonthChange:
    """The medians of a measure in a month, the month before, and the same month a year before.

    They are NaN where there is none.
    """

    measure: str
    now: float
    before: float
    year_before: float

    @property
    def share(self) -> float:
        """The change from the month before, as a share of its value."""
        return self.now / self.before - 1 if self.before else float("nan")


def changes_of_month(summaries: pd.DataFrame, month: str) -> list[MonthChange]:
    """The changes of all measures that have a value in `month`.

    Parameters
    ----------
    summaries : DataFrame
        As `person.summaries` returns.
    month : str
    """
    by_month = summaries[summaries["period"] == "month"].set_index(["measure", "start"])["median"]

    def median(measure: str, key: str) -> float:
        return float(by_month.get((measure, pd.Timestamp(months.start(key))), float("nan")))

    return [
        MonthChange(name, now, median(name, months.shift(month, -1)), median(name, year_before))
        for year_before in [months.shift(month, -12)]
        for name in measures(summaries)
        if not pd.isna(now := median(name, month))
    ]


def measures(summaries: pd.DataFrame) -> list[str]:
    """The measures that have values, in the order of the record."""
    known = set(summaries["measure"])
    return [name for name in NUMBERS if name in known]


def month_sentence(changes: Iterable[MonthChange], units: Units, before: str) -> str:
    """The largest changes from the month before, in one sentence."""
    notable = [each for each in changes if abs(each.share) >= NOTABLE]
    notable.sort(key=lambda each: abs(each.share), reverse=True)
    if not notable:
        return f"A normal month: nothing changed by 5% or more from {before}."
    parts = [
        f"{NUMBERS[each.measure].label.lower()} {signed_percent(each.share)} "
        f"({units.text(each.measure, each.before)} to {units.text(each.measure, each.now)})"
        for each in notable
    ]
    return f"Changed by 5% or more from {before}: {', '.join(parts)}."


def rows_of(findings: pd.DataFrame, kind: str) -> list[Any]:
    """The findings of one kind as named tuples."""
    return list(findings[findings["kind"] == kind].itertuples(index=False))


def best_years(findings: pd.DataFrame, units: Units) -> list[str]:
    """For each measure, the year in which it was best: "Sleep: 2021, mean 7.4 h (350 days)."."""
    return [
        f"**{NUMBERS[each.measure].label}**: {each.start:%Y}, mean "
        f"{units.text(each.measure, each.value)} ({days_text(each.n)})"
        for each in rows_of(findings, "best")
        if each.period == "year"
    ]


def best_table(findings: pd.DataFrame, units: Units) -> list[dict[str, str]]:
    """The bests as rows: the measure, and the best day, week, month and year of it."""
    rows: dict[str, dict[str, str]] = {}
    for each in rows_of(findings, "best"):
        row = rows.setdefault(each.measure, {"measure": NUMBERS[each.measure].label})
        row[each.period] = f"{units.text(each.measure, each.value)}, {_when(each)}"
    return list(rows.values())


def _when(best: Any) -> str:
    if best.period == "year":
        return f"{best.start:%Y}"
    if best.period == "month":
        return f"{best.start:%b %Y}"
    return f"{'week of ' if best.period == 'week' else ''}{date_text(best.start)}"


def streak_sentences(findings: pd.DataFrame, units: Units) -> list[str]:
    """The longest and the current streaks."""
    return [
        f"**{_goal(each, units)}**: {days_text(each.n)} in a row, from {date_text(each.start)} "
        + ("until now." if each.is_current else f"to {date_text(each.end)}.")
        for each in rows_of(findings, "streak")
    ]


def _goal(streak: Any, units: Units) -> str:
    if pd.isna(streak.measure):
        return "Device worn"
    label = NUMBERS[streak.measure].label
    return f"{label}, at least {units.text(streak.measure, streak.goal)}"


def gap_sentences(findings: pd.DataFrame) -> list[str]:
    """The gaps, longest first."""
    gaps = sorted(rows_of(findings, "gap"), key=lambda each: (-each.n, each.start))
    return [
        f"{days_text(each.n)} without data, {date_text(each.start)} to {date_text(each.end)}."
        for each in gaps
    ]


def device_sentences(findings: pd.DataFrame) -> list[str]:
    """The devices in order of their first day."""
    eras = rows_of(findings, "device_era")
    return [
        f"{verbatim(each.device)}: {date_text(each.start)} to {date_text(each.end)}, "
        f"{days_text(each.n)}."
        for each in eras
    ]


def change_sentence(change: Any, units: Units) -> str:
    """A change point in plain words: "From 3 May 2022 about 1,900 steps a day more ..."."""
    name = change.measure
    size = f"about {_about(units, name, abs(change.value))}"
    more = _direction(name, change.value)
    label = NUMBERS[name].label.lower()
    if name in _LEVELS:
        what = f"{label} {size} {more}"
    elif name == "steps":
        what = f"{size} steps a day {more}"
    else:
        what = f"{size} a day {more} {label}"
    low, high = (
        _about(units, name, value) for value in sorted(map(abs, (change.low, change.high)))
    )
    sentence = (
        f"From **{date_text(change.start)}** {what}: {units.text(name, change.before)} before, "
        f"{units.text(name, change.after)} after. Change between {low} and {high}, from "
        f"{days_text(change.n)}."
    )
    if not pd.isna(change.device):
        sentence += (
            f" A new device began then ({verbatim(change.device)}): it may measure differently, "
            "without a change of yours."
        )
    return sentence


def change_label(change: Any, units: Units) -> str:
    """The label of a change point on a chart: "+1,900"."""
    return units.change(change.measure, change.value)


def association_sentence(found: Any) -> str:
    """Two measures that go together: "More steps go with more sleep on the next day"."""
    first, second = (NUMBERS[name].label.lower() for name in (found.measure, found.other))
    more = _direction(found.measure, 1).capitalize()
    second = f"{_direction(found.other, found.value)} {second}"
    return f"{more} {first}: {second} {_LAGS[int(found.lag)]}"


def _direction(measure: str, change: float) -> str:
    up, down = ("higher", "lower") if measure in _LEVELS else ("more", "less")
    return up if change > 0 else down


def _about(units: Units, measure: str, value: float) -> str:
    """`value` with two digits if it is a large count."""
    shown = value * units.factor(measure)
    if NUMBERS[measure].decimals == 0 and shown >= _LARGE:
        rounded = round(shown, 1 - math.floor(math.log10(shown)))
        return f"{number(rounded)} {units.unit(measure)}".rstrip()
    return units.text(measure, value)


def tried(findings: pd.DataFrame, what: str) -> int | None:
    """The number of measures or pairs that a search tried; None if it was not made."""
    for each in rows_of(findings, "search"):
        if each.other == what:
            return int(each.n)
    return None


def last_day(row: Any) -> date:
    """The last day so far of the period of a row of `summaries`."""
    day: date = (row.start + timedelta(days=int(row.length) - 1)).date()
    return day
