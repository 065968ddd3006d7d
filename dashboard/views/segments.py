"""Segments: groups of users with similar habits, whether they are stable, and how they differ."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import data, notices, page
from dashboard.charts import common, segments
from dashboard.text import label
from fitness_assets.formatting import number, percent, plural
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.explanations import (
    day_kinds_measured,
    day_kinds_verdict,
    habit_advice,
    not_released,
    segments_measured,
    segments_verdict,
)
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.models.segments.advice import SMALL, WORDS
from fitness_assets.models.segments.criteria import LENIENT_PARTS, STABILITY_PARTS, STABLE
from fitness_assets.release.bundle import Projection, Release
from fitness_assets.text import verbatim

if TYPE_CHECKING:
    from dashboard.people import People

#: Header and decimals of the features in the table of segments.
_FEATURES = {
    "steps": ("Steps", 0),
    "active_minutes": ("Active time (min)", 0),
    "resting_heart_rate": ("Resting heart rate (bpm)", 0),
    "sleep": ("Sleep (h)", 1),
    "calories": ("Energy (kcal)", 0),
}
# Features in the description of a direction.
_DIRECTION_FEATURES = 3
# Points of the map of users. With more, a fixed sample of users is drawn.
_MOST_POINTS = 5_000


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    report = data.report(release)
    model = report.models["segment_model"]
    if model.report.scope == "personal":
        _day_kinds(release)
        if model.carried is None:
            return
    metrics = page.carried_metrics(model, SegmentMetrics)
    if metrics is None:
        return
    verdict = segments_verdict(metrics)
    if metrics.stable:
        st.success(verdict, icon=":material/check_circle:")
    else:
        st.warning(verdict, icon=":material/blur_on:")
    _details(segments_measured(metrics))
    if metrics.stable:
        _profiles(metrics)
    # Users are assigned by the month's own model only.
    own = model.report.released
    people = page.people(release)
    if people and own and report.projection:
        _projection(people, report.projection, metrics)
    left, right = st.columns(2, gap="medium")
    with left:
        _stability(metrics)
    if metrics.stable:
        with right:
            users = {profile.name: profile.users for profile in metrics.profiles}
            page.chart(common.value_bars, users, "Users by segment", "Users")
        page.chart(segments.segment_distances, _distances(metrics))
        st.caption(
            "How far each segment is from the mean of all users: blue is above it, red below. 1 is "
            "the usual distance of a user (one standard deviation). Less than "
            f"{SMALL} is negligible."
        )
    if own:
        _movement(release, report.renamed_segments)


def _day_kinds(release: Release) -> None:
    """The kinds of days of each user whose rows the visitor may read."""
    st.header("Kinds of days")
    st.caption(
        "There are too few users for groups of users. These are groups of similar days of one "
        "user. They count only if the same groups come back with other days and in other months, "
        "and if there are gaps between them."
    )
    people = page.people(release)
    reports = people.personal() if people else None
    report = reports.models.get("segment_model") if reports else None
    if report is None:
        return
    if not isinstance(report.metrics, DayKindMetrics):
        st.info(verbatim(not_released(report)), icon=":material/info:")
        return
    several = len(report.metrics.users) > 1
    for found in report.metrics.users:
        if several:
            st.markdown(f"**{verbatim(found.user)}**")
        verdict = verbatim(day_kinds_verdict(found))
        if not found.kinds:
            st.info(verdict, icon=":material/blur_on:")
            _details(day_kinds_measured(found))
            continue
        st.success(verdict, icon=":material/check_circle:")
        _details(day_kinds_measured(found))
        shown = {name: column for name, column in _FEATURES.items() if name in found.features}
        page.table(
            [
                {
                    "name": kind.name,
                    "days": kind.days,
                    "weekend": 100 * kind.weekend_share,
                    **{name: kind.profile[name] for name in shown},
                }
                for kind in found.kinds
            ],
            {
                "name": "Kind of day",
                "days": page.number_column("Days"),
                "weekend": page.percent_column("On a weekend"),
                **{
                    name: page.number_column(title, decimals)
                    for name, (title, decimals) in shown.items()
                },
            },
            "Kinds of days with their number and mean measurements",
        )


def _details(measured: str) -> None:
    """How the verdict was measured, closed at first; nothing if there was nothing to measure."""
    if measured:
        with st.expander("How this was measured"):
            st.write(measured)


def _profiles(metrics: SegmentMetrics) -> None:
    st.header("Segment profiles")
    st.caption("Daily means of the users of each segment.")
    shown = {name: column for name, column in _FEATURES.items() if name in metrics.features}
    page.table(
        [
            {
                "name": profile.name,
                "users": profile.users,
                **{name: profile.profile[name] for name in shown},
            }
            for profile in metrics.profiles
        ],
        {
            "name": "Segment",
            "users": page.number_column("Users"),
            **{
                name: page.number_column(title, decimals)
                for name, (title, decimals) in shown.items()
            },
        },
        "Segments with their users and mean measurements",
    )
    st.markdown("**Habits that lead to a better segment**")
    advice = {
        profile.name: habit_advice(profile, metrics, verbatim) or "no advice"
        for profile in metrics.profiles
    }
    st.markdown("\n".join(f"- {verbatim(name)}: {text}" for name, text in advice.items()))
    st.caption(
        "A segment is better if its resting heart rate, steps or sleep is better and none of the "
        "three is worse. The advice changes habits only, towards the nearest better segment."
    )


def _projection(people: "People", axes: Projection, metrics: SegmentMetrics) -> None:
    users = people.user_map()
    if people.own is not None:
        notices.only_analysts("The map of users is shown")
    if people.own is not None or users is None:
        return
    drawn = users.sample(min(len(users), _MOST_POINTS), random_state=0).sort_index()
    shown = drawn[["x", "y"]]
    if metrics.stable:
        shown = shown.assign(segment=drawn["segment_name"])
    page.chart(segments.projection, shown, axes.explained)
    right, up = (
        _direction({name: loadings[axis] for name, loadings in axes.loadings.items()})
        for axis in (0, 1)
    )
    sampled = f", of a fixed sample of {number(len(drawn))}" if len(drawn) < len(users) else ""
    st.caption(
        f"Each point is a user{sampled}; users with similar habits are close. Further right: "
        f"{right}. Further up: {up}. Segments that overlap here can differ in habits that are not "
        "drawn."
    )


def _direction(loadings: dict[str, float]) -> str:
    """The features with the largest loadings, as "many steps, short sleep"."""
    largest = sorted(loadings.items(), key=lambda item: -abs(item[1]))[:_DIRECTION_FEATURES]
    return ", ".join(WORDS[name][0 if loading > 0 else 1] for name, loading in largest)


def _stability(metrics: SegmentMetrics) -> None:
    comparisons = {part: text.capitalize() for part, text in STABILITY_PARTS.items()}
    comparisons |= {part: f"Lenient: {text}" for part, text in LENIENT_PARTS.items()}
    rows = [
        {"k": candidate.k, "comparison": text, "agreement": agreement}
        for candidate in metrics.candidates
        for part, text in comparisons.items()
        if (agreement := getattr(candidate, part)) is not None
    ]
    page.chart(segments.segment_stability, pd.DataFrame(rows), STABLE, metrics.k)
    st.caption(
        "Are the groups the same with other users, days and months (adjusted Rand index)? 1: the "
        "same groups; 0: no more "
        f"alike than by chance. Segments are stable if each line but the lenient one reaches "
        f"{STABLE} (dashed). The chosen number is shaded."
    )


def _distances(metrics: SegmentMetrics) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "segment": profile.name,
                "feature": label(feature),
                "distance": profile.distance[feature],
            }
            for profile in metrics.profiles
            for feature in WORDS
            if feature in profile.distance
        ]
    )


def _movement(release: Release, renamed: dict[str, str]) -> None:
    st.header("Who changed segment since the month before")
    movement = data.table(release, "movement") if release.has_table("movement") else None
    if movement is None or movement.empty:
        st.info(
            "This needs a month that has ended, and stable segments in it and in the month before.",
            icon=":material/info:",
        )
        return
    stayed = int(movement.loc[movement["before"] == movement["segment"], "users"].sum())
    everyone = int(movement["users"].sum())
    st.write(
        f"{number(stayed)} of {plural(everyone, 'user')} ({percent(stayed / everyone)}) are in the "
        "same segment as in the month before."
    )
    page.chart(segments.segment_movement, movement)
    names = [f"“{verbatim(now)}” was named “{verbatim(before)}”" for now, before in renamed.items()]
    st.caption(
        "Segments of two months are matched by the users that they share, not by name."
        + (f" In the month before, {', '.join(names)}." if names else "")
    )
