"""Findings: planted truth is found and dated, and noise has none."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import false_discovery_control

from fitness_assets.history import associations, findings
from fitness_assets.history.change_points import change_points
from fitness_assets.history.eras import Era, eras
from fitness_assets.history.schema import FINDINGS, MEASURES
from fitness_assets_tests.support.lives import (
    DEVICE_BEGINS,
    HABIT_BEGINS,
    as_days,
    life,
    noise,
    planted_life,
)

FIRST, LAST = date(2021, 1, 1), date(2023, 12, 31)


Rows = list[dict[str, Any]]


def find(lives: dict[str, pd.DataFrame], last: date = LAST) -> Rows:
    table = findings.find(as_days(lives).select(findings.COLUMNS), last, list(lives))
    assert table.schema == FINDINGS
    found: Rows = table.to_pylist()
    return found


@pytest.fixture(scope="module", params=range(3))
def planted(request: pytest.FixtureRequest) -> Rows:
    return find({"u": planted_life(request.param)})


def rows(found: Rows, kind: str) -> Rows:
    return [row for row in found if row["kind"] == kind]


def changes(found: Rows) -> dict[str, dict[str, Any]]:
    return {row["measure"]: row for row in rows(found, "change_point")}


def test_a_change_of_habit_is_found_and_dated_within_a_week(planted: Rows) -> None:
    steps = changes(planted)["steps"]
    assert abs(steps["start"] - HABIT_BEGINS) <= timedelta(days=7)
    assert steps["earliest"] <= HABIT_BEGINS <= steps["latest"]
    assert steps["low"] < 3_500 < steps["high"]
    assert steps["value"] == pytest.approx(steps["after"] - steps["before"])
    assert steps["device"] is None
    assert changes(planted).keys() == {"steps", "distance_km", "resting_heart_rate"}
    assert len(rows(planted, "change_point")) == 3


def test_a_change_of_device_is_not_sold_as_a_habit(planted: Rows) -> None:
    readings = changes(planted)["resting_heart_rate"]
    assert readings["start"] == DEVICE_BEGINS
    assert readings["device"] == "garmin"
    assert readings["low"] < -3 < readings["high"]
    assert [(row["device"], row["start"]) for row in rows(planted, "device_era")] == [
        ("tidy", FIRST),
        ("garmin", DEVICE_BEGINS),
    ]


def test_a_relation_is_found_at_its_lag_only(planted: Rows) -> None:
    (found,) = rows(planted, "association")
    assert (found["measure"], found["other"], found["lag"]) == (
        *("sleep_hours", "resting_heart_rate"),
        1,
    )
    assert found["low"] < found["value"] < found["high"] < 0
    assert found["slope"] == pytest.approx(-1, abs=0.2)
    assert found["p"] <= associations.FALSE_DISCOVERIES
    assert found["n"] > 900


def test_what_was_tried_is_stated_also_if_nothing_was_found() -> None:
    found = find({"u": life(FIRST, date(2021, 12, 31), 3)}, date(2021, 12, 31))
    searches = {row["other"]: row["n"] for row in rows(found, "search")}
    assert searches == {
        "change_points": len(findings.CHANGING),
        "associations": len(associations.tries()),
    }


def test_few_days_are_not_searched() -> None:
    last = date(2021, 2, 28)
    found = find({"u": life(FIRST, last, 3)}, last)
    assert {row["other"]: row["n"] for row in rows(found, "search")} == {
        "change_points": 0,
        "associations": 0,
    }


@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_noise_has_findings_for_at_most_one_of_twenty_users(phi: float) -> None:
    """Independent measures with weekday patterns and gaps, without and with autocorrelation."""
    last = date(2022, 6, 30)
    users = 100
    with_findings = 0
    for seed in range(users):
        found = find({"u": life(FIRST, last, 10_000 + seed, phi=phi, gaps=0.1)}, last)
        with_findings += bool({"change_point", "association"} & {row["kind"] for row in found})
    assert with_findings <= users / 20


def test_a_season_is_no_change() -> None:
    draws = np.random.default_rng(7)
    days = np.arange(4 * 365)
    for seed_phase in (0.0, 0.25, 0.5):
        season = np.sin(2 * np.pi * (days / 365.25 + seed_phase))
        assert change_points(noise(draws, len(days), 0.3) + season, 0) == []


def test_a_slow_trend_is_no_change() -> None:
    draws = np.random.default_rng(8)
    days = np.linspace(-1, 1, 700)
    assert change_points(noise(draws, len(days), 0.3) + days, 0) == []


def test_two_measures_of_a_changed_device_are_not_associated() -> None:
    days = life(FIRST, LAST, 5)
    days.loc[days.index >= pd.Timestamp(DEVICE_BEGINS), ["resting_heart_rate", "sleep_hours"]] += 4
    days.loc[days.index >= pd.Timestamp(DEVICE_BEGINS), "source"] = "garmin"
    assert rows(find({"u": days}), "association") == []


def test_pairs_that_follow_from_each_other_are_not_tried() -> None:
    tried = {
        (associations.COMPARED[i], associations.COMPARED[j], lag)
        for i, j, lag in associations.tries()
    }
    assert len(tried) == len(associations.tries())
    assert not any({first, second} <= set(associations.MOVEMENT) for first, second, _ in tried)
    for first, second in associations.TRIVIAL_ON_THE_SAME_DAY:
        assert not {(first, second, 0), (second, first, 0)} & tried
        assert {(first, second, 1), (second, first, 1)} <= tried


def test_adjusted_p_values_are_those_of_scipy() -> None:
    p = np.random.default_rng(1).random(40) ** 3
    assert associations.adjust(p) == pytest.approx(false_discovery_control(p))


def test_a_user_has_the_same_findings_among_others_and_in_any_order_of_rows() -> None:
    lives = {user: planted_life(seed).tail(460) for seed, user in enumerate("ab")}
    table = as_days(lives).select(findings.COLUMNS)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(len(table))))
    both = findings.find(shuffled, LAST, ["b", "a"])
    assert both.equals(findings.find(table, LAST, ["a", "b"]))
    alone = findings.find(as_days({"a": lives["a"]}).select(findings.COLUMNS), LAST, ["a"])
    assert both.slice(0, len(alone)).equals(alone)


def test_bests_follow_the_direction_of_the_measure() -> None:
    days = life(FIRST, date(2022, 12, 31), 4)
    found = find({"u": days}, date(2022, 12, 31))
    best = {(row["measure"], row["period"]): row for row in rows(found, "best")}
    worn = days[days["worn"]]
    assert best["steps", "day"]["value"] == worn["steps"].round().max()
    assert pd.Timestamp(best["steps", "day"]["start"]) == worn["steps"].idxmax()
    assert best["resting_heart_rate", "day"]["value"] == worn["resting_heart_rate"].min()
    years = worn["sleep_hours"].resample("YS").mean()
    assert best["sleep_hours", "year"]["value"] == pytest.approx(years.max())
    assert pd.Timestamp(best["sleep_hours", "year"]["start"]) == years.idxmax()
    weeks = worn["steps"].round().resample("W").agg(["mean", "size"])
    enough = weeks.loc[weeks["size"] >= 5, "mean"]
    assert best["steps", "week"]["value"] == pytest.approx(enough.max())
    assert pd.Timestamp(best["steps", "week"]["end"]) == enough.idxmax()


def test_streaks_and_gaps_are_runs_of_days() -> None:
    days = life(FIRST, date(2021, 4, 30), 4, gaps=0)
    days["steps"] = 5_000.0
    days.loc["2021-02-01":"2021-02-09", "steps"] = 9_000.0
    days.loc["2021-04-28":, "steps"] = 9_000.0
    days.loc["2021-03-01":"2021-03-07", "worn"] = False
    days.loc["2021-03-10":"2021-03-15", "worn"] = False
    found = find({"u": days}, date(2021, 4, 30))
    steps = [row for row in rows(found, "streak") if row["measure"] == "steps"]
    assert [(row["start"], row["n"], row["is_current"]) for row in steps] == [
        (date(2021, 2, 1), 9, False),
        (date(2021, 4, 28), 3, True),
    ]
    gaps = [(row["start"], row["end"], row["n"]) for row in rows(found, "gap")]
    assert gaps == [(date(2021, 3, 1), date(2021, 3, 7), 7)]


def test_a_gap_reaches_the_last_day() -> None:
    days = life(FIRST, date(2021, 4, 30), 4, gaps=0)
    found = find({"u": days}, date(2021, 5, 20))
    assert [row["end"] for row in rows(found, "gap")] == [date(2021, 5, 20)]
    assert not any(row["is_current"] for row in rows(found, "streak"))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([], []),
        (["a"] * 20, [Era("a", 0, 19, 20)]),
        (["a"] * 20 + ["b"] * 20, [Era("a", 0, 19, 20), Era("b", 20, 39, 20)]),
        (["a"] * 20 + ["b"] * 3 + ["a"] * 20, [Era("a", 0, 42, 43)]),
        (["a", "b"] * 20, [Era("a", 0, 39, 40)]),
        (["a"] * 20 + [None] * 50 + ["b"] * 8, [Era("a", 0, 19, 20), Era("b", 70, 77, 8)]),
        (["a"] * 20 + ["b"] * 5, [Era("a", 0, 24, 25)]),
    ],
)
def test_an_era_begins_when_most_days_are_of_another_source(
    sources: list[str | None], expected: list[Era]
) -> None:
    assert eras(sources) == expected


def test_a_user_without_worn_days_has_no_findings() -> None:
    lives = {"u": life(FIRST, date(2021, 4, 30), 1).assign(worn=False)}
    assert find(lives, date(2021, 4, 30)) == []


def test_the_number_of_rows_of_a_user_is_bounded() -> None:
    days = life(FIRST, LAST, 1)
    number = np.arange(len(days))
    days["source"] = np.where(number // 12 % 2 == 0, "a", "b")
    days["worn"] = number % 20 < 12
    days["steps"] += 20_000 * (number // 40 % 2)
    counts = Counter(row["kind"] for row in find({"u": days}))
    assert max(counts.values()) <= len(associations.tries())
    assert counts["gap"] == 40


def test_measures_are_columns_of_the_record() -> None:
    assert set(associations.COMPARED) < set(MEASURES)
    assert set(findings.CHANGING) < set(MEASURES)
