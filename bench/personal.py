"""Models of one user, on many synthetic homes: how often something is found, and in noise."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from fitness_assets.models import gates
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.personal import day_kinds, energy
from fitness_assets.models.registry import BY_NAME
from fitness_assets_tests.support import kinds_of_days
from fitness_assets_tests.support.few_users import Kcal, by_steps, headline, noise, window

_HOMES = 25
_MONTHS = (3, 6)


def personal() -> Iterator[Table]:
    """Personal models of synthetic homes of one user: how many are released, and how many kinds."""
    yield _regressors()
    yield _kinds()


def _regressors() -> Table:
    table = Table("kcal", "homes", "released", "ratio", "median R2", title="personal: regressor")
    cases: tuple[tuple[str, Kcal], ...] = (("rise with the steps", by_steps), ("noise", noise))
    for name, kcal in cases:
        for months in _MONTHS:
            found = [_trained(kcal, months, seed) for seed in range(_HOMES)]
            released = sum(map(_passes, found))
            scores = np.median([metrics.evaluation.scores.r2 for metrics in found])
            table.add_row(
                f"{name}, {months} months",
                str(_HOMES),
                str(released),
                f"{released / _HOMES:.2f}",
                f"{scores:.2f}",
            )
    return table


def _trained(kcal: Kcal, months: int, seed: int) -> RegressorMetrics:
    metrics = energy.train_month(window(months=months, kcal=kcal, seed=seed)).metrics
    if not isinstance(metrics, RegressorMetrics):
        raise TypeError(f"{type(metrics).__name__} are no metrics of a regressor")
    return metrics


def _passes(metrics: RegressorMetrics) -> bool:
    compared = BY_NAME["calorie_regressor"].compared
    return compared is not None and gates.better_than_baseline(compared, headline(metrics)).passed


def _kinds() -> Table:
    table = Table("days", "homes", "with kinds", "ratio", title="personal: kinds of days")
    cases: tuple[tuple[str, kinds_of_days.Change], ...] = (
        ("weekdays and weekends, planted", kinds_of_days.weekends),
        ("independent noise", kinds_of_days.unchanged),
        ("a continuum from quiet to active", kinds_of_days.even),
        ("skewed amounts", kinds_of_days.skewed),
        ("a season", kinds_of_days.season),
    )
    for name, change in cases:
        for months in _MONTHS:
            found = sum(_has_kinds(change, months, seed) for seed in range(_HOMES))
            ratio = f"{found / _HOMES:.2f}"
            table.add_row(f"{name}, {months} months", str(_HOMES), str(found), ratio)
    return table


def _has_kinds(change: kinds_of_days.Change, months: int, seed: int) -> bool:
    days = window(months=months, kcal=by_steps, seed=seed)
    changed = days.assign(**change(days, np.random.default_rng(1_000 + seed)))
    metrics = day_kinds.train_month(changed).metrics
    return isinstance(metrics, DayKindMetrics) and bool(metrics.users[0].kinds)
