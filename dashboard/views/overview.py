"""Overview: the months that are released, the pipeline, and the most important numbers."""

import html

import streamlit as st

from dashboard import data, notices, overview_of_one, page, person
from dashboard.charts import common, overview
from dashboard.month_states import month_states
from dashboard.text import label
from fitness_assets.formatting import large, size
from fitness_assets.models.explanations import segments_verdict
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import MODELS, ModelSpec
from fitness_assets.models.reports import Metrics
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.raw import NUMBERS
from fitness_assets.release.bundle import Release, ReleaseReport
from fitness_assets.text import verbatim

#: The stages of the pipeline in order: assets, and what each one makes.
_STAGES = [
    [("raw_telemetry", "Raw records")],
    [("daily_activity", "Spark ETL, Parquet lake")],
    [(spec.name, spec.title) for spec in MODELS],
    [
        ("model_backtest", "Scores on the next month"),
        ("compression_report", "Sizes of the compression steps"),
    ],
    [("dashboard_release", "Verified bundle")],
]


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    who = person.only(release)
    if who is None:
        _overview_of_all(release)
        return
    overview_of_one.show(release, who)
    # Drawn once it is open: it is about the platform, and not what the person came for.
    details = st.expander(
        "Months and pipeline", icon=":material/account_tree:", key="details", on_change="rerun"
    )
    if details.open:
        with details:
            _release_caption(release)
            _months()
            _stages(release, data.report(release))


def _release_caption(release: Release) -> None:
    st.caption(
        f"Release of {release.month}, data version `{release.manifest.data_version[:12]}`, "
        f"{size(release.manifest.bytes)}. "
        "Each file is checked against the release's manifest when it is read."
    )


def _overview_of_all(release: Release) -> None:
    """The overview of all users of the release."""
    _release_caption(release)
    summary = release.info.summary
    page.metric_row(
        {
            "Records": f"{summary.records:,}",
            "Users": f"{summary.users:,}",
            "Days": f"{summary.days:,}",
            "Total steps": large(summary.total_steps),
            "Total energy": f"{large(summary.total_kcal)} kcal",
            "Days worn": f"{summary.worn_records / max(summary.records, 1):.1%}",
        },
        {
            "Records": "A record is one day of one user.",
            "Days worn": "Share of the records on whose day the device was worn.",
        },
    )
    days = data.table(release, "days")
    report = data.report(release)
    left, right = st.columns(2, gap="medium")
    with left:
        page.chart(common.daily_means, days, "steps", page.chosen_units())
    with right:
        labelled = sum(summary.activities.values())
        if labelled:
            shares = {name: number / labelled for name, number in summary.activities.items()}
            page.chart(common.share_bars, shares, "Main activity of the day")
        else:
            st.info("This month has no activity labels.")

    st.header("Months")
    _months()
    st.header("Pipeline")
    _stages(release, report)
    st.header("Models")
    st.caption("Scores on held-out users, compared with a baseline.")
    for column, spec in zip(st.columns(len(MODELS)), MODELS, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{spec.title}**")
            model = report.models[spec.name]
            notices.fallback(model)
            if model.carried and model.carried.metrics:
                _model(spec, model.carried.metrics)


def _stages(release: Release, report: ReleaseReport) -> None:
    st.caption("Each stage, its output for this month, and the start of its data version.")
    st.html(_pipeline(release, report))


def _months() -> None:
    releases = page.releases()
    states = month_states(releases, st.session_state.get("refused", {}))
    page.chart(overview.month_calendar, states)
    for row in states.itertuples():
        if row.state != "released":
            st.caption(f"{row.month} is {row.state}: {verbatim(row.details)}.")
    if (states["state"] == "outdated").any():
        st.caption(
            "A month is outdated if records that its models were trained on have changed since."
        )
    page.table(
        data.summaries(releases).iloc[::-1],
        {
            "month": "Month",
            "records": page.number_column("Records"),
            "users": page.number_column("Users"),
            "days": "Days",
            "mean_steps": page.number_column("Mean steps"),
            "mean_kcal": page.number_column("Mean energy (kcal)"),
            "models": "Models",
            "checks": "Checks passed",
            "data_version": "Data version",
        },
        "Released months with their records, users and checks",
    )


def _pipeline(release: Release, report: ReleaseReport) -> str:
    """The stages as HTML: boxes in a row, or below each other on a narrow screen (`style.css`)."""
    steps = len(report.compression.steps) if report.compression else 0
    outputs = {
        "raw_telemetry": f"{report.data.delivered:,} records",
        "daily_activity": f"{report.data.rows:,} records, {size(report.data.bytes)}",
        "model_backtest": f"{len(release.info.backtest)} models scored",
        "compression_report": f"{steps} steps measured",
        "dashboard_release": f"{len(release.manifest.files)} files, {size(release.manifest.bytes)}",
    }
    for spec in MODELS:
        file = release.model_file(spec.name)
        outputs[spec.name] = size(file.bytes) if file else "not released"
    versions = release.info.upstream | {"dashboard_release": release.manifest.data_version}
    columns = []
    for stage in _STAGES:
        boxes = []
        for name, description in stage:
            version = versions.get(name)
            output = outputs[name] if version else "not materialized for this month"
            code = f"<code>{html.escape(version[:12])}</code>" if version else ""
            boxes.append(
                f'<div class="stage{"" if version else " none"}"><b>{name}</b>'
                f"<span>{description}</span><span>{html.escape(output)}</span>{code}</div>"
            )
        columns.append(f'<div class="step" role="listitem">{"".join(boxes)}</div>')
    arrow = '<div class="to" aria-hidden="true">→</div>'
    stages = f'<div class="stages" role="list" aria-label="Pipeline">{arrow.join(columns)}</div>'
    return f'<div class="pipeline">{stages}</div>'


def _model(spec: ModelSpec, metrics: Metrics) -> None:
    if isinstance(metrics, SegmentMetrics):
        st.metric("Stable segments", metrics.k if metrics.stable else "none")
        st.write(segments_verdict(metrics))
    elif isinstance(metrics, ClassifierMetrics):
        found = metrics.evaluation
        st.metric("Accuracy", f"{found.scores.accuracy:.3f}")
        st.write(
            f"Baseline (always {verbatim(label(metrics.majority_class).lower())}): "
            f"{found.baseline.accuracy:.3f}. Macro F1: {found.scores.macro_f1:.2f}, baseline "
            f"{found.baseline.macro_f1:.2f}. Measured on {found.users:,} held-out users."
        )
    elif isinstance(metrics, RegressorMetrics):
        test, target = metrics.evaluation, NUMBERS[spec.target]
        error, linear_error = (
            f"{scores.mae:,.{target.decimals}f} {target.unit}"
            for scores in (test.scores, metrics.linear)
        )
        st.metric("R²", f"{test.scores.r2:.3f}")
        st.write(
            f"Linear model: {metrics.linear.r2:.3f}. "
            f"Mean absolute error: {error}, linear model {linear_error}. "
            f"Measured on {test.users:,} held-out users; {test.coverage:.0%} of their "
            "days lie inside the 90% prediction interval."
        )
