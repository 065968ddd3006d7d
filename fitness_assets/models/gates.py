"""Release gates: pure checks of what was measured of a model.

A model that fails a gate is not released. The month is published without it.

The gates of `of` read the model alone. Its content is then a function of the days of its window.
The comparison with the month before is made by the release, which reads both: if the content of a
model named the score of the month before, a change would reach the models of all later months.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from fitness_assets.formatting import number, plural, significant, size
from fitness_assets.models.registry import Comparison, ModelSpec
from fitness_assets.models.reports import ModelHeadline, ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.population import similar_sizes

#: The gate of the release.
NO_WORSE = "no_worse_than_before"
#: Scores in words, with their decimals.
_SCORES = {
    "accuracy": ("accuracy", 3),
    "log_loss": ("log loss", 3),
    "r2": ("R²", 3),
    "rmse": ("root mean squared error in kcal", 1),
}
#: Each gate and its description.
GATES = {
    "better_than_baseline": "Beats the constant baseline on users that it was not trained on, in "
    "accuracy and log loss, or in R² and RMSE: the lower bootstrap bounds of both gains are above "
    "0. A personal model must beat the user's own mean and the mean of the week before, on later "
    "days.",
    NO_WORSE: "Each forest scores about as well as that of the month before, or better.",
    "within_budget": "Fits its budgets on disk and in memory.",
}


def of(spec: ModelSpec) -> list[str]:
    """Names of the gates of a model, except that of the release."""
    supervised = ["better_than_baseline"] if spec.compared else []
    return [*supervised, "within_budget"]


def not_learned(spec: ModelSpec, reason: str) -> list[CheckResult]:
    """Results of the gates of a model that was not trained: not judged, with the reason."""
    return [
        CheckResult(gate, True, f"no model to check: {reason}", judged=False) for gate in of(spec)
    ]


def run_gates(
    spec: ModelSpec, headline: ModelHeadline, disk: int, memory: int
) -> list[CheckResult]:
    """Results of the gates of a model that was trained, except that of the release.

    Parameters
    ----------
    spec : ModelSpec
    headline : ModelHeadline
        Its scores and sizes.
    disk, memory : int
        Its budgets in bytes.
    """
    results = [within_budget(headline, disk, memory)]
    if spec.compared:
        results.append(better_than_baseline(spec.compared, headline))
    return results


def with_comparison(
    spec: ModelSpec, report: ModelReport, before: ModelHeadline | None
) -> ModelReport:
    """`report` with the result of `no_worse_than_before`, and not released if that failed.

    Parameters
    ----------
    spec : ModelSpec
    report : ModelReport
        As its asset stored it.
    before : ModelHeadline or None
        The headline of the month before, if it is stored.
    """
    if spec.compared is None:
        return report
    if not report.learned:
        reason = f"no model to check: {report.reason}"
        result = CheckResult(NO_WORSE, True, reason, judged=False)
    else:
        result = no_worse_than_before(spec.compared, report.headline(), before)
    failures = [] if result.passed else [failure(result)]
    return replace(
        report,
        gates=[*report.gates, result],
        released=report.released and result.passed,
        reason="; ".join([*([report.reason] if report.reason else []), *failures]) or None,
    )


def failure(result: CheckResult) -> str:
    """The reason of a model that failed a gate: in plain words, then what was measured."""
    return result.message


def better_than_baseline(compared: Comparison, headline: ModelHeadline) -> CheckResult:
    """Whether the model beats the constant baseline in both scores of `compared.gains`.

    The lower bound of the bootstrap interval of each gain must be above 0. A personal model must
    also beat the mean of the seven days before each day.
    """
    scores = headline.scores
    if headline.scope == "personal":
        return _better_than_means(compared, scores)
    lows = {name: scores[f"{name}_gain_low"] for name in compared.gains}
    passed = min(lows.values()) > 0
    kind = "cross-validated" if scores["repeats"] else "held-out"
    return CheckResult(
        "better_than_baseline",
        passed,
        f"{_better(passed=passed)} {compared.baseline}, on "
        f"{plural(scores['heldout_users'], f'{kind} user')}: gains in 95% of bootstrap resamples "
        f"are {_gained(compared.gains, scores)}",
        {f"{name}_gain_low": low for name, low in lows.items()},
    )


def _better(*, passed: bool) -> str:
    return "better than" if passed else "not clearly better than"


def _better_than_means(
    compared: Comparison, scores: Mapping[str, bool | int | float]
) -> CheckResult:
    """As `better_than_baseline`, of a personal model: on later days of the same users."""
    week = tuple(f"week_{name}" for name in compared.gains)
    lows = {f"{name}_gain_low": scores[f"{name}_gain_low"] for name in (*compared.gains, *week)}
    passed = min(lows.values()) > 0
    return CheckResult(
        "better_than_baseline",
        passed,
        f"{_better(passed=passed)} both the user's own mean and the mean of the week before, on "
        f"{plural(scores['heldout_rows'], 'later day')} of "
        f"{plural(scores['heldout_users'], 'user')}: gains in 95% of bootstrap resamples of the "
        f"weeks are {_gained(compared.gains, scores)} over the user's own mean, and "
        f"{_gained(week, scores)} over the mean of the week before",
        lows,
    )


def _gained(names: Iterable[str], scores: Mapping[str, bool | int | float]) -> str:
    return " and ".join(
        f"{title} by {number(scores[f'{name}_gain_low'], decimals)} to "
        f"{number(scores[f'{name}_gain_high'], decimals)}"
        for name in names
        for title, decimals in [_SCORES[name.removeprefix("week_")]]
    )


def no_worse_than_before(
    compared: Comparison, headline: ModelHeadline, before: ModelHeadline | None
) -> CheckResult:
    """Whether the score has not fallen by more than the tolerance since the month before.

    Scores on very different numbers of users are not compared, nor with a model that its own gates
    refused.
    """
    name = NO_WORSE
    if before is None or not before.released:
        reason = "no model of the month before to compare with"
        return CheckResult(name, True, reason, judged=False)
    if headline.scope != before.scope:
        reason = f"the model of the month before is of another kind ({before.scope})"
        return CheckResult(name, True, reason, judged=False)
    users_now = headline.scores["heldout_users"]
    users_then = before.scores.get("heldout_users", users_now)
    if not similar_sizes(int(users_now), int(users_then)):
        return CheckResult(
            name,
            True,
            f"the score on {number(users_now)} held-out users cannot be compared with that of the "
            f"month before on {number(users_then)}",
            judged=False,
        )
    now, then = headline.scores[compared.score], before.scores[compared.score]
    uncertain = math.hypot(_half_width(compared, headline), _half_width(compared, before))
    passed = now >= then - compared.tolerance - uncertain
    return CheckResult(
        name,
        passed,
        f"{'no worse' if passed else 'worse'} than the model of the month before: "
        f"{compared.title} {number(now, 3)}, before {number(then, 3)}; it may fall by "
        f"{significant(compared.tolerance)}, and by {number(uncertain, 3)} that the number of "
        f"{'days' if headline.scope == 'personal' else 'users'} leaves uncertain",
        {"now": now, "before": then, "uncertain": uncertain},
    )


def _half_width(compared: Comparison, headline: ModelHeadline) -> float:
    """Half of the interval of the compared score; 0 for a score without an interval."""
    scores = headline.scores
    low, high = (scores.get(f"{compared.score}_{bound}", 0.0) for bound in ("low", "high"))
    return (high - low) / 2


def within_budget(headline: ModelHeadline, disk: int, memory: int) -> CheckResult:
    """Whether the model fits its budgets."""
    stored, in_memory = headline.bytes or 0, headline.memory_bytes or 0
    passed = stored <= disk and in_memory <= memory
    return CheckResult(
        "within_budget",
        passed,
        f"{'fits' if passed else 'larger than'} its budget: {size(stored)} of {size(disk)} on "
        f"disk, {size(in_memory)} of {size(memory)} in memory",
        {"bytes": stored, "memory_bytes": in_memory},
    )
