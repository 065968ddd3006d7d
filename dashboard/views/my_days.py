"""My days: one user's month, compared with their usual values."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import choices, contributions, data, downloads, notes, page, person, personal
from dashboard.charts import my_days
from dashboard.choices import Scale
from dashboard.text import label
from fitness_assets import months
from fitness_assets.formatting import (
    NO_DATA,
    days_text,
    minutes,
    number,
    percent,
    plural,
    time_of_day,
)
from fitness_assets.history.sleep_times import sleep_times, weekend_sentence
from fitness_assets.history.training import LOAD_MONTHS, load_sentence, training
from fitness_assets.models.contributions import explain_calories_of_day
from fitness_assets.models.datasets import held_out
from fitness_assets.models.explanations import habit_advice
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.prediction import predict_calories_of_days
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.models.segments.advice import SLEEP, STEPS
from fitness_assets.record.raw import MEASUREMENTS, NUMBERS, OPTIONAL_MEASUREMENTS
from fitness_assets.release.bundle import Release
from fitness_assets.storage.notes import Note
from fitness_assets.text import verbatim

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from dashboard.people import People

# Goals that can be entered: steps a day, and hours of sleep.
_STEPS_GOALS = Scale(high=100_000.0, step=500.0)
_SLEEP_GOALS = Scale(high=24.0, step=0.5, decimals=1)
# What the table of workouts shows in the chosen units.
_OF_WORKOUT = ("distance_km", "calories_burned", "heart_rate_avg")


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
    left, right = st.columns(2)
    with left:
        if people.own or len(users) == 1:
            user = users[0]
            st.write("Your own days")
        else:
            user = choices.user(users)
            st.caption("Ids as stored in the lake. Users of imported exports have pseudonyms.")
    days = people.days(user)
    measured = [name for name in (*MEASUREMENTS, *OPTIONAL_MEASUREMENTS) if name in days]
    known = [name for name in measured if days[name].notna().any()]
    if not known:
        st.info(f"Nothing was measured for this user in {release.month}.")
        return
    with right:
        name = choices.one_of("Measure", known, "measurement", lambda name: NUMBERS[name].label)
    _week(days)
    own_notes = notes.of(user)
    steps_goal, sleep_goal = _goals()
    left, right = st.columns(2, gap="medium")
    with left:
        page.chart(my_days.calendar_heatmap, days, name, page.chosen_units())
        st.caption("Deeper blue means more. Grey days have no value.")
    with right:
        _progress(days, steps_goal, sleep_goal, own_notes)
    _sleep_times(days, own_notes)
    # One person has no segment, and nobody to be compared with.
    if len(users) > 1 or people.has_map:
        _segment(release, people, user)
    _energy(release, people, user, days, own_notes)
    _workouts(release, user, days, own_notes)
    notes.editor(user, days["date"].max())
    st.header("Download your days")
    st.caption(f"All {days_text(len(days))} of {release.month} as released, in metric units.")
    downloads.buttons(days, f"days-{release.month}")


def _week(days: pd.DataFrame) -> None:
    units = page.chosen_units()
    end = choices.one_of(
        "Week",
        personal.week_ends(days),
        "week",
        lambda last: f"{last - pd.Timedelta(days=6):%-d %b} to {last:%-d %b %Y}",
    )
    changes = personal.week_changes(days, end)
    if not changes:
        st.info("This week cannot be compared: it, or the 28 days before it, has too few values.")
        return
    with st.container(horizontal=True):
        for change in changes:
            page.change_metric(
                f"{NUMBERS[change.name].label}, daily mean",
                units.text(change.name, change.mean),
                f"{units.difference(change.name, change.usual, change.mean)} "
                "compared with the 28 days before",
                is_better=personal.is_better(change),
            )
    largest = personal.largest_change(changes)
    if largest is None:
        st.write("A normal week: nothing changed by 5% or more.")
    else:
        st.write(
            f"Largest change: {NUMBERS[largest.name].label.lower()}, {percent(abs(largest.share))} "
            f"{'above' if largest.share > 0 else 'below'} the usual "
            f"{units.text(largest.name, largest.usual)}."
        )


def _goals() -> tuple[float, float]:
    """The goals that the user enters: steps a day, and hours of sleep."""
    left, right = st.columns(2)
    with left:
        steps = choices.number("Goal: steps a day", "goal-steps", STEPS, _STEPS_GOALS)
    with right:
        sleep = choices.number("Goal: hours of sleep", "goal-sleep", SLEEP[0], _SLEEP_GOALS)
    return steps or 0.0, sleep or 0.0


def _progress(
    days: pd.DataFrame, steps_goal: float, sleep_goal: float, own_notes: list[Note]
) -> None:
    units = page.chosen_units()
    for name, goal in (("steps", steps_goal), ("sleep_hours", sleep_goal)):
        reached, longest, current = personal.streaks(days, name, goal)
        st.write(
            f"**{NUMBERS[name].label}**: {reached} of {len(days)} days reach "
            f"{units.text(name, goal)}. Longest streak: {days_text(longest)}. Streak at the end: "
            f"{days_text(current) if current else 'none'}."
        )
    usual = days.assign(usual=days["steps_mean_28d"])
    page.chart(my_days.goal_progress, usual, "steps", units, steps_goal, own_notes)
    st.caption("Bars: days. Solid line: mean of the 28 days before. Dashed line: goal.")


def _sleep_times(days: pd.DataFrame, own_notes: list[Note]) -> None:
    """When the user slept in the month, and how regularly; nothing if too few nights are known."""
    found = sleep_times(days)
    if found is None:
        return
    st.header("Times of sleep")
    text = (
        f"In {number(found.nights)} nights you fell asleep at {time_of_day(found.start)} and woke "
        f"at {time_of_day(found.end)}, by median."
    )
    if found.weekend_later is not None:
        text += f" {weekend_sentence(found.weekend_later)}"
    st.write(text)
    page.chart(my_days.sleep_times, days, own_notes)
    if found.regularity is not None:
        st.write(f"Regularity: {number(found.regularity)} of 100.")
        st.caption(
            "The Sleep Regularity Index (Phillips et al. 2017): 100 is to sleep at the same times "
            "every day, 0 is to sleep at random times. It is calculated from the times of falling "
            "asleep and waking of consecutive nights, without naps. It is no medical advice."
        )


def _segment(release: Release, people: "People", user: str) -> None:
    st.header("Your segment")
    model = data.report(release).models["segment_model"]
    metrics = page.carried_metrics(model, SegmentMetrics)
    # Users are assigned by the month's own model only.
    if metrics is None or not model.report.released:
        return
    if not metrics.stable:
        st.info("No stable segments were found this month, so you have none.")
        return
    own = people.place(user)
    if own is None or own.empty:
        st.info("You have no segment: it needs at least a week of worn days.")
        return
    name = own["segment_name"].iloc[0]
    profile = next((profile for profile in metrics.profiles if profile.name == name), None)
    if profile is None:
        st.info(
            f"You are in “{verbatim(name)}”, which this release does not describe: it has few "
            "users."
        )
        return
    before = own["before"].iloc[0]
    text = f"You are in “{verbatim(profile.name)}” with {plural(profile.users - 1, 'other user')}"
    if before and before != profile.name:
        text += f". In the month before you were in “{verbatim(before)}”"
    st.write(f"{text}.")
    advice = habit_advice(profile, metrics, verbatim)
    if advice:
        st.write(f"To move to a better segment: {advice}")
        st.caption(
            "Calculated from the habits of the users of these segments. It does not show a cause."
        )
    else:
        st.write("There is no advice: no segment is better in one measure and worse in none.")


def _energy(
    release: Release, people: "People", user: str, days: pd.DataFrame, own_notes: list[Note]
) -> None:
    entry = data.report(release).models["calorie_regressor"]
    metrics, model = _personal_model(people)
    if model is None and entry.report.scope == "personal" and entry.carried is None:
        # There are too few people for another model, and theirs was not released.
        return
    st.header("Expected energy")
    if model is None:
        metrics = data.carried_metrics(entry, RegressorMetrics)
        loaded = page.loaded_models(release)
        model = loaded and loaded.models["calorie_regressor"]
    worn = days[days["worn"] & days["calories_burned"].notna()]
    if metrics is None or model is None:
        st.info("No energy is estimated: this month has no model for it.")
        return
    if worn.empty:
        st.info("No energy was recorded on worn days.")
        return
    expected = predict_calories_of_days(model, metrics, worn)
    shown = expected.assign(date=worn["date"], kcal=worn["calories_burned"])
    inside = shown["kcal"].between(shown["low"], shown["high"])
    page.chart(
        my_days.expected_energy,
        shown.assign(place=inside.map(dict(zip((True, False), my_days.PLACES, strict=True)))),
        own_notes,
    )
    error = (shown["kcal"] - shown["expected"]).abs().mean()
    st.caption(
        f"Line: the energy that the model expects. Band: its range for 90% of days; "
        f"{inside.sum()} of {days_text(len(shown))} lie in it. It is off by {number(error)} kcal a "
        f"day on average. {_training(metrics, user)}"
    )
    dates = sorted(worn["date"], reverse=True)
    chosen = choices.one_of("Day to explain", dates, "day", lambda day: f"{day:%a %-d %b %Y}")
    if metrics.personal:
        day = shown[shown["date"] == chosen].iloc[0]
        st.write(
            f"On {chosen:%-d %b %Y} your model expects {number(day['expected'])} kcal, and "
            f"with a probability of 90% between {number(day['low'])} and {number(day['high'])} "
            f"kcal. Your device recorded {number(day['kcal'])} kcal."
        )
    contributions.draw(explain_calories_of_day(model, metrics, worn[worn["date"] == chosen]))


def _workouts(release: Release, user: str, days: pd.DataFrame, own_notes: list[Note]) -> None:
    """The workouts of the month, and the training load; nothing if there never were workouts."""
    found = person.workouts(user, release, LOAD_MONTHS)
    if found.empty:
        return
    st.header("Workouts")
    # With the resting heart rates and traits of the same months.
    known = person.days(user, release, LOAD_MONTHS)
    done = training(found, known, months.start(release.month), days["date"].max())
    units = page.chosen_units()
    if done.workouts.empty:
        st.write("No workout this month.")
    else:
        minutes_done = minutes(done.workouts["minutes"].sum())
        st.write(f"{plural(len(done.workouts), 'workout')} this month, {minutes_done} in all.")
        rows = [
            {
                "start": f"{row['date']:%a %-d %b}, {row['start']}",
                "activity": NO_DATA if row["activity"] is None else label(row["activity"]),
                "duration": minutes(row["minutes"]),
                **{name: units.number(name, row[name]) for name in _OF_WORKOUT},
                "greatest": number(row["heart_rate_max"]),
                "load": number(row["load"]),
            }
            for row in done.workouts.to_dict("records")
        ]
        columns = {name: page.text_column(units.title(name)) for name in _OF_WORKOUT}
        page.table(
            rows,
            {
                "start": "Start",
                "activity": "Activity",
                "duration": page.text_column("Duration"),
                **columns,
                "greatest": page.text_column("Greatest heart rate (bpm)"),
                "load": page.text_column("Load"),
            },
            "The workouts of the month, the newest first",
        )
    if done.load.empty:
        st.caption("No workout has a heart rate, so that no training load is known.")
        return
    page.chart(my_days.training_load, done.load, own_notes)
    if sentence := load_sentence(done.load):
        st.write(sentence)
    st.caption(
        "Load: minutes of a workout, weighted by how far the heart rate was from its resting value "
        "to its greatest (TRIMP, Banister 1991). The lines are means of the 7 and the 42 days "
        "until each day, in which later days count more. It is no medical advice."
    )


def _personal_model(people: "People") -> "tuple[RegressorMetrics | None, Pipeline | None]":
    """The personal model that the visitor may use, with its metrics; none if none is released."""
    reports = people.personal()
    report = reports.models.get("calorie_regressor") if reports else None
    model = people.personal_model("calorie_regressor")
    if report and model is not None and isinstance(report.metrics, RegressorMetrics):
        return report.metrics, model
    return None, None


def _training(metrics: RegressorMetrics, user: str) -> str:
    """Which days the model was trained on."""
    found = metrics.evaluation
    if metrics.personal:
        own = "your own days" if metrics.train_users == 1 else f"{metrics.train_users} users' days"
        return (
            f"The model was trained on {own}. On {number(found.rows)} later days that it had not "
            f"seen, it was off by {number(found.scores.mae)} kcal a day; always guessing the mean "
            f"of the days before was off by {number(found.baseline.mae)} kcal."
        )
    is_held_out = not found.repeats and held_out(pd.Series([user]))[0]
    return f"The model was {'not trained' if is_held_out else 'also trained'} on your days."
