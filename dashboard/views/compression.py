"""Compression: from scikit-learn's default forest to a packed one, and to the released model."""

import pandas as pd
import streamlit as st
from msgspec import to_builtins

from dashboard import choices, data, page
from dashboard.charts import common, compression
from fitness_assets.formatting import size
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
_SIZES = {"On disk": "bytes", "In memory": "memory_bytes"}


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    report = data.report(release).compression
    if report is None:
        st.info(
            f"`compression_report` is not materialized for {release.month}, because it takes as "
            f"long as several months of data. To materialize it, and to add it to the release, run "
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
        f"{first.bytes / last.bytes:,.0f} times smaller. R² on held-out users changed from "
        f"{first.r2:.3f} to {last.r2:.3f}."
    )
    names = [step.step for step in steps]
    chosen = choices.step("Step", names, "step")
    place = names.index(chosen)
    _step(steps[place], steps[place - 1] if place else None)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.chart(compression.step_sizes, _sizes(steps), chosen)
    with right:
        scores = {step.step: step.r2 for step in steps}
        page.chart(common.value_bars, scores, "Score on held-out users", "R²")
    if report.released is not None:
        _better_inputs(last, report.released)
    with st.expander("All results"):
        _table(report.steps)
    carried = data.report(release).models["calorie_regressor"].carried
    if carried and report.released and carried.bytes != report.released.bytes:
        st.caption("This report describes an earlier model of the month than the released one.")


def _step(step: CompressionStep, before: CompressionStep | None) -> None:
    with st.container(horizontal=True):
        for title, key in _SIZES.items():
            change = None
            if before is not None:
                change = (
                    f"{getattr(step, key) / getattr(before, key) - 1:+.1%} from the previous step"
                )
            st.metric(
                title,
                size(getattr(step, key)),
                change,
                delta_color="inverse",
                border=True,
                height="stretch",
            )
        change = None
        if before is not None:
            change = f"{step.r2 - before.r2:+.3f} from the previous step"
        score = f"{step.r2:.3f}"
        st.metric("R² on held-out users", score, change, border=True, height="stretch")
        trees = f"In {step.trees} trees."
        st.metric("Nodes", f"{step.nodes:,}", border=True, height="stretch", help=trees)
    description, trade_off = next(
        texts for start, texts in _STEPS.items() if step.step.startswith(start)
    )
    st.write(f"**{verbatim(step.step)}.** {description}")
    st.write(f"Trade-off: {trade_off}")
    if step.trees_measured < step.trees:
        st.caption(
            f"Only {step.trees_measured} of its {step.trees} trees were trained and "
            "measured, one at a time, because the whole forest does not fit in memory. Sizes and "
            "times are scaled up to all trees. Scores are of the measured trees."
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
        page.chart(common.value_bars, scores, "Score on held-out users", "R²")


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
        to_builtins(steps),
        {
            "step": "Step",
            "trees": page.number_column("Trees"),
            "nodes": page.number_column("Nodes"),
            "bytes": page.number_column("Bytes on disk"),
            "memory_bytes": page.number_column("Bytes in memory"),
            "fit_seconds": page.number_column("Training time (s)", 1),
            "predict_seconds": page.number_column("Prediction of 50,000 days (s)", 3),
            "r2": page.number_column("R²", 4),
            "rmse": page.number_column("Root mean squared error (kcal)", 1),
        },
        "Sizes, times and scores of each step",
    )
