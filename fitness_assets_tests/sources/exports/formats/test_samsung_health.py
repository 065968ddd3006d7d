"""Samsung Health: rows of devices, UTC times with offsets, titles and column names."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import Imported, import_path, shared_data, write_files

MIDNIGHT = 1767398400000


def samsung(folder: Path, kind: str, text: str, **options: object) -> Imported:
    """Import one file of a kind, whose first line is its title."""
    content = f"\ufeffcom.samsung.{kind},6307003,6\n{text}"
    return import_path(write_files(folder, {f"com.samsung.{kind}.2026.csv": content}), **options)


def test_the_row_of_all_devices_is_used_and_never_a_sum(tmp_path: Path) -> None:
    rows = (
        f"count,source_type,day_time\n5000,0,{MIDNIGHT},\n8123,-2,{MIDNIGHT},\n9000,1,{MIDNIGHT},\n"
    )
    found = samsung(tmp_path, "shealth.step_daily_trend", rows)
    assert found.record("2026-01-03")["steps"] == 8123


def test_without_a_row_of_all_devices_the_largest_is_used(tmp_path: Path) -> None:
    rows = f"count,source_type,day_time\n5000,0,{MIDNIGHT},\n8123,1,{MIDNIGHT},\n"
    found = samsung(tmp_path, "shealth.step_daily_trend", rows)
    assert found.record("2026-01-03")["steps"] == 8123


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_midnight_utc_is_a_label_of_the_local_day(tmp_path: Path, zone: str) -> None:
    rows = f"count,source_type,day_time\n8123,-2,{MIDNIGHT},\n12,-2,2026-01-04,\n"
    found = samsung(tmp_path, "shealth.step_daily_trend", rows, zone=ZoneInfo(zone))
    assert {str(day) for _, day in found.records} == {"2026-01-03", "2026-01-04"}


@pytest.mark.parametrize("end", [",", ""])
@pytest.mark.parametrize("header_end", [",", ""])
def test_a_comma_at_the_end_of_a_line_shifts_no_value(
    tmp_path: Path, header_end: str, end: str
) -> None:
    header = f"start_time,height,weight,time_offset{header_end}"
    text = f"{header}\n2026-01-03 06:15:00.000,178.0,81.4,UTC+0100{end}\n"
    found = samsung(tmp_path, "health.weight", text)
    assert found.quarantined == []
    record = found.record("2026-01-03")
    assert (record["height_cm"], record["weight_kg"]) == (178.0, 81.4)


def test_the_offset_of_a_row_gives_its_local_day(tmp_path: Path) -> None:
    text = (
        "health.start_time,health.end_time,health.time_offset,health.datauuid\n"
        "2026-01-02 20:00:00.000,2026-01-02 23:30:00.000,UTC+0530,a,\n"
        "2026-01-04 05:00:00.000,2026-01-04 06:30:00.000,UTC-0800,b,\n"
    )
    found = samsung(tmp_path, "shealth.sleep", text, zone=ZoneInfo("UTC"))
    assert {str(day): record["sleep_hours"] for (_, day), record in found.records.items()} == {
        "2026-01-03": 5.0
    }


def test_time_awake_is_not_asleep_and_stages_without_a_sleep_are_read(tmp_path: Path) -> None:
    text = (
        "start_time,end_time,time_offset,stage,sleep_id\n"
        "2026-01-02 23:00:00.000,2026-01-03 01:00:00.000,UTC+0000,40002,a,\n"
        "2026-01-03 01:00:00.000,2026-01-03 01:30:00.000,UTC+0000,40001,a,\n"
        "2026-01-03 01:30:00.000,2026-01-03 03:00:00.000,UTC+0000,40004,a,\n"
    )
    found = samsung(tmp_path, "health.sleep_stage", text)
    assert found.record("2026-01-03")["sleep_hours"] == 3.5


def test_the_synthetic_files_of_a_reader_give_what_they_say() -> None:
    found = import_path(shared_data("samsung-health-fixture"))
    assert found.record("2026-05-04")["steps"] == 4500
    assert {reason for _, _, reason in found.quarantined} == {"sleep_id is missing"}
