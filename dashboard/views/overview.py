"""Overview: the months that are released, the pipeline, and the most important numbers."""

import html

import streamlit as st

from dashboard import data, notices, overview_of_one, page, person
from dashboard.charts import common, overview
from dashboard.month_states import month_states
from dashboard.text import label
from fitness_assets.formatting import large, number, percent, plural, size
from fitness_assets.models.explanations import (
    classifier_verdict,
    regressor_verdict,
    segments_measured,
    segments_verdict,
)
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
    _platform(release)


def _platform(release: Release) -> None:
    """The months and the pipeline, which are drawn once the box is open.

    They are about the platform. The table and the chart would double what a browser must download
    to show its first page.
    """
    details = st.expander(
        "Months and pipeline", icon=":material/account_tree:", key="details", on_change="rerun"
    )
    if not details.open:
        return
    with details:
        st.caption(
            f"Release of {release.month}, data version `{release.manifest.data_version[:12]}`, "
            f"{size(release.manifest.bytes)}. Each file is checked when it is read."
        )
        _months()
        st.header("Pipeline")
        _stages(release, data.report(release))


def _overview_of_all(release: Release) -> None:
    """The overview of all users of the release."""
    summary = release.info.summary
    page.metric_row(
        {
            "Records": number(summary.records),
            "Users": number(summary.users),
            "Days": number(summary.days),
            "Total steps": large(summary.total_steps),
            "Total energy": f"{large(summary.total_kcal)} kcal",
            "Days worn": percent(summary.worn_records / max(summary.records, 1), 1),
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
            page.known_days(labelled, summary.records)
        else:
            st.info("This month has no activity labels.")

    _month_notes()
    st.header("Models")
    st.caption(
        "How good they are on users whose days they were not trained on, and how good a simple "
        "guess is."
    )
    for column, spec in zip(st.columns(len(MODELS)), MODELS, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{spec.title}**")
            model = report.models[spec.name]
            notices.fallback(model)
            if model.carried and model.carried.metrics:
                _model(spec, model.carried.metrics)
    _platform(release)


def _stages(release: Release, report: ReleaseReport) -> None:
    st.caption("Each stage, its output for this month, and the start of its data version.")
    st.html(_pipeline(release, report))


def _month_notes() -> None:
    """The months that are not simply released, and why."""
    states = month_states(page.releases(), st.session_state.get("refused", {}))
    for row in states.itertuples():
        if row.state != "released":
            st.caption(f"{row.month} is {row.state}: {verbatim(row.details)}.")
    if (states["state"] == "outdated").any():
        st.caption(
            "A month is outdated if records that its models were trained on have changed since."
        )


def _months() -> None:
    releases = page.releases()
    states = month_states(releases, st.session_state.get("refused", {}))
    page.chart(overview.month_calendar, states)
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
        "raw_telemetry": plural(report.data.delivered, "record"),
        "daily_activity": f"{plural(report.data.rows, 'record')}, {size(report.data.bytes)}",
        "model_backtest": f"{plural(len(release.info.backtest), 'model')} scored",
        "compression_report": f"{plural(steps, 'step')} measured",
        "dashboard_release": f"{plural(len(release.manifest.files), 'file')}, "
        f"{size(release.manifest.bytes)}",
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
        st.metric(
            "Stable segments",
            metrics.k if metrics.stable else "none",
            help=segments_measured(metrics),
        )
        st.write(segments_verdict(metrics))
    elif isinstance(metrics, ClassifierMetrics):
        found = metrics.evaluation
        right = percent(found.scores.accuracy)
        st.metric(
            "Accuracy",
            right,
            help=f"Macro F1, the mean over the activities: {number(found.scores.macro_f1, 2)}, of "
            f"the baseline {number(found.baseline.macro_f1, 2)}.",
        )
        majority = verbatim(label(metrics.majority_class).lower())
        st.write(f"{classifier_verdict(metrics, majority)} {_measured_on(found.users)}")
    elif isinstance(metrics, RegressorMetrics):
        test, target = metrics.evaluation, NUMBERS[spec.target]
        st.metric(
            "Mean error",
            f"{number(test.scores.mae, target.decimals)} {target.unit}",
            help=f"R², the share of the variation that it explains: {number(test.scores.r2, 3)}, "
            f"of a linear model {number(metrics.linear.r2, 3)}.",
        )
        st.write(
            f"{regressor_verdict(metrics)} {percent(test.coverage)} of days lie in the range that "
            f"it gives for 90%. {_measured_on(test.users)}"
        )


def _measured_on(users: int) -> str:
    return f"Measured on {plural(users, 'user')}."
