"""Whether a model may be released: pure checks of its metrics.

A gate stops a model and not its month. A month with a model that fails is published without it.
"""

from collections.abc import Mapping
from typing import Any

from fitness_assets.record.check_result import CheckResult

#: Score of each model that is compared from month to month, its name, how much it may fall.
COMPARED = {
    "activity_classifier": ("macro_f1", "macro F1", 0.05),
    "calorie_regressor": ("r2", "R²", 0.05),
}


def of(name: str) -> list[str]:
    """The gates of the model `name`."""
    forest = ["better_than_baseline", "no_worse_than_before"] if name in COMPARED else []
    return [*forest, "within_budget"]


def not_learned(name: str, reason: str) -> list[CheckResult]:
    """The gates of the model `name` where there is none to judge."""
    return [CheckResult(gate, True, f"nothing to judge: {reason}") for gate in of(name)]


def examine(
    name: str,
    metrics: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    disk: int,
    memory: int,
) -> list[CheckResult]:
    """Every gate of a model that was learned.

    Parameters
    ----------
    name : str
        Of the model's asset.
    metrics : mapping
        What was measured of it, sizes included.
    before : mapping or None
        What was measured of the model of the month before, if it was released.
    disk, memory : int
        Bytes that it may take.
    """
    verdicts = [within_budget(metrics, disk, memory)]
    if name in COMPARED:
        verdicts += [better_than_baseline(metrics), no_worse_than_before(name, metrics, before)]
    return verdicts


def better_than_baseline(metrics: Mapping[str, Any]) -> CheckResult:
    """Whether it saves some of the loss of no model at all, and not by luck."""
    gain, low = metrics["gain"], metrics["gain_low"]
    return CheckResult(
        "better_than_baseline",
        low > 0,
        f"saves {gain:.1%} of the loss of no model on {metrics['heldout_users']:,} unseen users, "
        f"and more than {low:.1%} in 95 of 100 resamples of them",
        {"gain": gain, "gain_low": low},
    )


def no_worse_than_before(
    name: str, metrics: Mapping[str, Any], before: Mapping[str, Any] | None
) -> CheckResult:
    """Whether its score is about that of the month before, or better."""
    check = "no_worse_than_before"
    if before is None:
        return CheckResult(check, True, "no model of the month before to compare with")
    score, title, most = COMPARED[name]
    now, then = metrics[score], before[score]
    return CheckResult(
        check,
        now >= then - most,
        f"{title} {now:.3f}, the month before {then:.3f}; it may fall by {most}",
        {"now": now, "before": then},
    )


def within_budget(metrics: Mapping[str, Any], disk: int, memory: int) -> CheckResult:
    """Whether the model is as small as the host needs it."""
    sizes = {"bytes": metrics["bytes"], "memory_bytes": metrics["memory_bytes"]}
    return CheckResult(
        "within_budget",
        sizes["bytes"] <= disk and sizes["memory_bytes"] <= memory,
        f"{sizes['bytes']:,} of {disk:,} bytes on disk, "
        f"{sizes['memory_bytes']:,} of {memory:,} in memory",
        sizes,
    )
