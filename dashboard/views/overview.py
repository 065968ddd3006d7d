"""Overview: what is materialized, and the headline figures."""

import html
from typing import Any

import streamlit as st

from dashboard import charts, data, page
from fitness_assets.models.explanations import segments_verdict
from fitness_assets.release import flat
from fitness_assets.release.bundle import Release

#: The stages in order, what each makes, and what of it a release carries.
_STAGES = [
    [("raw_telemetry", "Records as delivered")],
    [("daily_activity", "Spark ETL, Parquet lake")],
    [
        ("segment_model", "K-Means on profiles"),
        ("activity_classifier", "Packed random forest"),
        ("calorie_regressor", "Packed random forest"),
    ],
    [("model_backtest", "Scores a month later"), ("compression_report", "Sizes, step by step")],
    [("dashboard_release", "Verified bundle")],
]
# Nothing here has a background of its own: it lies on the light theme and on the dark one.
_STYLE = """
<style>
.stages {display:flex; flex-wrap:wrap; gap:.4rem; align-items:stretch; margin:.2rem 0 1rem}
.stages .step {display:flex; flex-direction:column; gap:.4rem; flex:1 1 9.5rem; min-width:9.5rem;
  justify-content:center}
.stages .stage {border:1px solid rgba(128,132,149,.45); border-left:4px solid #2b7bba;
  border-radius:.5rem; padding:.45rem .6rem; line-height:1.35}
.stages .none {border-left-color:rgba(128,132,149,.45); opacity:.75}
.stages b {font-size:.86rem; overflow-wrap:anywhere}
.stages span {display:block; font-size:.78rem; opacity:.8}
.stages code {font-size:.75rem}
.stages .to {align-self:center; opacity:.6}
</style>
"""


@page.of_release("Overview")
def show(release: Release) -> None:
    """Draw the view."""
    st.caption(
        f"Release of {release.month}, data version `{release.manifest.data_version[:12]}`, "
        f"{page.size(release.manifest.bytes)}. "
        "Each file is verified against its manifest as it is read."
    )
    summary = release.info.summary
    page.figures(
        {
            "Records": f"{summary.records:,}",
            "Users": f"{summary.users:,}",
            "Days": f"{summary.days:,}",
            "Million steps": f"{summary.total_steps / 1e6:,.1f}",
            "Million kcal": f"{summary.total_kcal / 1e6:,.1f}",
            "Days worn": f"{summary.worn_records / max(summary.records, 1):.1%}",
        },
        {"Records": "One is one user on one day.", "Days worn": "Share of records."},
    )
    days = data.table(release, "days")
    metrics = data.metrics(release)
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.daily_series, days, "steps", data.units())
    with right:
        activities = summary.activities
        if activities:
            known = sum(activities.values())
            mix = {name: count / known for name, count in activities.items()}
            page.figure(charts.shares, mix, "Main activity of the day")
        else:
            st.info("This month has no activity labels.")

    st.subheader("Months")
    _months()
    st.subheader("From a device to this page")
    st.caption("Each stage, what it made for this month, and the hash of its content.")
    st.html(_STYLE + _pipeline(release, metrics))
    st.subheader("Models")
    st.caption(
        "Scores are on users that the model has never seen, beside a baseline that is no model."
    )
    _models(metrics)


def _months() -> None:
    releases = data.releases()
    calendar = data.calendar(releases, st.session_state.get("refused", {}))
    table = data.summaries(releases)
    page.figure(charts.months, calendar)
    for row in calendar.itertuples():
        if row.state != "released":
            st.caption(f"{row.month} is {row.state}: {row.told}.")
    if (calendar["state"] == "outdated").any():
        st.caption(
            "Outdated is a month whose models have learned from days that were made again since."
        )
    page.table(
        table.iloc[::-1],
        {
            "month": "Month",
            "records": page.number("Records"),
            "users": page.number("Users"),
            "days": "Days",
            "mean_steps": page.number("Mean steps"),
            "mean_kcal": page.number("Mean kcal"),
            "models": "Models",
            "checks": "Checks passed",
            "data_version": "Data version",
        },
        "Months released, with their records, users and checks",
    )


def _pipeline(release: Release, metrics: dict[str, Any]) -> str:
    """The stages as boxes in a row, or below one another where there is no room."""
    lake = metrics["daily_activity"]
    steps = len(metrics.get("compression_report", {}).get("steps", []))
    made = {
        "raw_telemetry": f"{lake['delivered']:,} records",
        "daily_activity": f"{lake['rows']:,} user-days, {page.size(lake['bytes'])}",
        "model_backtest": f"{len(release.info.backtest)} forests scored",
        "compression_report": f"{steps} steps measured",
        "dashboard_release": f"{len(release.manifest.files)} files, "
        f"{page.size(release.manifest.bytes)}",
    }
    for name in ("segment_model", "activity_classifier", "calorie_regressor"):
        file = release.model_file(name)
        made[name] = page.size(file.bytes) if file else "not released"
    versions = release.info.upstream | {"dashboard_release": release.manifest.data_version}
    columns = []
    for step in _STAGES:
        boxes = []
        for name, does in step:
            version = versions.get(name)
            told = made[name] if version else "not made for this month"
            code = f"<code>{html.escape(version[:12])}</code>" if version else ""
            boxes.append(
                f'<div class="stage{"" if version else " none"}"><b>{name}</b>'
                f"<span>{does}</span><span>{html.escape(told)}</span>{code}</div>"
            )
        columns.append(f'<div class="step" role="listitem">{"".join(boxes)}</div>')
    arrow = '<div class="to" aria-hidden="true">→</div>'
    return f'<div class="stages" role="list" aria-label="Pipeline">{arrow.join(columns)}</div>'


def _models(metrics: dict[str, dict[str, Any]]) -> None:
    segments, activity, calories = st.columns(3)
    with segments.container(border=True, height="stretch"):
        st.markdown("**User segments**")
        told = data.told(metrics["segment_model"])
        if told:
            st.metric("Stable groups", told["k"] if told["stable"] else "none")
            st.write(segments_verdict(flat.segments(told)))
    with activity.container(border=True, height="stretch"):
        st.markdown("**Activity classifier**")
        told = data.told(metrics["activity_classifier"])
        if told:
            st.metric("Accuracy", f"{told['accuracy']:.3f}")
            st.write(
                f"Always {charts.readable(told['commonest']).lower()}: "
                f"{told['baseline_accuracy']:.3f}. Macro F1 {told['macro_f1']:.2f} against "
                f"{told['baseline_macro_f1']:.2f}, on {told['heldout_users']:,} users."
            )
    with calories.container(border=True, height="stretch"):
        st.markdown("**Calorie regressor**")
        told = data.told(metrics["calorie_regressor"])
        if told:
            linear = told["linear"]
            st.metric("R²", f"{told['r2']:.3f}")
            st.write(
                f"A linear model: {linear['r2']:.3f}. Mean absolute error {told['mae']:.0f} kcal "
                f"against {linear['mae']:.0f}, on {told['heldout_users']:,} users; "
                f"{told['coverage']:.0%} of their days are within the interval."
            )
