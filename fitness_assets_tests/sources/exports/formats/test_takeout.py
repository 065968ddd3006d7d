import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
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
            "sleep_start": datetime.fromisoformat("2021-03-02T00:10"),
            "sleep_end": datetime.fromisoformat("2021-03-02T07:00"),
            "light_minutes": 100,
            "moderate_minutes": 20,
            "vigorous_minutes": 15,
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
        "sleep_start": datetime.fromisoformat("2026-05-01T23:00"),
        "sleep_end": datetime.fromisoformat("2026-05-02T07:00"),
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
    assert imported.record("2021-03-02")["sedentary_minutes"] == 1440
    assert imported.lake_record("2021-03-02") == {"source": "takeout"}


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


@pytest.mark.parametrize("source", [",data source", ""])
def test_files_without_a_source_and_without_a_known_name(tmp_path: Path, source: str) -> None:
    end = ",Band" if source else ""
    files = {
        "a.csv": f"timestamp,steps{source}\n2024-10-27T08:00:00Z,50{end}\n",
        "b.csv": f"timestamp,distance{source}\n2024-10-27T08:00:00Z,40{end}\n",
        "c.csv": f"timestamp,beats per minute{source}\n2024-10-27T08:00:00Z,66{end}\n",
        "d.csv": f"timestamp,weight grams{source}\n2024-10-27T08:00:00Z,81000{end}\n",
        "e.csv": f"timestamp,height millimeters{source}\n2024-10-27T08:00:00Z,1755{end}\n",
        "f.csv": f"timestamp,light,moderate,very{source}\n2024-10-27T08:00:00Z,0,1,0{end}\n",
    }
    imported = import_path(write_files(tmp_path, files))
    assert imported.quarantined == []
    assert imported.record("2024-10-27") == {
        "steps": 50,
        "distance_km": 0.04,
        "heart_rate_avg": 66.0,
        "weight_kg": 81.0,
        "height_cm": 175.5,
        "active_minutes": 1,
        "light_minutes": 0,
        "moderate_minutes": 1,
        "vigorous_minutes": 0,
        "source": "takeout",
    }


@pytest.mark.parametrize(
    ("zone", "stamp", "day"),
    [
        ("UTC", "2024-07-02T00:00:00Z", "2024-07-02"),
        # A label, wherever the user lives.
        ("America/Los_Angeles", "2024-07-02T00:00:00Z", "2024-07-02"),
        ("Asia/Tokyo", "2024-07-02T00:00:00Z", "2024-07-02"),
        # Local midnight as UTC.
        ("Europe/Berlin", "2024-07-01T22:00:00Z", "2024-07-02"),
        ("Europe/Berlin", "2024-01-01T23:00:00Z", "2024-01-02"),
        ("America/Los_Angeles", "2024-07-02T07:00:00Z", "2024-07-02"),
        ("Asia/Tokyo", "2024-07-01T15:00:00Z", "2024-07-02"),
        # The zone is not declared: the nearest midnight.
        ("UTC", "2024-07-01T22:00:00Z", "2024-07-02"),
        ("UTC", "2024-07-02T07:00:00Z", "2024-07-02"),
    ],
)
def test_the_day_of_a_daily_value(tmp_path: Path, zone: str, stamp: str, day: str) -> None:
    old = datetime.fromisoformat(stamp).strftime("%m/%d/%y %H:%M:%S")
    daily = [{"dateTime": old, "value": "30"}]
    path = write_files(
        tmp_path,
        {
            f"{NEW}daily_resting_heart_rate.csv": f"timestamp,beats per minute\n{stamp},58.5\n",
            f"{OLD}very_active_minutes-2024-07-01.json": json.dumps(daily),
        },
    )
    imported = import_path(path, zone=ZoneInfo(zone))
    assert imported.records.keys() == {("ann", date.fromisoformat(day))}
    assert imported.record(day)["resting_heart_rate"] == 58.5


@pytest.mark.parametrize(
    ("zone", "start_offset", "end_offset", "day"),
    [
        ("Asia/Tokyo", "+00:00", "+00:00", "2024-02-23"),
        ("Asia/Tokyo", "", "", "2024-02-23"),
        ("UTC", "+09:00", "+09:00", "2024-02-23"),
        ("UTC", "+09:00", "+00:00", "2024-02-23"),
        ("UTC", "+00:00", "+00:00", "2024-02-22"),
    ],
)
def test_a_zero_offset_of_a_night_is_a_placeholder(
    tmp_path: Path, zone: str, start_offset: str, end_offset: str, day: str
) -> None:
    text = (
        "sleep_id,minutes_asleep,start_utc_offset,sleep_start,end_utc_offset,sleep_end\n"
        f"5,400,{start_offset},2024-02-22T15:00:00Z,{end_offset},2024-02-22T22:30:00Z\n"
    )
    path = write_files(tmp_path, {"UserSleeps_2024-02-01.csv": text})
    imported = import_path(path, zone=ZoneInfo(zone))
    assert imported.record(day)["sleep_hours"] == pytest.approx(400 / 60, abs=1e-6)


def test_two_versions_of_the_sleep_algorithm_are_not_added(tmp_path: Path) -> None:
    header = "sleep_id,minutes_asleep,sleep_start,end_utc_offset,sleep_end,data_source"
    rows = [
        f"{number},{minutes},2026-01-02 22:00:00+0000,+01:00,2026-01-03 05:00:00+0000,D,{version}"
        for number, minutes, version in [(1, 390, "v1"), (2, 400, "v2"), (3, 20, "v2")]
    ]
    text = "\n".join([f"{header},algorithm_version", *rows, ""])
    path = write_files(tmp_path, {"UserSleeps_2026-01-01.csv": text})
    assert import_path(path).record("2026-01-03")["sleep_hours"] == 7.0


def test_the_day_of_an_exercise_and_the_last_weight_of_a_day(tmp_path: Path) -> None:
    exercises = (
        "exercise_id,exercise_start,exercise_end,utc_offset,activity_name\n"
        "1,2026-05-27T01:00:00Z,2026-05-27T01:30:00Z,-07:00,Outdoor Walk\n"
        "2,2026-05-27T02:00:00Z,2026-05-27T03:30:00Z,+00:00,Trail Run\n"
    )
    weights = "timestamp,weight grams\n2026-05-27T18:00:00Z,79900\n2026-05-27T06:30:00Z,80600\n"
    pounds = [
        {"logId": 1, "weight": 176.4, "bmi": 24.69, "date": "05/30/26", "time": "07:10:00"},
        {"logId": 2, "weight": 175.0, "date": "05/31/26"},
    ]
    path = write_files(
        tmp_path,
        {
            "UserExercises_2026-05-27.csv": exercises,
            f"{NEW}weight_2026-05-01.csv": weights,
            f"{OLD}weight-2026-05-30.json": json.dumps(pounds),
        },
    )
    imported = import_path(path, zone=LOS_ANGELES)
    assert imported.quarantined == []
    assert imported.record("2026-05-26")["activity_type"] == "running"
    assert imported.record("2026-05-27")["weight_kg"] == 79.9
    assert imported.record("2026-05-30")["weight_kg"] == pytest.approx(80.01, abs=0.01)
    assert imported.record("2026-05-31")["weight_kg"] == pytest.approx(79.38, abs=0.01)
