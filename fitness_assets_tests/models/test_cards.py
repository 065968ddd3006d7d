"""Scores of slices, and the card of a model."""

import re
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import asdict, replace

from fitness_assets.models import slices
from fitness_assets.models.cards import card
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.forests import activity, calories
from fitness_assets.models.registry import BY_NAME
from fitness_assets.models.reports import ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.release import protected_reports

PEOPLE = 5
CLASSIFIER, REGRESSOR = "activity_classifier", "calorie_regressor"


@cache
def days() -> pd.DataFrame:
    """A month of 40 users; three of them use the device "watch | band"."""
    generator = np.random.default_rng(0)
    dates = pd.date_range("2023-04-01", periods=12)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{number}" for number in range(40)], len(dates)),
            "date": np.tile(dates, 40),
        }
    )
    user, rows = np.repeat(np.arange(40), len(dates)), len(frame)
    names = list(dict.fromkeys([*calories.COLUMNS, *activity.COLUMNS]))
    kinds = generator.choice(["running", "walking"], rows)
    steps = generator.normal(8_000, 1_000, rows)
    return frame.reindex(columns=names).assign(
        worn=True,
        steps=steps,
        heart_rate_avg=np.where(kinds == "running", 150, 90) + generator.normal(0, 3, rows),
        sleep_hours=generator.normal(7, 1, rows),
        activity_type=kinds,
        calories_burned=steps / 5 + np.where(kinds == "running", 500, 0),
        sex=np.where(user % 2, "female", "male"),
        age=25.0 + user,
        source=np.where(user < 3, "watch | band", "phone"),
        segment=pd.Series(user < 20).map({True: "Active, <b>long</b> sleep"}),
    )


@cache
def report(name: str) -> ModelReport:
    module: Any = {CLASSIFIER: activity, REGRESSOR: calories}[name]
    _, metrics = module.train(days(), 100_000)
    return ModelReport(
        window=["2023-04"],
        learned_from={"2023-04": "a" * 64},
        released=True,
        bytes=12_345,
        gates=[CheckResult("within_budget", True, "12,345 of 100,000 bytes on disk")],
        metrics=metrics,
        real_people=False,
    )


def test_slices_are_by_activity_segment_sex_age_and_device() -> None:
    for name in (CLASSIFIER, REGRESSOR):
        metrics = report(name).metrics
        assert isinstance(metrics, ClassifierMetrics | RegressorMetrics)
        found = metrics.evaluation.slices
        assert list(found) == list(slices.TITLES)
        users = {kind: {each.slice: each.users for each in part} for kind, part in found.items()}
        assert users["sex"] == {"female": 20, "male": 20}
        assert users["age"] == {"under 30": 5, "30 to 44": 15, "45 to 59": 15, "60 and over": 5}
        assert users["device"] == {"phone": 37, "watch | band": 3}
        assert sum(each.rows for each in found["age"]) == len(days())


def test_the_coverage_of_slices_is_that_of_their_rows() -> None:
    metrics = report(REGRESSOR).metrics
    assert isinstance(metrics, RegressorMetrics)
    found = metrics.evaluation
    for part in found.slices.values():
        total = sum(each.rows for each in part)
        if total == found.rows:
            mean = sum(each.coverage * each.rows for each in part) / total
            assert mean == pytest.approx(found.coverage)


def test_a_slice_of_rows_without_a_value_or_of_few_rows_is_left_out() -> None:
    test = days().head(40).assign(age=[25.0] * 9 + [np.nan] * 11 + [60.0] * 20, sex=None)
    found = slices.score_slices(test, lambda value, rows, _: (value, rows.tolist()))
    assert found["age"] == [("60 and over", list(range(20, 40)))]
    assert "sex" not in found


@pytest.mark.parametrize("name", [CLASSIFIER, REGRESSOR])
def test_a_card_has_data_scores_slices_refusals_and_limits(name: str) -> None:
    text = card(BY_NAME[name], "2023-04", report(name))
    titles = re.findall("^## (.*)$", text, re.MULTILINE)
    assert titles == ["Data", "Scores", "Slices", "Inputs", "Refusals", "Limits"]
    assert re.findall("^### (.*)$", text, re.MULTILINE) == list(slices.TITLES.values())
    assert "the synthetic cohort" in text
    assert "480 days of 40 users, cross-validated by user" in text
    metrics = report(name).metrics
    assert isinstance(metrics, ClassifierMetrics | RegressorMetrics)
    score, bounds = ("r2", "R²") if name == REGRESSOR else ("accuracy", "Accuracy")
    interval = metrics.evaluation.intervals[score]
    value = getattr(metrics.evaluation.scores, score)
    assert f"| {bounds} | {value:.3f} | {interval.low:.3f} to {interval.high:.3f} |" in text
    assert ("In the 90% interval" in text) == (name == REGRESSOR)
    assert "| Within budget | passed |" in text
    # Every row of a table has as many cells as its header, and nothing of a source is rendered.
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1
    assert "`Active, <b>long</b> sleep`" in text


def test_a_card_of_a_model_that_is_not_released_says_why() -> None:
    spec = BY_NAME[REGRESSOR]
    failed = replace(report(REGRESSOR), released=False, reason="better_than_baseline (R² 0.01)")
    assert "Not released: `better_than_baseline (R² 0.01)`." in card(spec, "2023-04", failed)
    missing = ModelReport(
        window=[], learned_from={}, released=False, reason="needs 20 users", gates=[]
    )
    text = card(spec, "2023-04", missing)
    assert "Not trained: needs 20 users." in text
    assert "records of real people" in text
    assert "## Scores" not in text


@pytest.mark.parametrize("name", [CLASSIFIER, REGRESSOR])
def test_the_card_of_a_protected_release_has_no_slice_of_few_people(name: str) -> None:
    shown = protected_reports.model_report(report(name), PEOPLE)
    text = card(BY_NAME[name], "2023-04", shown)
    assert "Watch" in card(BY_NAME[name], "2023-04", report(name))
    # The other device would be the difference of the total and of the published slice.
    assert "Watch" not in text
    assert "### Device\n\nNo slice." in text
    assert isinstance(shown.metrics, ClassifierMetrics | RegressorMetrics)
    parts = [each for part in shown.metrics.evaluation.slices.values() for each in part]
    assert parts
    assert not any(each.rows % PEOPLE or each.users for each in parts)
    exact = [n for each in parts for n in asdict(each).values() if isinstance(n, float)]
    assert exact == [float(f"{number:.3g}") for number in exact], "or a share reveals a count"


def public_slices(test: pd.DataFrame) -> set[tuple[str, str]]:
    """Kind and value of each public slice."""
    found = slices.score_slices(test, lambda value, _, public: (value, public), PEOPLE)
    return {(kind, value) for kind, part in found.items() for value, public in part if public}


def test_slices_leave_no_score_of_few_people() -> None:
    """A difference of sums concerns few people if slices differ in, or leave, their rows only."""
    base = days().assign(age=40.0, segment=None)
    user = np.arange(len(base)) // 12
    sex = pd.Series(np.where(user < 20, "female", "male"))
    # The rest of both is one user, who has too few rows for a slice or no value at all.
    for own in ("other", ""):
        test = base.assign(sex=sex.where(user != 0, own).replace("", None), source=None)
        for rows in (test, test.drop(index=test.index[1:12])):
            public = public_slices(rows)
            assert len({value for kind, value in public if kind == "sex"}) == 1
            assert {kind for kind, _ in public} == {"activity", "age", "sex"}
    # Devices that are those of the women, and of one man; and two that are together.
    for devices in (["watch"], ["watch", "ring"]):
        names = np.where(user <= 20, np.asarray(devices)[user % len(devices)], "phone")
        public = public_slices(base.assign(sex=sex, source=names))
        assert not {("sex", "female"), ("device", "phone")} <= public
        assert {kind for kind, _ in public} >= {"activity", "age"}
    same = public_slices(base.assign(sex=sex, source=np.where(user < 20, "watch", "phone")))
    assert {("sex", "female"), ("sex", "male"), ("device", "phone")} <= same


@pytest.mark.parametrize("seed", range(10))
def test_no_combination_of_two_kinds_of_slices_is_of_few_people(seed: int) -> None:
    generator = np.random.default_rng(seed)
    base = days()
    user = np.arange(len(base)) // 12
    traits = {
        "sex": generator.choice(np.array(["female", "male", None]), 40, p=[0.5, 0.4, 0.1]),
        "segment": generator.choice(np.array(["A", "B", "C", None]), 40, p=[0.4, 0.3, 0.2, 0.1]),
        "source": generator.choice(np.array(["watch", "phone"]), 40, p=[0.2, 0.8]),
        "age": generator.integers(20, 80, 40).astype(float),
    }
    test = base.assign(**{name: values[user] for name, values in traits.items()})
    found: dict[str, list[np.ndarray]] = {}
    every = slices.score_slices(test, lambda _, rows, public: (rows, public), PEOPLE)
    for kind, part in every.items():
        found[kind] = [np.isin(np.arange(len(test)), rows) for rows, public in part if public]
    for one, other in combinations(found.values(), 2):
        cells = np.array([*one, *other], dtype=int).T
        signs = np.array([*product((-1, 0, 1), repeat=cells.shape[1])]).T
        # With and without all rows, whose score is public too.
        for combined in (cells @ signs, 1 - cells @ signs):
            users = np.logical_or.reduceat(combined != 0, np.arange(0, len(test), 12)).sum(axis=0)
            assert not set(users) & set(range(1, PEOPLE))
