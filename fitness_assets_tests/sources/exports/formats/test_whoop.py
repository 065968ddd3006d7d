"""WHOOP: the day of a cycle, the open cycle, naps, and files saved by a spreadsheet."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import (
    Imported,
    example_files,
    import_path,
    write_files,
)

HEADER = (
    "Cycle start time,Cycle end time,Cycle timezone,Resting heart rate (bpm),Energy burned (cal),"
    "Average HR (bpm),Sleep onset,Wake onset,Asleep duration (min)\n"
)


def whoop(folder: Path, text: str) -> Imported:
    return import_path(write_files(folder, {"physiologische_zyklen.csv": HEADER + text}))


def test_a_cycle_belongs_to_the_day_of_waking(tmp_path: Path) -> None:
    found = whoop(
        tmp_path,
        "2026-01-02 23:12:00,2026-01-03 23:40:00,UTC+01:00,58,2310,72,2026-01-02 23:12:00,"
        "2026-01-03 06:47:00,430\n"
        "2026-01-03 23:40:00,2026-01-05 00:20:00,UTC+01:00,57,2480,75,2026-01-03 23:40:00,"
        "2026-01-04 07:30:00,450\n",
    )
    assert found.record("2026-01-03")["calories_burned"] == 2310
    assert found.record("2026-01-04")["calories_burned"] == 2480
    assert len(found.records) == 2


def test_a_cycle_without_sleep_belongs_to_the_day_that_holds_most_of_it(tmp_path: Path) -> None:
    found = whoop(tmp_path, "2026-01-03 23:40:00,2026-01-05 00:20:00,UTCZ,57,2480,75,,,\n")
    assert [str(day) for _, day in found.records] == ["2026-01-04"]


def test_energy_of_the_cycle_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    found = whoop(
        tmp_path,
        "2026-01-05 22:55:00,,UTC+01:00,56,310,60,2026-01-05 22:55:00,2026-01-06 06:55:00,450\n",
    )
    record = found.record("2026-01-06")
    assert record["resting_heart_rate"] == 56
    assert record.keys().isdisjoint({"calories_burned", "calories_kind", "heart_rate_avg"})


def test_naps_count_and_a_night_in_two_files_counts_once(tmp_path: Path) -> None:
    found = import_path(write_files(tmp_path, example_files("whoop")))
    assert found.record("2026-01-05")["sleep_hours"] == pytest.approx((365 + 20) / 60)


def test_day_first_dates_of_a_spreadsheet_are_read(tmp_path: Path) -> None:
    rows = "".join(
        f"{before} 23:12;{day} 23:40;UTC+01:00;58;2310;72;{before} 23:12;{day} 06:47;430\n"
        for before, day in (("02.01.2026", "03.01.2026"), ("25.01.2026", "26.01.2026"))
    )
    text = HEADER.replace(",", ";") + rows
    found = import_path(write_files(tmp_path, {"cycles.csv": text}))
    assert {str(day) for _, day in found.records} == {"2026-01-03", "2026-01-26"}


def test_heart_rates_of_the_export_of_personal_data_are_averaged_by_the_hour(
    tmp_path: Path,
) -> None:
    found = import_path(write_files(tmp_path, example_files("whoop")))
    # Two hours, of which one has a mean of 65 and the other one of 95; 0 is no heart rate.
    assert found.record("2026-01-07") == {"heart_rate_avg": 80, "source": "whoop"}


def test_instants_of_the_export_of_personal_data_are_of_the_declared_zone(tmp_path: Path) -> None:
    text = "hr,accel_x,accel_y,accel_z,skin_temp,ts\n60,0,0,1,33,2026-01-07T23:30:00Z\n"
    files = write_files(tmp_path, {"Health/metrics-2.csv": text})
    (key,) = import_path(files, zone=ZoneInfo("Europe/Berlin")).records
    assert str(key[1]) == "2026-01-08"
