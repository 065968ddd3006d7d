"""Compression: from scikit-learn's default forest to a packed one, and to the released model."""

import pandas as pd
import streamlit as st

from dashboard import choices, data, page
from dashboard.charts import common, compression
from fitness_assets.formatting import (
    change,
    large,
    number,
    plural,
    seconds,
    signed_percent,
    size,
    times,
)
from fitness_assets.models.reports import CompressionStep
from fitness_assets.release.bundle import Release
from fitness_assets.text import verbatim

#: What a step does and its trade-off, by the start of the step's name.
_STEPS = {
    "scikit-learn": (
        "Each tree grows until its leaves are pure.",
        "It fits the noise of the training days: the largest forest, but not the best score.",
    ),
    "max_depth": (
        "The depth of each tree is limited.",
        "Each level can double the nodes. Deep levels mostly fit noise, so little is lost.",
    ),
    "n_estimators": (
        "There are fewer trees.",
        "Size and time fall in proportion. The mean of fewer trees varies a little more.",
    ),
    "min_samples_leaf": (
        "Each leaf holds a minimum number of training days.",
        "Leaves of a few days are merged. Rare combinations are predicted less precisely.",
    ),
    "joblib": (
        "The same forest, in a compressed file.",
        "A smaller file, but no less memory. It is a pickle, which can run code when loaded.",
    ),
    "packed": (
        "The same trees as a few flat arrays: bits for leaves, ranks for thresholds.",
        "Only the last digits are rounded. Reading the file needs code of this project.",
    ),
}
#: Smaller changes of R² are not named.
_NOTABLE = 0.005
_SCORE = (
    "The score is R² on users that the forest was not trained on: 1 if each prediction is right, 0 "
    "if they are no better than the mean."
)
_SIZES = {"On disk": "bytes", "In memory": "memory_bytes"}


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    report = data.report(release).compression
    if report is None:
        st.info(
            f"The sizes of {release.month} were not measured, since this takes long. To measure "
            "them, and to add them to the release, run "
            f"`fitness backfill {release.month} --select 'key:compression_report or "
            "key:dashboard_release'`.",
            icon=":material/hourglass_empty:",
        )
        return
    steps = report.compressed
    if not steps:
        st.info(
            f"There is no forest to compress: {verbatim(report.reason)}.", icon=":material/info:"
        )
        return
    first, last = steps[0], steps[-1]
    st.write(
        f"From {size(first.bytes)} on disk to {size(last.bytes)} with the same inputs: "
        f"{times(first.bytes / last.bytes)} smaller. {_as_good(first.r2, last.r2)}",
    )
    st.caption(_SCORE)
    names = [step.step for step in steps]
    chosen = choices.step("Step", names, "step")
    place = names.index(chosen)
    _step(steps[place], steps[place - 1] if place else None)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.chart(compression.step_sizes, _sizes(steps), chosen)
    with right:
        scores = {step.step: step.r2 for step in steps}
        page.chart(common.value_bars, scores, "Score", "R²")
    if report.released is not None:
        _better_inputs(last, report.released)
    with st.expander("All results"):
        _table(report.steps)
    carried = data.report(release).models["calorie_regressor"].carried
    if carried and report.released and carried.bytes != report.released.bytes:
        st.caption("This report describes an earlier model of the month than the released one.")


def _as_good(before: float, after: float) -> str:
    """Whether a score has changed, in words."""
    change = round(after - before, 3)
    if abs(change) < _NOTABLE:
        return "Its predictions are about as good."
    return f"Its predictions are {'better' if change > 0 else 'worse'} than at first."


def _step(step: CompressionStep, before: CompressionStep | None) -> None:
    with st.container(horizontal=True):
        for title, key in _SIZES.items():
            now = getattr(step, key)
            share = now / getattr(before, key) - 1 if before else 0.0
            page.change_metric(
                title,
                size(now),
                f"{signed_percent(share)} from the previous step" if before else None,
                is_better=share < 0 if share else None,
            )
        gain = round(step.r2, 3) - round(before.r2, 3) if before else 0.0
        page.change_metric(
            "Score (R²)",
            number(step.r2, 3),
            f"{change(before.r2, step.r2, 3)} from the previous step" if before else None,
            is_better=gain > 0 if gain else None,
        )
        st.metric(
            "Model size",
            f"{large(step.nodes)} nodes",
            border=True,
            height="stretch",
            help=f"{plural(step.nodes, 'node')} in {plural(step.trees, 'tree')}.",
        )
    description, trade_off = next(
        texts for start, texts in _STEPS.items() if step.step.startswith(start)
    )
    st.write(f"**{verbatim(step.step)}.** {description}")
    st.write(f"Trade-off: {trade_off}")
    if step.trees_measured < step.trees:
        st.caption(
            f"Only {step.trees_measured} of its {plural(step.trees, 'tree')} were trained and "
            "measured, since all of them take minutes. Sizes and times are estimates for all "
            "trees. Scores are of the measured trees."
        )


def _better_inputs(packed: CompressionStep, released: CompressionStep) -> None:
    """The released model next to the packed forest, which has the inputs of all steps."""
    st.header("Better inputs, not compression")
    st.write(
        "The steps above predict from the inputs that a form asks for. The released model is "
        "packed in the same way, and also knows the device, the user and their history. So it is "
        f"{'larger' if released.bytes > packed.bytes else 'no larger'}, and its score is not an "
        "effect of compression."
    )
    left, right = st.columns(2, gap="medium")
    names = {"Packed, same inputs": packed, "Released, more inputs": released}
    with left:
        sizes = {name: step.bytes / 1000 for name, step in names.items()}
        page.chart(common.value_bars, sizes, "Size on disk", "kB")
    with right:
        scores = {name: step.r2 for name, step in names.items()}
        page.chart(common.value_bars, scores, "Score", "R²")


def _sizes(steps: list[CompressionStep]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"step": step.step, "where": where, "bytes": getattr(step, key)}
            for step in steps
            for where, key in _SIZES.items()
        ]
    )


def _table(steps: list[CompressionStep]) -> None:
    page.table(
        [
            {
                "step": step.step,
                "trees": step.trees,
                "nodes": step.nodes,
                "disk": size(step.bytes),
                "memory": size(step.memory_bytes),
                "fit": seconds(step.fit_seconds),
                "predict": seconds(step.predict_seconds),
                "r2": step.r2,
                "rmse": step.rmse,
            }
            for step in steps
        ],
        {
            "step": "Step",
            "trees": page.number_column("Trees"),
            "nodes": page.number_column("Model size (nodes)"),
            "disk": page.text_column("On disk"),
            "memory": page.text_column("In memory"),
            "fit": page.text_column("Training"),
            "predict": page.text_column("Prediction of 50,000 days"),
            "r2": page.number_column("R²", 3),
            "rmse": page.number_column("Root mean squared error (kcal)", 1),
        },
        "Sizes, times and scores of each step",
    )
