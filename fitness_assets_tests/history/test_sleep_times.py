"""Times of sleep: medians, the weekend, and the Sleep Regularity Index."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from fitness_assets.history.sleep_times import clock_minutes, sleep_times, weekend_sentence

DAY = 1440


def nights(start: np.ndarray | list[float], end: np.ndarray | list[float]) -> pd.DataFrame:
    """Days from Saturday, 1 April 2023."""
    dates = pd.date_range("2023-04-01", periods=len(start)).date
    return pd.DataFrame({"date": dates, "sleep_start": start, "sleep_end": end})


def brute_force(days: pd.DataFrame) -> float:
    """The index from the state of every minute, of days that are all known."""
    asleep = np.zeros((len(days) + 2) * DAY, bool)
    for row, (start, end) in enumerate(zip(days["sleep_start"], days["sleep_end"], strict=True)):
        begin = (row + 1) * DAY
        asleep[begin + round(start) : begin + round(end)] = True
    # From noon to noon, so that each night is whole.
    first, last = DAY // 2, (len(days)) * DAY - DAY // 2
    same = asleep[first:last] == asleep[first + DAY : last + DAY]
    return float(-100 + 200 * same.mean())


def test_the_same_times_are_perfectly_regular() -> None:
    found = sleep_times(nights([-55.0] * 10, [410.0] * 10))
    assert found is not None
    assert (found.nights, found.start, found.end) == (10, -55.0, 410.0)
    assert found.regularity == pytest.approx(100)
    assert found.weekend_later == 0


def test_the_index_is_that_of_every_minute() -> None:
    draws = np.random.default_rng(1)
    start = np.round(draws.normal(-30, 90, 60))
    days = nights(start, start + np.round(draws.normal(450, 60, 60)))
    found = sleep_times(days)
    assert found is not None
    assert found.regularity == pytest.approx(brute_force(days), abs=0.01)
    assert 50 < (found.regularity or 0) < 90


def test_only_consecutive_nights_are_compared() -> None:
    draws = np.random.default_rng(2)
    start = draws.normal(0, 60, 30)
    days = nights(start, start + 420)
    every_other = days[::2]
    found = sleep_times(every_other)
    assert found is not None
    assert found.regularity is None
    without = days.drop(index=[3, 4, 17])
    pairs = [(a, b) for a, b in pairwise(start) if {a, b} <= {*without["sleep_start"]}]
    expected = 100 * (1 - 2 * np.mean([2 * abs(a - b) for a, b in pairs]) / DAY)
    known = sleep_times(without.sample(frac=1, random_state=1))
    assert known is not None
    assert known.regularity == pytest.approx(expected)


def test_nights_without_an_overlap_are_the_least_regular() -> None:
    start = np.array([-60.0, 660.0] * 6)
    found = sleep_times(nights(start, start + 480))
    assert found is not None
    assert found.regularity == pytest.approx(100 * (1 - 2 * 960 / DAY))


def test_few_or_impossible_nights_have_no_times() -> None:
    assert sleep_times(nights([0.0] * 6, [400.0] * 6)) is None
    days = nights([0.0] * 10, [400.0] * 10)
    days.loc[:1, "sleep_start"] = np.nan
    days.loc[2, "sleep_end"] = -10.0
    days.loc[3, ["sleep_start", "sleep_end"]] = [-50_000.0, -49_500.0]
    assert sleep_times(days) is None
    assert sleep_times(days.drop(columns="sleep_end")) is None
    days.loc[0, "sleep_start"] = 0.0
    found = sleep_times(days)
    assert found is not None
    assert found.nights == 7


def test_weekends_are_those_of_the_day_of_waking() -> None:
    days = nights([0.0] * 14, [420.0] * 14)
    weekend = pd.to_datetime(days["date"]).dt.weekday >= 5
    days.loc[weekend, ["sleep_start", "sleep_end"]] += 90.0
    found = sleep_times(days)
    assert found is not None
    assert found.weekend_later == 90
    assert weekend_sentence(90) == "The middle of sleep is 1 h 30 min later on weekends."
    assert weekend_sentence(-20) == "The middle of sleep is 20 min earlier on weekends."
    assert "as late" in weekend_sentence(14.9)


def test_times_are_minutes_after_the_beginning_of_the_day() -> None:
    dates = pd.Series(pd.to_datetime(["2023-04-02", "2023-04-03", "2023-04-04"])).dt.date
    times = pd.Series(pd.to_datetime(["2023-04-01T23:10:00", "2023-04-03T00:20:30", "NaT"]))
    found = clock_minutes(dates, times)
    assert found.iloc[:2].tolist() == [-50.0, 20.5]
    assert np.isnan(found.iloc[2])
