"""Real exports: nothing is lost, and every total is what the raw file says, counted apart."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.registry import recognise
from fitness_assets_tests.support.exports import Imported, shared_data, take


def column(imported: Imported, name: str) -> pd.Series:
    found: dict[Any, Any] = {key: values.get(name) for key, values in imported.days.items()}
    return pd.Series(found, dtype=float).sort_index()


def raw(path: Any, when: str, style: str) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype={"Id": str})
    frame["day"] = pd.to_datetime(frame[when], format=style).dt.date
    return frame.set_index(["Id", "day"]).sort_index()


def same(ours: pd.Series, theirs: pd.Series) -> None:
    assert list(ours.index) == list(theirs.index)
    assert ours.isna().to_numpy().tolist() == theirs.isna().to_numpy().tolist()
    np.testing.assert_allclose(ours.dropna(), theirs.dropna(), rtol=1e-6, atol=1e-6)


def test_fitabase_days_are_those_of_the_file() -> None:
    folder = shared_data("fitabase")
    imported = take(folder)
    assert imported.refused == []
    daily = raw(folder / "dailyActivity_merged.csv", "ActivityDate", "%m/%d/%y")
    active = daily["VeryActiveMinutes"] + daily["FairlyActiveMinutes"]
    unworn = (daily["TotalSteps"] == 0) & (active == 0) & (daily["SedentaryMinutes"] == 1440)
    assert 0 < unworn.sum() < 100
    same(column(imported, "steps"), daily["TotalSteps"].mask(unworn).astype(float))
    same(column(imported, "distance_km"), daily["TotalDistance"].mask(unworn))
    same(column(imported, "calories_burned"), daily["Calories"].mask(unworn).astype(float))
    same(column(imported, "active_minutes"), active.mask(unworn).astype(float))
    same(
        column(imported, "sedentary_minutes"), daily["SedentaryMinutes"].mask(unworn).astype(float)
    )
    sleep = raw(folder / "sleepDay_merged.csv", "SleepDay", "%m/%d/%Y %I:%M:%S %p")
    assert sleep.duplicated().sum() > 0
    hours = sleep.groupby(level=[0, 1])["TotalMinutesAsleep"].max() / 60
    same(column(imported, "sleep_hours").dropna(), hours)


@pytest.mark.parametrize(
    ("file", "what", "style", "ours"),
    [
        ("hourlySteps_merged.csv", "StepTotal", "mixed", "steps"),
        ("hourlyCalories_merged.csv", "Calories", "%m/%d/%Y %I:%M:%S %p", "calories_burned"),
    ],
)
def test_fitabase_hours_make_the_days(file: str, what: str, style: str, ours: str) -> None:
    path = shared_data("fitabase") / file
    imported = take(path)
    assert imported.refused == []
    totals = raw(path, "ActivityHour", style).groupby(level=[0, 1])[what].sum().astype(float)
    # A whole day without a step is one that was not worn.
    same(column(imported, ours), totals.where(totals > 0))


def test_fitabase_weights_stand_on_their_days() -> None:
    path = shared_data("fitabase") / "weightLogInfo_merged.csv"
    weights = raw(path, "Date", "%m/%d/%Y %I:%M:%S %p").groupby(level=[0, 1])["WeightKg"].max()
    same(column(take(path), "weight_kg"), weights)


def test_google_fit_days_are_those_of_the_file() -> None:
    path = shared_data("google-fit") / "Daily activity metrics.csv"
    imported = take(path)
    assert imported.refused == []
    frame = pd.read_csv(path)
    frame.index = pd.MultiIndex.from_arrays(
        [["ann"] * len(frame), pd.to_datetime(frame["Date"]).dt.date]
    )
    for ours, theirs, factor in (
        ("steps", "Step count", 1),
        ("distance_km", "Distance (m)", 0.001),
        ("calories_burned", "Calories (kcal)", 1),
        ("active_minutes", "Move Minutes count", 1),
    ):
        same(column(imported, ours), frame[theirs] * factor)
    same(column(imported, "weight_kg"), frame["Average weight (kg)"].ffill())
    assert {found.get("activity_type") for found in imported.days.values()} >= {"walking", "yoga"}


def test_apple_health_days_are_those_of_the_file() -> None:
    path = shared_data("apple-health") / "export.xml"
    imported = take(path)
    assert imported.refused == []
    kept = ("activity_type", "calories_burned", "active_minutes", "heart_rate_avg", "age", "sex")
    told = {
        str(when): [found.get(name) for name in kept] for (_, when), found in imported.days.items()
    }
    assert told == {
        "2016-11-14": ["running", None, None, None, 26, "male"],
        "2016-11-15": [None, 590.252, 68, None, 26, "male"],
        "2016-11-16": [None, 323.513, 39, None, 26, "male"],
        "2018-09-10": [None, None, None, 72.0, 28, "male"],
    }
    assert {found.get("calories_kind") for found in imported.days.values()} == {None, "active"}


def test_garmin_pushes_are_read() -> None:
    imported = take(shared_data("garmin-api"))
    assert imported.refused == []
    assert {
        (user, str(when)): found["steps"]
        for (user, when), found in imported.days.items()
        if "steps" in found
    } == {("sub-1", "2016-01-11"): 4210, ("sub-1", "2018-02-26"): 93, ("sub-2", "2016-01-12"): 3305}


def test_fit_files_are_not_known() -> None:
    for path in sorted(shared_data("garmin-fit").iterdir()):
        with pytest.raises(SourceError, match="is of no known format"):
            recognise(path)


def test_the_original_lake_needs_no_layout() -> None:
    imported = take(shared_data("original-lake") / "year=2023" / "month=04" / "day=01")
    assert imported.refused == []
    assert len(imported.days) > 1900
    assert all(len(found) == 6 for found in imported.days.values())
