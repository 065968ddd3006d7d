"""Models: scores on held-out users, feature importance, backtest and release gates."""

from typing import Any

import msgspec
import pandas as pd
import streamlit as st

from dashboard import choices, data, downloads, notices, page
from dashboard.charts import common, models
from dashboard.text import label
from dashboard.units import feature_label
from fitness_assets import months
from fitness_assets.formatting import days_text, number, percent, plural
from fitness_assets.models.cards import card
from fitness_assets.models.explanations import classifier_verdict, not_released, regressor_verdict
from fitness_assets.models.forest_metrics import (
    ClassificationScores,
    ClassifierEvaluation,
    ClassifierMetrics,
    PersonalScores,
    RegressionScores,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.registry import FORESTS, Comparison, ModelSpec
from fitness_assets.models.reports import ModelReport
from fitness_assets.models.slices import TITLES
from fitness_assets.record.raw import NUMBERS, ColumnSpec
from fitness_assets.release.bundle import Release
from fitness_assets.text import verbatim

_CLASSIFIER_SCORES = {
    "accuracy": page.number_column("Accuracy", 3),
    "balanced_accuracy": page.number_column("Balanced accuracy", 3),
    "macro_f1": page.number_column("Macro F1", 3),
    "log_loss": page.number_column("Log loss", 3),
    "calibration_error": page.number_column("Calibration error", 3),
}
# Scores whose intervals are shown.
_CLASSIFIER_INTERVALS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
_REGRESSOR_INTERVALS = {"r2": "R²", "rmse": "root mean squared error"}
# Features in the chart of feature importance.
_MOST_IMPORTANT = 12


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    specs = {spec.title: spec for spec in FORESTS}
    title = choices.segment("Model", list(specs), "model")
    spec = specs[title]
    model = data.report(release).models[spec.name]
    notices.fallback(model)
    if model.report.scope == "personal":
        _personal(release, spec)
    carried = model.carried
    if carried is None and model.report.scope == "personal":
        return
    month = model.fallback.month if model.fallback and not model.report.released else release.month
    _card(spec, month, carried or model.report)
    if carried is None or not isinstance(carried.metrics, ClassifierMetrics | RegressorMetrics):
        _gates(model.report)
        return
    metrics = carried.metrics
    st.caption(
        f"Trained on {days_text(metrics.train_rows)} of {plural(metrics.train_users, 'user')} from "
        f"{months.spans(carried.window)}. All scores are on "
        f"{days_text(metrics.evaluation.rows)} of {_test_users(metrics.evaluation)}."
    )
    if isinstance(metrics, ClassifierMetrics):
        _classifier(metrics)
    else:
        _regressor(metrics, NUMBERS[spec.target])
    left, right = st.columns(2, gap="medium")
    with left:
        is_classifier = isinstance(metrics, ClassifierMetrics)
        _importance(metrics.importances, "balanced accuracy" if is_classifier else "R²")
    with right:
        _slices(metrics, spec)
    _backtest(release, spec)
    _gates(carried)


def _personal(release: Release, spec: ModelSpec) -> None:
    """The personal model of the month, to visitors who may read the rows of its users."""
    people = page.people(release)
    reports = people.personal() if people else None
    report = reports.models.get(spec.name) if reports else None
    if report is None:
        if people is not None:
            notices.only_analysts("The personal model is shown")
        return
    st.header("Personal model")
    _card(spec, release.month, report)
    if report.reason:
        st.info(f"{verbatim(not_released(report))}", icon=":material/info:")
    if isinstance(report.metrics, RegressorMetrics) and report.metrics.personal:
        _personal_scores(report.metrics, report.metrics.personal, NUMBERS[spec.target])
    _gates(report)


def _personal_scores(
    metrics: RegressorMetrics, personal: PersonalScores, target: ColumnSpec
) -> None:
    found = metrics.evaluation
    users = plural(found.users, "user")
    st.write(regressor_verdict(metrics))
    st.caption(
        f"A linear model of the own days of {users}, trained on {days_text(metrics.train_rows)}. "
        f"All scores are on {days_text(found.rows)} that came later, in "
        f"{months.spans(personal.months)}: each month is predicted by a model of the months "
        "before it."
    )
    st.caption(_interval(found, target))
    gain, week = found.intervals["r2_gain"], found.intervals["week_r2_gain"]
    with st.expander("All scores"):
        _scores(
            {
                "This model": found.scores,
                "Own mean of earlier days": found.baseline,
                "Mean of the week before": personal.last_week,
            },
            _regressor_scores(target),
            "Scores on later days, compared with two means",
        )
        st.caption(
            f"R² above that of the own mean by {number(gain.low, 3)} to {number(gain.high, 3)}, "
            f"and of the week before by {number(week.low, 3)} to {number(week.high, 3)}, in 95 of "
            "100 bootstrap resamples of the weeks."
        )
    _importance(metrics.importances, "R²")


def _card(spec: ModelSpec, month: str, report: ModelReport) -> None:
    """The card of the model that the release carries, or of the month's own if it carries none."""
    content = card(spec, month, report)
    with st.expander("Model card: data, scores, slices, refusals and limits"):
        # The view has a title of its own.
        st.markdown(content.partition("\n")[2])
    downloads.markdown(content, "Download the model card", f"{spec.name}-{month}")


def _classifier(metrics: ClassifierMetrics) -> None:
    found = metrics.evaluation
    majority = verbatim(label(metrics.majority_class).lower())
    st.write(classifier_verdict(metrics, majority))
    with st.expander("All scores"):
        _scores(
            {"This model": found.scores, "Baseline (class shares)": found.baseline},
            _CLASSIFIER_SCORES,
        )
        st.caption(
            "The second row, the baseline, gives each activity its share of the training days. "
            f"{_uncertainty(found, _CLASSIFIER_INTERVALS)}"
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.chart(models.confusion_matrix, found.confusion, found.labels)
        st.caption("Each row has the days of one recorded activity, and adds up to 100%.")
    with right:
        page.chart(models.calibration_curve, msgspec.to_builtins(metrics.reliability))
        st.caption(
            "On the dashed line the model is right as often as its confidence says. Above the line "
            "it is right more often."
        )


def _regressor(metrics: RegressorMetrics, target: ColumnSpec) -> None:
    found = metrics.evaluation
    without_history = {"Without history": metrics.cold_start.scores} if metrics.cold_start else {}
    st.write(regressor_verdict(metrics))
    st.caption(_interval(found, target))
    comparison = "better" if found.scores.r2 >= metrics.linear.r2 else "worse"
    forest = f"The forest makes this model {comparison} than its linear part alone."
    if metrics.line_alone:
        forest = (
            "A forest adds nothing to the linear model, so this model is the linear model alone."
        )
    with st.expander("All scores"):
        _scores(
            {
                "This model": found.scores,
                **without_history,
                "Linear part": metrics.linear,
                "Baseline (mean)": found.baseline,
            },
            _regressor_scores(target),
        )
        st.caption(f"{forest} {_uncertainty(found, _REGRESSOR_INTERVALS)}")
    agreement = metrics.agreement
    left, right = st.columns(2, gap="medium")
    with left:
        page.chart(
            models.predicted_against_recorded, agreement.edges, agreement.counts, target.name
        )
        st.caption("On the dashed line, the estimate is the recorded value.")
    with right:
        page.chart(
            models.residual_histogram,
            agreement.residual_edges,
            agreement.residual_counts,
            target.name,
        )
        st.caption("The first and the last bar also count all errors beyond them.")


def _uncertainty(found: ClassifierEvaluation | RegressorEvaluation, names: dict[str, str]) -> str:
    """What the scores were measured on, and their bootstrap intervals."""
    users = f"{plural(found.users, 'user')} that it was not trained on"
    if found.repeats:
        users = (
            f"{plural(found.users, 'user')}, cross-validated by user "
            f"{plural(found.repeats, 'time')}; the model is trained on all of them"
        )
    intervals = ", ".join(
        f"{title} {number(found.intervals[name].low, 3)} to {number(found.intervals[name].high, 3)}"
        for name, title in names.items()
    )
    return f"Measured on {users}. In 95% of bootstrap resamples of the users: {intervals}."


def _regressor_scores(target: ColumnSpec) -> dict[str, Any]:
    """The columns of the scores of a regressor."""
    return {
        "mae": page.number_column(f"Mean absolute error ({target.unit})", target.decimals),
        "rmse": page.number_column(f"Root mean squared error ({target.unit})", target.decimals),
        "r2": page.number_column("R²", 3),
    }


def _interval(found: RegressorEvaluation, target: ColumnSpec) -> str:
    """How often the range that the model gives holds the recorded value."""
    width = f"{number(found.interval_width, target.decimals)} {target.unit}"
    return (
        f"With each estimate the model gives a range for 90% of days. "
        f"{percent(found.coverage, 1)} of the days lie in theirs, which is {width} wide on average."
    )


def _test_users(found: ClassifierEvaluation | RegressorEvaluation) -> str:
    users = plural(found.users, "user")
    return users if found.repeats else f"{users} that it was not trained on"


def _scores(
    models: dict[str, ClassificationScores] | dict[str, RegressionScores],
    columns: dict[str, Any],
    description: str = "Scores on held-out users, compared with baselines",
) -> None:
    """A table of scores by model; `columns` by name of the score."""
    rows = [{"model": model, **msgspec.structs.asdict(scores)} for model, scores in models.items()]
    page.table(
        rows,
        {"model": "Model", **columns},
        description,
    )


def _importance(importances: dict[str, float], score: str) -> None:
    ordered = sorted(importances.items(), key=lambda item: -item[1])
    shown = {feature_label(feature): value for feature, value in ordered[:_MOST_IMPORTANT]}
    page.chart(common.value_bars, shown, "What the model relies on", f"Decrease of {score}")
    st.caption(
        f"How much worse the model is without each input: the decrease of {score} if the values of "
        "one input are shuffled among the days. Inputs with similar content share their importance."
    )


def _slices(metrics: ClassifierMetrics | RegressorMetrics, spec: ModelSpec) -> None:
    found = metrics.evaluation
    slices = {title: found.slices[kind] for kind, title in TITLES.items() if kind in found.slices}
    if not slices:
        st.info("There are no scores by group: no group has enough days and people.")
        return
    kind = choices.segment("Scores by", list(slices), "scores-by")
    rows = pd.DataFrame(msgspec.to_builtins(slices[kind]))
    scores: dict[str, Any]
    if isinstance(metrics, ClassifierMetrics):
        rows["recall"] *= 100
        about = "Share of the days of the activity that the model finds"
        scores = {"recall": page.percent_column("Found", 1, about)}
    else:
        target = NUMBERS[spec.target]
        rows["coverage"] *= 100
        scores = {
            "r2": page.number_column("R²", 3),
            "mae": st.column_config.NumberColumn(
                f"Mean error ({target.unit})",
                format=f"%,.{target.decimals}f",
                help="Mean absolute error: how far off the estimates are on average",
            ),
            "coverage": page.percent_column(
                "In its range", 1, "Share of the days in the range that the model gives for 90%"
            ),
        }
    page.table(
        rows.assign(slice=[label(part) for part in rows["slice"]]),
        {"slice": kind, "rows": page.number_column("Days"), **scores},
        f"Scores by {kind.lower()}",
    )


def _backtest(release: Release, spec: ModelSpec) -> None:
    st.header("Does the model still fit a month later?")
    st.caption(
        "Backtest: each month is predicted by the model of the month before, for users that it was "
        "not trained on. If the line falls, the data has changed since the training."
    )
    scored = {
        each.month: each.info.backtest[spec.name]
        for each in page.releases()
        if spec.name in each.info.backtest and each.month <= release.month
    }
    if spec.compared is None or not scored:
        backtest = data.report(release).backtest
        not_scored = backtest.not_scored if backtest else {}
        reason = "`model_backtest` is not materialized for this month"
        if spec.name in not_scored:
            reason = verbatim(not_scored[spec.name])
        st.info(f"No backtest: {reason}.", icon=":material/info:")
        return
    page.chart(
        models.backtest_scores,
        _backtest_rows(scored, spec.compared),
        spec.compared.title[0].upper() + spec.compared.title[1:],
    )


def _backtest_rows(scored: dict[str, dict[str, float]], compared: Comparison) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"month": month, "model": model, "score": scores[f"{prefix}{compared.score}"]}
            for month, scores in scored.items()
            for model, prefix in (("Model of the month before", ""), ("Baseline", "baseline_"))
        ]
    )


def _gates(report: ModelReport) -> None:
    # Without a model there was nothing to check.
    if report.learned and report.gates:
        st.header("Release gates")
        st.caption("A model is released only if it passes all of these tests.")
        page.checks_table(report.gates)
