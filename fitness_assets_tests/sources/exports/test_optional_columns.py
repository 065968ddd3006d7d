"""The optional columns of the record, from every format that has them."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.record.raw import OPTIONAL
from fitness_assets_tests.support.exports import (
    USER,
    example_files,
    import_path,
    shared_data,
    write_files,
)


def at(text: str) -> datetime:
    """A time on the local clock."""
    return datetime.fromisoformat(text)


# By format, user and day of its example: all values of optional columns.
EXPECTED: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "apple_health",
        USER,
        "2023-04-02",
        {
            "sleep_deep": 40.0,
            "sleep_light": 180.0,
            "sleep_rem": 30.0,
            "sleep_awake": 10.0,
            "sleep_start": at("2023-04-02T01:00"),
            "sleep_end": at("2023-04-02T05:20"),
            "hrv_sdnn": 42.5,
            # The file has the fraction 0.97.
            "spo2": 97.0,
            "respiration_rate": 14.5,
            "vo2_max": 41.5,
            "floors": 6,
        },
    ),
    (
        "fitbit_web",
        USER,
        "2019-01-01",
        {
            "sleep_deep": 80.0,
            "sleep_light": 250.0,
            "sleep_rem": 90.0,
            "sleep_awake": 40.0,
            "sleep_start": at("2018-12-31T23:22"),
            "sleep_end": at("2019-01-01T07:04"),
            "floors": 5,
            "light_minutes": 200,
            "moderate_minutes": 15,
            "vigorous_minutes": 30,
        },
    ),
    (
        "garmin",
        USER,
        "2020-01-02",
        {
            "sleep_deep": 60.0,
            "sleep_light": 240.0,
            "sleep_rem": 90.0,
            "sleep_awake": 20.0,
            "sleep_start": at("2020-01-01T22:30"),
            "sleep_end": at("2020-01-02T06:30"),
            "hrv_rmssd": 44.0,
            "spo2": 96.0,
            "respiration_rate": 14.5,
            "vo2_max": 47.0,
            # 21.336 m of 10 feet a floor.
            "floors": 7,
            "moderate_minutes": 20,
            "vigorous_minutes": 12,
        },
    ),
    (
        "garmin_api",
        "u-1",
        "2020-01-02",
        {
            "sleep_deep": 180.0,
            "sleep_light": 30.0,
            "sleep_rem": 20.0,
            "sleep_awake": 10.0,
            "sleep_start": at("2020-01-02T03:00"),
            "sleep_end": at("2020-01-02T07:00"),
            "floors": 8,
            "moderate_minutes": 10,
            "vigorous_minutes": 5,
        },
    ),
    (
        "fitabase",
        "77",
        "2016-04-12",
        {"light_minutes": 200, "moderate_minutes": 10, "vigorous_minutes": 20},
    ),
    (
        "takeout",
        USER,
        "2021-03-02",
        {
            "sleep_deep": 80.0,
            "sleep_light": 220.0,
            "sleep_rem": 100.0,
            "sleep_awake": 30.0,
            "sleep_start": at("2021-03-01T23:50"),
            "sleep_end": at("2021-03-02T07:00"),
            "vo2_max": 44.5,
            "light_minutes": 190,
            "vigorous_minutes": 5,
        },
    ),
    (
        "takeout",
        USER,
        "2026-05-02",
        {
            # The night of UserSleeps has no start.
            "sleep_light": 180.0,
            "sleep_rem": 90.0,
            "hrv_rmssd": 41.5,
            "spo2": 95.5,
            "respiration_rate": 14.5,
            "floors": 3,
            "light_minutes": 1,
            "moderate_minutes": 0,
            "vigorous_minutes": 1,
        },
    ),
]


def optional(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name in OPTIONAL}


@pytest.mark.parametrize(("name", "user", "day", "expected"), EXPECTED)
def test_the_optional_columns_of_the_examples(
    tmp_path: Path, name: str, user: str, day: str, expected: dict[str, Any]
) -> None:
    imported = import_path(write_files(tmp_path, example_files(name)), zone=ZoneInfo("UTC"))
    assert optional(imported.record(day, user)) == expected


def test_stages_that_are_all_zero_were_not_measured(tmp_path: Path) -> None:
    night = (
        '[{"calendarDate": "2020-01-02", "sleepStartTimestampGMT": "2020-01-01T22:30:00.0", '
        '"sleepEndTimestampGMT": "2020-01-02T06:30:00.0", "deepSleepSeconds": 0, '
        '"lightSleepSeconds": 0, "remSleepSeconds": 0, "awakeSleepSeconds": 0}]'
    )
    imported = import_path(write_files(tmp_path, {"x.json": night}))
    assert all(not optional(record) for record in imported.records.values())


def test_a_layout_reads_optional_columns_in_other_units(tmp_path: Path) -> None:
    from fitness_assets.sources.exports.layout import parse

    layout = parse(
        {
            "columns": {
                "date": "Day",
                "sleep_deep": {"column": "Deep", "unit": "h"},
                "spo2": {"column": "O2", "unit": "fraction"},
                "hrv_rmssd": "HRV",
                "sleep_start": "Bed",
            }
        }
    )
    text = "Day,Deep,O2,HRV,Bed\n2023-04-02,1.5,0.97,41,2023-04-01 23:10\n"
    imported = import_path(write_files(tmp_path, {"x.csv": text}), layout=layout)
    assert imported.quarantined == []
    assert optional(imported.record("2023-04-02")) == {
        "sleep_deep": 90.0,
        "spo2": 97.0,
        "hrv_rmssd": 41.0,
        "sleep_start": at("2023-04-01T23:10"),
    }


def test_a_takeout_of_the_invented_person_has_its_values() -> None:
    import csv

    folder = shared_data("made-up")
    imported = import_path(folder / "google-takeout", zone=ZoneInfo("Europe/Berlin"))
    with (folder / "expected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {
        "deep_min": "sleep_deep",
        "light_min": "sleep_light",
        "rem_min": "sleep_rem",
        "awake_min": "sleep_awake",
        "hrv_rmssd": "hrv_rmssd",
        "spo2": "spo2",
        "respiration": "respiration_rate",
        "floors": "floors",
    }
    for row in rows:
        found = imported.record(row["date"])
        for column, name in columns.items():
            assert found[name] == pytest.approx(float(row[column])), (row["date"], name)
