import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import pack, put, take

OLD = "Takeout/Fitbit/Global Export Data/"
NEW = "Takeout/Google Health/Physical Activity_GoogleData/"
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
BERLIN = ZoneInfo("Europe/Berlin")


def minutes(first: str, amounts: Sequence[float]) -> str:
    """The old JSON: an amount a minute from `first` on."""
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


def test_a_day_of_the_old_export(tmp_path: Path) -> None:
    path = pack(
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
    imported = take(path)
    assert imported.refused == []
    assert list(imported.days.values()) == [
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


def test_a_day_of_the_new_export_where_phone_and_band_count_the_same_steps(tmp_path: Path) -> None:
    path = put(
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
    imported = take(path, zone=LOS_ANGELES)
    assert imported.refused == []
    assert imported.of("2026-05-02") == {
        "steps": 115,
        "distance_km": 0.0405,
        "calories_burned": 4.5,
        "calories_kind": "total",
        # Of the one source or the other; both measured in one hour, the band more often.
        "heart_rate_avg": 71.0,
        # Midnight UTC is the evening before here, and is meant to be the date itself.
        "resting_heart_rate": 55.5,
        "sleep_hours": 7.0,
        "source": "takeout",
    }


def test_days_to_come_are_left_out(tmp_path: Path) -> None:
    days = {f"03/{day:02d}/21": 1440 for day in range(1, 29)}
    path = put(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-03T10:00", [60]),
            f"{OLD}sedentary_minutes-2021-03-01.json": day_values(days | {"03/03/21": 700}),
            f"{OLD}very_active_minutes-2021-03-01.json": day_values(dict.fromkeys(days, 0)),
            f"{OLD}calories-2021-03-01.json": minutes("2021-03-01T00:00", [1.0] * 1440 * 28),
        },
    )
    imported = take(path)
    assert [str(when) for _, when in imported.days] == ["2021-03-01", "2021-03-02", "2021-03-03"]
    assert imported.of("2021-03-02") == {"source": "takeout"}


def test_steps_are_by_utc_and_calories_by_the_clock_at_home(tmp_path: Path) -> None:
    evening = minutes("2021-03-02T23:30", [10] * 60)
    path = put(
        tmp_path,
        {f"{OLD}steps-2021-03-01.json": evening, f"{OLD}calories-2021-03-01.json": evening},
    )
    imported = take(path, zone=LOS_ANGELES)
    assert imported.of("2021-03-02")["steps"] == 600
    assert imported.of("2021-03-02")["calories_burned"] == 300
    assert imported.of("2021-03-03")["calories_burned"] == 300
    declared = take(
        path, zone=LOS_ANGELES, zones={"steps": LOS_ANGELES, "calories": ZoneInfo("UTC")}
    )
    assert declared.of("2021-03-02")["steps"] == 300
    assert declared.of("2021-03-02")["calories_burned"] == 600


@pytest.mark.parametrize(
    ("day", "hours"), [("2021-03-28", 23), ("2021-10-31", 25), ("2021-11-01", 24)]
)
def test_days_have_as_many_hours_as_the_clock_at_home_showed(
    tmp_path: Path, day: str, hours: int
) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=2)
    text = minutes(f"{first:%Y-%m-%dT%H:%M}", [1] * 1440 * 4)
    path = put(tmp_path, {f"{OLD}steps-2021-01-01.json": text})
    assert take(path, zone=BERLIN).of(day)["steps"] == hours * 60


def test_the_hour_that_a_clock_shows_twice_counts_twice(tmp_path: Path) -> None:
    hour = json.loads(minutes("2021-10-31T02:00", [1.0] * 60))
    text = json.dumps(hour + hour)
    path = put(tmp_path, {f"{OLD}calories-2021-10-31.json": text})
    assert take(path, zone=BERLIN).of("2021-10-31")["calories_burned"] == 120
    # Where the clock was not put back, it was delivered twice.
    assert take(path, zone=LOS_ANGELES).of("2021-10-31")["calories_burned"] == 60


@pytest.mark.parametrize("declared", [True, False])
def test_a_clock_of_calories_that_does_not_fit_the_steps_is_told_of(
    tmp_path: Path, declared: bool
) -> None:
    walks = [120.0 if 8 <= hour < 10 else 0.0 for hour in range(24) for _ in range(60)] * 5
    kcal = [1.1 + walk / 20 for walk in walks]
    path = put(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T00:00", walks),
            f"{OLD}calories-2021-03-01.json": minutes("2021-03-02T00:00", kcal),
        },
    )
    zones = {"calories": ZoneInfo("UTC")} if declared else {}
    imported = take(path, zone=LOS_ANGELES, zones=zones)
    if declared:
        assert imported.refused == []
    else:
        ((file, place, reason),) = imported.refused
        assert (file, place) == (f"{OLD}calories-2021-03-01.json", "the clock of calories")
        assert "by America/Los_Angeles their hours correlate with the steps at -0." in reason
        assert "by UTC at 1.00: declare the zone of calories" in reason


def test_files_and_nights_delivered_twice_do_not_add_up(tmp_path: Path) -> None:
    path = put(
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
    found = take(path).of("2021-03-02")
    assert (found["steps"], found["sleep_hours"]) == (155, 7.0)


def test_old_and_new_export_of_one_day_do_not_add_up(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        {
            f"{OLD}steps-2021-03-01.json": minutes("2021-03-02T10:00", [60, 50]),
            f"{NEW}steps_2021-03-01.csv": "timestamp,steps,data source\n"
            "2021-03-02T10:00:00Z,60,Band\n2021-03-02T10:01:00Z,52,Band\n",
        },
    )
    assert take(path).of("2021-03-02")["steps"] == 112


def test_what_is_damaged_is_told_of_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = put(
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
    imported = take(path)
    assert imported.of("2021-03-02")["distance_km"] == 1
    *records, whole = sorted(imported.refused)
    assert [(place, reason) for _, place, reason in records] == [
        ("record 1", "'13/02/21 10:00:00' is not a stamp"),
        ("record 2", "'03/02/21 25:00:00' is not a stamp"),
        ("record 3", "[1] is not an amount"),
        ("record 4", "there is no dateTime"),
        ("record 5", "'1' is not a record"),
    ]
    assert whole[2].startswith(f"{OLD}steps-2021-03-31.json is not JSON: ")
