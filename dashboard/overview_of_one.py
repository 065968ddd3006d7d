"""The overview for one person: the last week, compared with what is usual for them."""

from collections.abc import Sequence
from datetime import UTC, date

import pandas as pd
import streamlit as st

from dashboard import notes, page, person, personal
from dashboard.charts import person as charts
from dashboard.person import Person
from dashboard.personal import Change
from fitness_assets import clock
from fitness_assets.formatting import date_text, days_text, signed_percent
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.release.bundle import Release
from fitness_assets.text import verbatim

#: What the sentence calls the measurements, and how it states each: as the change in percent, as
#: the value, or as the difference. The first three that have values are shown.
_TILES = {
    "steps": ("steps", "share"),
    "sleep_hours": ("sleep", "value"),
    "resting_heart_rate": ("resting pulse", "difference"),
    "active_minutes": ("active time", "share"),
    "heart_rate_avg": ("mean pulse", "difference"),
    "calories_burned": ("energy", "share"),
    "distance_km": ("distance", "share"),
}
_TILES_SHOWN = 3
#: Measurements whose trend is drawn, and the months of it.
_TRENDS = ("sleep_hours", "weight_kg")
_TREND_MONTHS = 12
_DAYS_OF_WEEK = 7
#: Days without data after which the page asks for an import.
_LATE = 7


def show(release: Release, who: Person) -> None:
    """Draw the overview of the person `who`."""
    days = person.days(who.user, release, _TREND_MONTHS)
    if days.empty:
        st.info(f"There are no days of yours in {release.month}, nor before.")
        return
    units = page.chosen_units()
    known = [name for name in _TILES if days[name].notna().any()]
    changes = personal.week_compared(days, known)[:_TILES_SHOWN]
    last, today = days["date"].max().date(), clock.today(UTC)
    when = _when(last, today)
    if changes:
        name = "" if who.name is None else f"{verbatim(who.name)} \N{EN DASH} "
        st.markdown(name + sentence(when, changes, units))
        _tiles(changes, units)
        st.caption(
            f"Your usual is your mean of the 28 days before the week of {_week(last)}. "
            f"{_worn(days, last)}"
        )
    else:
        st.info(
            f"{when} cannot be compared yet: that needs 7 days with a value in the 28 days before "
            "it.",
            icon=":material/info:",
        )
    _arrival(release, last, today)
    own = notes.of(who.user)
    drawn = [name for name in _TRENDS if days[name].notna().any()]
    for column, name in zip(st.columns(max(len(drawn), 1), gap="medium"), drawn, strict=False):
        with column:
            page.chart(charts.trend, days[["date", name]], name, units, own)
    if "weight_kg" not in drawn:
        st.caption("No weight was recorded, so it has no trend.")
    notes.editor(who.user, last)


def sentence(when: str, changes: Sequence[Change], units: Units) -> str:
    """The week in one sentence: "This week: steps +6%, sleep 7.2 h, resting pulse +1.6 bpm ..."."""
    parts = [_part(change, units) for change in changes]
    return f"**{when}**: {', '.join(parts)} compared with your usual."


def _part(change: Change, units: Units) -> str:
    name, form = _TILES[change.name]
    if form == "share":
        return f"{name} {signed_percent(change.share)}"
    if form == "value":
        return f"{name} {units.text(change.name, change.mean)}"
    return f"{name} {units.difference(change.name, change.usual, change.mean)}"


def _tiles(changes: Sequence[Change], units: Units) -> None:
    with st.container(horizontal=True):
        for change in changes:
            page.change_metric(
                f"{NUMBERS[change.name].label}, daily mean",
                units.text(change.name, change.mean),
                f"{units.difference(change.name, change.usual, change.mean)} from your usual "
                f"{units.text(change.name, change.usual)}",
            )


def _when(last: date, today: date) -> str:
    """What the sentence calls the week that ends on `last`: its dates, or the present week."""
    return "This week" if 0 <= (today - last).days < _DAYS_OF_WEEK else f"Week of {_week(last)}"


def _week(last: date) -> str:
    first = last - pd.Timedelta(days=_DAYS_OF_WEEK - 1)
    return f"{first:%-d %b} to {date_text(last)}"


def _worn(days: pd.DataFrame, last: date) -> str:
    week = days[days["date"] > pd.Timestamp(last) - pd.Timedelta(days=_DAYS_OF_WEEK)]
    return f"The device was worn on {int(week['worn'].sum())} of its 7 days."


def _arrival(release: Release, last: date, today: date) -> None:
    """When data last arrived, if this is the newest month."""
    ago = (today - last).days
    if release.month != max(st.session_state.get("months", [release.month])):
        st.caption(f"Last day shown: {date_text(last)}. Later months are in the list of months.")
    elif ago >= _LATE:
        st.warning(
            f"Data last arrived for {date_text(last)}, {days_text(ago)} ago. A newer export adds "
            "the days since.",
            icon=":material/schedule:",
        )
    else:
        st.caption(f"Data last arrived for {date_text(last)}.")
