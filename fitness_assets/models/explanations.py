"""Sentences about the models, for the Dagster UI and the dashboard."""

from fitness_assets.models.day_kind_metrics import UserDayKinds
from fitness_assets.models.reports import ModelReport
from fitness_assets.models.segment_metrics import SegmentMetrics, SegmentProfile
from fitness_assets.models.segments.criteria import (
    DAY_STABILITY_PARTS,
    FEWEST_DAYS,
    LENIENT_PARTS,
    SMALLEST_SEGMENT,
    STABILITY_PARTS,
    STABLE,
)

_BETTER = {
    "resting_heart_rate": "a lower resting heart rate",
    "steps": "more steps",
    "sleep": "better sleep",
}


def not_released(report: ModelReport, fallback: str | None = None) -> str:
    """Why a month has no model of its own.

    Parameters
    ----------
    report : ModelReport
        Of that month.
    fallback : str or None
        The month of the model that is used instead.
    """
    if report.scope == "personal" and report.metrics is None and not report.gates:
        text = f"Personal model: {report.reason}."
        return f"{text} For everyone else there is that of {fallback}." if fallback else text
    state = "Not released" if report.learned else "Not trained"
    text = f"{state}: {report.reason}."
    return f"{text} The model of {fallback} is used instead." if fallback else text


def segments_verdict(metrics: SegmentMetrics) -> str:
    """Whether the selected number of segments is stable, and how it was measured."""
    k, selected = metrics.k, metrics.selected
    indices = {
        "bootstrap": selected.bootstrap,
        "odd_even": selected.odd_even,
        "months": selected.months,
    }
    measured = ", ".join(
        f"{index:.2f} {STABILITY_PARTS[part]}"
        for part, index in indices.items()
        if index is not None
    )
    lenient = ", ".join(
        f"{getattr(selected, part):.2f} {text}" for part, text in LENIENT_PARTS.items()
    )
    if metrics.stable:
        text = f"{k} stable segments (adjusted Rand index {measured})."
        if not metrics.distinct:
            text += " There are no gaps between them: they divide a continuum of users."
        return text
    if selected.stability >= STABLE:
        return (
            f"No stable segments: the smallest of {k} has fewer than {SMALLEST_SEGMENT} users, who "
            "are outliers."
        )
    return (
        "No stable segments: other resamples, days or months assign users to other segments. Each "
        f"adjusted Rand index must be at least {STABLE}, and no number of segments reaches that; "
        f"the best, {k}, has {measured}. The lenient test, which does not count, gives "
        f"{lenient}."
    )


def day_kinds_verdict(found: UserDayKinds) -> str:
    """Whether a user's days are of stable kinds, and how it was measured."""
    days, best = f"{found.days:,} worn days", found.best
    if best is None:
        return (
            f"No stable kinds in {days}: no measurement has two peaks, and no two go together."
            if found.days >= FEWEST_DAYS
            else f"No kinds: they need {FEWEST_DAYS} worn days; there are {found.days}."
        )
    measured = ", ".join(
        f"{index:.2f} {text}"
        for part, text in DAY_STABILITY_PARTS.items()
        if (index := getattr(best, part)) is not None
    )
    if found.kinds:
        return f"{best.k} stable kinds of days in {days} (adjusted Rand index {measured})."
    if best.smallest < SMALLEST_SEGMENT:
        return f"No stable kinds in {days}: the smallest of {best.k} has {best.smallest} days."
    if best.stability >= STABLE:
        return (
            f"No stable kinds in {days}: there are no gaps between {best.k} kinds, which would "
            "divide a continuum of days."
        )
    return (
        f"No stable kinds in {days}. Each adjusted Rand index must be at least {STABLE}, and no "
        f"number of kinds reaches that; the best, {best.k}, has {measured}."
    )


def habit_advice(profile: SegmentProfile, metrics: SegmentMetrics) -> str:
    """The change of habits that leads from a segment to a better one; empty if none is known.

    Parameters
    ----------
    profile : SegmentProfile
        One of `metrics.profiles`.
    metrics : SegmentMetrics
    """
    advice = profile.advice
    if advice is None:
        return ""
    names = {other.segment: other.name for other in metrics.profiles}
    habits = " and ".join(f"{habit.change:+,} {habit.unit}" for habit in advice.habits)
    better = ", ".join(_BETTER[measure] for measure in advice.better_in)
    return (
        f"{habits}, towards “{names[advice.towards]}” ({better}). With this change the model "
        f"assigns {advice.moved:.0%} of these users to a better segment."
    )
