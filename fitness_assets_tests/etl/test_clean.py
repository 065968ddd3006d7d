"""The ETL of a month on Arrow tables."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fitness_assets.etl import clean
from fitness_assets.record import daily
from fitness_assets.record.raw import SCHEMA
from fitness_assets.record.wear import MOVEMENT
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.folder import Folder
from fitness_assets_tests.support.exports import write_files
from fitness_assets_tests.support.wear import DAYS_OF_WEAR

DAY = date(2023, 4, 1)  # a Saturday


def record(**values: Any) -> dict[str, Any]:
    return {"user_id": "a", "date": DAY, **values}


def table(*records: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(records), SCHEMA)


def month(records: Sequence[dict[str, Any]], earlier: Sequence[dict[str, Any]] = ()) -> pa.Table:
    """`daily_activity` of a month and the month before."""
    return clean.daily_activity(clean.with_history(table(*records), table(*earlier)))


@pytest.mark.parametrize(
    ("steps", "kcal", "expected"),
    [
        (0, 250.0, 0.0),
        (0, 0.0, 0.0),
        (1000, 250.0, 0.25),
        (None, 250.0, None),
        (1000, None, None),
        (0, None, None),
    ],
)
def test_calories_per_step(steps: int | None, kcal: float | None, expected: float | None) -> None:
    days = clean.with_features(table(record(steps=steps, calories_burned=kcal)))
    assert days["calories_per_step"].to_pylist() == [expected]


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("steps", -1, False),
        ("steps", 0, True),
        ("steps", 100_000, True),
        ("steps", 100_001, False),
        ("heart_rate_avg", 29.9, False),
        ("heart_rate_avg", 30.0, True),
        ("heart_rate_avg", 220.0, True),
        ("heart_rate_avg", float("nan"), False),
        ("sleep_hours", 24.0, True),
        ("sleep_hours", 430.0, False),
        ("calories_burned", 20_000.5, False),
    ],
)
def test_a_value_out_of_range_is_replaced_by_null_and_flagged(
    column: str, value: float, kept: bool
) -> None:
    (row,) = clean.null_out_of_range(table(record(**{column: value}))).to_pylist()
    assert row[column] == (value if kept else None)
    assert row["quality_flags"] == ([] if kept else [f"{column}_out_of_range"])


def test_flags_name_every_rule_of_their_record_in_the_order_of_the_columns() -> None:
    records = [
        record(steps=-1, weight_kg=1.0),
        record(steps=1),
        record(weight_kg=1.0, age=121),
        record(),
    ]
    flags = clean.null_out_of_range(table(*records))["quality_flags"].to_pylist()
    assert flags == [
        ["steps_out_of_range", "weight_kg_out_of_range"],
        [],
        ["age_out_of_range", "weight_kg_out_of_range"],
        [],
    ]


def first_per_day(*records: dict[str, Any]) -> list[dict[str, Any]]:
    days: list[dict[str, Any]] = month(records).to_pylist()
    return days


def test_the_latest_delivery_wins_then_the_fuller_record() -> None:
    early, late = (datetime(2023, 4, 2, hour, tzinfo=UTC) for hour in (3, 9))
    records = [
        record(steps=1, heart_rate_avg=70.0, sleep_hours=8.0, ingested_at=early),
        record(steps=2, ingested_at=late),
        record(steps=3, heart_rate_avg=71.0, ingested_at=late),
        record(steps=4, heart_rate_avg=72.0, sleep_hours=9.0),
    ]
    for order in (records, records[::-1], records[2:] + records[:2]):
        (row,) = first_per_day(*order)
        assert row["steps"] == 3, "the late delivery with more values"


def test_blank_text_does_not_make_a_record_fuller() -> None:
    blank = record(steps=1, activity_type="", sex=" ")
    (row,) = first_per_day(blank, record(steps=2, sleep_hours=8.0))
    assert row["steps"] == 2


def test_a_tie_is_broken_by_the_values_and_not_by_the_order_of_rows() -> None:
    tied: list[dict[str, Any]] = [
        {"steps": 5, "sleep_hours": 8.0},
        {"height_cm": 80.0},
        {"weight_kg": 80.0},
        {"age": 30, "steps": -1},  # differs from the next record only in the flag
        {"age": 30},
    ]
    pairs = [
        record(user_id=f"{number}", **values)
        for number, pair in enumerate(combinations(tied, 2))
        for values in pair
    ]
    kept, kept_of_reversed = (
        {row["user_id"]: row for row in first_per_day(*records)} for records in (pairs, pairs[::-1])
    )
    assert len(kept) == 10
    assert kept == kept_of_reversed


def test_a_month_and_its_history_keep_the_same_record() -> None:
    last_day = date(2023, 3, 31)
    tied = [
        record(date=last_day, heart_rate_avg=90.0, resting_heart_rate=50.0),
        record(date=last_day, heart_rate_avg=80.0, resting_heart_rate=60.0),
    ]
    (day,) = month(tied).to_pylist()
    (next_day,) = month([record()], tied).to_pylist()
    assert next_day["resting_heart_rate_mean_7d"] == day["resting_heart_rate"]


def test_text_is_canonical() -> None:
    records = table(
        record(user_id=" a ", calories_kind=" Active!", sex=""),
        record(user_id="\u00e4 b", calories_kind="__Total  kcal\n", sex=" "),
        record(user_id="\tc", calories_kind=None, sex="\u0130"),
    )
    rows = clean.canonical_text(records).to_pylist()
    assert [(row["user_id"], row["calories_kind"], row["sex"]) for row in rows] == [
        ("a", "active", None),
        ("\u00e4 b", "total_kcal", None),
        ("\tc", None, "i"),
    ]


def test_a_folder_and_an_export_of_the_same_day_get_the_same_activity(
    tmp_path: Path,
) -> None:
    def unexpected(*reason: str) -> None:
        pytest.fail(str(reason))

    header = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"
    write_files(tmp_path / "files", {"days.csv": f"{header}\na,2023-04-01,5,,,,walk\n"})
    delivered = {
        "folder": Folder(tmp_path / "files").read("2023-04", unexpected),
        "export": read_export(tmp_path / "files", ImportOptions(), unexpected),
    }
    for name, records in delivered.items():
        raw = pa.Table.from_batches(records, SCHEMA)
        days = clean.daily_activity(clean.with_history(raw, None))
        assert days["activity_type"].to_pylist() == ["walking"], name


def test_the_day_of_the_week_is_that_of_the_date() -> None:
    records = [record(date=DAY + timedelta(day)) for day in range(7)]
    assert clean.with_features(table(*records))["day_of_week"].to_pylist() == [6, 7, 1, 2, 3, 4, 5]


def test_movement_of_a_day_not_worn_is_null_in_its_month_and_in_its_history() -> None:
    # By name, a record, whether it is worn, and whether its movement is kept.
    days: dict[str, tuple[dict[str, Any], bool, bool]] = {
        name: (values, name.startswith("worn"), name.startswith(("worn", "energy")))
        for name, values in DAYS_OF_WEAR.items()
    }
    records = [record(user_id=name, **values) for name, (values, _, _) in days.items()]
    march = [{**each, "date": date(2023, 3, 31)} for each in records]
    rows = {row["user_id"]: row for row in month(records, march).to_pylist()}
    for name, (values, is_worn, is_kept) in days.items():
        row = rows[name]
        assert row["worn"] == is_worn, name
        for column in (*MOVEMENT, "resting_heart_rate", "sleep_hours"):
            kept = is_kept or column not in MOVEMENT
            assert row[column] == (values.get(column) if kept else None), (name, column)
        for column in ("steps", "calories_burned", "resting_heart_rate"):
            mean = values.get(column) if is_worn else None
            assert row[f"{column}_mean_7d"] == mean, (name, column)


def test_of_two_records_of_a_day_the_worn_one_is_kept() -> None:
    idle = record(steps=0, calories_burned=1500.0, active_minutes=0, sedentary_minutes=1440)
    (row,) = first_per_day(idle, record(steps=5000, calories_burned=2000.0))
    assert (row["steps"], row["worn"]) == (5000, True)


def test_the_history_is_input_to_the_baselines_and_then_dropped() -> None:
    days = [record(user_id=user, date=date(2023, 4, day)) for user in "ab" for day in (1, 2)]
    march = [record(date=date(2023, 3, day), steps=day) for day in (2, 3, 4, 31)]
    found = month(days, march)
    rows = {(row["user_id"], row["date"].day): row for row in found.to_pylist()}
    assert set(rows) == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}
    # The window of 1 April begins on 4 March, 28 days before.
    assert [rows["a", day]["steps_mean_28d"] for day in (1, 2)] == [17.5, 31.0]
    assert rows["b", 2]["steps_mean_28d"] is None
    assert found.schema.equals(daily.SCHEMA)


def test_a_month_without_records_has_the_columns() -> None:
    assert month([]).schema.equals(daily.SCHEMA)
    assert month([], [record()]).num_rows == 0
