"""Live inference: recognise a day's activity, estimate its calories."""

from typing import Any

import streamlit as st

from dashboard import charts, data
from fitness_assets.errors import StorageError
from fitness_assets.learning.prediction import estimate_calories, recognise
from fitness_assets.storage.release import Release

_LABELS = {
    "steps": "Steps",
    "calories_burned": "Calories burned (kcal)",
    "heart_rate_avg": "Mean heart rate (bpm)",
    "sleep_hours": "Sleep (h)",
}


def show() -> None:
    """Draw the view."""
    st.title("Live inference")
    release = data.current()
    if release is None:
        return
    st.caption(f"Both models are those of the {release.month} release.")
    left, right = st.columns(2, gap="large")
    try:
        metrics = data.metrics(release)
        with left:
            _recognise(release, metrics["activity_classifier"])
        with right:
            _estimate(release, metrics["calorie_regressor"])
    except StorageError as error:
        st.error(f"The release of {release.month} was refused: {error}", icon=":material/block:")


def _recognise(release: Release, metrics: dict[str, Any]) -> None:
    st.subheader("Which activity was it?")
    model = data.model(release, "activity_classifier")
    if model is None:
        st.info(f"This month has no activity classifier: {metrics['reason']}")
        return
    seen = metrics["seen"]
    steps = _number("steps", seen, "activity")
    kcal = _number("calories_burned", seen, "activity")
    heart_rate = _number("heart_rate_avg", seen, "activity")
    answer = recognise(model, metrics, steps=steps, kcal=kcal, heart_rate=heart_rate)
    likeliest, probability = next(iter(answer.probabilities.items()))
    st.metric("Most probable activity", f"{charts.readable(likeliest)} ({probability:.0%})")
    _warn(answer.extrapolated, seen)
    st.altair_chart(charts.shares(answer.probabilities, "Probability of each activity"))


def _estimate(release: Release, metrics: dict[str, Any]) -> None:
    st.subheader("How many calories?")
    model = data.model(release, "calorie_regressor")
    if model is None:
        st.info(f"This month has no calorie regressor: {metrics['reason']}")
        return
    seen = metrics["seen"]
    # The model's own categories, so that no choice is one that it has never learned.
    activity = st.selectbox("Main activity", metrics["categories"], format_func=charts.readable)
    steps = _number("steps", seen, "calories")
    heart_rate = _number("heart_rate_avg", seen, "calories")
    sleep = _number("sleep_hours", seen, "calories")
    answer = estimate_calories(
        model,
        metrics,
        activity_type=activity,
        steps=steps,
        heart_rate=heart_rate,
        sleep_hours=sleep,
    )
    st.metric("Estimated energy of the day", f"{answer.kcal:,.0f} kcal")
    st.caption(f"Off by {metrics['mae']:.0f} kcal on average, for users it has not seen.")
    _warn(answer.extrapolated, seen)


def _number(name: str, seen: dict[str, list[float]], form: str) -> float:
    low, median, high = seen[name]
    whole = name == "steps"
    return float(
        st.number_input(
            _LABELS[name],
            min_value=0.0,
            value=float(round(median)) if whole else round(median, 1),
            step=500.0 if whole else 1.0,
            format="%.0f" if whole else "%.1f",
            key=f"{form}-{name}",
            help=f"The model has seen {low:,.0f} to {high:,.0f}.",
        )
    )


def _warn(extrapolated: list[str], seen: dict[str, list[float]]) -> None:
    for name in extrapolated:
        low, _, high = seen[name]
        st.warning(
            f"{_LABELS[name]} is outside what the model has seen ({low:,.0f} to {high:,.0f}); "
            "the answer is an extrapolation.",
            icon=":material/warning:",
        )
