"""Overview: what is materialized, and the headline figures."""

from typing import Any

import streamlit as st

from dashboard import charts, data
from fitness_assets.errors import StorageError
from fitness_assets.learning.verdicts import habit_advice, segments_verdict
from fitness_assets.storage.release import served


def show() -> None:
    """Draw the view."""
    st.title("Overview")
    release = data.current()
    if release is None:
        return
    summary = release.manifest.info["summary"]
    st.caption(
        f"Release of {release.month}, data version `{release.manifest.data_version[:12]}`, "
        f"{release.manifest.bytes / 1e6:.2f} MB. "
        "Each file is verified against its manifest as it is read."
    )
    figures = {
        "Records": f"{summary['records']:,}",
        "Users": f"{summary['users']:,}",
        "Days": f"{summary['days']:,}",
        "Million steps": f"{summary['total_steps'] / 1e6:,.1f}",
        "Million kcal": f"{summary['total_kcal'] / 1e6:,.1f}",
        "Days worn": f"{summary['worn_records'] / max(summary['records'], 1):.1%}",
    }
    for column, (name, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(name, value, border=True)

    left, right = st.columns(2)
    try:
        days = data.table(release, "days")
        metrics = data.metrics(release)
    except StorageError as error:
        data.refuse(release.month, error)
        return
    left.altair_chart(charts.daily_series(days, "steps"))
    activities = summary["activities"]
    if activities:
        known = sum(activities.values())
        mix = {name: count / known for name, count in activities.items()}
        right.altair_chart(charts.shares(mix, "Main activity of the day"))
    else:
        right.info("This month has no activity labels.")

    st.subheader("Models")
    st.caption(
        "Scores are on users that the model has never seen, beside a baseline that is no model."
    )
    _models(metrics)
    segments = served(metrics["segment_model"])
    if segments and segments["stable"]:
        st.subheader("Segments")
        st.caption(
            "Means of each group. The advice changes habits only, towards the nearest group that "
            "is better in resting heart rate, steps or sleep and worse in none of them."
        )
        _segments(segments)

    st.subheader("Months")
    releases = []
    for month in st.session_state["months"]:
        try:
            releases.append(data.store().open(month))
        except StorageError as error:
            data.refuse(month, error)
    table = data.summaries(releases)
    left, right = st.columns([2, 3])
    left.altair_chart(charts.records_by_month(table))
    shown = [
        "month",
        "records",
        "users",
        "days",
        "mean_steps",
        "mean_kcal",
        "models",
        "data_version",
    ]
    right.dataframe(
        table[shown].iloc[::-1],
        hide_index=True,
        column_config={
            "month": "Month",
            "records": st.column_config.NumberColumn("Records", format="localized"),
            "users": st.column_config.NumberColumn("Users", format="localized"),
            "days": "Days",
            "mean_steps": st.column_config.NumberColumn("Mean steps", format="%.0f"),
            "mean_kcal": st.column_config.NumberColumn("Mean kcal", format="%.0f"),
            "models": "Models",
            "data_version": "Data version",
        },
    )


def _models(metrics: dict[str, dict[str, Any]]) -> None:
    segments, activity, calories = st.columns(3)
    with segments.container(border=True):
        st.markdown("**User segments**")
        told = data.told(metrics["segment_model"])
        if told:
            st.metric("Stable groups", told["k"] if told["stable"] else "none")
            st.write(segments_verdict(told))
    with activity.container(border=True):
        st.markdown("**Activity classifier**")
        told = data.told(metrics["activity_classifier"])
        if told:
            st.metric("Accuracy", f"{told['accuracy']:.3f}")
            st.write(
                f"Always {charts.readable(told['commonest']).lower()}: "
                f"{told['baseline_accuracy']:.3f}. Macro F1 {told['macro_f1']:.2f} against "
                f"{told['baseline_macro_f1']:.2f}, on {told['heldout_users']:,} users."
            )
    with calories.container(border=True):
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


def _segments(told: dict[str, Any]) -> None:
    measures = {
        "steps": st.column_config.NumberColumn("Steps", format="%.0f"),
        "active_minutes": st.column_config.NumberColumn("Active min", format="%.0f"),
        "resting_heart_rate": st.column_config.NumberColumn("Resting bpm", format="%.0f"),
        "sleep": st.column_config.NumberColumn("Sleep h", format="%.1f"),
    }
    shown = {name: column for name, column in measures.items() if name in told["features"]}
    rows = [
        {
            "name": profile["name"],
            "users": profile["users"],
            **{name: profile["profile"][name] for name in shown},
            "advice": habit_advice(profile, told) or "none known",
        }
        for profile in told["profiles"]
    ]
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "name": "Segment",
            "users": "Users",
            **shown,
            "advice": st.column_config.TextColumn("What would move it", width="large"),
        },
    )
