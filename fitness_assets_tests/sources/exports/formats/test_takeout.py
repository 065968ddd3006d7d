import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import import_path, write_files, write_zip

OLD = "Takeout/Fitbit/Global Export Data/"
NEW = "Takeout/Google Health/Physical Activity_GoogleData/"
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
BERLIN = ZoneInfo("Europe/Berlin")


def minutes(first: str, amounts: Sequence[float]) -> str:
    """The old JSON: one amount a minute, from `first` on."""
    start = datetime.fromisoformat(first)
    return json.dumps(
        [
            {"dateTime": f"{start + timedelta(minutes=i):%m/%d/%y %H:%M:%S}", "value": f"{amount}"}
            for i, amount in enumerate(amounts)
        ]
    )


def day_values(values: Mapping[str, float]) -> str:
    return json.dumps(
        [{"dateTime": f"{day} 00:00:00", "value": str(value)} for day, value in values.items()]
    )


def night(log_id: int, day: str, asleep: int, **more: Any) -> dict[str, Any]:
    return {
        "logId": log_id,
        "dateOfSleep": day,
        "startTime": f"{day}T00:10:00.000",
        "endTime": f"{day}T07:00:00.000",
        "minutesAsleep": asleep,
        "mainSleep": True,
        **more,
    }


def test_a_day_of_the_old_json(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "takeout.zip",
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T10:00", [60, 0, 40]),
            f"{OLD}distance-2021-03-01.json": minutes("2021-03-02T10:00", [5000, 0, 2500]),
            f"{OLD}calories-2021-03-01.json": minutes("2021-03-02T00:00", [1.5] * 1440),
            f"{OLD}heart_rate-2021-03-02.json": json.dumps(
                [
                    {"dateTime": "03/02/21 10:00:05", "value": {"bpm": 60, "confidence": 3}},
                    {"dateTime": "03/02/21 10:00:15", "value": {"bpm": 80, "confidence": 1}},
                    {"dateTime": "03/02/21 11:00:05", "value": {"bpm": 110, "confidence": 2}},
                    {"dateTime": "03/02/21 11:00:15", "value": {"bpm": 70, "confidence": 0}},
                ]
            ),
            f"{OLD}resting_heart_rate-2021-03-01.json": json.dumps(
                [
                    {
                        "dateTime": "03/02/21 00:00:00",
                        "value": {"date": "03/02/21", "value": 58.4, "error": 6.8},
                    },
                    {
                        "dateTime": "03/03/21 00:00:00",
                        "value": {"date": None, "value": 0.0, "error": 0.0},
                    },
                ]
            ),
            f"{OLD}sedentary_minutes-2021-03-01.json": day_values({"03/02/21": 800}),
            f"{OLD}lightly_active_minutes-2021-03-01.json": day_values({"03/02/21": 100}),
            f"{OLD}moderately_active_minutes-2021-03-01.json": day_values({"03/02/21": 20}),
            f"{OLD}very_active_minutes-2021-03-01.json": day_values({"03/02/21": 15}),
            f"{OLD}sleep-2021-03-01.json": json.dumps([night(1, "2021-03-02", 396)]),
            f"{OLD}exercise-0.json": json.dumps(
                [
                    {
                        "logId": 7,
                        "activityName": "Outdoor Bike",
                        "startTime": "03/02/21 17:05:15",
                        "activeDuration": 1800000,
                    },
                    {
                        "logId": 8,
                        "activityName": "Walk",
                        "startTime": "03/02/21 19:05:15",
                        "activeDuration": 900000,
                    },
                ]
            ),
            "Takeout/Fitbit/Your Profile/Media/Avatar Photo.jpg": b"\xff\xd8\xff",
            "Takeout/archive_browser.html": "<html></html>",
        },
    )
    imported = import_path(path)
    assert [file.rpartition("/")[2] for file, _, _ in imported.quarantined] == [
        "Avatar Photo.jpg",
        "archive_browser.html",
        "lightly_active_minutes-2021-03-01.json",
    ]
    assert list(imported.records.values()) == [
        {
            "steps": 100,
            "distance_km": 0.075,
            "calories_burned": 2160.0,
            "calories_kind": "total",
            "heart_rate_avg": 90.0,
            "resting_heart_rate": 58.4,
            "active_minutes": 35,
            "sedentary_minutes": 800,
            "sleep_hours": 6.6,
            "activity_type": "cycling",
            "source": "takeout",
        }
    ]


def test_a_day_of_the_newer_csv_with_steps_of_phone_and_band(tmp_path: Path) -> None:
    path = write_files(
        tmp_path,
        {
            f"{NEW}Steps/steps_2026-05-01.csv": "timestamp,steps,data source\n"
            "2026-05-02T08:00:00Z,50,Band\n2026-05-02T08:00:00.999Z,45,Phone\n"
            "2026-05-02T08:01:00Z,50,Band\n2026-05-02T08:02:00Z,70,Phone\n",
            f"{NEW}distance_2026-05-01.csv": "timestamp,distance,data source\n"
            "2026-05-02T08:00:00Z,40.5,Band\n",
            f"{NEW}calories_2026-05-01.csv": "timestamp,calories,data source\n"
            "2026-05-02T08:00:00Z,4.5,Band\n",
            f"{NEW}heart_rate_2026-05-02.csv": "timestamp,beats per minute,data source\n"
            "2026-05-02T08:00:01Z,70,Band\n2026-05-02T08:00:09Z,72,Band\n"
            "2026-05-02T12:00:00Z,200,Phone\n",
            f"{NEW}daily_resting_heart_rate.csv": "timestamp,beats per minute,data source\n"
            "2026-05-02T00:00:00Z,55.5,Band\n",
            "Takeout/Google Health/Health Fitness Data_GoogleData/UserSleeps_2026-05-01.csv": (
                "sleep_id,sleep_type,minutes_asleep,start_utc_offset,sleep_start,end_utc_offset,"
                "sleep_end,data_source\n"
                "9,STAGES,420,-07:00,2026-05-02 06:00:00+0000,-07:00,2026-05-02 14:00:00+0000,B\n"
                "9,STAGES,420,-07:00,2026-05-02 06:00:00+0000,-07:00,2026-05-02 14:00:00+0000,B\n"
            ),
        },
    )
    imported = import_path(path, zone=LOS_ANGELES)
    assert imported.quarantined == []
    assert imported.record("2026-05-02") == {
        # In one quarter of an hour: the band comes before the phone.
        "steps": 100,
        "distance_km": 0.0405,
        "calories_burned": 4.5,
        "calories_kind": "total",
        # Both sources measured in one hour; the band has more readings.
        "heart_rate_avg": 71.0,
        # Midnight in UTC is the evening before in local time, but the date itself is meant.
        "resting_heart_rate": 55.5,
        "sleep_hours": 7.0,
        "source": "takeout",
    }


def test_future_days_are_left_out(tmp_path: Path) -> None:
    days = {f"03/{day:02d}/21": 1440 for day in range(1, 29)}
    path = write_files(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-03T10:00", [60]),
            f"{OLD}sedentary_minutes-2021-03-01.json": day_values(days | {"03/03/21": 700}),
            f"{OLD}very_active_minutes-2021-03-01.json": day_values(dict.fromkeys(days, 0)),
            f"{OLD}calories-2021-03-01.json": minutes("2021-03-01T00:00", [1.0] * 1440 * 28),
        },
    )
    imported = import_path(path)
    assert [str(when) for _, when in imported.records] == ["2021-03-01", "2021-03-02", "2021-03-03"]
    assert imported.record("2021-03-02") == {"source": "takeout"}


def test_steps_are_in_utc_and_calories_in_local_time(tmp_path: Path) -> None:
    evening = minutes("2021-03-02T23:30", [10] * 60)
    path = write_files(
        tmp_path,
        {f"{OLD}steps-2021-03-01.json": evening, f"{OLD}calories-2021-03-01.json": evening},
    )
    imported = import_path(path, zone=LOS_ANGELES)
    assert imported.record("2021-03-02")["steps"] == 600
    assert imported.record("2021-03-02")["calories_burned"] == 300
    assert imported.record("2021-03-03")["calories_burned"] == 300
    declared = import_path(
        path, zone=LOS_ANGELES, zones={"steps": LOS_ANGELES, "calories": ZoneInfo("UTC")}
    )
    assert declared.record("2021-03-02")["steps"] == 300
    assert declared.record("2021-03-02")["calories_burned"] == 600


@pytest.mark.parametrize(
    ("day", "hours"), [("2021-03-28", 23), ("2021-10-31", 25), ("2021-11-01", 24)]
)
def test_a_day_has_as_many_hours_as_in_its_zone(tmp_path: Path, day: str, hours: int) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=2)
    text = minutes(f"{first:%Y-%m-%dT%H:%M}", [1] * 1440 * 4)
    path = write_files(tmp_path, {f"{OLD}steps-2021-01-01.json": text})
    assert import_path(path, zone=BERLIN).record(day)["steps"] == hours * 60


def test_an_hour_shown_twice_counts_twice(tmp_path: Path) -> None:
    hour = json.loads(minutes("2021-10-31T02:00", [1.0] * 60))
    text = json.dumps(hour + hour)
    path = write_files(tmp_path, {f"{OLD}calories-2021-10-31.json": text})
    assert import_path(path, zone=BERLIN).record("2021-10-31")["calories_burned"] == 120
    # In a zone without the change, the same hour was delivered twice.
    assert import_path(path, zone=LOS_ANGELES).record("2021-10-31")["calories_burned"] == 60


@pytest.mark.parametrize("declared", [True, False])
def test_a_zone_of_calories_that_contradicts_the_steps_is_reported(
    tmp_path: Path, declared: bool
) -> None:
    walks = [120.0 if 8 <= hour < 10 else 0.0 for hour in range(24) for _ in range(60)] * 5
    kcal = [1.1 + walk / 20 for walk in walks]
    path = write_files(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T00:00", walks),
            f"{OLD}calories-2021-03-01.json": minutes("2021-03-02T00:00", kcal),
        },
    )
    zones = {"calories": ZoneInfo("UTC")} if declared else {}
    imported = import_path(path, zone=LOS_ANGELES, zones=zones)
    if declared:
        assert imported.quarantined == []
    else:
        ((file, place, reason),) = imported.quarantined
        assert (file, place) == (f"{OLD}calories-2021-03-01.json", "time zone of calories")
        assert "hourly calories correlate with hourly steps at -0." in reason
        assert "in America/Los_Angeles and at 1.00 in UTC: declare the zone of calories" in reason


def test_repeated_files_and_nights_are_not_added_together(tmp_path: Path) -> None:
    path = write_files(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T10:00", [60, 50]),
            f"{OLD}steps-2021-03-01 (1).json": minutes("2021-03-02T10:00", [60, 55, 40]),
            f"{OLD}sleep-2021-03-01.json": json.dumps(
                [night(1, "2021-03-02", 400), night(1, "2021-03-02", 400)]
            ),
            f"{OLD}sleep-2021-03-31.json": json.dumps(
                [night(1, "2021-03-02", 400), night(2, "2021-03-02", 20, mainSleep=False)]
            ),
        },
    )
    found = import_path(path).record("2021-03-02")
    assert (found["steps"], found["sleep_hours"]) == (155, 7.0)


def test_old_and_newer_export_of_one_day_are_not_added_together(tmp_path: Path) -> None:
    path = write_files(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T10:00", [60, 50]),
            f"{NEW}steps_2021-03-01.csv": "timestamp,steps,data source\n"
            "2021-03-02T10:00:00Z,60,Band\n2021-03-02T10:01:00Z,52,Band\n",
        },
    )
    assert import_path(path).record("2021-03-02")["steps"] == 112


def test_damaged_files_and_records_are_quarantined_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write_files(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T10:00", [60]),
            f"{OLD}steps-2021-03-31.json": "[{",
            f"{OLD}distance-2021-03-01.json": json.dumps(
                [
                    {"dateTime": "13/02/21 10:00:00", "value": "1"},
                    {"dateTime": "03/02/21 25:00:00", "value": "1"},
                    {"dateTime": "03/02/21 10:00:00", "value": [1]},
                    {"value": "1"},
                    "1",
                    {"dateTime": "03/02/21 10:00:00", "value": "100000"},
                ]
            ),
        },
    )
    imported = import_path(path)
    assert imported.record("2021-03-02")["distance_km"] == 1
    *records, file = sorted(imported.quarantined)
    assert [(place, reason) for _, place, reason in records] == [
        ("record 1", "'13/02/21 10:00:00' is not a timestamp"),
        ("record 2", "'03/02/21 25:00:00' is not a timestamp"),
        ("record 3", "[1] is not an amount"),
        ("record 4", "dateTime is missing"),
        ("record 5", "'1' is not an object"),
    ]
    assert file[2].startswith(f"{OLD}steps-2021-03-31.json is not JSON: ")
