from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from fitness_assets.sources.exports.aggregate import DayAggregator

DAY = date(2023, 4, 2)

AddReading = Callable[[DayAggregator], None]


def records(days: DayAggregator) -> list[dict[str, Any]]:
    batches = days.record_batches(lambda *_: None, None)
    return [record for batch in batches for record in batch.to_pylist()]


@st.composite
def readings(draw: st.DrawFn) -> AddReading:
    user, source = draw(st.sampled_from("ab")), draw(st.sampled_from(["watch", "phone"]))
    day = DAY + timedelta(days=draw(st.integers(0, 2)))
    amount = draw(st.integers(0, 4000)) / 4
    metric = draw(st.sampled_from(["steps", "active_kcal", "basal_kcal", "sleep_hours"]))
    kind = draw(st.sampled_from(["amount", "daily", "heart rate", "workout"]))

    def add(days: DayAggregator) -> None:
        if kind == "amount":
            days.add_amount(user, day, metric, amount, source)
        elif kind == "daily":
            days.add_daily_values(user, day, {metric: amount})
        elif kind == "heart rate":
            days.add_heart_rates(user, day, int(amount) % 24, source, 60 + amount % 90, 1)
        else:
            days.add_activity(user, day, metric, amount)

    return add


@given(st.lists(readings(), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_readings_does_not_matter(found: list[AddReading], order: Any) -> None:
    first, second = DayAggregator("x"), DayAggregator("x")
    for add in found:
        add(first)
    order.shuffle(found)
    for add in found:
        add(second)
    assert records(first) == records(second)


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 999), min_size=1)))
def test_readings_are_summed_by_source_and_the_largest_sum_is_kept(
    found: dict[str, list[int]],
) -> None:
    assume(any(map(sum, found.values())))
    days = DayAggregator("x")
    for source, amounts in found.items():
        for amount in amounts:
            days.add_amount("ann", DAY, "steps", amount, source)
    (record,) = records(days)
    assert record["steps"] == max(map(sum, found.values()))


def test_stated_daily_values_take_precedence_over_sums() -> None:
    days = DayAggregator("x")
    days.add_amount("ann", DAY, "steps", 9000, "watch")
    days.add_daily_values("ann", DAY, {"steps": 8000})
    days.add_daily_values("ann", DAY, {"steps": 7000})
    assert records(days)[0]["steps"] == 8000


def test_heart_rate_is_that_of_the_source_with_most_hours() -> None:
    days = DayAggregator("x")
    days.add_heart_rates("ann", DAY, 9, "strap", 150 * 3600, 3600)
    for hour in range(24):
        days.add_heart_rates("ann", DAY, hour, "watch", 60.0 * (1 + (hour == 9)), 1)
    assert records(days)[0]["heart_rate_avg"] == 62.5


def test_zero_is_missing_for_values_that_are_never_zero() -> None:
    days = DayAggregator("x")
    days.add_daily_values(
        "ann", DAY, {"heart_rate_avg": 0, "total_kcal": 0, "weight_kg": 0, "steps": 5}
    )
    (record,) = records(days)
    assert record["steps"] == 5
    assert all(record[name] is None for name in ("heart_rate_avg", "calories_burned", "weight_kg"))


def test_weight_is_that_of_the_day_that_it_was_measured_on() -> None:
    days = DayAggregator("x")
    for day, figures in enumerate([{}, {"weight_kg": 70.0}, {}, {"weight_kg": 69.0}]):
        days.add_daily_values("ann", DAY + timedelta(days=day), {"steps": 5, **figures})
    days.add_daily_values("bo", DAY + timedelta(days=9), {"steps": 5})
    assert [record["weight_kg"] for record in records(days)] == [None, 70, None, 69, None]


def test_age_is_computed_for_each_day() -> None:
    days = DayAggregator("x")
    days.set_profile("ann", date(1992, 2, 29), None)
    days.set_profile("ann", None, "female")
    for day in (date(2023, 2, 28), date(2023, 3, 1), date(1991, 1, 1)):
        days.add_daily_values("ann", day, {"steps": 5})
    assert [(record["age"], record["sex"]) for record in records(days)] == [
        (None, "female"),
        (30, "female"),
        (31, "female"),
    ]


def test_a_count_beyond_int32_is_quarantined() -> None:
    days, quarantined = DayAggregator("x"), []
    for metric in ("steps", "distance_km"):
        days.add_amount("ann", DAY, metric, 1e300, "a")
    (batch,) = days.record_batches(lambda *entry: quarantined.append(entry), None)
    assert batch.to_pylist()[0]["steps"] is None
    assert [place for _, place, _ in quarantined] == ["ann, 2023-04-02"]


def test_records_are_ordered_by_user_and_day() -> None:
    days = DayAggregator("x")
    for offset in (3, 1, 2):
        for user in "ba":
            days.add_daily_values(user, DAY + timedelta(days=offset), {"steps": 5})
    keys = [(record["user_id"], record["date"]) for record in records(days)]
    assert all(first < second for first, second in pairwise(keys))
