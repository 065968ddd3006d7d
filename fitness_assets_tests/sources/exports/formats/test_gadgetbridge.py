"""Gadgetbridge: devices, missing heart rates, units of time, and the zone."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import Imported, database, import_path, write_files

TABLES = (
    "CREATE TABLE DEVICE (_id); CREATE TABLE BASE_ACTIVITY_SUMMARY (_id);"
    "CREATE TABLE XIAOMI_ACTIVITY_SAMPLE (TIMESTAMP, DEVICE_ID, STEPS, RAW_KIND, HEART_RATE);"
    "CREATE TABLE MI_BAND_ACTIVITY_SAMPLE (TIMESTAMP, DEVICE_ID, STEPS, RAW_KIND, HEART_RATE);"
)


def gadgetbridge(folder: Path, script: str, zone: str = "UTC") -> Imported:
    write_files(folder, {"Gadgetbridge": database(TABLES + script)})
    found = import_path(folder, zone=ZoneInfo(zone))
    # The list of activities lacks its columns.
    assert [place for _, place, _ in found.quarantined] == ["BASE_ACTIVITY_SUMMARY"]
    return found


def test_the_steps_of_two_devices_are_not_added(tmp_path: Path) -> None:
    found = gadgetbridge(
        tmp_path,
        "INSERT INTO XIAOMI_ACTIVITY_SAMPLE VALUES (1767424200, 1, 267, 0, 255);"
        "INSERT INTO MI_BAND_ACTIVITY_SAMPLE VALUES (1767424200, 2, 200, 0, 255);",
    )
    assert found.record("2026-01-03") == {"steps": 267, "source": "gadgetbridge"}


def test_impossible_heart_rates_are_missing(tmp_path: Path) -> None:
    values = "".join(f", ({1767424200 + 60 * n}, 1, 0, 0, {rate})" for n, rate in
                     enumerate([255, 0, -1, 9, 251]))  # fmt: skip
    rows = f"INSERT INTO XIAOMI_ACTIVITY_SAMPLE VALUES (1767424100, 1, 5, 0, 72){values};"  # noqa: S608 - of the test
    assert gadgetbridge(tmp_path, rows).record("2026-01-03")["heart_rate_avg"] == 72


def test_the_declared_zone_gives_the_day(tmp_path: Path) -> None:
    rows = "INSERT INTO XIAOMI_ACTIVITY_SAMPLE VALUES (1767482400, 1, 5, 0, 72);"
    for zone, day in (("Europe/Berlin", "2026-01-04"), ("UTC", "2026-01-03")):
        found = gadgetbridge(tmp_path / day, rows, zone)
        assert [str(each) for _, each in found.records] == [day]
