"""SQLite databases that are not what they seem: each is refused or quarantined, and none is run."""

from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import sqlite
from fitness_assets_tests.support.exports import (
    Imported,
    database,
    example_files,
    import_path,
    write_files,
)

APPS = "CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY, package_name TEXT);"
DISTANCE = (
    "CREATE TABLE distance_record_table (app_info_id, start_time, start_zone_offset, distance);"
    "INSERT INTO distance_record_table VALUES (1, 1767424200000, 3600, 1890.5);"
)
STEPS = "CREATE TABLE steps_record_table (start_time, start_zone_offset, app_info_id, count);"
STEP = "INSERT INTO steps_record_table VALUES (1767424200000, 3600, 1, 5245);"


def imported(folder: Path, script: str) -> Imported:
    return import_path(write_files(folder, {"x.db": database(APPS + script)}))


ENDLESS_VIEW = (
    "CREATE VIEW steps_record_table AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
    "FROM n) SELECT 1 AS start_time, 3600 AS start_zone_offset, i AS count FROM n;"
)
VIRTUAL_TABLE = "CREATE VIRTUAL TABLE steps_record_table USING fts5(start_time, count);"


@pytest.mark.parametrize("steps", [ENDLESS_VIEW, VIRTUAL_TABLE], ids=["view", "virtual table"])
def test_what_is_not_a_table_is_quarantined_and_the_rest_is_read(
    tmp_path: Path, steps: str
) -> None:
    found = imported(tmp_path, steps + DISTANCE)
    ((file, place, reason),) = found.quarantined
    assert (file, place) == ("x.db", "steps_record_table")
    assert reason.startswith("x.db: steps_record_table is a view or a virtual table")
    assert found.record("2026-01-03")["distance_km"] == 1.8905


def test_a_computed_column_is_not_computed(tmp_path: Path) -> None:
    steps = (
        "CREATE TABLE steps_record_table (start_time, start_zone_offset, app_info_id, "
        "count AS (length(hex(zeroblob(1000000)))));"
        "INSERT INTO steps_record_table VALUES (1767424200000, 3600, 1);"
    )
    found = imported(tmp_path, steps + DISTANCE)
    assert [reason for *_, reason in found.quarantined] == [
        "x.db: steps_record_table has no column count"
    ]


def test_a_trigger_does_nothing(tmp_path: Path) -> None:
    trigger = (
        "CREATE TRIGGER t AFTER INSERT ON steps_record_table BEGIN "
        "DELETE FROM distance_record_table; END;"
    )
    found = imported(tmp_path, STEPS + STEP + DISTANCE + trigger)
    assert found.record("2026-01-03")["steps"] == 5245
    assert found.quarantined == []


def test_values_of_any_type_are_quarantined(tmp_path: Path) -> None:
    odd = ["'x'", "x'ff00'", "-1", "1e300", "NULL", "9223372036854775807", "zeroblob(100)"]
    rows = "".join(
        f"INSERT INTO steps_record_table VALUES ({time}, {offset}, 1, {count});"  # noqa: S608 - of the test
        for time, offset, count in [
            *((each, "3600", "1") for each in odd),
            *(("1767424200000", each, "1") for each in odd),
            *(("1767424200000", "3600", each) for each in odd),
        ]
    )
    found = imported(tmp_path, STEPS + STEP + rows + DISTANCE)
    # A second is an offset, a null one is that of the declared zone, and a null count is no value.
    assert len(found.quarantined) == 3 * len(odd) - 3
    assert found.record("2026-01-03")["steps"] >= 5245


def test_a_cut_database_is_refused_by_name(tmp_path: Path) -> None:
    content = example_files("health_connect")["health_connect_export.db"]
    write_files(tmp_path, {"cut.db": content[: len(content) // 2]})
    with pytest.raises(SourceError, match=r"^(.*: )?cut\.db(, \w+)?:? (.* )?cannot be read as an"):
        import_path(tmp_path)


def test_a_database_over_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"x.db": database(APPS + STEPS + 3 * STEP)})
    monkeypatch.setattr(sqlite, "MAX_ROWS", 2)
    found = import_path(tmp_path)
    assert [reason for *_, reason in found.quarantined] == ["x.db has more than 2 rows"]
    monkeypatch.setattr(sqlite, "MAX_BYTES", 1000)
    with pytest.raises(SourceError, match=r"x\.db is .* bytes; the limit is 1,000"):
        import_path(tmp_path)


def test_a_database_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MAX_SECONDS", -1)
    monkeypatch.setattr(sqlite, "_INSTRUCTIONS", 1)
    write_files(tmp_path, {"x.db": database(APPS + STEPS + STEP)})
    with pytest.raises(SourceError, match="takes longer than"):
        import_path(tmp_path)


def test_a_database_of_no_known_format_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"x.db": database("CREATE TABLE a (b);")})
    with pytest.raises(SourceError, match="an SQLite database of no known format"):
        import_path(tmp_path)
