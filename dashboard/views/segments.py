"""Segments: which groups of users there are, if there are any, and what sets them apart."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, page
from fitness_assets.models.explanations import (
    habit_advice,
    segments_verdict,
)
from fitness_assets.models.segments.advice import WORDS
from fitness_assets.models.segments.criteria import STABILITY_PARTS, STABLE
from fitness_assets.release import flat
from fitness_assets.release.bundle import Release

_MEASURES = {
    "steps": ("Steps", 0),
    "active_minutes": ("Active min", 0),
    "resting_heart_rate": ("Resting bpm", 0),
    "sleep": ("Sleep h", 1),
    "calories": ("kcal", 0),
}


@page.of_release("Segments")
def show(release: Release) -> None:
    """Draw the view."""
    metrics = data.metrics(release)
    told = data.told(metrics["segment_model"])
    if told is None:
        return
    verdict = segments_verdict(flat.segments(told))
    if told["stable"]:
        st.success(verdict, icon=":material/check_circle:")
    else:
        st.warning(verdict, icon=":material/blur_on:")
    own = metrics["segment_model"]["released"]
    if told["stable"]:
        _groups(told)
    if own and release.has_table("people"):
        _projection(release, metrics, told)
    left, right = st.columns(2, gap="medium")
    with left:
        _stability(told)
    if told["stable"]:
        with right:
            _sizes(told)
        page.figure(charts.apart, _distances(told))
        st.caption(
            "Standard deviations above (blue) or below (red) the mean of all users; below a fifth "
            "of one is too little to speak of."
        )
    if own:
        _movement(release, metrics)


def _groups(told: dict[str, Any]) -> None:
    st.subheader("The groups")
    st.caption(
        "Means of each group. Advice changes habits only, towards the nearest group that is better "
        "in resting heart rate, steps or sleep and worse in none of them."
    )
    shown = {name: measure for name, measure in _MEASURES.items() if name in told["features"]}
    page.table(
        [
            {
                "name": profile["name"],
                "users": profile["users"],
                **{name: profile["profile"][name] for name in shown},
            }
            for profile in told["profiles"]
        ],
        {
            "name": "Segment",
            "users": page.number("Users"),
            **{name: page.number(label, decimals) for name, (label, decimals) in shown.items()},
        },
        "Segments with their users and means",
    )
    st.markdown("**What would move a user to a better group**")
    typed = flat.segments(told)
    told_of = {profile.name: habit_advice(profile, typed) for profile in typed.profiles}
    st.markdown(
        "\n".join(f"- {name}: {advice or 'none known'}" for name, advice in told_of.items())
    )


def _projection(release: Release, metrics: dict[str, Any], told: dict[str, Any]) -> None:
    people, seen = data.table(release, "people"), metrics["projection"]
    shown = people[["x", "y"]]
    if told["stable"]:
        names = {profile["segment"]: profile["name"] for profile in told["profiles"]}
        shown = shown.assign(name=people["segment"].map(names))
    page.figure(charts.projection, shown, seen["explained"])
    right, up = (
        _direction({name: loadings[side] for name, loadings in seen["loadings"].items()})
        for side in (0, 1)
    )
    st.caption(
        f"A point is a user. To the right: {right}. Upwards: {up}. Groups that overlap "
        "here may lie apart in the directions that are not drawn."
    )


def _direction(loadings: dict[str, float]) -> str:
    """What there is more or less of in the direction of an axis: the three that count most."""
    most = sorted(loadings.items(), key=lambda item: -abs(item[1]))[:3]
    return ", ".join(
        f"{'more' if loading > 0 else 'less'} {charts.readable(name).lower()}"
        for name, loading in most
    )


def _stability(told: dict[str, Any]) -> None:
    rows = [
        {"k": candidate["k"], "part": words.capitalize(), "agreement": candidate[part]}
        for candidate in told["candidates"]
        for part, words in STABILITY_PARTS.items()
        if candidate[part] is not None
    ]
    page.figure(charts.stability, pd.DataFrame(rows), STABLE, told["k"])
    st.caption(
        f"1 means that users fall into the same groups, 0 that it is chance. {STABLE} is asked of "
        "each (dashed); the shaded number was chosen."
    )


def _sizes(told: dict[str, Any]) -> None:
    users = {profile["name"]: profile["users"] for profile in told["profiles"]}
    page.figure(charts.bars, users, "Size of each group", "Users")


def _distances(told: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "segment": profile["name"],
                "measure": charts.readable(measure),
                "distance": profile["distance"][measure],
            }
            for profile in told["profiles"]
            for measure in WORDS
            if measure in profile["distance"]
        ]
    )


def _movement(release: Release, metrics: dict[str, Any]) -> None:
    st.subheader("Movement since the month before")
    movement = data.table(release, "movement") if release.has_table("movement") else None
    if movement is None or movement.empty:
        st.info(
            "Nothing to compare: it takes stable groups in this month and in the one before.",
            icon=":material/info:",
        )
        return
    stayed = int(movement.loc[movement["before"] == movement["segment"], "users"].sum())
    everyone = int(movement["users"].sum())
    st.write(
        f"{stayed:,} of {everyone:,} users ({stayed / everyone:.0%}) are in the same group as the "
        "month before."
    )
    page.figure(charts.moves, movement)
    renamed = [f"“{now}” was “{then}”" for now, then in metrics.get("formerly", {}).items()]
    told = f" By the name it had then {', '.join(renamed)}." if renamed else ""
    st.caption(
        "Groups of two months are the same if they share the most users, whatever they are called."
        + told
    )
