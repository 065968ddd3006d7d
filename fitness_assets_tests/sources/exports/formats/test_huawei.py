"""Huawei: repeated rows, two devices, mirrored readings, and other people on a scale."""

import json
from pathlib import Path

from fitness_assets_tests.support.exports import example_files, import_path, write_files


def test_repeated_rows_and_other_devices_are_not_added(tmp_path: Path) -> None:
    record = import_path(write_files(tmp_path, example_files("huawei"))).record("2026-01-03")
    assert record["steps"] == 2607
    assert (record["calories_burned"], record["calories_kind"]) == (195.774, "active")


def test_of_a_reading_under_two_keys_the_newest_version_is_used(tmp_path: Path) -> None:
    record = import_path(write_files(tmp_path, example_files("huawei"))).record("2026-01-03")
    assert record["heart_rate_avg"] == 64


def test_the_weight_of_another_person_is_not_read(tmp_path: Path) -> None:
    record = import_path(write_files(tmp_path, example_files("huawei"))).record("2026-01-03")
    assert record["weight_kg"] == 81.4


def test_a_time_before_the_first_day_is_quarantined(tmp_path: Path) -> None:
    files = example_files("huawei")
    name = next(name for name in files if name.startswith("health"))
    items = json.loads(files[name])
    point = next(item for item in items if "samplePoints" in item)["samplePoints"][0]
    point["startTime"] = 12
    quarantined = import_path(
        write_files(tmp_path, {**files, name: json.dumps(items).encode()})
    ).quarantined
    assert [reason for *_, reason in quarantined] == [
        "1970-01-01 is not between 1990-01-01 and 2099-12-31"
    ]
