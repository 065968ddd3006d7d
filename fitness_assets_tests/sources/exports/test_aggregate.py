from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.local_time import Clock, local_seconds

DAY = date(2023, 4, 2)
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Havana",
        "Asia/Kathmandu",
    ]
).map(ZoneInfo)
INSTANTS = st.integers(
    int(datetime(2005, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()),
)

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
            days.add_workout(user, day, metric, amount)

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


def test_weight_is_carried_forward_and_not_backward() -> None:
    days = DayAggregator("x")
    for day, figures in enumerate([{}, {"weight_kg": 70.0}, {}, {"weight_kg": 69.0}]):
        days.add_daily_values("ann", DAY + timedelta(days=day), {"steps": 5, **figures})
    days.add_daily_values("bo", DAY + timedelta(days=9), {"steps": 5})
    assert [record["weight_kg"] for record in records(days)] == [None, 70, 70, 69, None]


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


@given(INSTANTS, ZONES)
def test_the_local_day_is_that_of_the_zone(instant: int, zone: ZoneInfo) -> None:
    local = datetime.fromtimestamp(instant, zone)
    clock = Clock(ZoneInfo("UTC"), zone)
    assert clock.local_date(instant) == local.date()
    assert clock.to_local(instant) == local_seconds(local)
    assert clock.instant(instant) == instant


@given(INSTANTS, ZONES)
def test_a_local_time_converts_back_to_its_instant_even_in_an_hour_shown_twice(
    instant: int, zone: ZoneInfo
) -> None:
    clock = Clock(zone, zone)
    shown = clock.to_local(instant)
    both = {clock.instant(shown), clock.instant(shown, fold=True)}
    assert instant in both
    fold = datetime.fromtimestamp(instant, zone).fold == 1
    assert clock.instant(shown, fold=fold) == instant


@pytest.mark.parametrize(
    ("zone", "stamp", "utc"),
    [
        # The clock went from 02:00 to 03:00: 02:30 is read with the old offset.
        ("Europe/Berlin", "2021-03-28 02:30", "2021-03-28 01:30"),
        ("Europe/Berlin", "2021-03-28 01:59", "2021-03-28 00:59"),
        ("Europe/Berlin", "2021-03-28 03:00", "2021-03-28 01:00"),
        ("Australia/Lord_Howe", "2021-10-03 02:15", "2021-10-02 15:45"),
        # The zone skipped a whole day.
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30 10:00"),
    ],
)
def test_timestamps_around_a_gap_use_the_old_offset(zone: str, stamp: str, utc: str) -> None:
    clock = Clock(ZoneInfo(zone), ZoneInfo(zone))
    assert clock.instant(local_seconds(datetime.fromisoformat(stamp))) == local_seconds(
        datetime.fromisoformat(utc)
    )


@given(
    st.dates(date(1990, 1, 1), date(2099, 1, 1)),
    st.integers(13, 60),
    st.sampled_from(["%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%m-%d-%Y"]),
)
def test_the_date_order_of_consecutive_days_is_detected(
    first: date, length: int, style: str
) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [day.strftime(style) for day in days]
    order = parsing.detect_date_order(stamps)
    assert [parsing.parse_day(stamp, order) for stamp in stamps] == days


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)), st.integers(13, 60))
def test_a_year_of_two_digits_is_in_this_century(first: date, length: int) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [f"{day.month}/{day.day}/{day:%y}" for day in days]
    order = parsing.detect_date_order(stamps)
    assert [parsing.parse_day(stamp, order) for stamp in stamps] == days


@given(st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans()))
def test_any_value_is_an_amount_or_an_error(value: object) -> None:
    try:
        amount = parsing.parse_amount(value)
    except ValueError:
        return
    assert amount is None or 0 <= amount < float("inf")


@pytest.mark.parametrize(
    ("value", "amount"),
    [("1,234", 1234), ("1,234,567.5", 1234567.5), (" 5 ", 5), ("", None), (None, None), (0, 0)],
)
def test_commas_may_separate_thousands(value: object, amount: float | None) -> None:
    assert parsing.parse_amount(value) == amount


@pytest.mark.parametrize("value", ["1,23", "1_000", "-1", "nan", "inf", True, [], 10**400])
def test_invalid_amounts_raise(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parsing.parse_amount(value)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Running", "running"),
        ("TraditionalStrengthTraining", "gym_workout"),
        ("HighIntensityIntervalTraining", "gym_workout"),
        ("Outdoor Bike", "cycling"),
        ("lap_swimming", "swimming"),
        ("YOGA", "yoga"),
        ("StairClimbing", "stair_climbing"),
        ("Kitesurfing / foil", "kitesurfing_foil"),
        ("  ", None),
    ],
)
def test_activities_get_canonical_names(name: str, canonical: str | None) -> None:
    assert activity(name) == canonical


def test_records_are_ordered_by_user_and_day() -> None:
    days = DayAggregator("x")
    for offset in (3, 1, 2):
        for user in "ba":
            days.add_daily_values(user, DAY + timedelta(days=offset), {"steps": 5})
    keys = [(record["user_id"], record["date"]) for record in records(days)]
    assert all(first < second for first, second in pairwise(keys))
