"""Release gates: pure checks of what was measured of a model.

A model that fails a gate is not released. The month is published without it.
"""

from fitness_assets.models.registry import Comparison, ModelSpec
from fitness_assets.models.reports import ModelHeadline
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.population import similar_sizes

#: Each gate and its description.
GATES = {
    "better_than_baseline": "Beats the constant baseline on held-out users: the lower bootstrap "
    "bound of the gain is above 0.",
    "no_worse_than_before": "Scores about as well as the model of the month before, or better.",
    "within_budget": "Fits its budgets on disk and in memory.",
}


def of(spec: ModelSpec) -> list[str]:
    """Names of the gates of a model."""
    supervised = ["better_than_baseline", "no_worse_than_before"] if spec.compared else []
    return [*supervised, "within_budget"]


def not_learned(spec: ModelSpec, reason: str) -> list[CheckResult]:
    """Results of the gates of a model that was not trained: passed, with the reason."""
    return [CheckResult(gate, True, f"no model to check: {reason}") for gate in of(spec)]


def run_gates(
    spec: ModelSpec,
    headline: ModelHeadline,
    before: ModelHeadline | None,
    disk: int,
    memory: int,
) -> list[CheckResult]:
    """Results of all gates of a model that was trained.

    Parameters
    ----------
    spec : ModelSpec
    headline : ModelHeadline
        Its scores and sizes.
    before : ModelHeadline or None
        Those of the model of the month before, if it was released.
    disk, memory : int
        Its budgets in bytes.
    """
    results = [within_budget(headline, disk, memory)]
    if spec.compared:
        results += [
            better_than_baseline(headline),
            no_worse_than_before(spec.compared, headline, before),
        ]
    return results


def better_than_baseline(headline: ModelHeadline) -> CheckResult:
    """Whether the lower bootstrap bound of the gain over the constant baseline is above 0."""
    gain, low = headline.scores["gain"], headline.scores["gain_low"]
    return CheckResult(
        "better_than_baseline",
        low > 0,
        f"saves {gain:.1%} of the loss of the constant baseline on "
        f"{headline.scores['heldout_users']:,} held-out users, and more than {low:.1%} in 95 of "
        "100 bootstrap resamples",
        {"gain": gain, "gain_low": low},
    )


def no_worse_than_before(
    compared: Comparison, headline: ModelHeadline, before: ModelHeadline | None
) -> CheckResult:
    """Whether the score has not fallen by more than the tolerance since the month before.

    Scores on very different numbers of users are not compared.
    """
    name = "no_worse_than_before"
    if before is None:
        return CheckResult(name, True, "no model of the month before to compare with")
    users_now = headline.scores["heldout_users"]
    users_then = before.scores.get("heldout_users", users_now)
    if not similar_sizes(int(users_now), int(users_then)):
        return CheckResult(
            name,
            True,
            f"the score on {users_now:,} held-out users cannot be compared with that of the month "
            f"before on {users_then:,}",
        )
    now, then = headline.scores[compared.score], before.scores[compared.score]
    return CheckResult(
        name,
        now >= then - compared.tolerance,
        f"{compared.title} {now:.3f}, the month before {then:.3f}; it may fall by "
        f"{compared.tolerance}",
        {"now": now, "before": then},
    )


def within_budget(headline: ModelHeadline, disk: int, memory: int) -> CheckResult:
    """Whether the model fits its budgets."""
    size, memory_size = headline.bytes or 0, headline.memory_bytes or 0
    return CheckResult(
        "within_budget",
        size <= disk and memory_size <= memory,
        f"{size:,} of {disk:,} bytes on disk, {memory_size:,} of {memory:,} in memory",
        {"bytes": size, "memory_bytes": memory_size},
    )
