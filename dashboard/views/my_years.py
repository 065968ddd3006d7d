"""My years: one person's weeks and months over years, and what they show."""

import pandas as pd
import streamlit as st

from dashboard import choices, notes, page, person, years
from dashboard.charts import my_years
from dashboard.charts.my_years import Mark
from fitness_assets import months
from fitness_assets.formatting import days_text, number
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.release.bundle import Release
from fitness_assets.text import printable

_PERIODS = {"Months": "month", "Weeks": "week"}
_CALENDAR = [f"{pd.Timestamp(2000, number, 1):%B}" for number in range(1, 13)]


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    people = page.people(release)
    if people is None:
        return
    users = people.users()
    if not users:
        st.info(f"There are no days in {release.month}.", icon=":material/info:")
        return
    user = users[0]
    if len(users) > 1:
        user = choices.user(users)
    summaries = person.summaries(user, release)
    findings = people.findings(user)
    if summaries.empty or findings is None:
        st.info(
            "These releases have no summaries of years. To add them, materialize "
            "`person_history` and `dashboard_release`, or run `fitness backfill --stale`.",
            icon=":material/info:",
        )
        return
    units = page.chosen_units()
    _what_changed(release, summaries, findings, units)
    known = years.measures(summaries)
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        name = choices.one_of("Measure", known, "measure", lambda each: NUMBERS[each].label)
    with right:
        period = choices.button("Period", list(_PERIODS), "period")
    own = summaries[summaries["measure"] == name]
    _long_line(release, own[own["period"] == _PERIODS[period]], findings, user, units)
    _changes(findings, units)
    _associations(findings)
    by_month = own[own["period"] == "month"]
    st.header("Seasons")
    _years_compared(release, by_month, name, units)
    _records(findings, units)
    notes.editor(user, years.last_day(by_month.iloc[-1]))


def _what_changed(
    release: Release, summaries: pd.DataFrame, findings: pd.DataFrame, units: Units
) -> None:
    month, before = _named(release.month), _named(months.shift(release.month, -1))
    st.header(f"What changed in {month}{' so far' if release.info.partial_until else ''}")
    changes = years.changes_of_month(summaries, release.month)
    st.write(years.month_sentence(changes, units, before))
    page.table(
        [
            {
                "measure": units.title(each.measure),
                "now": _text(each.measure, each.now, units),
                "before": _text(each.measure, each.before, units),
                "year_before": _text(each.measure, each.year_before, units),
            }
            for each in changes
        ],
        # Short, so that a phone shows all columns.
        {
            "measure": "Typical day",
            "now": _short(release.month),
            "before": _short(months.shift(release.month, -1)),
            "year_before": _short(months.shift(release.month, -12)),
        },
        f"Medians of {month}, of the month before and of the same month a year before",
    )
    if best := years.best_years(findings, units):
        st.markdown("Your best years so far:\n" + "\n".join(f"- {line}" for line in best))


def _text(name: str, value: float, units: Units) -> str:
    return units.number(name, value)


def _long_line(
    release: Release, rows: pd.DataFrame, findings: pd.DataFrame, user: str, units: Units
) -> None:
    name = rows["measure"].iloc[0]
    until = release.info.partial_until
    ends = [years.last_day(row) for row in rows.itertuples()]
    partial = [until is not None and end == until for end in ends]
    devices = years.rows_of(findings, "device_era")
    marks = [Mark(each.start, printable(str(each.device)), is_device=True) for each in devices[1:]]
    marks += [
        Mark(each.start, years.change_label(each, units), is_device=False)
        for each in years.rows_of(findings, "change_point")
        if each.measure == name
    ]
    drawn = rows.assign(is_partial=partial)
    page.chart(my_years.long_line, drawn, name, units, marks, notes.of(user))
    key = [
        "Line: median (the typical day).",
        "Band: from the 10th to the 90th percentile of the days, your usual range.",
    ]
    if any(partial):
        key.append("Hollow point: has not ended.")
    if len(devices) > 1:
        key.append("Dashed line: a new device.")
    if any(not mark.is_device for mark in marks):
        key.append("Solid line: a lasting change.")
    if notes.of(user):
        key.append("Grey band: a note.")
    st.caption(" ".join(key))


def _changes(findings: pd.DataFrame, units: Units) -> None:
    st.header("Lasting changes")
    found = years.rows_of(findings, "change_point")
    for each in found:
        st.markdown(f"- {years.change_sentence(each, units)}")
    if not found:
        st.write(_nothing(years.tried(findings, "change_points"), "measures", "changed for good"))


def _associations(findings: pd.DataFrame) -> None:
    st.header("What goes with what")
    found = years.rows_of(findings, "association")
    if not found:
        tried = years.tried(findings, "associations")
        st.write(_nothing(tried, "pairs of measures", "goes together more than chance explains"))
        return
    page.table(
        [
            {
                "what": years.association_sentence(each),
                "strength": f"{number(each.value, 2)} "
                f"({number(each.low, 2)} to {number(each.high, 2)})",
                "days": days_text(int(each.n)),
            }
            for each in found
        ],
        {"what": "On days with", "strength": "Correlation (95% interval)", "days": "Based on"},
        "Pairs of measures that go together",
    )
    st.caption(
        "Trend and weekdays are removed first. A correlation of 1 is the strongest, 0 is none. "
        "It does not show a cause."
    )


def _nothing(tried: int | None, what: str, which: str) -> str:
    if tried is None:
        return "This was not looked for: that needs a home of at most 50 users."
    if tried == 0:
        return f"Nothing could be looked for: no {what} have enough days yet."
    return f"Nothing found: of {number(tried)} {what} none {which}. This is common."


def _years_compared(release: Release, rows: pd.DataFrame, name: str, units: Units) -> None:
    year, month = (int(part) for part in release.month.split("-"))
    left, right = st.columns(2, gap="medium")
    with left:
        page.chart(my_years.seasons, rows, name, units, year)
    with right:
        # The month itself is the first option, which is the default.
        options = _CALENDAR[month - 1 :] + _CALENDAR[: month - 1]
        chosen = choices.one_of("Month to compare", options, "compare")
        same = rows[rows["start"].dt.month == _CALENDAR.index(chosen) + 1]
        if same.empty:
            st.info(f"No {chosen} has data.")
        else:
            page.chart(my_years.same_month, same, name, units, year)
            st.caption("Points: median. Lines: from the 10th to the 90th percentile of the days.")


def _records(findings: pd.DataFrame, units: Units) -> None:
    st.header("Personal bests")
    if best := years.best_table(findings, units):
        page.table(
            best,
            {
                "measure": "Measure",
                "day": "Best day",
                "week": "Best week (daily mean)",
                "month": "Best month (daily mean)",
                "year": "Best year (daily mean)",
            },
            "Personal bests by day, week, month and year",
        )
    else:
        st.write("There are no bests yet.")
    for title, lines, none in (
        ("Streaks", years.streak_sentences(findings, units), "There are no streaks yet."),
        ("Gaps", years.gap_sentences(findings), "No gap of a week or more."),
        ("Devices", years.device_sentences(findings), "No device is recorded."),
    ):
        st.header(title)
        st.markdown("\n".join(f"- {line}" for line in lines) or none)


def _named(month: str) -> str:
    return f"{months.start(month):%B %Y}"


def _short(month: str) -> str:
    return f"{months.start(month):%b %Y}"
