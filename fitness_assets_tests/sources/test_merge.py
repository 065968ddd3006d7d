"""Merging of records of one user and day, and of imports in any order and grouping."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fitness_assets.errors import SettingsError
from fitness_assets.record.raw import SCHEMA, TRAITS
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.derived import STORED_SCHEMA
from fitness_assets.sources.merge import (
    ORIGIN,
    VALUES,
    fill_traits,
    last_traits,
    merge_days,
    origin_of,
    trait_records,
)
from fitness_assets.sources.preferred import SourceOrder
from fitness_assets_tests.support.platform import MakeSettings

DAY = date(2024, 1, 1)
NO_DAYS = pa.Table.from_batches([], SCHEMA)


def delivered(hour: int) -> datetime:
    return datetime(2024, 2, 1, hour, tzinfo=UTC)


def table(*records: dict[str, Any]) -> pa.Table:
    known = [{"user_id": "a", "date": DAY, "source": "x", **record} for record in records]
    return pa.Table.from_pylist(known, STORED_SCHEMA)


def merged(*records: dict[str, Any]) -> dict[str, Any]:
    """The known values of the one day of `records`, for every order of these."""
    found = [merge_days(table(*order)).to_pylist() for order in permutations(records)]
    assert all(each == found[0] for each in found)
    ((day,),) = [found[0]]
    return {
        name: value
        for name, value in day.items()
        if value is not None and name not in {"user_id", "date"}
    }


def test_a_measure_that_a_later_delivery_lacks_stays() -> None:
    assert merged(
        {"steps": 10, "calories_burned": 2000.0, "calories_kind": "total", "source": "tidy",
         "ingested_at": delivered(1)},
        {"sleep_hours": 7.0, "source": "fitabase", "ingested_at": delivered(2)},
        {"steps": 12, "source": "garmin", "ingested_at": delivered(3)},
    ) == {
        "steps": 12,
        "calories_burned": 2000.0,
        "calories_kind": "total",
        "sleep_hours": 7.0,
        "source": "fitabase, garmin, tidy",
        "ingested_at": delivered(3),
    }  # fmt: skip


def test_a_record_of_which_no_value_is_used_is_not_named() -> None:
    assert merged(
        {"steps": 10, "source": "tidy", "ingested_at": delivered(1)},
        {"steps": 12, "source": "garmin", "ingested_at": delivered(2)},
        {"source": "fitabase", "ingested_at": delivered(3)},
    ) == {"steps": 12, "source": "garmin", "ingested_at": delivered(2)}


def test_energy_and_its_kind_are_from_one_record() -> None:
    assert merged(
        {"calories_burned": 500.0, "calories_kind": "active", "ingested_at": delivered(1)},
        {"calories_kind": "total", "steps": 1, "ingested_at": delivered(2)},
    ) == {
        "calories_burned": 500.0,
        "calories_kind": "active",
        "steps": 1,
        "source": "x",
        "ingested_at": delivered(2),
    }


@pytest.mark.parametrize(
    ("column", "earlier", "later"),
    [
        ("steps", 10, 200_000),
        ("steps", 10, -1),
        ("heart_rate_avg", 60.0, float("nan")),
        ("activity_type", "walking", " "),
    ],
)
def test_a_later_value_that_is_not_plausible_does_not_replace_one_that_is(
    column: str, earlier: Any, later: Any
) -> None:
    found = merged(
        {column: earlier, "ingested_at": delivered(1)}, {column: later, "ingested_at": delivered(2)}
    )
    assert found[column] == earlier
    alone = merged({column: later, "ingested_at": delivered(2)})
    # The ETL flags it.
    assert (column in alone) == (column != "activity_type")


def test_of_records_of_one_delivery_the_fuller_then_the_larger_is_taken() -> None:
    assert merged({"steps": 10}, {"steps": 9, "sleep_hours": 8.0})["steps"] == 9
    assert merged({"steps": 10}, {"steps": 9})["steps"] == 10
    assert merged({"steps": 10}, {"steps": 9, "ingested_at": delivered(1)})["steps"] == 9


def test_zeros_of_a_device_not_worn_do_not_replace_what_another_measured() -> None:
    idle = {
        "steps": 0, "calories_burned": 1347.0, "calories_kind": "total", "sedentary_minutes": 1440,
        "ingested_at": delivered(2),
    }  # fmt: skip
    worn = {"steps": 5000, "calories_burned": 2000.0, "calories_kind": "total"}
    found = merged(idle, {**worn, "ingested_at": delivered(1)})
    assert (found["steps"], found["calories_burned"]) == (5000, 2000.0)
    # The device was worn if another import has its heart rate: then zeros are what it measured.
    found = merged(idle, {"heart_rate_avg": 60.0, "ingested_at": delivered(1)})
    assert (found["steps"], found["calories_burned"]) == (0, 1347.0)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"daily": (1, 100, False), "hourly": (2, 90, True)}, 100),
        ({"daily": (2, 100, False), "hourly": (1, 90, True)}, 100),
        ({"hourly": (1, 90, True), "minutes": (2, 95, True)}, 95),
        ({"first": (1, 100, False), "hourly": (2, 90, True), "last": (3, 110, False)}, 110),
        # Of different sources the later delivery wins, and of this source the stated value.
        ({"daily": (1, 100, False), "other": (2, 80, True), "hourly": (3, 90, True)}, 100),
        ({"daily": (1, 100, False), "hourly": (2, 90, True), "other": (3, 80, True)}, 80),
        # A stated value that is not plausible is not taken.
        ({"daily": (1, -5, False), "hourly": (2, 90, True)}, 90),
    ],
)
def test_a_stated_value_is_preferred_to_readings_of_the_same_source(
    records: dict[str, tuple[int, int, bool]], expected: int
) -> None:
    found = merged(
        *(
            {
                "steps": steps,
                "source": "other" if name == "other" else "x",
                "ingested_at": delivered(hour),
                "_derived": ["steps"] if derived else [],
            }
            for name, (hour, steps, derived) in records.items()
        )
    )
    assert found["steps"] == expected
    assert "_derived" not in found


def test_users_and_days_are_sorted_and_kept_apart() -> None:
    days = merge_days(
        table(
            {"user_id": "b", "steps": 1},
            {"user_id": "a", "date": DAY + timedelta(days=1), "steps": 2},
            {"user_id": "a", "steps": 3},
            {"user_id": "a", "sleep_hours": 4.0},
        )
    )
    found = days.select(["user_id", "date", "steps", "sleep_hours"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("a", DAY, 3, 4.0),
        ("a", DAY + timedelta(days=1), 2, None),
        ("b", DAY, 1, None),
    ]
    assert merge_days(NO_DAYS).num_rows == 0


def test_each_value_names_its_import() -> None:
    records = table(
        {"steps": 10, "sleep_hours": 7.0, "ingested_at": delivered(1)},
        {"steps": 12, "weight_kg": 70.0, "ingested_at": delivered(2)},
        {"date": DAY + timedelta(days=1), "steps": 5, "ingested_at": delivered(1)},
    ).append_column(ORIGIN, pa.array([0, 1, 0], pa.int32()))
    days = fill_traits(merge_days(records), last_traits(merge_days(records.slice(0, 0))))
    origins = [
        {name: day[origin_of(name)] for name in VALUES if day[origin_of(name)] is not None}
        for day in days.to_pylist()
    ]
    assert origins == [
        {"steps": 1, "sleep_hours": 0, "weight_kg": 1},
        {"steps": 0, "weight_kg": 1},
    ]


def test_traits_hold_until_the_next_known_value_of_the_user() -> None:
    weights = {0: None, 1: 70.0, 2: None, 3: 69.0, 4: 900.0, 5: None}
    days = merge_days(
        table(
            *(
                {"date": DAY + timedelta(days=day), "weight_kg": weight, "steps": 1}
                for day, weight in weights.items()
            ),
            {"user_id": "b", "steps": 1},
            {"user_id": "b", "date": DAY + timedelta(days=1), "sex": "female"},
        )
    )
    before = last_traits(merge_days(table({"user_id": "b", "height_cm": 180.0, "age": 30})))
    filled = fill_traits(days, before).to_pylist()
    assert [row["weight_kg"] for row in filled] == [None, 70, 70, 69, 900, 69, None, None]
    assert [tuple(row[name] for name in TRAITS) for row in filled[-2:]] == [
        (30, None, 180, None),
        (30, "female", 180, None),
    ]
    assert [row["steps"] for row in filled] == [row["steps"] for row in days.to_pylist()]


def test_the_records_of_traits_are_those_of_the_last_known_value() -> None:
    records = table(
        {"weight_kg": 70.0, "height_cm": 180.0},
        {"date": DAY + timedelta(days=1), "weight_kg": 71.0},
        {"date": DAY + timedelta(days=2), "weight_kg": 72.0},
        {"date": DAY + timedelta(days=3), "weight_kg": 1.0},
        {"user_id": "b", "steps": 4},
    ).select(["user_id", "date", "ingested_at", *TRAITS])
    found = trait_records(records).to_pylist()
    assert [(row["date"].day, row["weight_kg"], row["height_cm"]) for row in found] == [
        (1, 70.0, 180.0),
        (3, 72.0, None),
    ]


def test_a_declared_order_of_sources_comes_before_the_time_of_delivery() -> None:
    watch = {"source": "garmin_fit", "steps": 9000, "sleep_hours": 6.0, "ingested_at": delivered(1)}
    phone = {"source": "google_fit", "steps": 7000, "sleep_hours": 8.0, "ingested_at": delivered(3)}
    ring = {"source": "oura", "sleep_hours": 7.0, "ingested_at": delivered(2)}
    for entries, steps, sleep in (
        ((), 7000, 8.0),
        (("garmin_fit",), 9000, 6.0),
        # The service of the device.
        (("garmin",), 9000, 6.0),
        (("oura", "garmin_fit"), 9000, 7.0),
        (("sleep_hours:oura",), 7000, 7.0),
        (("garmin_fit", "sleep_hours:oura"), 9000, 7.0),
        (("whoop", "steps:whoop"), 7000, 8.0),
    ):
        days = merge_days(table(watch, phone, ring), SourceOrder(entries)).to_pylist()
        (day,) = days
        assert (day["steps"], day["sleep_hours"]) == (steps, sleep), entries


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("fitbitt", "FITNESS_SOURCE_ORDER holds 'fitbitt': 'fitbitt' is no format; there are "),
        ("sleep:oura", "FITNESS_SOURCE_ORDER holds 'sleep:oura': 'sleep' is no measure; there "),
    ],
)
def test_an_order_that_names_nothing_known_is_refused(
    make_settings: MakeSettings, tmp_path: Path, entry: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        configured_imports(make_settings(tmp_path, FITNESS_SOURCE_ORDER=f"oura,{entry}"))
