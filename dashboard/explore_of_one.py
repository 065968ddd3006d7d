"""Explore for one person: the month compared with the person's own past."""

import pandas as pd
import streamlit as st

from dashboard import choices, notes, page, person
from dashboard.charts import explore_of_one as charts
from dashboard.person import Person
from fitness_assets import months
from fitness_assets.formatting import change, number
from fitness_assets.record.raw import NUMBERS
from fitness_assets.release.bundle import Release

_MONTHS = 13
_MEASURES = [name for name, spec in NUMBERS.items() if not spec.trait or name == "weight_kg"]


def show(release: Release, who: Person) -> None:
    """Compare the month of `release` with an earlier time of the person `who`."""
    days = person.days(who.user, release, _MONTHS)
    now = _of_months(days, [release.month])
    pasts = _pasts(days, release.month)
    if now.empty or not pasts:
        st.info("There is no earlier month to compare this one with.", icon=":material/info:")
        return
    left, right = st.columns(2)
    with right:
        chosen = choices.one_of("Compare with", list(pasts), "past")
    past = pasts[chosen]
    # A release of an older version lacks the columns that were added since.
    known = [n for n in _MEASURES if n in days and now[n].notna().any() and past[n].notna().any()]
    if not known:
        st.info("Nothing was measured in both.", icon=":material/info:")
        return
    with left:
        name = choices.one_of("Measure", known, "measurement", lambda n: NUMBERS[n].label)
    units = page.chosen_units()
    left, right = st.columns(2, gap="medium")
    with left:
        own = notes.of(who.user)
        page.chart(charts.by_day, now[["date", name]], past[["date", name]], name, units, own)
        st.caption("Line: this month. Band: your usual range, in which 80% of the past days lie.")
    with right:
        page.chart(charts.by_weekday, now[["date", name]], past[["date", name]], name, units)
    rows = []
    for each in known:
        spec, factor = NUMBERS[each], units.factor(each)
        mean, before = now[each].mean() * factor, past[each].mean() * factor
        rows.append(
            {
                "measure": units.title(each),
                "now": number(mean, spec.decimals),
                "past": number(before, spec.decimals),
                "change": change(before, mean, spec.decimals),
                "days": f"{number(now[each].count())} and {number(past[each].count())}",
            }
        )
    page.table(
        rows,
        {
            "measure": "Mean of a day",
            "now": f"{months.start(release.month):%B %Y}",
            "past": "The past",
            "change": "Difference",
            "days": "Days with a value",
        },
        "Means of the month and of the past, by measure",
    )


def _pasts(days: pd.DataFrame, month: str) -> dict[str, pd.DataFrame]:
    """The times that `month` can be compared with, and their days."""
    earlier = [months.shift(month, -number) for number in range(1, _MONTHS)]
    found = {
        "The month before": _of_months(days, earlier[:1]),
        "The same month a year before": _of_months(days, earlier[-1:]),
        "The 12 months before": _of_months(days, earlier),
    }
    return {name: part for name, part in found.items() if not part.empty}


def _of_months(days: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    if days.empty:
        return days
    kept: pd.DataFrame = days[days["date"].dt.strftime("%Y-%m").isin(wanted)]
    return kept
