"""The metrics of a release that does not publish rows of people.

What rests on fewer people than the smallest cell is left out, counts are rounded to multiples of
it, and texts that name files or count people are replaced. Scores and shares are rounded to three
digits: a share of few digits does not show the counts that it is the ratio of. See
`fitness_assets.models.disclosure`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace

from fitness_assets.formatting import number
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.disclosure import rounded, significant, suppressed
from fitness_assets.models.forest_metrics import (
    Agreement,
    ClassifierEvaluation,
    ClassifierMetrics,
    Interval,
    RegressorEvaluation,
    RegressorMetrics,
    ReliabilityBin,
)
from fitness_assets.models.reports import (
    BacktestReport,
    CompressionReport,
    Evaluation,
    Metrics,
    ModelReport,
)
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.check_result import CheckResult
from fitness_assets.release.bundle import DataReport, Fallback, ReleasedModel

E = TypeVar("E", ClassifierEvaluation, RegressorEvaluation)
M = TypeVar("M", ClassifierMetrics, RegressorMetrics)
S = TypeVar("S", bound=Struct)

_NUMBER = re.compile(r"\d+(?:,\d{3})*")


def data_report(report: DataReport, people: int) -> DataReport:
    """The report without names of files and without what single checks found."""
    checks = [
        CheckResult(
            check.name,
            check.passed,
            check.state,
            # Population stability indices, which are means over the bins of everyone.
            {key: float(significant(value, 2)) for key, value in check.values.items()}
            if check.name == "no_drift"
            else {},
            check.judged,
        )
        for check in report.checks
    ]
    return replace(
        report,
        delivered=rounded(report.delivered, people),
        rows=rounded(report.rows, people),
        unread={},
        checks=checks,
    )


def released_model(model: ReleasedModel, people: int) -> ReleasedModel:
    """The reports on a model and on its fallback."""
    fallback = model.fallback
    return ReleasedModel(
        report=model_report(model.report, people),
        fallback=fallback
        and Fallback(month=fallback.month, report=model_report(fallback.report, people)),
    )


def model_report(report: ModelReport, people: int) -> ModelReport:
    """The report on a model."""
    return replace(
        report,
        reason=text(report.reason, people),
        gates=[
            CheckResult(
                gate.name, gate.passed, text(gate.message, people) or "", judged=gate.judged
            )
            for gate in report.gates
        ],
        metrics=report.metrics and _metrics(report.metrics, people),
    )


def backtest_report(report: BacktestReport, people: int) -> BacktestReport:
    """The report on a backtest."""
    return replace(
        report,
        evaluations={name: _evaluation(each, people) for name, each in report.evaluations.items()},
        not_scored={name: text(why, people) or "" for name, why in report.not_scored.items()},
    )


def compression_report(report: CompressionReport, people: int) -> CompressionReport:
    """The report on the compression of a model."""
    return replace(
        report,
        reason=text(report.reason, people),
        steps=[_few_digits(step) for step in report.steps],
    )


def text(message: str | None, people: int) -> str | None:
    """`message` with its whole numbers rounded to multiples of `people`."""

    def replaced(match: re.Match[str]) -> str:
        return f"{number(rounded(int(match[0].replace(',', '')), people))}"

    # Decimals and percentages are scores, amounts with a unit are sizes of files, and numbers that
    # are part of a word are names.
    whole = rf"(?<![\w.,-]){_NUMBER.pattern}(?![\w%-]|[.,]\d| (?:bytes?|[kMGT]B|kcal)\b)"
    return message and re.sub(whole, replaced, message)


def _metrics(metrics: Metrics, people: int) -> Metrics:
    if isinstance(metrics, SegmentMetrics):
        return _segments(metrics, people)
    if isinstance(metrics, DayKindMetrics):
        raise TypeError("kinds of days are of single people, and have no protected report")
    if isinstance(metrics, ClassifierMetrics):
        return replace(
            _forest(metrics, people),
            reliability=_reliability(metrics.reliability, people),
            class_shares=_scores(metrics.class_shares),
        )
    constant, cold_start = metrics.constant, metrics.cold_start
    return replace(
        _forest(metrics, people),
        constant=replace(
            constant,
            mean=float(significant(constant.mean)),
            low=float(significant(constant.low)),
            high=float(significant(constant.high)),
        ),
        linear=_few_digits(metrics.linear),
        interval=_interval(metrics.interval),
        cold_start=cold_start
        and replace(
            cold_start,
            scores=_few_digits(cold_start.scores),
            interval=_interval(cold_start.interval),
        ),
        agreement=_agreement(metrics.agreement, people),
    )


def _forest(metrics: M, people: int) -> M:
    ranges = {
        name: replace(
            found,
            minimum=float(significant(found.minimum)),
            median=float(significant(found.median)),
            maximum=float(significant(found.maximum)),
        )
        for name, found in metrics.inputs.ranges.items()
    }
    return replace(
        metrics,
        train_rows=rounded(metrics.train_rows, people),
        train_users=rounded(metrics.train_users, people),
        evaluation=_evaluation(metrics.evaluation, people),
        inputs=replace(metrics.inputs, ranges=ranges),
        trials=[
            _few_digits(replace(trial, rows=rounded(trial.rows, people)))
            for trial in metrics.trials
        ],
        importances=_scores(metrics.importances),
    )


def _evaluation(found: Evaluation, people: int) -> Evaluation:
    if isinstance(found, ClassifierEvaluation):
        confusion = _counts(found.confusion, found.confusion_users, people)
        return replace(_sizes(found, people), confusion=confusion, confusion_users=[])
    return _sizes(found, people)


def _sizes(found: E, people: int) -> E:
    slices = {
        kind: [
            _few_digits(replace(part, rows=rounded(part.rows, people), users=0))
            for part in parts
            if part.public
        ]
        for kind, parts in found.slices.items()
    }
    return replace(
        _few_digits(found),
        rows=rounded(found.rows, people),
        users=rounded(found.users, people),
        scores=_few_digits(found.scores),
        baseline=_few_digits(found.baseline),
        intervals={name: _few_digits(each) for name, each in found.intervals.items()},
        slices={kind: shown for kind, shown in slices.items() if shown},
    )


def _reliability(bins: Sequence[ReliabilityBin], people: int) -> list[ReliabilityBin]:
    """The bins of enough people, with rounded counts."""
    hidden = suppressed([max(each.users, 1) for each in bins], people)
    return [
        _few_digits(replace(each, rows=rounded(each.rows, people), users=0))
        for each, hides in zip(bins, hidden, strict=True)
        if not hides
    ]


def _few_digits(document: S) -> S:
    """`document` with its decimals rounded to three digits."""
    fields = asdict(document)
    decimals = {name: value for name, value in fields.items() if isinstance(value, float)}
    return replace(document, **_scores(decimals))


def _scores(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(significant(value)) for name, value in values.items()}


def _counts(counts: list[list[int]], users: list[list[int]], people: int) -> list[list[int]]:
    """Rounded counts, 0 where they are of few people, or nobody knows of how many."""
    table = np.asarray(counts)
    of = np.asarray(users) if users else (table > 0).astype(int)
    shown = np.where(suppressed(of, people), 0, table)
    return [[rounded(count, people) for count in row] for row in shown.tolist()]


def _agreement(found: Agreement, people: int) -> Agreement:
    residuals = _counts(
        [found.residual_counts], [found.residual_users] if found.residual_users else [], people
    )
    return Agreement(
        edges=_edges(found.edges),
        counts=_counts(found.counts, found.users, people),
        residual_edges=_edges(found.residual_edges),
        residual_counts=residuals[0],
    )


def _edges(edges: list[float]) -> list[float]:
    return cast("list[float]", significant(edges).tolist())


def _interval(interval: Interval) -> Interval:
    low, high = (significant(side, 2).tolist() for side in (interval.low, interval.high))
    return Interval(edges=_edges(interval.edges), low=low, high=high)


def _segments(metrics: SegmentMetrics, people: int) -> SegmentMetrics:
    users = [max(profile.users, 1) for profile in metrics.profiles]
    hidden = suppressed(users, people)
    profiles = [
        replace(
            profile,
            users=rounded(profile.users, people),
            profile={
                name: None if value is None else float(significant(value))
                for name, value in profile.profile.items()
            },
            distance={
                name: float(significant(value, 2)) for name, value in profile.distance.items()
            },
            advice=profile.advice and replace(profile.advice, moved=round(profile.advice.moved, 1)),
        )
        for profile, hides in zip(metrics.profiles, hidden, strict=True)
        if not hides
    ]
    candidates = [
        replace(candidate, smallest=rounded(candidate.smallest, people))
        for candidate in metrics.candidates
    ]
    return replace(
        metrics,
        users=rounded(metrics.users, people),
        train_users=rounded(metrics.train_users, people),
        heldout_users=rounded(metrics.heldout_users, people),
        judged_users=rounded(metrics.judged_users, people),
        candidates=candidates,
        profiles=profiles,
    )
