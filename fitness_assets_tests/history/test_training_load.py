"""Training load: the impulse of a workout, and its mean over weeks."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitness_assets.history.training_load import (
    POPULATION_RESTING_HEART_RATE,
    WINDOWS,
    daily_load,
    trimp,
    workout_load,
)

FIRST = date(2024, 1, 1)
IMPULSES = st.lists(
    st.tuples(st.integers(0, 90), st.floats(0, 500) | st.just(np.nan)), min_size=1, max_size=40
)


def workouts(*rows: tuple[float, float | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["minutes", "heart_rate_avg", "heart_rate_max"], dtype=float)


def resting(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"resting_heart_rate": pd.Series(values, dtype=float)})


def test_the_impulse_is_that_of_the_published_formula() -> None:
    # 30 minutes at half of the reserve of 160 beats, by hand.
    assert trimp(30, 120, 40, 200, "male") == pytest.approx(30 * 0.5 * 0.64 * np.exp(0.96))
    assert trimp(30, 120, 40, 200, "female") == pytest.approx(30 * 0.5 * 0.86 * np.exp(0.835))


@given(
    minutes=st.floats(0, 600),
    heart_rate=st.floats(30, 220),
    more=st.floats(0, 50),
    sex=st.sampled_from(["female", "male", None, "other"]),
)
def test_the_impulse_grows_with_time_and_effort_and_is_limited(
    minutes: float, heart_rate: float, more: float, sex: str | None
) -> None:
    impulse = float(trimp(minutes, heart_rate, 60, 180, sex))
    assert 0 <= impulse <= 0.64 * np.exp(1.92) * minutes * 1.06
    assert impulse <= trimp(minutes, heart_rate + more, 60, 180, sex)
    assert impulse <= trimp(minutes + more, heart_rate, 60, 180, sex)
    women, men = (float(trimp(minutes, heart_rate, 60, 180, each)) for each in ("female", "male"))
    assert min(women, men) * (1 - 1e-12) <= impulse <= max(women, men) * (1 + 1e-12)


def test_nothing_is_computed_from_unknown_or_impossible_values() -> None:
    assert np.isnan(trimp([30, 30], [np.nan, 100], [60, 180], [190, 170], "male")).all()


def test_fallbacks_for_what_is_not_known_of_a_person() -> None:
    rows = workouts((60, 140, 170), (60, None, None), (30, 120, 195))
    known = workout_load(rows, resting(50, 54, 58), age=40, sex="female")
    assert known.isna().tolist() == [False, True, False]
    # 195 was measured, which is above the 180 by age.
    assert known[0] == pytest.approx(float(trimp(60, 140, 54, 195, "female")))
    for nothing in (resting(), resting(np.nan, np.nan)):
        unknown = workout_load(rows, nothing)
        expected = float(trimp(60, 140, POPULATION_RESTING_HEART_RATE, 195))
        assert unknown[0] == pytest.approx(expected)
    assert workout_load(rows[1:2], resting()).isna().all(), "no heart rate at all"
    assert workout_load(rows[:0], resting()).empty


@settings(max_examples=60)
@given(found=IMPULSES, after=st.integers(0, 60))
def test_loads_are_means_of_all_days_since_the_first_workout(
    found: list[tuple[int, float]], after: int
) -> None:
    dates = pd.Series([FIRST + timedelta(offset) for offset, _ in found])
    impulse = pd.Series([value for _, value in found])
    until = dates.max() + timedelta(after)
    load = daily_load(dates, impulse, until)
    known = impulse.notna()
    assert load.empty == (not known.any())
    if load.empty:
        return
    assert load.index[0].date() == dates[known].min()
    assert load.index[-1].date() == until
    assert load["load"].sum() == pytest.approx(impulse.sum())
    for name, count in WINDOWS.items():
        assert load[name].isna().sum() == min(count - 1, len(load))
        values = load[name].dropna()
        assert (values <= load["load"].max() * (1 + 1e-9)).all()
        assert (values >= 0).all()
    # Order does not matter, and later days do not change earlier ones.
    again = daily_load(dates[::-1], impulse[::-1], until + timedelta(3))
    pd.testing.assert_frame_equal(again.iloc[:-3], load, check_freq=False)


def test_a_constant_load_is_its_own_mean_and_rest_lowers_it() -> None:
    dates = pd.Series([FIRST + timedelta(day) for day in range(60)])
    load = daily_load(dates, pd.Series(80.0, dates.index), FIRST + timedelta(80))
    at_work, rested = load.iloc[59], load.iloc[-1]
    for name in WINDOWS:
        assert at_work[name] == pytest.approx(80)
    assert rested["load_7d"] < rested["load_42d"] < 80


def test_workouts_after_the_last_day_are_not_counted() -> None:
    dates = pd.Series([FIRST, FIRST + timedelta(5)])
    load = daily_load(dates, pd.Series([10.0, 20.0]), FIRST + timedelta(2))
    assert load["load"].tolist() == [10.0, 0.0, 0.0]
    assert daily_load(dates, pd.Series([10.0, 20.0]), FIRST - timedelta(1)).empty
