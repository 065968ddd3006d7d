"""Tables and figures of a model's metrics for the Dagster UI, one function a kind of model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec
import numpy as np

from fitness_assets.assets.presentation import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    metric_table,
    picture,
    plot,
)
from fitness_assets.formatting import percent
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.explanations import (
    day_kinds_verdict,
    habit_advice,
)
from fitness_assets.models.forest_metrics import (
    ClassificationScores,
    ClassificationSlice,
    ClassifierMetrics,
    RegressionScores,
    RegressionSlice,
    RegressorMetrics,
)
from fitness_assets.models.reports import Metrics
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.models.segments.criteria import STABLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_IMPORTANCES = 10
# Share from which a cell of the confusion matrix needs white text.
_DARK = 0.5


def metadata(metrics: Metrics) -> dict[str, Any]:
    """Metadata of a materialization: verdicts, tables and figures of `metrics`."""
    if isinstance(metrics, SegmentMetrics):
        return _segments(metrics)
    if isinstance(metrics, DayKindMetrics):
        return {"kinds_of_days": metric_table(_day_kinds(metrics))}
    if isinstance(metrics, ClassifierMetrics):
        return _classifier(metrics)
    return _regressor(metrics)


def _segments(metrics: SegmentMetrics) -> dict[str, Any]:
    segments: list[dict[str, str | float]] = [
        {
            "segment": profile.name,
            "users": profile.users,
            "advice": habit_advice(profile, metrics),
        }
        for profile in metrics.profiles
    ]
    return {
        "stability_by_number_of_segments": picture(_stability(metrics)),
        **({"segments": metric_table(segments)} if segments else {}),
    }


def _day_kinds(metrics: DayKindMetrics) -> list[dict[str, str | float]]:
    """A row for each kind of days of each user, or one that says why there are none."""
    rows: list[dict[str, str | float]] = []
    for found in metrics.users:
        rows += [
            {"user": found.user, "kind": kind.name, "days": kind.days, "verdict": ""}
            for kind in found.kinds
        ]
        if not found.kinds:
            verdict = day_kinds_verdict(found)
            rows.append({"user": found.user, "kind": "", "days": 0, "verdict": verdict})
    return rows


def _classifier(metrics: ClassifierMetrics) -> dict[str, Any]:
    evaluation = metrics.evaluation
    scores = {
        "forest": evaluation.scores,
        f"always {metrics.majority_class}": evaluation.baseline,
    }
    return {
        "majority_class": metrics.majority_class,
        "scores_on_held_out_users": _scores(scores),
        "confusion": picture(_confusion(evaluation.labels, evaluation.confusion)),
        **_slices(evaluation.slices),
        **_forest(metrics),
    }


def _regressor(metrics: RegressorMetrics) -> dict[str, Any]:
    evaluation = metrics.evaluation
    if metrics.personal:
        scores = {
            "personal": evaluation.scores,
            "own mean": evaluation.baseline,
            "week before": metrics.personal.last_week,
        }
        importances: list[dict[str, str | float]] = [
            {"feature": name, "importance": value} for name, value in metrics.importances.items()
        ]
        return {
            "scores_on_later_days": _scores(scores),
            "trials": _trials(metrics),
            # As many as a table can show, which takes less time than a figure.
            "importances": metric_table(importances),
        }
    scores = {
        "forest": evaluation.scores,
        "linear": metrics.linear,
        "mean": evaluation.baseline,
    }
    if metrics.cold_start:
        scores["forest, history masked"] = metrics.cold_start.scores
    return {
        "scores_on_held_out_users": _scores(scores),
        **_slices(evaluation.slices),
        **_forest(metrics),
    }


def _forest(metrics: ClassifierMetrics | RegressorMetrics) -> dict[str, Any]:
    """Model selection, and the importance of each feature."""
    return {"trials": _trials(metrics), "importances": picture(_importances(metrics.importances))}


def _trials(metrics: ClassifierMetrics | RegressorMetrics) -> dg.TableMetadataValue:
    trials = [
        msgspec.structs.asdict(trial)
        | {"groups": ", ".join(trial.groups), "selected": "yes" if trial.selected else ""}
        for trial in metrics.trials
    ]
    return metric_table(trials)


def _scores(
    scores: Mapping[str, ClassificationScores | RegressionScores],
) -> dg.TableMetadataValue:
    """A row for each model."""
    rows = [{"model": model, **msgspec.structs.asdict(values)} for model, values in scores.items()]
    return metric_table(rows)


def _slices(
    slices: Mapping[str, Sequence[ClassificationSlice | RegressionSlice]],
) -> dict[str, Any]:
    """A table for each kind of slice that the data has."""
    return {
        f"by_{kind}": metric_table([msgspec.structs.asdict(each) for each in found])
        for kind, found in slices.items()
    }


def _importances(importances: Mapping[str, float]) -> "Figure":
    ordered = sorted(importances.items(), key=lambda item: -item[1])[:_MAX_IMPORTANCES]
    figure, axes = plot(4.5, 0.4 + 0.22 * len(ordered))
    axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=BLUE)
    axes.invert_yaxis()
    axes.set(xlabel="score lost when the feature is shuffled")
    return figure


def _confusion(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> "Figure":
    counts = np.array(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plot(4, 3.4)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true")
    for row, column in np.ndindex(shares.shape):
        shade = "white" if shares[row, column] > _DARK else "black"
        text = percent(shares[row, column])
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=shade)
    return figure


def _stability(metrics: SegmentMetrics) -> "Figure":
    """Stability indices by number of segments, and the gap. The least of the strict ones counts."""
    figure, axes = plot(4.5, 2.6)
    numbers = [candidate.k for candidate in metrics.candidates]
    lenient = [candidate.subsampling for candidate in metrics.candidates]
    axes.plot(numbers, lenient, ":", color=BLUE, label="80% of the users (lenient)")
    parts = {"bootstrap": BLUE, "odd_even": ORANGE, "months": GREEN}
    for part, color in parts.items():
        # There is no index of months without a second month.
        values = [getattr(candidate, part) for candidate in metrics.candidates]
        if None not in values:
            axes.plot(numbers, values, "o-", color=color, markersize=4, label=part)
    axes.errorbar(
        numbers,
        [candidate.gap for candidate in metrics.candidates],
        yerr=[candidate.gap_error for candidate in metrics.candidates],
        color=GREY,
        marker="s",
        markersize=3,
        linestyle=":",
        label="gap",
    )
    axes.axhline(STABLE, color=GREY, linestyle="--", linewidth=1)
    axes.axvline(metrics.k, color=GREY, linewidth=6, alpha=0.25)
    axes.set(xlabel="segments", ylabel="adjusted Rand index; gap", ylim=(-0.15, 1.05))
    axes.set_xticks(numbers)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
