import pandas as pd
import pytest

from fitness_assets.models.explanations import habit_advice
from fitness_assets.models.segments import advice
from fitness_assets_tests.support.segments import learned


def test_names_are_unique() -> None:
    rows = {"steps": [1.0, 1.0, 1.0, 0.0, 0.1], "sleep": [2.0, 2.0, 2.0, 0.1, 0.0]}
    distance = pd.DataFrame({**rows, "calories": [0.5, -0.5, -0.5, 0.0, 0.0]})
    assert list(advice.unique_names(distance).values()) == [
        "Long sleep, many steps, high energy use",
        "Long sleep, many steps, low energy use",
        "Long sleep, many steps, low energy use (2)",
        "About average",
        "About average (2)",
    ]


def test_a_segment_is_better_only_if_it_is_worse_in_nothing() -> None:
    spread = pd.Series({"steps": 2_000.0, "resting_heart_rate": 5.0, "sleep": 1.0})
    mine = {"steps": 6_000.0, "resting_heart_rate": 65.0, "sleep": 6.0}
    fitter = {**mine, "resting_heart_rate": 60.0, "steps": 5_900.0}
    assert advice.better(fitter, mine, spread) == ["resting_heart_rate"]
    assert advice.better(mine, fitter, spread) == []
    assert advice.better({**fitter, "sleep": 5.0}, mine, spread) == [], "fitter, but sleeps less"
    enough = {**mine, "steps": 11_000.0, "sleep": 7.5}
    assert advice.better({**enough, "steps": 15_000.0, "sleep": 8.5}, enough, spread) == []
    assert advice.better({"steps": 9_000.0}, mine, spread) == ["steps"]


def test_advice_changes_habits_and_leads_to_the_better_segment() -> None:
    _, table, metrics = learned(120, 3, 61)
    least, middle, most = metrics.profiles
    assert len({profile.name for profile in metrics.profiles}) == 3
    assert most.advice is None, "there is no better one"
    assert least.advice is not None
    assert middle.advice is not None
    assert least.advice.towards == 1, "the nearest that is better"
    assert middle.advice.towards == 2
    for profile, found in ((least, least.advice), (middle, middle.advice)):
        assert 0 < len(found.habits) <= 2
        assert {change.habit for change in found.habits} <= {*advice.HABITS}
        assert found.better_in == ["resting_heart_rate", "steps"][: len(found.better_in)]
        assert found.moved > 0.5
        sentence = habit_advice(profile, metrics)
        assert "heart rate" not in sentence.partition(", towards")[0]
        assert metrics.profiles[found.towards].name in sentence
    steps = [change for change in least.advice.habits if change.habit == "steps"]
    assert not steps or steps[0].change == pytest.approx(4_000, abs=200)
    assert habit_advice(most, metrics) == ""
    assert sum(profile.users for profile in metrics.profiles) == len(table)


def test_measures_relative_to_the_steps_change_with_them() -> None:
    profiles = pd.DataFrame(
        {"steps": [4_000.0], "steps_variability": [0.5], "weekend_steps_ratio": [2.0]}
    )
    changed = advice.with_changes(profiles, {"steps": 4_000.0}).iloc[0]
    assert changed.tolist() == [8_000, 0.25, 1.5]
