"""Real exports: no day is lost, and every total equals that of the raw file by pandas."""

from typing import Any
from zoneinfo import ZoneInfo

import fitdecode
import numpy as np
import pandas as pd
import pytest

from fitness_assets_tests.support.exports import Imported, import_path, shared_data


def column(imported: Imported, name: str) -> pd.Series:
    """A column of the lake: null on days on which the device was not worn."""
    found: dict[Any, Any] = {
        (user, day): imported.lake_record(str(day), user).get(name)
        for user, day in imported.records
    }
    return pd.Series(found, dtype=float).sort_index()


def raw(path: Any, when: str, style: str) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype={"Id": str})
    frame["day"] = pd.to_datetime(frame[when], format=style).dt.date
    return frame.set_index(["Id", "day"]).sort_index()


def assert_same(imported: pd.Series, expected: pd.Series) -> None:
    assert list(imported.index) == list(expected.index)
    assert imported.isna().to_numpy().tolist() == expected.isna().to_numpy().tolist()
    np.testing.assert_allclose(imported.dropna(), expected.dropna(), rtol=1e-6, atol=1e-6)


def test_fitabase_days_equal_the_file() -> None:
    folder = shared_data("fitabase")
    imported = import_path(folder)
    assert [file for file, _, _ in imported.quarantined] == ["hourlyIntensities_merged.csv"]
    daily = raw(folder / "dailyActivity_merged.csv", "ActivityDate", "%m/%d/%y")
    active = daily["VeryActiveMinutes"] + daily["FairlyActiveMinutes"]
    not_worn = (daily["TotalSteps"] == 0) & (active == 0) & (daily["SedentaryMinutes"] == 1440)
    assert 0 < not_worn.sum() < 100
    assert_same(column(imported, "steps"), daily["TotalSteps"].mask(not_worn).astype(float))
    assert_same(column(imported, "distance_km"), daily["TotalDistance"].mask(not_worn))
    assert_same(column(imported, "calories_burned"), daily["Calories"].mask(not_worn).astype(float))
    assert_same(column(imported, "active_minutes"), active.mask(not_worn).astype(float))
    assert_same(
        column(imported, "sedentary_minutes"),
        daily["SedentaryMinutes"].mask(not_worn).astype(float),
    )
    sleep = raw(folder / "sleepDay_merged.csv", "SleepDay", "%m/%d/%Y %I:%M:%S %p")
    assert sleep.duplicated().sum() > 0
    hours = sleep.groupby(level=[0, 1])["TotalMinutesAsleep"].max() / 60
    assert_same(column(imported, "sleep_hours").dropna(), hours)


@pytest.mark.parametrize(
    ("file", "value", "style", "name"),
    [
        ("hourlySteps_merged.csv", "StepTotal", "mixed", "steps"),
        ("hourlyCalories_merged.csv", "Calories", "%m/%d/%Y %I:%M:%S %p", "calories_burned"),
    ],
)
def test_fitabase_hours_add_up_to_days(file: str, value: str, style: str, name: str) -> None:
    path = shared_data("fitabase") / file
    imported = import_path(path)
    assert imported.quarantined == []
    totals = raw(path, "ActivityHour", style).groupby(level=[0, 1])[value].sum().astype(float)
    # On a whole day without steps the device was not worn.
    assert_same(column(imported, name), totals.where(totals > 0))


def test_fitabase_weights_equal_the_file() -> None:
    path = shared_data("fitabase") / "weightLogInfo_merged.csv"
    weights = raw(path, "Date", "%m/%d/%Y %I:%M:%S %p").groupby(level=[0, 1])["WeightKg"].max()
    assert_same(column(import_path(path), "weight_kg"), weights)


def test_google_fit_days_equal_the_file() -> None:
    path = shared_data("google-fit") / "Daily activity metrics.csv"
    imported = import_path(path)
    assert imported.quarantined == []
    frame = pd.read_csv(path)
    frame.index = pd.MultiIndex.from_arrays(
        [["ann"] * len(frame), pd.to_datetime(frame["Date"]).dt.date]
    )
    for name, column_name, factor in (
        ("steps", "Step count", 1),
        ("distance_km", "Distance (m)", 0.001),
        ("calories_burned", "Calories (kcal)", 1),
        ("active_minutes", "Move Minutes count", 1),
    ):
        assert_same(column(imported, name), frame[column_name] * factor)
    assert_same(column(imported, "weight_kg"), frame["Average weight (kg)"])
    assert {found.get("activity_type") for found in imported.records.values()} >= {
        "walking",
        "yoga",
    }


def test_apple_health_days_equal_the_file() -> None:
    path = shared_data("apple-health") / "export.xml"
    imported = import_path(path, zone=ZoneInfo("America/Phoenix"))
    assert imported.quarantined == []
    columns = ("activity_type", "calories_burned", "active_minutes", "heart_rate_avg", "age", "sex")
    values = {
        str(when): [found.get(name) for name in columns]
        for (_, when), found in imported.records.items()
    }
    assert values == {
        "2016-11-14": ["running", None, None, None, 26, "male"],
        "2016-11-15": [None, 590.252, 68, None, 26, "male"],
        "2016-11-16": [None, 323.513, 39, None, 26, "male"],
        "2018-09-10": [None, None, None, 72.0, 28, "male"],
    }
    assert {found.get("calories_kind") for found in imported.records.values()} == {None, "active"}


def test_garmin_api_days_equal_the_file() -> None:
    imported = import_path(shared_data("garmin-api"))
    assert imported.quarantined == []
    assert {
        (user, str(when)): found["steps"]
        for (user, when), found in imported.records.items()
        if "steps" in found
    } == {("sub-1", "2016-01-11"): 4210, ("sub-1", "2018-02-26"): 93, ("sub-2", "2016-01-12"): 3305}


def test_fit_files_equal_what_a_decoder_shows() -> None:
    imported = import_path(shared_data("garmin-fit"), zone=ZoneInfo("UTC"))
    ((file, place, reason),) = imported.quarantined
    assert (file, place) == ("activity-unexpected-eof.fit", "")
    assert "is cut off or damaged after 21 messages" in reason
    assert {str(day): record.get("weight_kg") for (_, day), record in imported.records.items()} == {
        "2009-09-09": 76.09,
        "2012-04-09": None,
        "2014-12-27": None,
    }
    day = imported.record("2014-12-27")
    path = shared_data("garmin-fit") / "MonitoringFile.fit"
    with fitdecode.FitReader(path) as frames:
        monitoring = [
            {field.name: field.value for field in frame.fields}
            for frame in frames
            if isinstance(frame, fitdecode.FitDataMessage) and frame.name == "monitoring"
        ]
    # The two last messages are the totals of the day: walking and running.
    walking, running = monitoring[-2:]
    assert day["steps"] == walking["steps"] + running["steps"] == 3142 + 31
    metres = walking["steps"] / 2 * 1.512 + running["steps"] / 2 * 1.944
    assert day["distance_km"] == pytest.approx(metres / 1000, abs=1e-6)
    active = walking["active_calories"] + running["active_calories"]
    assert (day["calories_burned"], day["calories_kind"]) == (2042 + active, "total")
    assert day["active_minutes"] == round((607 + 3) / 60)


def test_fit_activities_belong_to_their_local_day() -> None:
    imported = import_path(shared_data("garmin-fit-2"), zone=ZoneInfo("UTC"))
    assert imported.quarantined == []
    # The first file counts its times from when the device was switched on.
    assert {str(day): record["activity_type"] for (_, day), record in imported.records.items()} == {
        "2012-02-13": "running",
        "2017-06-11": "running",
        "2017-06-12": "cycling",
    }


def test_the_original_lake_needs_no_layout() -> None:
    imported = import_path(shared_data("original-lake") / "year=2023" / "month=04" / "day=01")
    assert imported.quarantined == []
    assert len(imported.records) > 1900
    assert all(len(found) == 6 for found in imported.records.values())
