"""Polar: the real files of AccessLink, and the sentinels of the account's export."""

import json
from pathlib import Path

import pytest

from fitness_assets_tests.support.exports import (
    example_files,
    import_path,
    shared_data,
    write_files,
)


def test_the_days_of_access_link_equal_the_files() -> None:
    folder = shared_data("polar-accesslink")
    imported = import_path(folder)
    assert imported.quarantined == []
    days = [
        day
        for name in ("daily_activity", "daily_activity_with_samples")
        for day in json.loads((folder / f"{name}.json").read_text())
    ]
    assert len(days) == 5
    for day in days:
        record = imported.record(day["start_time"][:10])
        assert record["steps"] == day["steps"]
        assert record["distance_km"] == pytest.approx(day["distance_from_steps"] / 1000)
        assert (record["calories_burned"], record["calories_kind"]) == (day["calories"], "total")


def test_the_night_of_access_link_equals_the_file() -> None:
    folder = shared_data("polar-accesslink")
    record = import_path(folder).record("2025-10-01")
    night = json.loads((folder / "sleep.json").read_text())
    stages = {name: night[f"{name}_sleep"] / 60 for name in ("light", "deep", "rem")}
    assert {name: record[f"sleep_{name}"] for name in stages} == stages
    assert record["sleep_hours"] == pytest.approx(sum(stages.values()) / 60, abs=1e-6)
    assert record["sleep_awake"] == night["total_interruption_duration"] / 60
    assert str(record["sleep_start"]) == "2025-09-30 23:33:22"
    recharge = json.loads((folder / "nightly_recharge.json").read_text())
    assert record["hrv_rmssd"] == recharge["heart_rate_variability_avg"]
    assert record["respiration_rate"] == recharge["breathing_rate_avg"]


def test_the_exercises_of_access_link_are_the_activities_of_their_days() -> None:
    folder = shared_data("polar-accesslink")
    imported = import_path(folder)
    for exercise in json.loads((folder / "exercises.json").read_text()):
        assert imported.record(exercise["start_time"][:10])["activity_type"]


def test_heart_rates_without_a_signal_are_missing(tmp_path: Path) -> None:
    found = import_path(write_files(tmp_path, example_files("polar")))
    assert found.record("2026-01-03")["heart_rate_avg"] == 67
