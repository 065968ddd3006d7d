"""Models: how good they are on people they have not seen, and where not."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, page
from dashboard.units import called
from fitness_assets.release.bundle import Release

_FORESTS = {"Activity classifier": "activity_classifier", "Calorie regressor": "calorie_regressor"}
_CLASSIFIER_SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
}
_REGRESSOR_SCORES = {"r2": "R²", "mae": "Mean error (kcal)", "rmse": "RMS error (kcal)"}


@page.of_release("Models")
def show(release: Release) -> None:
    """Draw the view."""
    chosen = st.segmented_control(
        "Model", list(_FORESTS), default="Activity classifier", required=True, key="model"
    )
    name = _FORESTS[chosen]
    told = data.told(data.metrics(release)[name])
    if told is None:
        _gates(data.metrics(release)[name])
        return
    st.caption(
        f"Learned from {told['train_rows']:,} days of {told['train_users']:,} people of "
        f"{', '.join(told['window'])}. Every score is on the {told['heldout_rows']:,} days of "
        f"{told['heldout_users']:,} people it has never seen."
    )
    if name == "activity_classifier":
        _classifier(told)
    else:
        _regressor(told)
    left, right = st.columns(2, gap="medium")
    with left:
        worth = dict(sorted(told["importances"].items(), key=lambda item: -item[1])[:12])
        score = "balanced accuracy" if name == "activity_classifier" else "R²"
        shown = {called(feature): value for feature, value in worth.items()}
        page.figure(charts.bars, shown, "What it goes by", f"{score.capitalize()} lost")
        st.caption(
            f"How much {score} falls when one input is shuffled among unseen users. Inputs that "
            "tell the same share what they are worth."
        )
    with right:
        _slices(told, name)
    _backtest(release, name)
    _gates(told)


def _classifier(told: dict[str, Any]) -> None:
    _scores(told, _CLASSIFIER_SCORES, {"Each activity its share": "baseline_"})
    st.caption(
        f"Beside it the baseline, which gives each activity its share and so always says "
        f"{charts.readable(told['commonest']).lower()}. It saves {told['gain']:.1%} of that "
        f"baseline's Brier loss, and more than {told['gain_low']:.1%} in 95 of 100 resamples."
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.figure(charts.confusion, told["confusion"], told["labels"])
    with right:
        page.figure(charts.reliability, told["reliability"])
        st.caption(
            "On the dashed line it is right as often as it claims. Above it, it is better than it "
            "thinks."
        )


def _regressor(told: dict[str, Any]) -> None:
    beside = {"This model, of who has no past": "without_past", "Linear model": "linear"}
    rows = {name: told[key] for name, key in beside.items() if key in told}
    scores = {f"{name}: {score}": value for name in rows for score, value in rows[name].items()}
    _scores(
        told | scores,
        _REGRESSOR_SCORES,
        {**{name: f"{name}: " for name in rows}, "Always the mean": "baseline_"},
    )
    better = "better" if told["r2"] >= told["linear"]["r2"] else "worse"
    st.caption(
        f"The forest is {better} here than a linear model of the same inputs. It saves "
        f"{told['gain']:.1%} of the squared error of the mean, and more than "
        f"{told['gain_low']:.1%} in 95 of 100 resamples. {told['coverage']:.1%} of unseen days are "
        f"within the interval, which is to hold nine of ten and is "
        f"{told['interval_width']:,.0f} kcal wide on average."
    )
    seen = told["agreement"]
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.agreement, seen["edges"], seen["rows"])
        st.caption("On the dashed line the prediction is right.")
    with right:
        page.figure(charts.residuals, seen["residual_edges"], seen["residual_rows"])
        st.caption("The outermost bars hold what lies beyond them.")


def _scores(told: dict[str, Any], scores: dict[str, str], beside: dict[str, str]) -> None:
    """The scores of the model, and of each model that is none, by the prefix of its figures."""
    rows = [
        {"model": model, **{name: told[f"{prefix}{name}"] for name in scores}}
        for model, prefix in {"This model": "", **beside}.items()
    ]
    page.table(
        rows,
        {
            "model": "Model",
            **{
                name: page.number(label, 0 if "kcal" in label else 3)
                for name, label in scores.items()
            },
        },
        "Scores on unseen people beside those of baselines",
    )


def _slices(told: dict[str, Any], name: str) -> None:
    kinds = {"Activity": "by_activity", "Segment": "by_segment"}
    offered = [kind for kind, key in kinds.items() if told[key]]
    if not offered:
        st.info("There are no parts to score by: neither activities nor stable segments.")
        return
    chosen = st.segmented_control(
        "Scores by", offered, default=offered[0], required=True, key="slices"
    )
    score, label = (
        ("recall", "Recognised") if name == "activity_classifier" else ("mae", "kcal off")
    )
    factor, shape = (100, "%.1f%%") if score == "recall" else (1, "%.0f")
    rows = pd.DataFrame(told[kinds[chosen]])
    page.table(
        rows.assign(
            slice=[charts.readable(part) for part in rows["slice"]],
            **{score: rows[score] * factor},
        ),
        {
            "slice": chosen,
            "rows": page.number("Days"),
            score: st.column_config.NumberColumn(label, format=shape),
            **({} if score == "recall" else {"r2": page.number("R²", 3)}),
        },
        f"Scores by {chosen.lower()}",
    )


def _backtest(release: Release, name: str) -> None:
    st.subheader("A month later")
    st.caption(
        "Each month's model on the month after, of people it has not seen. What falls is drift."
    )
    score, title = ("macro_f1", "Macro F1") if name == "activity_classifier" else ("r2", "R²")
    found = {
        each.month: each.info.backtest[name]
        for each in data.releases()
        if name in each.info.backtest and each.month <= release.month
    }
    if not found:
        report = data.metrics(release).get("model_backtest", {})
        told = report.get(name, {}).get("reason", "`model_backtest` has not been made")
        st.info(f"Not scored: {told}.", icon=":material/info:")
        return
    rows = [
        {"month": month, "of": of, "score": scores[f"{prefix}{score}"]}
        for month, scores in found.items()
        for of, prefix in (("The model of the month before", ""), ("No model", "baseline_"))
    ]
    page.figure(charts.backtest, pd.DataFrame(rows), title)


def _gates(told: dict[str, Any]) -> None:
    if told["gates"]:
        st.subheader("What it had to pass to be released")
        page.verdicts(told["gates"])
