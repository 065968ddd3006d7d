"""Compression: from a forest that no small host can hold to the one that is served."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, page
from fitness_assets.release.bundle import Release, served

#: What each kind of step does, by how its name begins, and what it trades.
_TRADES = {
    "scikit-learn": (
        "Every tree grows until its leaves are pure.",
        "It learns the noise by heart: the most bytes, and not the best score.",
    ),
    "max_depth": (
        "Each tree may ask so many questions in a row and no more.",
        "Depth bounds the nodes, which would double with each level. What is lost is mostly noise.",
    ),
    "n_estimators": (
        "Fewer trees.",
        "Size and time fall in proportion; the mean of fewer trees wavers a little more.",
    ),
    "min_samples_leaf": (
        "No leaf of fewer days.",
        "Leaves that stood for a handful of days go. Rare combinations are told less finely.",
    ),
    "joblib": (
        "The same forest, its file compressed.",
        "Less on disk, no less in memory, and time to unpack. A pickle still, which may run code.",
    ),
    "packed": (
        "The same trees as a few flat arrays: bits for leaves, ranks for thresholds.",
        "Nothing but rounding in the last digits. It takes code of our own to read.",
    ),
    "as released": (
        "The packed forest that is served, told also of the device, the person and their past.",
        "The inputs bring the score; a form must ask for more, or do without.",
    ),
}


@page.of_release("Compression")
def show(release: Release) -> None:
    """Draw the view."""
    report = data.metrics(release).get("compression_report")
    if report is None:
        st.info(
            f"The report of {release.month} has not been made: it takes as long as several months. "
            f"To make it, and a release that carries it, run `fitness backfill {release.month} "
            "--select 'key:compression_report or key:dashboard_release'`.",
            icon=":material/hourglass_empty:",
        )
        return
    steps = report["steps"]
    if not steps:
        st.info(f"There is nothing to compress: {report['reason']}.", icon=":material/info:")
        return
    _headline(steps)
    names = [step["step"] for step in steps]
    chosen = st.select_slider("Step", names, value=names[-1], key="step")
    place = names.index(chosen)
    _step(steps[place], steps[place - 1] if place else None)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.figure(charts.sizes, _sizes(steps), chosen)
    with right:
        scores = {step["step"]: step["r2"] for step in steps}
        page.figure(charts.bars, scores, "Score on unseen people", "R²")
    with st.expander("All that was measured"):
        _table(steps)
    _note(release, steps)


def _headline(steps: list[dict[str, Any]]) -> None:
    first, last = steps[0], steps[-1]
    st.write(
        f"From {page.size(first['bytes'])} on disk to {page.size(last['bytes'])}, "
        f"{first['bytes'] / last['bytes']:,.0f} times smaller, while R² on people that no step has "
        f"seen went from {first['r2']:.3f} to {last['r2']:.3f}."
    )


def _step(step: dict[str, Any], before: dict[str, Any] | None) -> None:
    does, trades = next(told for name, told in _TRADES.items() if step["step"].startswith(name))
    with st.container(horizontal=True):
        for label, key in (("On disk", "bytes"), ("In memory", "memory_bytes")):
            change = None
            if before is not None:
                change = f"{step[key] / before[key] - 1:+.1%} from the step before"
            size = page.size(step[key])
            st.metric(label, size, change, delta_color="inverse", border=True, height="stretch")
        score = None if before is None else f"{step['r2'] - before['r2']:+.3f} from the step before"
        unseen = f"{step['r2']:.3f}"
        st.metric("R² on unseen people", unseen, score, border=True, height="stretch")
        trees = f"In {step['trees']} trees."
        st.metric("Nodes", f"{step['nodes']:,}", border=True, height="stretch", help=trees)
    st.write(f"**{step['step']}.** {does}")
    st.write(f"What it trades: {trades}")
    if step["trees_measured"] < step["trees"]:
        st.caption(
            f"{step['trees_measured']} of its {step['trees']} trees were grown and measured, one "
            "after the other: the whole forest is what does not fit. Sizes and times are scaled "
            "up, scores are those of the trees measured."
        )


def _sizes(steps: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"step": step["step"], "where": where, "bytes": step[key]}
            for step in steps
            for where, key in (("On disk", "bytes"), ("In memory", "memory_bytes"))
        ]
    )


def _table(steps: list[dict[str, Any]]) -> None:
    page.table(
        steps,
        {
            "step": "Step",
            "trees": page.number("Trees"),
            "nodes": page.number("Nodes"),
            "bytes": page.number("Bytes on disk"),
            "memory_bytes": page.number("Bytes in memory"),
            "fit_seconds": page.number("Seconds to train", 1),
            "predict_seconds": page.number("Seconds for 50,000 days", 3),
            "r2": page.number("R²", 4),
            "rmse": page.number("RMS error, kcal", 1),
        },
        "Every step with its sizes, times and scores",
    )


def _note(release: Release, steps: list[dict[str, Any]]) -> None:
    told = served(data.metrics(release)["calorie_regressor"])
    if told and told["bytes"] != steps[-1]["bytes"]:
        st.caption("The report was made of an earlier model of this month than the one released.")
