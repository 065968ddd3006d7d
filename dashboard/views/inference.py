"""Live inference: recognise a day's activity, estimate its calories."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, data, page
from dashboard.units import NUMBERS
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.prediction import form_features, predict_activity, predict_calories
from fitness_assets.release import flat
from fitness_assets.release.bundle import Release

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: What a form asks for beside `NUMBERS`.
_LABELS = {
    "activity_type": "Main activity",
    "day_of_week": "Day of the week (1 Monday to 7 Sunday)",
    "sex": "Sex",
    "steps_mean_28d": "Usual steps a day",
    "calories_burned_mean_28d": "Usual energy a day (kcal)",
}

Answers = dict[str, float | str | None]


@page.of_release("Live inference")
def show(release: Release) -> None:
    """Draw the view."""
    st.caption(f"Both models are those of the {release.month} release.")
    metrics = data.metrics(release)
    loaded = data.models(release)
    if loaded is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Which activity was it?")
        told = data.told(metrics["activity_classifier"])
        model = loaded.models["activity_classifier"]
        if told and model is not None:
            _recognise(model, told)
    with right:
        st.subheader("How many calories?")
        told = data.told(metrics["calorie_regressor"])
        model = loaded.models["calorie_regressor"]
        if told and model is not None:
            _estimate(model, told)
    with st.expander("What loading the models took of the memory"):
        st.caption(
            "Bytes that this process held after each step. The regressor comes last, when what the "
            "others needed while they were read has been given back."
        )
        page.table(
            [
                {"step": step.step, "megabytes": step.resident and step.resident / 1e6}
                for step in loaded.steps
            ],
            {
                "step": "Step",
                "megabytes": page.number("MB in memory", 1),
            },
            "Memory after each step of loading",
        )


def _recognise(model: "Pipeline", metrics: dict[str, Any]) -> None:
    answers = _form("activity", metrics, activity.GROUPS["day"])
    answer = predict_activity(model, flat.classifier(metrics), answers)
    likeliest, probability = next(iter(answer.probabilities.items()))
    st.metric("Most probable activity", f"{charts.readable(likeliest)} ({probability:.0%})")
    _warn(answer.out_of_range, metrics["seen"])
    page.figure(charts.shares, answer.probabilities, "Probability of each activity")


def _estimate(model: "Pipeline", metrics: dict[str, Any]) -> None:
    answers = _form("calories", metrics, calories.GROUPS["day"])
    answer = predict_calories(model, flat.regressor(metrics), answers)
    st.metric("Estimated energy of the day", f"{answer.kcal:,.0f} kcal")
    told = metrics
    if "without_past" in metrics and answers.get(calories.OFFSET) is None:
        told = metrics["without_past"]
        st.caption("By a forest that has never been told of a past, since none is told here.")
    # The interval is that of people of whom all else is known.
    within = "Nine of ten such days lie"
    if any(answers[name] is None for name in answers.keys() - calories.GROUPS["history"]):
        within = "If all else that is left empty is as usual, nine of ten such days lie"
    st.caption(
        f"{within} between {answer.low:,.0f} and {answer.high:,.0f} kcal. Where that is known it "
        f"is off by {told['mae']:.0f} kcal on average, for users it has not seen."
    )
    _warn(answer.out_of_range, metrics["seen"])


def _form(form: str, metrics: dict[str, Any], required: list[str]) -> Answers:
    """What the user answers: what the day is known by, and what else the model would like."""
    names = form_features(flat.inputs(metrics))
    answers = {name: _input(form, name, metrics, known=True) for name in required if name in names}
    others = [name for name in names if name not in required]
    if others:
        with st.expander("What else is known of the day and the person"):
            st.caption(
                "What is left empty is taken to be as usual among the people learned from, and "
                "kcal are told without a past where none is given."
            )
            answers |= {name: _input(form, name, metrics, known=False) for name in others}
    return answers


def _input(form: str, name: str, metrics: dict[str, Any], *, known: bool) -> float | str | None:
    key = f"{form}-{name}"
    if name in metrics["categories"]:
        # The model's own categories, so that no choice is one that it has never learned.
        chosen: str | None = st.selectbox(
            _label(name),
            metrics["categories"][name],
            index=0 if known else None,
            format_func=charts.readable,
            key=key,
        )
        return chosen
    factor = _factor(name)
    low, median, high = (value * factor for value in metrics["seen"][name])
    whole = high > 1_000  # noqa: PLR2004 - where a decimal is no longer worth showing
    usual = float(round(median)) if whole else round(median, 1)
    # Under a name of its own for each unit: a number that was typed in km is not one of miles.
    told = st.number_input(
        _label(name),
        min_value=0.0,
        value=usual if known else None,
        step=500.0 if whole else 1.0,
        format="%.0f" if whole else "%.1f",
        key=key if factor == 1 else f"{key}-{data.units().unit(name)}",
        help=f"The model has seen {low:,.0f} to {high:,.0f}.",
    )
    return None if told is None else told / factor


def _label(name: str) -> str:
    return data.units().title(name) if name in NUMBERS else _LABELS[name]


def _factor(name: str) -> float:
    return data.units().factor(name) if name in NUMBERS else 1.0


def _warn(extrapolated: list[str], seen: dict[str, list[float]]) -> None:
    for name in extrapolated:
        low, _, high = (value * _factor(name) for value in seen[name])
        st.warning(
            f"{_label(name)} is outside what the model has seen ({low:,.0f} to {high:,.0f}); "
            "the answer is an extrapolation.",
            icon=":material/warning:",
        )
