"""Try it: enter a day, and the models estimate its activity and its energy."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import choices, contributions, data, page
from dashboard.charts import common
from dashboard.choices import Scale
from dashboard.text import label
from dashboard.units import feature_label
from fitness_assets.formatting import NO_DATA, number, percent, size
from fitness_assets.models.contributions import (
    Explanation,
    explain_activity,
    explain_calories,
)
from fitness_assets.models.forest_metrics import ClassifierMetrics, Inputs, RegressorMetrics
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.prediction import (
    ActivityPrediction,
    CaloriesPrediction,
    form_features,
    predict_activity,
    predict_calories,
)
from fitness_assets.record.raw import NUMBERS
from fitness_assets.release.bundle import Release, ReleasedModel
from fitness_assets.release.model_loader import Loaded
from fitness_assets.text import printable, verbatim

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Labels of the fields that `feature_label` does not name well.
_LABELS = {
    "activity_type": "Main activity",
    "day_of_week": "Day of the week (1 Monday to 7 Sunday)",
}
# From this value on, decimals are not shown.
_WHOLE = 1_000

Answers = dict[str, float | str | None]


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    st.caption(f"With the models of the release of {release.month}.")
    models = data.report(release).models
    loaded = page.loaded_models(release)
    if loaded is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Which activity was it?")
        classifier = page.carried_metrics(models["activity_classifier"], ClassifierMetrics)
        model = loaded.models["activity_classifier"]
        if classifier and model is not None:
            _activity(release, model, classifier)
    with right:
        st.header("How much energy was used?")
        source, regressor, model = _regressor(release, models["calorie_regressor"], loaded)
        if regressor and model is not None:
            _energy(source, model, regressor)
    with st.expander("Memory used to load the models"):
        st.caption(
            "Memory of the dashboard after each step. The calorie regressor is the largest model "
            "and is loaded last, after unused memory was returned to the system."
        )
        page.table(
            [
                {"step": step.step, "memory": size(step.resident) if step.resident else NO_DATA}
                for step in loaded.steps
            ],
            {"step": "Step", "memory": page.text_column("Memory")},
            "Memory after each step of loading",
        )


def _regressor(
    release: Release, entry: ReleasedModel, loaded: Loaded
) -> "tuple[Release, RegressorMetrics | None, Pipeline | None]":
    """The personal model, to visitors who may use it; else the model of the release.

    The first value is the release that has it.
    """
    if entry.report.scope == "personal" and (people := page.people(release, notice=False)):
        reports = people.personal()
        report = reports.models.get("calorie_regressor") if reports else None
        model = people.personal_model("calorie_regressor")
        if report and model is not None and isinstance(report.metrics, RegressorMetrics):
            st.caption("With the personal model of this month: trained on your own days.")
            return people.part, report.metrics, model
    metrics = page.carried_metrics(entry, RegressorMetrics)
    return release, metrics, loaded.models["calorie_regressor"]


def _activity(source: Release, model: "Pipeline", metrics: ClassifierMetrics) -> None:
    answers = _form("activity", metrics.inputs, activity.GROUPS["day"])
    answer, explanation = _predicted_activity(source, model, metrics, answers)
    activity_type, probability = next(iter(answer.probabilities.items()))
    st.metric(
        "Most probable activity", f"{verbatim(label(activity_type))} ({percent(probability)})"
    )
    _extrapolation_warnings(answer.out_of_range, metrics.inputs)
    page.chart(common.share_bars, answer.probabilities, "Probability of each activity")
    contributions.draw(explanation)


def _energy(source: Release, model: "Pipeline", metrics: RegressorMetrics) -> None:
    answers = _form("calories", metrics.inputs, calories.GROUPS["day"])
    answer, explanation = _predicted_calories(source, model, metrics, answers)
    st.metric("Estimated energy of the day", f"{number(answer.kcal)} kcal")
    scores = metrics.evaluation.scores
    if metrics.cold_start and answers.get(calories.OFFSET) is None:
        scores = metrics.cold_start.scores
        st.caption("You gave no usual energy, so a simpler model answers.")
    # The interval is calibrated on users all of whose other features are known.
    interval = f"90% of such days lie between {number(answer.low)} and {number(answer.high)} kcal"
    if any(answers[name] is None for name in answers.keys() - calories.GROUPS["history"]):
        interval += ", if the empty fields are near the typical values that replace them"
    judged = "later days" if metrics.personal else "users that it was not trained on"
    st.caption(f"{interval}. On {judged} it is off by {number(scores.mae)} kcal a day on average.")
    _extrapolation_warnings(answer.out_of_range, metrics.inputs)
    contributions.draw(explanation)


# Each form is drawn again when the other one changes.
_once = st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Release: data.identity})


@_once
def _predicted_activity(
    source: Release,  # noqa: ARG001 - with the answers, the cache key of the function
    _model: "Pipeline",
    _metrics: ClassifierMetrics,
    answers: Answers,
) -> tuple[ActivityPrediction, Explanation]:
    return (
        predict_activity(_model, _metrics, answers),
        explain_activity(_model, _metrics, answers),
    )


@_once
def _predicted_calories(
    source: Release,  # noqa: ARG001 - with the answers, the cache key of the function
    _model: "Pipeline",
    _metrics: RegressorMetrics,
    answers: Answers,
) -> tuple[CaloriesPrediction, Explanation]:
    return (
        predict_calories(_model, _metrics, answers),
        explain_calories(_model, _metrics, answers),
    )


def _form(form: str, inputs: Inputs, required: list[str]) -> Answers:
    """The user's answers: the required features, and optional ones in an expander."""
    names = form_features(inputs)
    answers = {name: _field(form, name, inputs, filled=True) for name in required if name in names}
    optional = [name for name in names if name not in required]
    if optional:
        with st.expander("More about the day and the user (optional)"):
            st.caption(
                "An empty field is replaced by the typical value of the users that the model was "
                "trained on. Without your usual energy, a simpler model answers."
            )
            answers |= {name: _field(form, name, inputs, filled=False) for name in optional}
    return answers


def _field(form: str, name: str, inputs: Inputs, *, filled: bool) -> float | str | None:
    """The field of one feature, in the chosen units; the answer in stored units."""
    key = f"{form}-{name}"
    if name in inputs.categories:
        # The model's own categories, so that every choice is one that it was trained on.
        choose = choices.one_of if filled else choices.at_most_one_of
        return choose(_label(name), inputs.categories[name], key, _category)
    factor = _factor(name)
    known = inputs.ranges[name]
    whole = known.maximum * factor > _WHOLE
    typical = float(round(known.median * factor)) if whole else round(known.median * factor, 1)
    # A key for each unit: a number entered in km is not one in miles.
    answer = choices.number(
        _label(name),
        key if factor == 1 else f"{key}-{page.chosen_units().unit(name)}",
        typical if filled else None,
        Scale(step=500.0) if whole else Scale(decimals=1),
        f"The model was trained on {_range(name, inputs)}.",
    )
    return None if answer is None else answer / factor


def _category(name: str) -> str:
    return printable(label(name))


def _label(name: str) -> str:
    if name in NUMBERS:
        return page.chosen_units().title(name)
    return _LABELS.get(name) or verbatim(feature_label(name))


def _factor(name: str) -> float:
    return page.chosen_units().factor(name) if name in NUMBERS else 1.0


def _range(name: str, inputs: Inputs) -> str:
    known, factor = inputs.ranges[name], _factor(name)
    return f"{number(known.minimum * factor)} to {number(known.maximum * factor)}"


def _extrapolation_warnings(names: list[str], inputs: Inputs) -> None:
    for name in names:
        st.warning(
            f"{_label(name)} is outside the values that the model was trained on "
            f"({_range(name, inputs)}), so the answer is uncertain.",
            icon=":material/warning:",
        )
