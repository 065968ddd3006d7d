"""Explore: distributions of a month's measurements, and relations between them."""

import streamlit as st

from dashboard import choices, data, explore_of_one, page, person
from dashboard.charts import common, explore
from dashboard.charts.theme import shared_domain
from dashboard.text import label
from fitness_assets.formatting import number, plural, size
from fitness_assets.models.segments.advice import SLEEP
from fitness_assets.record.raw import MEASUREMENTS, NUMBERS
from fitness_assets.release.bundle import Release

#: The topics of the view, and the tables that each one reads.
_TOPICS = {
    "Distributions": ["histograms"],
    "Activities": ["activities", "spreads"],
    "Relations": ["sample", "pairs", "trends"],
    "Health": ["correlations", "histograms", "spreads"],
    "Time": ["days", "weekdays"],
}
_RESTING = "resting_heart_rate"
_SPREAD = (
    "Boxes span the middle half of the days, lines 90% of them. White marks are medians: half of "
    "the days are above."
)


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    who = person.only(release)
    if who is not None and who.is_alone:
        explore_of_one.show(release, who)
        return
    topic = choices.segment("Topic", list(_TOPICS), "topic")
    if topic == "Activities":
        _activities(release)
    elif topic == "Relations":
        _relations(release)
    elif topic == "Health":
        _health(release)
    elif topic == "Time":
        _time(release)
    else:
        _distributions(release)
    page.caption_of_sample(release)
    names = [name for name in _TOPICS[topic] if release.has_table(name)]
    st.caption(
        f"To show this, {size(release.table_bytes(names))} were read and checked: {len(names)} of "
        f"the {plural(len(release.manifest.files), 'file')} of {release.month}, which have "
        f"{size(release.manifest.bytes)} in total. No other month was read."
    )


def _select_measurement(title: str, key: str, names: list[str], start: str) -> str:
    default = start if start in names else None
    return choices.one_of(title, names, key, lambda name: NUMBERS[name].label, default)


def _distributions(release: Release) -> None:
    bins, units = data.table(release, "histograms"), page.chosen_units()
    known = [name for name in MEASUREMENTS if (bins["number"] == name).any()]
    chosen = choices.some_of(
        "Measures", known, "measurements", lambda name: NUMBERS[name].label, known[:4]
    )
    if not chosen:
        st.info("Choose at least one measure.")
    # Columns for each pair: on a phone, one after the other, the charts are in the same order.
    for first in range(0, len(chosen), 2):
        pair = chosen[first : first + 2]
        for column, name in zip(st.columns(2, gap="medium"), pair, strict=False):
            with column:
                page.chart(common.histogram, bins[bins["number"] == name], name, units)
    st.caption(
        "The first and the last bar also count all values beyond them, about one day in 1,000."
    )


def _activities(release: Release) -> None:
    table, units = data.table(release, "activities"), page.chosen_units()
    if table.empty:
        st.info("This month has no activity labels.")
        return
    known = [name for name in MEASUREMENTS if table[name].notna().any()]
    name = _select_measurement("Measure to compare", "compared", known, "steps")
    left, right = st.columns(2, gap="medium")
    with left:
        shares = dict(zip(table["activity_type"], table["days"] / table["days"].sum(), strict=True))
        page.chart(common.share_bars, shares, "Main activity of the day")
        page.known_days(int(table["days"].sum()), release.info.summary.records)
    with right:
        spreads = data.table(release, "spreads")
        page.chart(explore.spread_by_activity, spreads[spreads["number"] == name], name, units)
        st.caption(_SPREAD)
    page.table(
        units.convert(table).assign(activity=[label(n) for n in table["activity_type"]]),
        {
            "activity": "Activity",
            "days": page.number_column("Days"),
            "users": page.number_column("Users"),
            **{
                name: page.number_column(units.title(name), NUMBERS[name].decimals)
                for name in ("steps", "calories_burned", "heart_rate_avg", "sleep_hours")
            },
        },
        "Activities with their days, users and mean measures",
    )
    kind = "Medians" if release.has_table("pairs") else "Means"
    st.caption(f"{kind} of the days on which each was measured.")


def _relations(release: Release) -> None:
    trends = data.table(release, "trends")
    known = [name for name in MEASUREMENTS if (trends["x"] == name).any()]
    if len(known) < 2:  # noqa: PLR2004 - one for each axis
        st.info("This month has too few measures to relate them.")
        return
    left, right = st.columns(2)
    with left:
        x = _select_measurement("Horizontal axis", "x", known, "steps")
    with right:
        others = [name for name in known if name != x]
        y = _select_measurement("Vertical axis", "y", others, "calories_burned")
    trend = trends[(trends["x"] == x) & (trends["y"] == y)]
    people = page.people(release, notice=False)
    sample = people.sample() if people else None
    if sample is not None:
        page.chart(explore.scatter, sample, trend, x, y, page.chosen_units())
        points = f"Points are a fixed sample of {number(len(sample))} worn days."
    else:
        pairs = data.table(release, "pairs")
        cells = pairs[pairs["x"].isin([x, y]) & pairs["y"].isin([x, y])]
        page.chart(explore.binned_scatter, cells, trend, x, y, page.chosen_units())
        points = "Deeper blue: more worn days. Cells with few people are left out."
    st.caption(
        f"{points} The line shows the typical value: it connects the medians of 20 equal groups of "
        "all days."
    )


def _health(release: Release) -> None:
    units, bins = page.chosen_units(), data.table(release, "histograms")
    page.chart(explore.correlation_heatmap, data.table(release, "correlations"))
    st.caption(
        "1: one is high whenever the other is high; \N{MINUS SIGN}1: one is low whenever the other "
        "is high; 0: no link. Over the days that have both. It does not show a cause."
    )
    sleep, heart_rate = (bins[bins["number"] == name] for name in ("sleep_hours", _RESTING))
    left, right = st.columns(2, gap="medium")
    if len(sleep):
        with left:
            mark = (SLEEP[0], f"{number(SLEEP[0])} hours")
            page.chart(common.histogram, sleep, "sleep_hours", units, mark)
            st.caption("Recommended for adults: 7 to 9 hours (Hirshkowitz et al., 2015).")
    if len(heart_rate):
        with right:
            page.chart(common.histogram, heart_rate, _RESTING, units)
    spreads = data.table(release, "spreads")
    heart_rate = spreads[spreads["number"] == "heart_rate_avg"]
    if not heart_rate.empty:
        page.chart(explore.spread_by_activity, heart_rate, "heart_rate_avg", units)
        st.caption(_SPREAD)


def _time(release: Release) -> None:
    days, units = data.table(release, "days"), page.chosen_units()
    known = [name for name in MEASUREMENTS if days[name].notna().any()]
    name = _select_measurement("Measure", "measurement", known, "steps")
    weekdays = data.table(release, "weekdays")
    domain = shared_domain(days[name], weekdays[name])
    page.chart(common.daily_means, days, name, units, domain)
    left, right = st.columns(2, gap="medium")
    with left:
        page.chart(explore.weekday_means, weekdays, name, units, domain)
    with right:
        page.chart(common.daily_records, days)
