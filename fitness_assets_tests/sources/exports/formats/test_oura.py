"""Oura: units by the sum of a day, text for missing values, and sleep that does not count."""

from pathlib import Path

import pytest

from fitness_assets_tests.support.exports import import_path, shared_data, write_files

TIMES = "Inactive Time,Rest Time,Low Activity Time,Medium Activity Time,High Activity Time"


@pytest.mark.parametrize("scale", [1, 60])
def test_the_sum_of_the_day_says_whether_times_are_minutes_or_seconds(
    tmp_path: Path, scale: int
) -> None:
    times = ",".join(str(each * scale) for each in (700, 455, 150, 45, 30))
    text = f"date,Sleep Score,Readiness Score,{TIMES}\n2026-01-03,80,None,{times}\n"
    record = import_path(write_files(tmp_path, {"oura.csv": text})).record("2026-01-03")
    assert record["active_minutes"] == 75
    found = [record[f"{name}_minutes"] for name in ("light", "moderate", "vigorous")]
    assert found == [150, 45, 30]


@pytest.mark.parametrize("folder", ["trends-minutes", "trends-seconds", "account"])
def test_the_active_time_is_the_same_in_all_files(folder: str) -> None:
    found = import_path(shared_data("made-up") / "oura" / folder)
    assert found.quarantined == []
    assert {record["active_minutes"] for record in found.records.values()} == {75}


def test_rest_and_deleted_sleep_do_not_count_and_naps_do(tmp_path: Path) -> None:
    header = (
        "sep=;\naverage_breath;average_hrv;bedtime_end;bedtime_start;day;lowest_heart_rate;"
        "total_sleep_duration;type\n"
    )
    rows = [
        "14.2;42;2026-01-03T06:47:00+01:00;2026-01-02T23:12:00+01:00;2026-01-03;58;25200;long_sleep",
        "14.2;90;2026-01-03T15:30:00+01:00;2026-01-03T15:00:00+01:00;2026-01-03;40;1800;late_nap",
        "14.2;;2026-01-03T18:00:00+01:00;2026-01-03T17:00:00+01:00;2026-01-03;;3600;rest",
        "14.2;;2026-01-03T06:47:00+01:00;2026-01-02T23:12:00+01:00;2026-01-03;;30000;deleted",
    ]
    text = header + "\n".join(rows)
    record = import_path(write_files(tmp_path, {"s.csv": text})).record("2026-01-03")
    assert record["sleep_hours"] == 7.5
    assert (record["resting_heart_rate"], record["hrv_rmssd"]) == (58, 42)


def test_none_is_a_missing_value(tmp_path: Path) -> None:
    text = "date,Sleep Score,Readiness Score,Steps,Average HRV\n2026-01-03,80,70,None,45\n"
    found = import_path(write_files(tmp_path, {"oura.csv": text}))
    assert found.quarantined == []
    assert "steps" not in found.record("2026-01-03")
