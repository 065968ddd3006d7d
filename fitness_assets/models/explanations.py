"""Measured facts in plain words, for the Dagster UI and the dashboard alike."""

from collections.abc import Mapping
from typing import Any

#: Groups whose weakest index is below this are not the same when something else is looked at.
STABLE = 0.55
#: So many users make a group; fewer are outliers.
SMALLEST = 5
#: What is compared to tell whether segments are stable.
STABILITY_PARTS = {
    "bootstrap": "between resamples of the users",
    "odd_even": "between odd and even days",
    "months": "from month to month",
}
_BETTER = {
    "resting_heart_rate": "a lower resting heart rate",
    "steps": "more steps",
    "sleep": "better sleep",
}


def not_released(metrics: Mapping[str, Any]) -> str:
    """Why a month has no model of its own of a kind, and whose stands in."""
    verb = "Refused" if metrics["learned"] else "Not learned"
    told = f"{verb}: {metrics['reason']}."
    if "stand_in" in metrics:
        told += f" The model of {metrics['stand_in']['month']} stands in."
    return told


def segments_verdict(metrics: Mapping[str, Any]) -> str:
    """What was found of the number of segments that was chosen."""
    k = metrics["k"]
    chosen = next(candidate for candidate in metrics["candidates"] if candidate["k"] == k)
    agreement = ", ".join(
        f"{chosen[part]:.2f} {words}"
        for part, words in STABILITY_PARTS.items()
        if chosen[part] is not None
    )
    if metrics["stable"]:
        told = f"{k} groups that stay the same (adjusted Rand {agreement})."
        if not metrics["distinct"]:
            told += (
                " There are no gaps between them: they are parts of a scale, not kinds of people."
            )
        return told
    if chosen["stability"] >= STABLE:
        return (
            f"No stable groups here: the smallest of {k} is below {SMALLEST} users, which makes "
            "outliers and not a group."
        )
    return (
        f"No stable groups here: users fall into other groups when something else is looked at "
        f"(adjusted Rand {agreement}, for {k}; {STABLE} is asked of each, and no number of groups "
        "reaches it)."
    )


def habit_advice(profile: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """What would take users of a segment to a better one; empty where nothing is known to.

    Parameters
    ----------
    profile : mapping
        One of the ``profiles`` of `metrics`.
    metrics : mapping
        Those of the segments of the month.
    """
    advice = profile["advice"]
    if advice is None:
        return ""
    names = {other["segment"]: other["name"] for other in metrics["profiles"]}
    habits = " and ".join(f"{habit['change']:+,} {habit['unit']}" for habit in advice["habits"])
    better = ", ".join(_BETTER[measure] for measure in advice["better_in"])
    return (
        f"{habits}, towards “{names[advice['towards']]}” ({better}). By the model that takes "
        f"{advice['moved']:.0%} of these users to a better segment."
    )
