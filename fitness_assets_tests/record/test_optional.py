"""Optional columns of the record, from raw records to the lake."""

import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitness_assets.etl import clean, quality
from fitness_assets.etl.quality import CheckedMonth
from fitness_assets.record import daily, raw
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.sources.derived import STORED_SCHEMA
from fitness_assets.sources.merge import merge_days
from fitness_assets.storage import rows as rows_module
from fitness_assets.storage.lake import Lake, TableInfo, describe
from fitness_assets.storage.rows import part, write_delivered, write_rows

DAY = date(2023, 4, 2)
COHORT = pa.Table.from_batches(Cohort(users=3, seed=1).read("2023-04")).select(raw.SCHEMA.names)
BEDTIME = datetime.fromisoformat("2023-04-01T23:10")


def records(*rows: dict[str, Any]) -> pa.Table:
    """Raw records with the optional columns that any of `rows` has."""
    schema = raw.schema_of({name for row in rows for name in row})
    return pa.Table.from_pylist([{"user_id": "a", "date": DAY, **row} for row in rows], schema)


def cleaned(table: pa.Table, earlier: pa.Table | None = None) -> list[dict[str, Any]]:
    found = clean.with_history(table, earlier)
    days = clean.daily_activity(found, raw.optional_in(table.column_names))
    return list(days.to_pylist())


def test_a_number_that_is_optional_has_a_unit_or_is_a_count() -> None:
    counts = {name for name in raw.OPTIONAL_MEASUREMENTS if not raw.NUMBERS[name].unit}
    assert counts == {"floors"}
    assert set(raw.OPTIONAL) - set(raw.OPTIONAL_MEASUREMENTS) == {"sleep_start", "sleep_end"}
    assert raw.FULL_SCHEMA.names == [*raw.SCHEMA.names, *raw.OPTIONAL]


@settings(max_examples=15, deadline=None)
@given(names=st.sets(st.sampled_from(raw.OPTIONAL), min_size=1))
def test_null_columns_leave_the_bytes_of_a_file_unchanged(names: set[str]) -> None:
    rows = wider = COHORT
    for name in raw.optional_in(names):
        field = raw.FULL_SCHEMA.field(name)
        wider = wider.append_column(field, pa.nulls(len(rows), field.type))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain")
        write_rows(plain, rows.to_batches(), raw.SCHEMA)
        write_delivered(Path(folder), wider.to_batches(max_chunksize=17))
        assert Path(folder, part(0)).read_bytes() == plain.read_bytes()
    assert clean.daily_activity(clean.with_history(wider)).equals(
        clean.daily_activity(clean.with_history(rows))
    )


def test_a_file_has_the_optional_columns_with_a_known_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_ROW_GROUP", 2)
    table = records(*({"spo2": None, "floors": None} for _ in range(4)), {"floors": 3})
    write_delivered(tmp_path, table.to_batches())
    found = pq.read_table(tmp_path / part(0))
    assert found.column_names == [*raw.SCHEMA.names, "floors"]
    assert found["floors"].to_pylist() == [None] * 4 + [3]


def test_months_without_a_column_are_read_as_null(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    tables = {"2023-03": records({"steps": 1}), "2023-04": records({"steps": 2, "floors": 7})}
    for month, table in tables.items():
        with lake.writer(month) as writer:
            write_delivered(writer.staging, table.to_batches())
            writer.publish(describe(writer.staging))
    both = lake.scan(list(tables), ["floors", "steps", "spo2"]).table
    assert both.column_names == ["floors", "steps", "spo2"]
    assert both.to_pylist() == [
        {"floors": None, "steps": 1, "spo2": None},
        {"floors": 7, "steps": 2, "spo2": None},
    ]
    assert lake.scan(["2023-03"], ["floors"]).table.to_pydict() == {"floors": [None]}
    assert lake.scan(list(tables)).table["floors"].to_pylist() == [None, 7]


def test_the_etl_keeps_optional_values_and_flags_those_out_of_range() -> None:
    values = {"steps": 10, "spo2": 20.0, "hrv_rmssd": 40.0, "sleep_start": BEDTIME, "floors": 3}
    (day,) = cleaned(records(values))
    assert day["quality_flags"] == ["spo2_out_of_range"]
    assert (day["spo2"], day["hrv_rmssd"], day["floors"]) == (None, 40.0, 3)
    assert day["sleep_start"] == BEDTIME


def test_only_optional_columns_may_be_missing_from_a_month() -> None:
    for asset_schema in (raw.schema_of, daily.schema_of):
        names = asset_schema(()).names
        assert asset_schema(names).names == names
        assert asset_schema([*names, "vo2_max", "floors"]).names == [*names, "vo2_max", "floors"]


def test_movement_of_a_day_not_worn_is_null_in_optional_columns_too() -> None:
    values = {"steps": 0, "sedentary_minutes": 1440, "light_minutes": 0, "floors": 0, "vo2_max": 40}
    (day,) = cleaned(records(values))
    assert not day["worn"]
    assert (day["light_minutes"], day["floors"], day["vo2_max"]) == (None, None, 40.0)


def test_the_columns_of_the_month_before_are_not_those_of_the_month() -> None:
    earlier = records({"steps": 4, "date": date(2023, 3, 31), "floors": 3})
    table = records({"steps": 10})
    schema = raw.schema_of(earlier.column_names)
    wider = table.append_column(schema.field("floors"), pa.nulls(1, pa.int32()))
    found = clean.daily_activity(clean.with_history(wider, earlier))
    assert found.schema.equals(daily.SCHEMA)
    assert found["steps_mean_7d"].to_pylist() == [4.0]


def test_the_checks_of_a_month_with_optional_columns() -> None:
    table = pa.table(
        {
            each.name: pa.array([12.0], each.type)
            if each.name in {"steps", "spo2"}
            else pa.nulls(1, each.type)
            for each in daily.schema_of({"spo2"})
        }
    )

    def read(columns: Any) -> pa.Table:
        return table.select(list(columns))

    columns = {field.name: str(field.type) for field in table.schema}
    month = CheckedMonth("2023-04", read, 1, columns, None, 0.5)
    assert quality.right_schema(month).passed
    assert quality.values_in_range(month).values == {"spo2": 1}
    assert quality.distributions(read, columns).keys() == {*raw.MEASUREMENTS, "spo2"}


@pytest.mark.parametrize("stages_of_hours", [{}, {"sleep_deep": 50.0}])
def test_the_stages_of_a_night_are_of_the_record_with_its_hours(
    stages_of_hours: dict[str, float],
) -> None:
    hours = {"sleep_hours": 7.0, "source": "x", "ingested_at": 2, **stages_of_hours}
    other = {"sleep_hours": 8.0, "sleep_deep": 60.0, "sleep_rem": 90.0, "ingested_at": 1}
    rows = [{"user_id": "a", "date": DAY, **each} for each in (hours, other)]
    (day,) = merge_days(pa.Table.from_pylist(rows, STORED_SCHEMA)).to_pylist()
    assert day["sleep_hours"] == 7.0
    expected = (50.0, None) if stages_of_hours else (60.0, 90.0)
    assert (day["sleep_deep"], day["sleep_rem"]) == expected


def test_measures_of_variability_are_never_merged() -> None:
    rows = [
        {"user_id": "a", "date": DAY, "hrv_sdnn": 60.0, "ingested_at": 1},
        {"user_id": "a", "date": DAY, "hrv_rmssd": 40.0, "ingested_at": 2},
    ]
    (day,) = merge_days(pa.Table.from_pylist(rows, STORED_SCHEMA)).to_pylist()
    assert (day["hrv_sdnn"], day["hrv_rmssd"]) == (60.0, 40.0)
