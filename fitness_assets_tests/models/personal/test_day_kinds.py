"""Kinds of days are found where they are planted, and none are found in noise."""

import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.cards import card
from fitness_assets.models.day_kind_metrics import DayKindMetrics, UserDayKinds
from fitness_assets.models.explanations import day_kinds_verdict
from fitness_assets.models.personal import day_kinds
from fitness_assets.models.registry import BY_NAME
from fitness_assets.models.reports import ModelReport
from fitness_assets.storage import documents
from fitness_assets_tests.support.few_users import by_steps, noise, window
from fitness_assets_tests.support.kinds_of_days import (
    Change,
    even,
    season,
    skewed,
    unchanged,
    weekends,
)


def kinds_of(days: pd.DataFrame, change: Change = unchanged, seed: int = 0) -> UserDayKinds:
    changed = days.assign(**change(days, np.random.default_rng(1_000 + seed)))
    metrics = day_kinds.train_month(changed).metrics
    assert isinstance(metrics, DayKindMetrics)
    return metrics.users[0]


@pytest.mark.parametrize("months", [3, 6])
def test_planted_weekdays_and_weekends_are_found(months: int) -> None:
    found = kinds_of(window(months=months, kcal=by_steps), weekends)
    quiet, active = found.kinds
    assert quiet.weekend_share < 0.05
    assert active.weekend_share > 0.95
    assert "ew steps" in quiet.name
    assert "any steps" in active.name
    assert quiet.days + active.days == found.days
    assert quiet.profile["steps"] == pytest.approx(5_500, abs=400)
    assert "2 stable kinds of days" in day_kinds_verdict(found)


@pytest.mark.parametrize("change", [unchanged, even, skewed, season])
@pytest.mark.parametrize("seed", range(2))
def test_no_kinds_are_found_in_days_without_gaps(change: Change, seed: int) -> None:
    for kcal in (noise, by_steps):
        found = kinds_of(window(months=4, seed=seed, kcal=kcal), change, seed)
        assert found.kinds == []
        assert day_kinds_verdict(found).startswith("No stable kinds")


def test_each_user_has_kinds_of_their_own() -> None:
    days = window(2, months=3, kcal=by_steps)
    first = days["user_id"] == "u0"
    planted = days[first].assign(**weekends(days[first], np.random.default_rng(1_000)))
    few = pd.concat([planted, days[~first].head(40)])
    trained = day_kinds.train_month(few)
    assert isinstance(trained.metrics, DayKindMetrics)
    assert trained.model is None
    own, other = trained.metrics.users
    assert [own.user, other.user] == ["u0", "u1"]
    assert len(own.kinds) == 2
    assert "they need 60 worn days; there are 40" in day_kinds_verdict(other)
    table = trained.tables["day_kinds"]
    assert set(table["user_id"]) == {"u0"}
    assert len(table) == own.days
    assert trained.metrics.summary()["users_with_kinds"] == 1
    report = ModelReport(
        window=["2023-03"],
        learned_from={},
        released=True,
        gates=[],
        metrics=trained.metrics,
        scope="personal",
    )
    assert documents.decode(documents.encode(report), ModelReport, "report") == report
    assert own.kinds[0].name in card(BY_NAME["segment_model"], "2023-03", report)


def test_too_few_worn_days_give_a_reason() -> None:
    days = window(months=3)
    assert day_kinds.applies(days)
    with pytest.raises(NotLearnedError, match="needs 60 worn days; there are 21"):
        day_kinds.train_month(days.assign(worn=days.index < 21))


def test_days_without_readings_have_no_kinds() -> None:
    days = window(months=3)
    found = kinds_of(days.assign(**dict.fromkeys(day_kinds.MEASURES, np.nan)))
    assert found.kinds == []
    assert day_kinds_verdict(found).startswith("No stable kinds")
