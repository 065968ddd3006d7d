"""Sentences about the models, for the Dagster UI and the dashboard."""

from collections.abc import Callable, Mapping

from fitness_assets.formatting import days_text, joined, number, percent, plural, signed
from fitness_assets.models.day_kind_metrics import UserDayKinds
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
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

_SCALE = f"1 is the same groups, 0 no more alike than by chance; stable needs {STABLE} in each."
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


def verdict(report: ModelReport) -> str:
    """Whether a model is released, and how good it is, in two sentences."""
    metrics = report.metrics
    if not report.released or metrics is None:
        return not_released(report)
    if isinstance(metrics, ClassifierMetrics):
        return f"Released. {classifier_verdict(metrics, metrics.majority_class.replace('_', ' '))}"
    if isinstance(metrics, RegressorMetrics):
        return f"Released. {regressor_verdict(metrics)}"
    if isinstance(metrics, SegmentMetrics):
        return f"Released. {segments_verdict(metrics)}"
    found = sum(bool(user.kinds) for user in metrics.users)
    return f"Released. Stable kinds of days for {found} of {plural(len(metrics.users), 'user')}."


def classifier_verdict(metrics: ClassifierMetrics, majority: str) -> str:
    """How often a classifier is right, compared with always guessing `majority`.

    Parameters
    ----------
    metrics : ClassifierMetrics
    majority : str
        The most frequent activity, as the reader is shown it.
    """
    found = metrics.evaluation
    return (
        f"Right on {percent(found.scores.accuracy)} of days; always guessing {majority} is right "
        f"on {percent(found.baseline.accuracy)}."
    )


def regressor_verdict(metrics: RegressorMetrics) -> str:
    """How far off a calorie regressor is, compared with simpler guesses."""
    found = metrics.evaluation
    if metrics.personal:
        others = {
            "always guessing the own mean": found.baseline,
            "guessing the mean of the week before": metrics.personal.last_week,
        }
    else:
        others = {"a linear model": metrics.linear, "always guessing the mean": found.baseline}
    compared = joined([f"{name} by {number(scores.mae)} kcal" for name, scores in others.items()])
    return f"Off by {number(found.scores.mae)} kcal a day on average; {compared}."


def segments_verdict(metrics: SegmentMetrics) -> str:
    """Whether the selected number of segments is stable, in plain words."""
    k, selected = metrics.k, metrics.selected
    if metrics.stable:
        others = ["users", "days", *(["months"] if selected.months is not None else [])]
        text = f"{k} stable segments: the same groups come back with other {joined(others)}."
        if not metrics.distinct:
            text += " There are no gaps between them: users differ gradually."
        return text
    if selected.stability >= STABLE:
        return (
            f"No stable segments: the smallest of {k} groups has fewer than {SMALLEST_SEGMENT} "
            "users, who are outliers."
        )
    return "No stable segments: with other users, days or months the groups are different ones."


def segments_measured(metrics: SegmentMetrics) -> str:
    """How similar the groups are with other users, days and months: the adjusted Rand indices."""
    indices = _indices(metrics.selected, STABILITY_PARTS)
    return (
        f"Adjusted Rand index of {metrics.k} segments: {indices}. {_SCALE} The lenient "
        f"test, which does not count, gives {_indices(metrics.selected, LENIENT_PARTS)}."
    )


def day_kinds_verdict(found: UserDayKinds) -> str:
    """Whether a user's days are of stable kinds, in plain words."""
    days, best = f"{number(found.days)} worn days", found.best
    if best is None:
        return (
            f"No stable kinds in {days}: no measure has two peaks, and no two go together."
            if found.days >= FEWEST_DAYS
            else f"No kinds: they need {FEWEST_DAYS} worn days; there are {found.days}."
        )
    if found.kinds:
        return (
            f"{best.k} stable kinds of days in {days}: the same kinds come back with other days "
            "and in other months."
        )
    if best.smallest < SMALLEST_SEGMENT:
        return (
            f"No stable kinds in {days}: the smallest of {best.k} has {days_text(best.smallest)}."
        )
    if best.stability >= STABLE:
        return (
            f"No stable kinds in {days}: there are no gaps between them, the days differ gradually."
        )
    return f"No stable kinds in {days}: with other days or months the kinds are different ones."


def day_kinds_measured(found: UserDayKinds) -> str:
    """How similar the kinds are with other days and months; empty if there were none to compare."""
    if found.best is None:
        return ""
    indices = _indices(found.best, DAY_STABILITY_PARTS)
    return f"Adjusted Rand index of {found.best.k} kinds of days: {indices}. {_SCALE}"


def _indices(measured: object, parts: Mapping[str, str]) -> str:
    return ", ".join(
        f"{number(index, 2)} {text}"
        for part, text in parts.items()
        if (index := getattr(measured, part)) is not None
    )


def habit_advice(
    profile: SegmentProfile, metrics: SegmentMetrics, shown: Callable[[object], str] = str
) -> str:
    """The change of habits that leads from a segment to a better one; empty if none is known.

    Parameters
    ----------
    profile : SegmentProfile
        One of `metrics.profiles`.
    metrics : SegmentMetrics
    shown : callable
        Makes text of a release safe to show, such as `verbatim` for Markdown.
    """
    advice = profile.advice
    if advice is None:
        return ""
    names = {other.segment: other.name for other in metrics.profiles}
    habits = " and ".join(f"{signed(habit.change)} {shown(habit.unit)}" for habit in advice.habits)
    better = ", ".join(_BETTER[measure] for measure in advice.better_in)
    return (
        f"{habits}, towards “{shown(names[advice.towards])}” ({better}). With this change the "
        f"model assigns {percent(advice.moved)} of these users to a better segment."
    )
