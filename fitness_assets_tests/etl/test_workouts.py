"""Each workout once: by overlap, with what several devices know of it, and within ranges."""

import random
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.etl.quality import run_checks
from fitness_assets.etl.workout_checks import WORKOUT_CHECKS, CheckedWorkouts
from fitness_assets.etl.workouts import deduplicate, plausible, repeated
from fitness_assets.record.workouts import SCHEMA
from fitness_assets.sources.preferred import SourceOrder
from fitness_assets_tests.support.workout_rows import row, table

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)


def kept(*rows: dict[str, Any]) -> list[tuple[float, str | None]]:
    """Minutes and source of what is kept."""
    found = deduplicate(table(*rows)).to_pylist()
    return [(each["minutes"], each["source"]) for each in found]


@pytest.mark.parametrize(
    ("after", "minutes", "count"),
    [
        pytest.param(0, 60, 1, id="the same times"),
        pytest.param(30, 60, 1, id="half of each"),
        pytest.param(31, 60, 2, id="less than half"),
        pytest.param(50, 20, 1, id="half of the shorter"),
        pytest.param(20, 5, 1, id="within the other"),
        pytest.param(60, 30, 2, id="the next one"),
        pytest.param(10, 0, 1, id="without a length"),
        pytest.param(61, 0, 2, id="without a length, later"),
    ],
)
def test_workouts_that_overlap_by_half_of_the_shorter_are_one(
    after: float, minutes: float, count: int
) -> None:
    other = row(after, minutes, source="strava")
    assert len(kept(row(), other)) == count
    assert len(kept(row(), {**other, "user_id": "bob"})) == 2


def test_the_row_with_most_known_columns_is_kept_and_filled_from_the_other() -> None:
    watch = row(0, 60, source="whoop", heart_rate_avg=148.0, heart_rate_max=171.0)
    phone = row(2, 55, source="strava", distance_km=10.2, activity="trail", calories_burned=None)
    assert kept(phone, watch) == [(60.0, "strava, whoop")]
    (found,) = deduplicate(table(phone, watch)).to_pylist()
    assert found == {**watch, "distance_km": 10.2, "source": "strava, whoop"}


def test_heart_rates_are_those_of_one_device() -> None:
    watch = row(source="whoop", heart_rate_avg=148.0, distance_km=1.0)
    other = row(source="polar", heart_rate_max=140.0)
    (found,) = deduplicate(table(watch, other)).to_pylist()
    assert (found["heart_rate_avg"], found["heart_rate_max"]) == (148.0, None)
    assert found["source"] == "whoop"


def test_what_a_much_longer_row_knows_is_not_that_of_the_shorter() -> None:
    trip = row(0, 300, source="strava", distance_km=25.0, activity=None)
    climb = row(60, 60, source="whoop", heart_rate_avg=150.0, heart_rate_max=170.0)
    (found,) = deduplicate(table(trip, climb)).to_pylist()
    assert (found["minutes"], found["distance_km"], found["source"]) == (60.0, None, "whoop")


def test_a_long_row_does_not_join_two_workouts() -> None:
    known = {"heart_rate_avg": 150.0, "heart_rate_max": 170.0}
    swim, ride = row(0, 40, **known), row(60, 90, **known)
    whole = row(0, 160, source="strava")
    assert kept(whole, swim, ride) == [(40.0, "whoop"), (90.0, "whoop")]


def test_of_rows_that_know_as_much_the_last_delivery_is_kept() -> None:
    first = row(0, 60, source="strava", ingested_at=JANUARY)
    second = row(1, 59, source="whoop", ingested_at=JANUARY.replace(month=2))
    assert kept(first, second) == kept(second, first) == [(59.0, "whoop")]
    assert kept(first, {**second, "ingested_at": None}) == [(60.0, "strava")]


@pytest.mark.parametrize(
    ("order", "source"),
    [
        ((), "whoop"),
        (("strava",), "strava"),
        (("whoop", "strava"), "whoop"),
        (("polar",), "whoop"),
        (("garmin",), "garmin_fit"),
        (("garmin", "garmin_fit", "strava"), "garmin_fit"),
        (("garmin_fit", "strava"), "garmin_fit"),
        (("strava", "garmin_fit"), "strava"),
        (("sleep_hours:strava",), "whoop"),
    ],
)
def test_the_order_of_sources_decides_between_rows_that_know_as_much(
    order: tuple[str, ...], source: str
) -> None:
    found = [
        row(0, 60, source="strava", distance_km=5.0),
        row(2, 58, source="garmin_fit", distance_km=5.1),
        row(1, 59, source="whoop", distance_km=5.2),
    ]
    # The last of them was delivered last.
    found = [{**each, "ingested_at": JANUARY.replace(day=day)} for day, each in enumerate(found, 1)]
    expected = next(each for each in found if each["source"] == source)
    for delivered in permutations(found):
        (kept_row,) = deduplicate(table(*delivered), SourceOrder(order).rank).to_pylist()
        assert kept_row == expected


def test_a_preferred_row_is_filled_from_a_fuller_one() -> None:
    watch = row(0, 60, source="whoop", heart_rate_avg=148.0, heart_rate_max=171.0)
    phone = row(2, 55, source="strava", distance_km=10.2)
    for delivered in permutations([watch, phone]):
        found = deduplicate(table(*delivered), SourceOrder(("strava",)).rank).to_pylist()
        assert found == [
            {
                **phone,
                "heart_rate_avg": 148.0,
                "heart_rate_max": 171.0,
                "source": "strava, whoop",
            }
        ]


rows = st.builds(
    row,
    st.integers(0, 300),
    st.integers(0, 120),
    user_id=st.sampled_from(["ann", "bob"]),
    distance_km=st.sampled_from([None, 5.0]),
    heart_rate_avg=st.sampled_from([None, 140.0]),
    source=st.sampled_from(["strava", "whoop", None]),
)


@given(st.lists(rows, max_size=12), st.randoms(use_true_random=False))
def test_any_rows_become_distinct_workouts_in_any_order(
    found: list[dict[str, Any]], order: random.Random
) -> None:
    result = deduplicate(table(*found))
    assert result.schema.equals(SCHEMA)
    assert repeated(result) == 0
    assert deduplicate(result).equals(result)
    assert {each["user_id"] for each in found} == set(result["user_id"].to_pylist())
    starts = {(each["user_id"], each["start"]) for each in found}
    assert starts.issuperset(
        zip(*(result[n].to_pylist() for n in ("user_id", "start")), strict=True)
    )
    preferred = SourceOrder(("whoop",)).rank
    of_whoop = deduplicate(table(*found), preferred)
    assert repeated(of_whoop) == 0
    order.shuffle(found)
    assert deduplicate(table(*found)).equals(result)
    assert deduplicate(table(*found), preferred).equals(of_whoop)


def test_values_out_of_range_are_null_and_rows_without_a_plausible_length_left_out() -> None:
    found = plausible(
        table(
            row(heart_rate_avg=20.0, heart_rate_max=240.0, distance_km=float("nan")),
            row(minutes=3000.0),
            row(minutes=float("nan")),
        )
    )
    assert (found.nulled, found.left_out) == (2, 2)
    (left,) = found.rows.to_pylist()
    assert (left["heart_rate_avg"], left["heart_rate_max"], left["distance_km"]) == (
        *(None, 240.0, None),
    )
    empty = plausible(SCHEMA.empty_table())
    assert (empty.nulled, empty.left_out, len(deduplicate(empty.rows))) == (0, 0, 0)


def failed(rows: pa.Table, **values: int) -> dict[str, str]:
    data = CheckedWorkouts(
        "2023-04", rows, **{"delivered": 9, "nulled": 0, "left_out": 0, **values}
    )
    results = run_checks(WORKOUT_CHECKS, data)
    return {result.name: result.message for result in results if not result.passed}


def test_a_month_that_fails_a_check() -> None:
    assert failed(table(row())) == failed(table(), delivered=0) == {}
    assert failed(table(row(), row(5))) == {"distinct_workouts": "1 repeated workout"}
    assert failed(table(row(60 * 24 * 40))) == {
        "workouts_of_the_month": "1 workout of another month"
    }
    assert failed(table(row()), nulled=2, left_out=1) == {
        "plausible_workouts": "2 values set to missing and 1 workouts left out, of 9 delivered "
        "(33.3%)"
    }
