"""Health Auto Export: buckets and samples, units, sleep without stages, and overlapping exports."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import Imported, import_path, write_files

Point = dict[str, Any]


def metric(name: str, units: str, *points: Point) -> Point:
    return {"name": name, "units": units, "data": list(points)}


def exported(folder: Path, *documents: list[Point], **options: object) -> Imported:
    files = {
        f"{number}.json": json.dumps({"data": {"metrics": metrics}})
        for number, metrics in enumerate(documents)
    }
    return import_path(write_files(folder, files), **options)


def steps(time: str, qty: float, source: str = "Watch") -> Point:
    return {"date": f"2026-01-03 {time} +0100", "qty": qty, "source": source}


def test_fractions_of_steps_are_added_before_they_are_rounded(tmp_path: Path) -> None:
    points = [steps(f"08:{minute:02}:00", 0.4) for minute in range(50)]
    found = exported(tmp_path, [metric("step_count", "count", *points)])
    assert found.record("2026-01-03")["steps"] == 20


def test_buckets_of_different_sources_are_added(tmp_path: Path) -> None:
    points = [steps("08:00:00", 100, "Watch"), steps("09:00:00", 50, "Watch|Phone")]
    found = exported(tmp_path, [metric("step_count", "count", *points)])
    assert found.record("2026-01-03")["steps"] == 150


def test_samples_of_several_sources_are_not_added(tmp_path: Path) -> None:
    points = [
        *(steps(f"08:0{minute}:17", 100, "Watch") for minute in range(3)),
        *(steps(f"08:0{minute}:31", 90, "Phone") for minute in range(3)),
    ]
    found = exported(tmp_path, [metric("step_count", "count", *points)])
    assert found.record("2026-01-03")["steps"] == 300


def test_two_exports_that_overlap_count_once(tmp_path: Path) -> None:
    metrics = [metric("step_count", "count", steps("08:00:00", 100), steps("09:00:00", 50))]
    assert exported(tmp_path, metrics, metrics).record("2026-01-03")["steps"] == 150


def test_a_day_is_the_one_that_the_timestamp_shows(tmp_path: Path) -> None:
    metrics = [metric("step_count", "count", steps("00:00:00", 100))]
    found = exported(tmp_path, metrics, zone=ZoneInfo("America/New_York"))
    assert [str(day) for _, day in found.records] == ["2026-01-03"]


def test_an_unknown_unit_is_quarantined(tmp_path: Path) -> None:
    metrics = [
        metric("step_count", "count", steps("08:00:00", 100)),
        metric("walking_running_distance", "furlong", steps("08:00:00", 3)),
    ]
    found = exported(tmp_path, metrics)
    assert [reason for *_, reason in found.quarantined] == ["'furlong' is not a known unit of it"]
    assert "distance_km" not in found.record("2026-01-03")


def test_active_energy_alone_is_not_the_total(tmp_path: Path) -> None:
    record = exported(tmp_path, [metric("active_energy", "kJ", steps("00:00:00", 2552.24))]).record(
        "2026-01-03"
    )
    assert (record["calories_burned"], record["calories_kind"]) == (610, "active")


def night(**values: object) -> Point:
    return metric(
        "sleep_analysis",
        "hr",
        {
            "date": "2026-01-02 00:00:00 +0100",
            "sleepStart": "2026-01-02 23:12:00 +0100",
            "sleepEnd": "2026-01-03 06:47:00 +0100",
            **values,
        },
    )


def test_zeros_next_to_a_total_are_missing_stages(tmp_path: Path) -> None:
    found = exported(tmp_path, [night(totalSleep=7.0, core=0, deep=0, rem=0, awake=0)])
    record = found.record("2026-01-03")
    assert record["sleep_hours"] == 7
    assert record.keys().isdisjoint({"sleep_light", "sleep_deep", "sleep_rem", "sleep_awake"})


def test_intervals_of_sleep_become_a_night(tmp_path: Path) -> None:
    def interval(value: str, start: str, end: str) -> Point:
        return {"startDate": f"{start} +0100", "endDate": f"{end} +0100", "value": value}

    points = [
        interval("In Bed", "2026-01-02 22:30:00", "2026-01-03 07:00:00"),
        interval("Core", "2026-01-02 23:00:00", "2026-01-03 02:00:00"),
        interval("Awake", "2026-01-03 02:00:00", "2026-01-03 02:30:00"),
        interval("Deep", "2026-01-03 02:30:00", "2026-01-03 04:00:00"),
    ]
    record = exported(tmp_path, [metric("sleep_analysis", "hr", *points)]).record("2026-01-03")
    assert (record["sleep_hours"], record["sleep_light"], record["sleep_awake"]) == (4.5, 180, 30)
