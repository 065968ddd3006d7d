"""Reports of models as flat mappings, the form that a release carries."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fitness_assets.errors import StorageError
from fitness_assets.models.reports import (
    BacktestReport,
    ClassifierMetrics,
    CompressionReport,
    Evaluation,
    Inputs,
    Metrics,
    ModelReport,
    RegressorMetrics,
    SegmentMetrics,
)
from fitness_assets.storage import documents

M = TypeVar("M", SegmentMetrics, ClassifierMetrics, RegressorMetrics)


def model(report: ModelReport) -> dict[str, Any]:
    """A model's report, its metrics and scores on one level, and the whole as ``report``."""
    plain: dict[str, Any] = msgspec.to_builtins(report)
    flat = {key: value for key, value in plain.items() if key != "metrics" and value is not None}
    flat["learned"] = report.learned
    if report.metrics is not None:
        flat |= _metrics(report.metrics)
    return flat | {"report": plain}


def backtest(report: BacktestReport) -> dict[str, Any]:
    """A backtest, by model."""
    scored = {name: _evaluation(found) for name, found in report.evaluations.items()}
    return {
        "models_of": report.model_month,
        **scored,
        **{name: {"reason": reason} for name, reason in report.not_scored.items()},
    }


def compression(report: CompressionReport) -> dict[str, Any]:
    """A compression report and its headline on one level."""
    plain = msgspec.to_builtins(report) | msgspec.to_builtins(report.headline())
    return {key: value for key, value in plain.items() if value is not None}


def typed(flat: Mapping[str, Any]) -> ModelReport:
    """The report that `model` was given."""
    return documents.convert(flat["report"], ModelReport, "the metrics of a release")


def segments(flat: Mapping[str, Any]) -> SegmentMetrics:
    """The metrics of a report of the segments."""
    return _metrics_of(flat, SegmentMetrics)


def classifier(flat: Mapping[str, Any]) -> ClassifierMetrics:
    """The metrics of a report of the classifier."""
    return _metrics_of(flat, ClassifierMetrics)


def regressor(flat: Mapping[str, Any]) -> RegressorMetrics:
    """The metrics of a report of the regressor."""
    return _metrics_of(flat, RegressorMetrics)


def inputs(flat: Mapping[str, Any]) -> Inputs:
    """The inputs of a forest's report."""
    found = typed(flat).metrics
    if not isinstance(found, ClassifierMetrics | RegressorMetrics):
        raise StorageError("the metrics of a release are not those of a forest")
    return found.inputs


def _metrics_of(flat: Mapping[str, Any], kind: type[M]) -> M:
    found = typed(flat).metrics
    if not isinstance(found, kind):
        raise StorageError(f"the metrics of a release are not {kind.__name__}")
    return found


def _metrics(metrics: Metrics) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(metrics)
    if isinstance(metrics, ClassifierMetrics | RegressorMetrics):
        plain |= _evaluation(metrics.evaluation)
        plain |= {
            "heldout_rows": metrics.evaluation.rows,
            "heldout_users": metrics.evaluation.users,
            "features": metrics.inputs.features,
            "categories": metrics.inputs.categories,
            "seen": {
                name: [found.minimum, found.median, found.maximum]
                for name, found in metrics.inputs.ranges.items()
            },
        }
    if isinstance(metrics, ClassifierMetrics):
        plain["commonest"] = metrics.majority_class
        plain["reliability"] = [
            {"rows": each.rows, "confidence": each.confidence, "right": each.accuracy}
            for each in metrics.reliability
        ]
    if isinstance(metrics, RegressorMetrics):
        if metrics.cold_start:
            plain["without_past"] = msgspec.to_builtins(metrics.cold_start.scores)
        plain["agreement"] = {
            "edges": metrics.agreement.edges,
            "rows": metrics.agreement.counts,
            "residual_edges": metrics.agreement.residual_edges,
            "residual_rows": metrics.agreement.residual_counts,
        }
    return plain


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(evaluation)
    return {
        **{key: value for key, value in plain.items() if key not in {"scores", "baseline", "type"}},
        **evaluation.summary(),
    }
