import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import import_path, write_files, write_zip

UDS = "DI_CONNECT/DI-Connect-Aggregator/UDSFile_2020-01-01_2020-04-10.json"
SLEEP = "DI_CONNECT/DI-Connect-Wellness/2020-01-01_2020-04-10_1_sleepData.json"
ACTIVITIES = "DI_CONNECT/DI-Connect-Fitness/ann_0_summarizedActivities.json"

DAY = {
    "calendarDate": "2020-01-02",
    "uuid": "x",
    "totalSteps": 9876,
    "totalDistanceMeters": 7654,
    "totalKilocalories": 2400.0,
    "activeKilocalories": 700.0,
    "bmrKilocalories": 1700.0,
    "minHeartRate": 44,
    "maxHeartRate": 160,
    "restingHeartRate": 48,
    "currentDayRestingHeartRate": 105,
    "moderateIntensityMinutes": 20,
    "vigorousIntensityMinutes": 12,
    "highlyActiveSeconds": 1800,
    "activeSeconds": 7200,
    "includesWellnessData": True,
}
NIGHT = {
    "sleepStartTimestampGMT": "2020-01-01T22:30:00.0",
    "sleepEndTimestampGMT": "2020-01-02T06:30:00.0",
    "calendarDate": "2020-01-02",
    "deepSleepSeconds": 3600,
    "lightSleepSeconds": 14400,
    "remSleepSeconds": 5400,
    "awakeSleepSeconds": 600,
}


def test_a_day_with_every_measure(tmp_path: Path) -> None:
    # 2020-01-02 07:00 and 18:00 UTC.
    activities = [
        {"activityId": 1, "activityType": "street_running", "startTimeGmt": 1577948400000,
         "duration": 1800000.0, "avgHr": 150.0},
        {"activityId": 2, "activityType": "strength_training", "startTimeGmt": 1577988000000,
         "duration": 900000.0},
    ]  # fmt: skip
    path = write_zip(
        tmp_path / "export.zip",
        {
            UDS: json.dumps([{"calendarDate": "2020-01-01", "bodyBattery": {}}, DAY, {}]),
            SLEEP: json.dumps([NIGHT, NIGHT]),
            ACTIVITIES: json.dumps([{"summarizedActivitiesExport": activities}]),
        },
    )
    imported = import_path(path)
    assert imported.quarantined == []
    assert list(imported.records.values()) == [
        {
            "steps": 9876,
            "distance_km": 7.654,
            "calories_burned": 2400.0,
            "calories_kind": "total",
            "resting_heart_rate": 48.0,
            "active_minutes": 32,
            "sleep_hours": 6.5,
            "sleep_deep": 60.0,
            "sleep_light": 240.0,
            "sleep_rem": 90.0,
            "sleep_awake": 10.0,
            "sleep_start": datetime.fromisoformat("2020-01-01T22:30"),
            "sleep_end": datetime.fromisoformat("2020-01-02T06:30"),
            "moderate_minutes": 20,
            "vigorous_minutes": 12,
            "activity_type": "running",
            "source": "garmin",
        }
    ]


def test_active_and_basal_energy_add_up_to_the_total_and_active_alone_is_active(
    tmp_path: Path,
) -> None:
    without_total = {**DAY, "totalKilocalories": None}
    active_only = {**without_total, "calendarDate": "2020-01-03", "bmrKilocalories": None}
    found = import_path(write_files(tmp_path, {"x.json": json.dumps([without_total, active_only])}))
    first, second = found.record("2020-01-02"), found.record("2020-01-03")
    assert (first["calories_burned"], first["calories_kind"]) == (2400.0, "total")
    assert (second["calories_burned"], second["calories_kind"]) == (700.0, "active")


def test_rows_without_wellness_data_are_ignored_and_the_larger_of_two_rows_is_kept(
    tmp_path: Path,
) -> None:
    rows = [
        {**DAY, "includesWellnessData": False, "calendarDate": "2020-01-05"},
        {**DAY, "totalSteps": 10},
        DAY,
        {**DAY, "calendarDate": "2020-01-03", "totalSteps": 0, "restingHeartRate": None,
         "totalDistanceMeters": 0,
         "currentDayRestingHeartRate": None, "moderateIntensityMinutes": 0,
         "vigorousIntensityMinutes": 0},
    ]  # fmt: skip
    imported = import_path(write_files(tmp_path, {"x.json": json.dumps(rows)}))
    assert [when.day for _, when in imported.records] == [2, 3]
    assert imported.record("2020-01-02")["steps"] == 9876
    # No steps and no heart rate: the device was not worn.
    assert imported.record("2020-01-03")["steps"] == 0
    assert imported.lake_record("2020-01-03") == {"source": "garmin"}


def test_a_night_without_a_date_is_assigned_to_the_local_day_of_waking(tmp_path: Path) -> None:
    night = {**NIGHT, "sleepEndTimestampGMT": "2020-01-02T23:30:00.0"}
    del night["calendarDate"]
    not_worn = {**NIGHT, "sleepStartTimestampGMT": "x", "sleepWindowConfirmationType": "OFF_WRIST"}
    for stage in ("deep", "light", "rem", "awake"):
        del not_worn[f"{stage}SleepSeconds"]
    path = write_files(tmp_path, {"x.json": json.dumps([night, not_worn])})
    assert import_path(path).record("2020-01-02")["sleep_hours"] == 6.5
    assert import_path(path, zone=ZoneInfo("Asia/Tokyo")).record("2020-01-03")["sleep_hours"] == 6.5


def test_activities_are_assigned_to_the_local_day(tmp_path: Path) -> None:
    late = {"activityType": "yoga", "startTimeGmt": 1577921400000, "duration": 1.0}
    local = {**late, "activityType": "Lap Swimming", "startTimeLocal": 1577892600000}
    text = json.dumps([{"summarizedActivitiesExport": [late, local]}])
    imported = import_path(write_files(tmp_path, {"x.json": text}))
    # 2020-01-01 23:30 UTC, and 15:30 in local time.
    assert imported.record("2020-01-01")["activity_type"] == "yoga"
    text = text.replace("1577921400000", "1577964600000")
    imported = import_path(
        write_files(tmp_path, {"x.json": text}), zone=ZoneInfo("America/Los_Angeles")
    )
    assert imported.record("2020-01-02")["activity_type"] == "yoga"
    assert imported.record("2020-01-01")["activity_type"] == "swimming"


def test_a_damaged_file_next_to_valid_ones_is_quarantined(tmp_path: Path) -> None:
    rows = [DAY, {**DAY, "calendarDate": 5}, {**DAY, "totalSteps": {}}]
    imported = import_path(write_files(tmp_path, {UDS: json.dumps(rows), SLEEP: '[{"sleep'}))
    assert len(imported.records) == 1
    assert [(place, reason) for _, place, reason in imported.quarantined[:2]] == [
        ("record 2", "5 is not text"),
        ("record 3", "{} is not an amount"),
    ]
    assert imported.quarantined[2][2].startswith(f"{SLEEP} is not JSON: ")


def test_a_push_of_the_health_api(tmp_path: Path) -> None:
    def at(day: int, hour: int) -> int:
        return 1577836800 + (day - 1) * 86400 + hour * 3600

    common = {"userId": "u-1", "startTimeOffsetInSeconds": 3600}
    pushed = {
        "dailies": [
            {**common, "summaryId": "d", "startTimeInSeconds": at(1, 23), "steps": 900,
             "distanceInMeters": 700, "activeKilocalories": 50, "bmrKilocalories": 1500,
             "moderateIntensityDurationInSeconds": 600,
             "averageHeartRateInBeatsPerMinute": 64, "restingHeartRateInBeatsPerMinute": 51},
        ],
        "sleeps": [
            {**common, "summaryId": "s", "startTimeInSeconds": at(1, 21),
             "durationInSeconds": length, "deepSleepDurationInSeconds": length - 3600,
             "lightSleepDurationInSeconds": 1800, "remSleepInSeconds": None}
            for length in (7200, 14400)
        ],
        "activities": [
            {**common, "summaryId": "a", "startTimeInSeconds": at(2, 8),
             "durationInSeconds": 60, "activityType": "LAP_SWIMMING"},
        ],
        "epochs": [
            {**common, "summaryId": f"e{hour}", "startTimeInSeconds": at(3, hour),
             "durationInSeconds": 900, "steps": 100}
            for hour in (7, 7, 8)
        ],
    }  # fmt: skip
    imported = import_path(write_files(tmp_path, {"push.json": json.dumps(pushed)}), user=None)
    assert imported.quarantined == []
    assert imported.record("2020-01-02", "u-1") == {
        "steps": 900,
        "distance_km": 0.7,
        "calories_burned": 1550.0,
        "calories_kind": "total",
        "heart_rate_avg": 64.0,
        "resting_heart_rate": 51.0,
        "active_minutes": 10,
        "sleep_hours": 3.5,
        "sleep_deep": 180.0,
        "sleep_light": 30.0,
        "sleep_start": datetime.fromisoformat("2020-01-01T22:00"),
        "sleep_end": datetime.fromisoformat("2020-01-02T02:00"),
        "moderate_minutes": 10,
        "activity_type": "swimming",
        "source": "garmin_api",
    }
    assert imported.record("2020-01-03", "u-1") == {"steps": 200, "source": "garmin_api"}
