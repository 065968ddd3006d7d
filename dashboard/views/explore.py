"""Explore: how the numbers of a month are distributed, and how they go together."""

import streamlit as st

from dashboard import charts, data, page
from dashboard.units import NUMBERS
from fitness_assets.models.segments.advice import SLEEP
from fitness_assets.release.bundle import Release

_OF_A_DAY = [name for name in NUMBERS if name not in {"age", "height_cm", "weight_kg"}]
#: Each part of the view, and the tables it reads.
_PARTS = {
    "Distributions": ["histograms"],
    "Activities": ["activities", "spreads", "sample", "trends"],
    "Health": ["correlations", "histograms", "spreads"],
    "Time": ["days", "weekdays"],
}


@page.of_release("Explore")
def show(release: Release) -> None:
    """Draw the view."""
    part = st.segmented_control(
        "What to look at", list(_PARTS), default="Distributions", required=True, key="explore"
    )
    if part == "Activities":
        _activities(release)
    elif part == "Health":
        _health(release)
    elif part == "Time":
        _time(release)
    else:
        _distributions(release)
    names = _PARTS[part]
    st.caption(
        f"To show this, {release.table_bytes(names):,} bytes were read and verified: "
        f"{len(names)} of the {len(release.manifest.files)} files of {release.month}, which have "
        f"{release.manifest.bytes:,}, and nothing of any other month."
    )


def _number(label: str, key: str, names: list[str], start: str) -> str:
    chosen: str = st.selectbox(
        label,
        names,
        index=names.index(start) if start in names else 0,
        format_func=lambda name: NUMBERS[name].label,
        key=key,
    )
    return chosen


def _distributions(release: Release) -> None:
    bins, units = data.table(release, "histograms"), data.units()
    known = [name for name in _OF_A_DAY if (bins["number"] == name).any()]
    chosen = st.multiselect(
        "Numbers",
        known,
        default=known[:4],
        format_func=lambda name: NUMBERS[name].label,
        key="explore-numbers",
    )
    if not chosen:
        st.info("Choose a number to see how it is distributed.")
    columns = st.columns(2, gap="medium")
    for place, name in enumerate(chosen):
        with columns[place % 2]:
            page.figure(charts.histogram, bins[bins["number"] == name], name, units)
    st.caption("The outermost bars hold what lies beyond them, which is a day in a thousand.")


def _activities(release: Release) -> None:
    table, units = data.table(release, "activities"), data.units()
    if table.empty:
        st.info("This month has no activity labels.")
        return
    known = [name for name in _OF_A_DAY if table[name].notna().any()]
    left, right = st.columns(2, gap="medium")
    with left:
        mix = dict(zip(table["activity_type"], table["days"] / table["days"].sum(), strict=True))
        page.figure(charts.shares, mix, "Main activity of the day")
    with right:
        name = _number("Number to compare", "explore-activity", known, "steps")
        spreads = data.table(release, "spreads")
        page.figure(charts.spread_by_activity, spreads[spreads["number"] == name], name, units)
        st.caption("Each line holds nine of ten days, each box half of them, the mark the median.")
    page.table(
        units.of(table).assign(activity=[charts.readable(n) for n in table["activity_type"]]),
        {
            "activity": "Activity",
            "days": page.number("Days"),
            "users": page.number("Users"),
            **{
                name: page.number(units.title(name), NUMBERS[name].decimals)
                for name in ("steps", "calories_burned", "heart_rate_avg", "sleep_hours")
            },
        },
        "Activities with their days, users and mean readings",
    )
    st.caption("Means over the days that have the reading.")
    left, right = st.columns(2)
    with left:
        x = _number("Across", "explore-x", known, "steps")
    with right:
        y = _number("Up", "explore-y", [name for name in known if name != x], "calories_burned")
    trend = data.table(release, "trends")
    trend = trend[(trend["x"] == x) & (trend["y"] == y)]
    sample = data.table(release, "sample")
    page.figure(charts.scatter, sample, trend, x, y, units)
    st.caption(
        f"The points are {len(sample):,} of the worn days, the same at each visit. The line is the "
        "median over all days, in twentieths."
    )


def _health(release: Release) -> None:
    units, bins = data.units(), data.table(release, "histograms")
    page.figure(charts.correlations, data.table(release, "correlations"))
    st.caption("Over the days that have both readings. It says what goes together, not why.")
    left, right = st.columns(2, gap="medium")
    with left:
        sleep = bins[bins["number"] == "sleep_hours"]
        line = (SLEEP[0], f"{SLEEP[0]:.0f} hours")
        page.figure(charts.histogram, sleep, "sleep_hours", units, line)
        st.caption("Adults do well with seven to nine hours (Hirshkowitz et al., 2015).")
    with right:
        heart = bins[bins["number"] == "resting_heart_rate"]
        page.figure(charts.histogram, heart, "resting_heart_rate", units)
    spreads = data.table(release, "spreads")
    heart = spreads[spreads["number"] == "heart_rate_avg"]
    if not heart.empty:
        page.figure(charts.spread_by_activity, heart, "heart_rate_avg", units)


def _time(release: Release) -> None:
    days, units = data.table(release, "days"), data.units()
    known = [name for name in _OF_A_DAY if days[name].notna().any()]
    name = _number("Number", "explore-time", known, "steps")
    page.figure(charts.daily_series, days, name, units)
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.weekdays, data.table(release, "weekdays"), name, units)
    with right:
        page.figure(charts.delivered, days)
