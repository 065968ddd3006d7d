"""My days: one user's month beside what is usual for them."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, page, personal
from dashboard.units import NUMBERS
from fitness_assets.models.datasets import held_out
from fitness_assets.models.explanations import habit_advice
from fitness_assets.models.prediction import predict_calories_of_days
from fitness_assets.models.segments.advice import SLEEP, STEPS
from fitness_assets.release import flat
from fitness_assets.release.bundle import Release, served

_SHOWN = [name for name in NUMBERS if name not in {"age", "height_cm", "weight_kg"}]


@page.of_release("My days")
def show(release: Release) -> None:
    """Draw the view."""
    users = data.users(release)
    left, right = st.columns(2)
    with left:
        user = st.selectbox(
            "User",
            users,
            key="user",
            help="Ids are as the lake has them; exports come under pseudonyms.",
        )
    days = data.days_of(release, user)
    known = [name for name in _SHOWN if days[name].notna().any()]
    if not known:
        st.info(f"Nothing was recorded of this user in {release.month}.")
        return
    with right:
        number = st.selectbox(
            "Number",
            known,
            format_func=lambda name: NUMBERS[name].label,
            key="my-number",
        )
    _week(days)
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.heat, days, number, data.units())
        st.caption("Darker is more; grey has no reading.")
    with right:
        _goals(days)
    _segment(release, user)
    _energy(release, user, days)
    st.subheader("Take your days with you")
    st.caption(f"All {len(days)} days of {release.month} as the release has them, in metric units.")
    page.downloads(days, f"days-{release.month}")


def _week(days: pd.DataFrame) -> None:
    units = data.units()
    ends = personal.weeks(days)
    end = st.selectbox(
        "Week",
        ends,
        format_func=lambda last: f"{last - pd.Timedelta(days=6):%-d %b} to {last:%-d %b %Y}",
        key="my-week",
    )
    told = personal.changes(days, end)
    if not told:
        st.info("Not enough is known of this week and the 28 days before it to compare them.")
        return
    with st.container(horizontal=True):
        for change in told:
            difference = units.text(change.name, change.week - change.usual)
            st.metric(
                f"{NUMBERS[change.name].label}, mean a day",
                units.text(change.name, change.week),
                f"{difference} against the 28 days before",
                delta_color=personal.USUAL[change.name],
                border=True,
            )
    most = personal.most_changed(told)
    if most is None:
        st.write("A week like those before it: nothing changed by a twentieth or more.")
    else:
        st.write(
            f"What changed most: {NUMBERS[most.name].label.lower()}, "
            f"{abs(most.share):.0%} {'above' if most.share > 0 else 'below'} your usual "
            f"{units.text(most.name, most.usual)}."
        )


def _goals(days: pd.DataFrame) -> None:
    units = data.units()
    left, right = st.columns(2)
    with left:
        steps = st.number_input("Goal: steps a day", 0, 100_000, STEPS, 500, key="goal-steps")
    with right:
        sleep = st.number_input(
            "Goal: hours of sleep", 0.0, 24.0, SLEEP[0], 0.5, format="%.1f", key="goal-sleep"
        )
    for name, goal in (("steps", float(steps)), ("sleep_hours", sleep)):
        reached, longest, lasting = personal.streaks(days, name, goal)
        st.write(
            f"**{NUMBERS[name].label}**: {reached} of {len(days)} days reach "
            f"{units.text(name, goal)}. Longest streak: {_days(longest)}; at the end of the month: "
            f"{_days(lasting) if lasting else 'none'}."
        )
    usual = days.assign(usual=days["steps_mean_28d"])
    page.figure(charts.against_usual, usual, "steps", units, float(steps))
    st.caption("Bars are days, the line is your mean of the 28 days before, dashed is the goal.")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _segment(release: Release, user: str) -> None:
    st.subheader("Your group, and the one habit to move")
    metrics = data.metrics(release)["segment_model"]
    if not metrics["released"]:
        data.told(metrics)
        return
    if not metrics["stable"]:
        st.info("No stable groups were found this month, so there is none to tell you of.")
        return
    people = data.table(release, "people")
    own = people[people["user_id"] == user]
    if own.empty:
        st.info("You have too few worn days for a group: it takes a week of them.")
        return
    profile = _profile(metrics, int(own["segment"].iloc[0]))
    before = own["before"].iloc[0]
    told = f"You are in “{profile['name']}”, with {profile['users'] - 1:,} others"
    if before and before != profile["name"]:
        told += f"; the month before it was “{before}”"
    st.write(f"{told}.")
    typed = flat.segments(metrics)
    (segment,) = (each for each in typed.profiles if each.segment == profile["segment"])
    advice = habit_advice(segment, typed)
    if advice:
        st.write(f"What would move it: {advice}")
        st.caption("Arithmetic on what the people of these groups do, not a promise of cause.")
    else:
        st.write("No group nearby is better in one thing and worse in none, so there is no advice.")


def _profile(metrics: dict[str, Any], segment: int) -> dict[str, Any]:
    profile: dict[str, Any] = next(
        profile for profile in metrics["profiles"] if profile["segment"] == segment
    )
    return profile


def _energy(release: Release, user: str, days: pd.DataFrame) -> None:
    st.subheader("Energy: what was recorded and what is expected")
    told = served(data.metrics(release)["calorie_regressor"])
    worn = days[days["worn"] & days["calories_burned"].notna()]
    loaded = data.models(release)
    model = loaded and loaded.models["calorie_regressor"]
    if told is None or model is None:
        st.info("This release carries no calorie model to expect anything with.")
        return
    if worn.empty:
        st.info("No energy was recorded on a worn day.")
        return
    found = predict_calories_of_days(model, flat.regressor(told), worn)
    shown = found.assign(date=worn["date"], kcal=worn["calories_burned"])
    within = shown["kcal"].between(shown["low"], shown["high"])
    page.figure(
        charts.expected, shown.assign(within=within.map({True: "within", False: "outside"}))
    )
    error = (shown["kcal"] - shown["expected"]).abs().mean()
    learned = (
        "has not learned from you" if held_out(pd.Series([user]))[0] else "learned from you too"
    )
    st.caption(
        f"{within.sum()} of {len(shown)} days lie within the interval that is to hold nine of ten. "
        f"The estimate is off by {error:,.0f} kcal on average. The model {learned}."
    )
