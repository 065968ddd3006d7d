"""The personal calorie regressor is released only if it beats both means on later days."""

import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import NotLearnedError
from fitness_assets.models import gates
from fitness_assets.models.cards import card
from fitness_assets.models.contributions import explain_calories
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.forests import calories
from fitness_assets.models.onnx_export.convert import to_onnx
from fitness_assets.models.personal import energy
from fitness_assets.models.prediction import predict_calories
from fitness_assets.models.registry import BY_NAME, Trained
from fitness_assets.models.reports import ModelHeadline, ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage import documents
from fitness_assets.storage.models import dump, load
from fitness_assets_tests.support.few_users import (
    FIRST,
    by_steps,
    headline,
    noise,
    window,
    with_means,
)

SPEC = BY_NAME["calorie_regressor"]


def metrics_of(trained: Trained) -> RegressorMetrics:
    assert isinstance(trained.metrics, RegressorMetrics)
    return trained.metrics


def gate(metrics: RegressorMetrics) -> CheckResult:
    assert SPEC.compared
    return gates.better_than_baseline(SPEC.compared, headline(metrics))


@pytest.mark.parametrize(("users", "months"), [(1, 6), (1, 3), (3, 4)])
def test_a_relation_with_the_steps_is_found_and_beats_both_means(users: int, months: int) -> None:
    metrics = metrics_of(energy.train_month(window(users, months=months, kcal=by_steps)))
    found, personal = metrics.evaluation, metrics.personal
    assert personal is not None
    result = gate(metrics)
    assert result.passed, result.message
    assert "over the user's own mean" in result.message
    # The noise of 60 kcal next to a spread of 125 kcal by the steps leaves about 0.8.
    assert found.scores.r2 > 0.7
    assert found.scores.mae < min(found.baseline.mae, personal.last_week.mae) / 1.5
    # The interval of the first judged month of three is calibrated on ten days.
    assert 0.75 <= found.coverage <= 1
    assert found.users == metrics.train_users == users
    assert len(personal.months) == (months + 1) // 2
    assert next(iter(metrics.importances)) in ("steps", "distance_km", "steps_above_usual")


@pytest.mark.parametrize("months", [3, 6])
def test_nothing_is_released_on_independent_noise(months: int) -> None:
    found = [
        metrics_of(energy.train_month(window(months=months, kcal=noise, seed=seed)))
        for seed in range(6)
    ]
    assert [gate(metrics).passed for metrics in found] == [False] * len(found)


def test_the_future_does_not_change_the_score_of_an_earlier_month() -> None:
    days = window(months=3, kcal=by_steps)
    last = (days["date"] >= FIRST + pd.DateOffset(months=2)).to_numpy()
    other = days.assign(calories_burned=days["calories_burned"].where(~last, 2_000.0))
    rows = [energy.judge(energy.usable(each)) for each in (days, other)]
    february = [judged.predicted[(judged.rows["date"].dt.month == 2).to_numpy()] for judged in rows]
    assert np.array_equal(*february)
    assert len(february[0]) == 28


@pytest.mark.parametrize(
    ("known", "reason"),
    [(12, "needs 60 days with kcal; there are 12"), (0, "needs 60 days with kcal; there are 0")],
)
def test_too_few_days_with_kcal_give_a_reason(known: int, reason: str) -> None:
    days = window()
    days = days.assign(calories_burned=days["calories_burned"].where(days.index < known))
    assert energy.applies(days)
    with pytest.raises(NotLearnedError, match=reason):
        energy.train_month(days)


def test_one_month_cannot_be_judged() -> None:
    days = window(months=3)
    early = days["date"] < FIRST + pd.DateOffset(months=1)
    # Sixty days with kcal, of which nearly all are in one month for each of two halves.
    short = days[early | (days["date"] >= FIRST + pd.DateOffset(months=2))].iloc[31 - 20 :]
    with pytest.raises(NotLearnedError, match="needs"):
        energy.train_month(short)


def test_a_model_of_kcal_alone_gives_a_reason() -> None:
    inputs = [name for names in calories.GROUPS.values() for name in names]
    unknown = dict.fromkeys([name for name in inputs if name != "steps_above_usual"], np.nan)
    with pytest.raises(NotLearnedError, match="no other reading"):
        energy.train_month(window().assign(**unknown))


def test_a_cohort_without_kcal_gets_no_personal_model() -> None:
    days = window(10, months=1)
    assert not energy.applies(days)
    assert not energy.applies(days.assign(calories_burned=np.nan))
    assert energy.applies(days[days["user_id"] != "u3"])


def test_ids_do_not_change_the_model() -> None:
    days = window(3, months=4, kcal=by_steps)
    names = {"u0": "z", "u1": "m", "u2": "a"}
    renamed = days.assign(user_id=days["user_id"].map(names)).sort_values(["user_id", "date"])
    first, second = (energy.train_month(each) for each in (days, renamed))
    assert first.model is not None
    assert second.model is not None
    assert dump(first.model) == dump(second.model)


def test_the_model_is_stored_explained_and_exported_like_others() -> None:
    trained = energy.train_month(window(kcal=by_steps))
    metrics = metrics_of(trained)
    assert trained.model is not None
    model = load(dump(trained.model), "model")
    record = {
        "steps": 12_000.0,
        "distance_km": 8.4,
        "steps_mean_28d": 8_000.0,
        "calories_burned_mean_28d": 2_000.0,
    }
    predicted = predict_calories(model, metrics, record)
    assert predicted.kcal == pytest.approx(2_200, abs=80)
    assert predicted.low < 2_200 < predicted.high
    explained = explain_calories(model, metrics, record)
    assert explained.typical + sum(explained.added.values()) == pytest.approx(predicted.kcal)
    assert to_onnx(model, metrics, "calorie_regressor", {}).graph.node
    report = ModelReport(
        window=["2023-06"],
        learned_from={},
        released=True,
        gates=[gate(metrics)],
        metrics=metrics,
        scope="personal",
    )
    assert documents.decode(documents.encode(report), ModelReport, "report") == report
    text = card(SPEC, "2023-06", report)
    for expected in ("personal: of the own days", "Own mean", "Week before", "resamples of weeks"):
        assert expected in text


def test_the_model_of_another_kind_is_no_comparison() -> None:
    metrics = metrics_of(energy.train_month(window(months=4, kcal=by_steps)))
    before = ModelHeadline(learned=True, released=True, scores={"r2": 0.99})
    assert SPEC.compared
    result = gates.no_worse_than_before(SPEC.compared, headline(metrics), before)
    assert result.passed
    assert not result.judged


def test_the_first_days_without_history_are_predicted() -> None:
    days = window(kcal=by_steps)
    unworn = days.assign(worn=days["date"].dt.day % 5 > 0)
    metrics = metrics_of(energy.train_month(with_means(unworn)))
    assert metrics.evaluation.scores.r2 > 0.7
