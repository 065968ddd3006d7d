"""Health Connect: several apps, offsets, versions of the schema, and the real database."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import (
    Imported,
    database,
    example_files,
    import_path,
    shared_data,
    write_files,
)

APPS = (
    "CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY, package_name TEXT);"
    "INSERT INTO application_info_table VALUES (1, 'com.example.watch'), (2, 'com.example.phone');"
    "CREATE TABLE steps_record_table (start_time, start_zone_offset, app_info_id, count);"
)


def health_connect(folder: Path, script: str, **options: object) -> Imported:
    return import_path(write_files(folder, {"x.db": database(APPS + script)}), **options)


def test_the_steps_of_two_apps_are_not_added(tmp_path: Path) -> None:
    write_files(tmp_path, example_files("health_connect"))
    assert import_path(tmp_path).record("2026-01-03")["steps"] == 5245
    ordered = import_path(tmp_path, source_order=("phone",))
    assert ordered.record("2026-01-03")["steps"] == 4149


def test_the_offset_of_a_record_gives_its_day_and_the_zone_where_it_is_null(tmp_path: Path) -> None:
    rows = (
        "INSERT INTO steps_record_table VALUES (1767398400000, -28800, 1, 10);"
        "INSERT INTO steps_record_table VALUES (1767484800000, NULL, 1, 20);"
    )
    found = health_connect(tmp_path, rows, zone=ZoneInfo("Asia/Tokyo"))
    assert {str(day): record["steps"] for (_, day), record in found.records.items()} == {
        "2026-01-02": 10,
        "2026-01-04": 20,
    }


def test_sleep_belongs_to_the_day_of_its_end_and_needs_no_stages(tmp_path: Path) -> None:
    rows = (
        "CREATE TABLE sleep_session_record_table (row_id, app_info_id, start_time, "
        "start_zone_offset, end_time, end_zone_offset, local_date);"
        "INSERT INTO sleep_session_record_table VALUES "
        "(1, 1, 1767391920000, 3600, 1767419220000, 3600, 20455);"
    )
    found = health_connect(tmp_path, rows)
    assert found.record("2026-01-03")["sleep_hours"] == round(455 / 60, 6)


def test_names_in_camel_case_are_read(tmp_path: Path) -> None:
    rows = (
        "CREATE TABLE WeightRecordTable (Time, Zone_Offset, Weight, local_date_time);"
        "INSERT INTO WeightRecordTable VALUES (1767420900000, 3600, 81400.0, 0);"
    )
    assert health_connect(tmp_path, rows).record("2026-01-03")["weight_kg"] == 81.4


def test_active_and_basal_energy_give_the_total(tmp_path: Path) -> None:
    rows = (
        "CREATE TABLE active_calories_burned_record_table (start_time, start_zone_offset, energy);"
        "INSERT INTO active_calories_burned_record_table VALUES (1767420900000, 3600, 610000.0);"
    )
    record = health_connect(tmp_path, rows).record("2026-01-03")
    assert (record["calories_burned"], record["calories_kind"]) == (610, "active")
    rows += (
        "CREATE TABLE basal_metabolic_rate_record_table (time, zone_offset, basal_metabolic_rate);"
        "INSERT INTO basal_metabolic_rate_record_table VALUES (1767420900000, 3600, 80.0);"
    )
    record = health_connect(tmp_path / "basal", rows).record("2026-01-03")
    assert (round(record["calories_burned"]), record["calories_kind"]) == (2262, "total")


def test_the_real_database_has_one_day_with_a_height() -> None:
    found = import_path(shared_data("health-connect"), zone=ZoneInfo("UTC"))
    assert found.quarantined == []
    assert [(str(day), record["height_cm"]) for (_, day), record in found.records.items()] == [
        ("2023-04-05", 100.0)
    ]
