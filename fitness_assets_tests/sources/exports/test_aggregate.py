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
from fitness_assets.sources.exports.local_time import Clock, wall

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

Reading = Callable[[DayAggregator], None]


def records(days: DayAggregator, *, padded: bool = False) -> list[dict[str, Any]]:
    batches = days.batches(lambda *_: None, None, padded=padded)
    return [record for batch in batches for record in batch.to_pylist()]


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    user, source = draw(st.sampled_from("ab")), draw(st.sampled_from(["watch", "phone"]))
    day = DAY + timedelta(days=draw(st.integers(0, 2)))
    amount = draw(st.integers(0, 4000)) / 4
    metric = draw(st.sampled_from(["steps", "active_kcal", "basal_kcal", "sleep_hours"]))
    kind = draw(st.sampled_from(["add", "state", "pulse", "exercise"]))

    def give(days: DayAggregator) -> None:
        if kind == "add":
            days.add(user, day, metric, amount, source)
        elif kind == "state":
            days.state(user, day, {metric: amount})
        elif kind == "pulse":
            days.pulse(user, day, int(amount) % 24, source, 60 + amount % 90, 1)
        else:
            days.exercise(user, day, metric, amount)

    return give


@given(st.lists(readings(), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_readings_does_not_matter(found: list[Reading], order: Any) -> None:
    first, second = DayAggregator("x"), DayAggregator("x")
    for give in found:
        give(first)
    order.shuffle(found)
    for give in found:
        give(second)
    assert records(first) == records(second)


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 999), min_size=1)))
def test_sources_are_summed_and_never_added_together(found: dict[str, list[int]]) -> None:
    assume(any(map(sum, found.values())))
    days = DayAggregator("x")
    for source, amounts in found.items():
        for amount in amounts:
            days.add("ann", DAY, "steps", amount, source)
    (record,) = records(days)
    assert record["steps"] == max(map(sum, found.values()))


def test_what_an_export_states_counts_before_sums() -> None:
    days = DayAggregator("x")
    days.add("ann", DAY, "steps", 9000, "watch")
    days.state("ann", DAY, {"steps": 8000})
    days.state("ann", DAY, {"steps": 7000})
    assert records(days)[0]["steps"] == 8000


def test_the_source_that_measured_in_most_hours_gives_the_heart_rate() -> None:
    days = DayAggregator("x")
    days.pulse("ann", DAY, 9, "strap", 150 * 3600, 3600)
    for hour in range(24):
        days.pulse("ann", DAY, hour, "watch", 60.0 * (1 + (hour == 9)), 1)
    assert records(days)[0]["heart_rate_avg"] == 62.5


def test_zeros_that_are_no_readings_are_none() -> None:
    days = DayAggregator("x")
    days.state("ann", DAY, {"heart_rate_avg": 0, "total_kcal": 0, "weight_kg": 0, "steps": 5})
    (record,) = records(days)
    assert record["steps"] == 5
    assert all(record[name] is None for name in ("heart_rate_avg", "calories_burned", "weight_kg"))


def test_weight_stands_until_the_next_weighing_and_is_not_known_before() -> None:
    days = DayAggregator("x")
    for day, figures in enumerate([{}, {"weight_kg": 70.0}, {}, {"weight_kg": 69.0}]):
        days.state("ann", DAY + timedelta(days=day), {"steps": 5, **figures})
    days.state("bo", DAY + timedelta(days=9), {"steps": 5})
    assert [record["weight_kg"] for record in records(days)] == [None, 70, 70, 69, None]


def test_age_is_told_of_each_day() -> None:
    days = DayAggregator("x")
    days.person("ann", date(1992, 2, 29), None)
    days.person("ann", None, "female")
    for day in (date(2023, 2, 28), date(2023, 3, 1), date(1991, 1, 1)):
        days.state("ann", day, {"steps": 5})
    assert [(record["age"], record["sex"]) for record in records(days)] == [
        (None, "female"),
        (30, "female"),
        (31, "female"),
    ]


def test_a_number_that_no_record_can_hold_is_told_of() -> None:
    days, told = DayAggregator("x"), []
    for metric in ("steps", "distance_km"):
        days.add("ann", DAY, metric, 1e300, "a")
    (batch,) = days.batches(lambda *what: told.append(what), None, padded=False)
    assert batch.to_pylist()[0]["steps"] is None
    assert [place for _, place, _ in told] == ["ann, 2023-04-02"]


@given(INSTANTS, ZONES)
def test_the_day_at_home_is_what_the_calendar_there_says(instant: int, zone: ZoneInfo) -> None:
    there = datetime.fromtimestamp(instant, zone)
    clock = Clock(ZoneInfo("UTC"), zone)
    assert clock.day(instant) == there.date()
    assert clock.at_home(instant) == wall(there)
    assert clock.instant(instant) == instant


@given(INSTANTS, ZONES)
def test_a_stamp_leads_back_to_its_instant_even_in_the_hour_shown_twice(
    instant: int, zone: ZoneInfo
) -> None:
    clock = Clock(zone, zone)
    shown = clock.at_home(instant)
    both = {clock.instant(shown), clock.instant(shown, again=True)}
    assert instant in both
    again = datetime.fromtimestamp(instant, zone).fold == 1
    assert clock.instant(shown, again=again) == instant


@pytest.mark.parametrize(
    ("zone", "stamp", "utc"),
    [
        # Skipped: the clock went from 02:00 to 03:00, and 02:30 is by the old offset.
        ("Europe/Berlin", "2021-03-28 02:30", "2021-03-28 01:30"),
        ("Europe/Berlin", "2021-03-28 01:59", "2021-03-28 00:59"),
        ("Europe/Berlin", "2021-03-28 03:00", "2021-03-28 01:00"),
        ("Australia/Lord_Howe", "2021-10-03 02:15", "2021-10-02 15:45"),
        # A whole day skipped.
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30 10:00"),
    ],
)
def test_stamps_around_a_gap(zone: str, stamp: str, utc: str) -> None:
    clock = Clock(ZoneInfo(zone), ZoneInfo(zone))
    assert clock.instant(wall(datetime.fromisoformat(stamp))) == wall(datetime.fromisoformat(utc))


@given(
    st.dates(date(1990, 1, 1), date(2099, 1, 1)),
    st.integers(13, 60),
    st.sampled_from(["%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%m-%d-%Y"]),
)
def test_consecutive_days_come_back_whatever_their_style(
    first: date, length: int, style: str
) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [day.strftime(style) for day in days]
    order = parsing.date_order(stamps)
    assert [parsing.day(stamp, order) for stamp in stamps] == days


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)), st.integers(13, 60))
def test_two_digits_of_a_year_are_of_this_century(first: date, length: int) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [f"{day.month}/{day.day}/{day:%y}" for day in days]
    order = parsing.date_order(stamps)
    assert [parsing.day(stamp, order) for stamp in stamps] == days


@given(st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans()))
def test_a_number_is_an_amount_or_refused(value: object) -> None:
    try:
        amount = parsing.number(value)
    except ValueError:
        return
    assert amount is None or 0 <= amount < float("inf")


@pytest.mark.parametrize(
    ("value", "amount"),
    [("1,234", 1234), ("1,234,567.5", 1234567.5), (" 5 ", 5), ("", None), (None, None), (0, 0)],
)
def test_thousands_are_told_by_their_commas(value: object, amount: float | None) -> None:
    assert parsing.number(value) == amount


@pytest.mark.parametrize("value", ["1,23", "1_000", "-1", "nan", "inf", True, [], 10**400])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parsing.number(value)


@pytest.mark.parametrize(
    ("name", "ours"),
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
def test_activities_go_by_our_names(name: str, ours: str | None) -> None:
    assert activity(name) == ours


def test_days_are_in_order() -> None:
    days = DayAggregator("x")
    for offset in (3, 1, 2):
        for user in "ba":
            days.state(user, DAY + timedelta(days=offset), {"steps": 5})
    keys = [(record["user_id"], record["date"]) for record in records(days)]
    assert all(first < second for first, second in pairwise(keys))
