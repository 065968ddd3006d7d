from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.intraday import DayAmounts, merge

# Start, length and amount.
Reading = tuple[int, int, float]

READINGS = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(0, 200), st.integers(0, 900).map(float)),
    max_size=12,
)


def amounts(*readings: Reading) -> DayAmounts:
    day = DayAmounts()
    for reading in readings:
        day.add(*reading)
    return day


@given(READINGS)
def test_no_amount_of_one_source_is_lost(readings: list[Reading]) -> None:
    total = sum(amount for _, _, amount in readings)
    assert merge([amounts(*readings)]) == pytest.approx(total)
    # A copy of the same source, as of an overlapping export.
    assert merge([amounts(*readings)] * 2) == pytest.approx(total)


@given(READINGS, READINGS)
def test_two_sources_are_between_the_preferred_one_and_their_sum(
    first: list[Reading], second: list[Reading]
) -> None:
    preferred, other = amounts(*first), amounts(*second)
    merged = merge([preferred, other])
    assert merged >= preferred.total() - preferred.without_time - 1e-6
    assert merged <= preferred.total() + other.total() + 1e-6


@given(READINGS, READINGS)
def test_what_sources_measured_in_different_halves_of_the_day_is_added(
    morning: list[Reading], evening: list[Reading]
) -> None:
    early = amounts(*((start // 2, length % 61, amount) for start, length, amount in morning))
    late = amounts(*((800 + start // 3, length % 61, amount) for start, length, amount in evening))
    total = early.total() + late.total()
    assert merge([early, late]) == pytest.approx(total)
    assert merge([late, early]) == pytest.approx(total)


def test_a_watch_that_was_put_on_within_the_hour_is_added_to_the_phone() -> None:
    phone, watch = amounts((10 * 60, 10, 800)), amounts((10 * 60 + 40, 10, 300))
    assert merge([watch, phone]) == 1100


def test_an_hour_with_a_long_reading_is_merged_as_a_whole() -> None:
    minutes = amounts((10 * 60, 5, 800), (11 * 60, 5, 100))
    hourly = amounts((10 * 60, 60, 820), (11 * 60, 60, 110), (12 * 60, 60, 50))
    assert merge([minutes, hourly]) == 800 + 100 + 50
    assert merge([hourly, minutes]) == 820 + 110 + 50


def test_a_reading_of_more_than_an_hour_is_not_merged_by_time() -> None:
    watch, diary = amounts((600, 5, 700)), amounts((0, 1440, 500))
    assert merge([watch, diary]) == 700
    assert merge([amounts((600, 5, 300)), diary]) == 500


def test_the_rank_of_a_device_decides_and_a_declared_order_comes_first() -> None:
    def steps(*order: str) -> Any:
        days = DayAggregator("x", order)
        for device, amount in (("Diary", 900.0), ("iPhone", 800.0), ("Watch", 700.0)):
            days.add_amounts(
                "ann",
                date(2023, 4, 2),
                "steps",
                amounts((600, 5, amount)),
                f"file/{device}",
                device,
            )
        (batch,) = days.record_batches(lambda *_: None, None)
        return batch.to_pylist()[0]["steps"]

    assert steps() == 700
    assert steps("phone") == 800
    assert steps("diary", "phone") == 900


def test_of_sources_of_one_rank_the_one_that_measured_most_is_preferred() -> None:
    days = DayAggregator("x")
    for source, readings in {"a": [(600, 5, 100.0)], "b": [(600, 5, 90.0), (660, 5, 50.0)]}.items():
        days.add_amounts("ann", date(2023, 4, 2), "steps", amounts(*readings), source)
    (batch,) = days.record_batches(lambda *_: None, None)
    assert batch.to_pylist()[0]["steps"] == 140
