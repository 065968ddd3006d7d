"""The optional columns of the cohort: what some devices measure, and what variability follows."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets.record.raw import OPTIONAL, RANGES, SCHEMA, SLEEP_SPAN, SLEEP_STAGES
from fitness_assets.sources.cohort.population import SENSORS
from fitness_assets.sources.cohort.sensors import (
    LOAD_EFFECT,
    MOVEMENT,
    NIGHT,
    SLEEP_EFFECT,
)
from fitness_assets.sources.cohort.source import Cohort

MONTH = "2023-04"


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort(4_000, seed=1)


@pytest.fixture(scope="module")
def records(cohort: Cohort) -> pd.DataFrame:
    """The records with the sensors of each user."""
    users = cohort.truth(MONTH).users.select(["user_id", "sensors"]).to_pandas()
    table = pa.Table.from_batches(cohort.read(MONTH))
    users = users[users["sensors"] != "none"]
    kept = table.filter(pc.is_in(table["user_id"], pa.array(users["user_id"])))
    joined: pd.DataFrame = kept.to_pandas().merge(users, on="user_id", validate="m:1")
    return joined


@pytest.mark.parametrize(
    ("seed", "month", "digest"),
    [
        (1, "2023-04", "f79876a2c103b6a6149634b669520fa841f15ef434d7f89bad25ac8f66ced724"),
        (2, "2024-02", "b22ac001fcd07de6934fd1a8a2ebff5f5291b850a5bd783fa193137807300348"),
    ],
)
def test_sensors_leave_the_other_columns_as_they_were_before_there_were_any(
    seed: int, month: str, digest: str
) -> None:
    table = pa.Table.from_batches(Cohort(40, seed).read(month))
    found = hashlib.sha256()
    for name in SCHEMA.names:
        found.update(repr(table[name].to_pylist()).encode())
    assert found.hexdigest() == digest


def test_values_of_a_user_do_not_depend_on_the_number_of_users(cohort: Cohort) -> None:
    small, large = (pa.Table.from_batches(each.read(MONTH)) for each in (Cohort(300, 1), cohort))
    assert small["hrv_rmssd"].null_count < len(small)
    first = pc.is_in(large["user_id"], small["user_id"].unique())
    assert large.filter(first).combine_chunks().equals(small.combine_chunks())


def test_each_device_knows_the_columns_of_its_sensors(records: pd.DataFrame) -> None:
    for each in SENSORS[1:]:
        own = records[records["sensors"] == each.name]
        assert {name for name in OPTIONAL if own[name].notna().any()} == set(each.columns)
        days_worn = own["steps"].notna()
        assert own.loc[~days_worn, list(OPTIONAL)].isna().all(axis=None)
        for name in each.columns:
            known = own.loc[days_worn, name].notna()
            if name in NIGHT:
                assert (known == own.loc[days_worn, "sleep_hours"].notna()).all(), name
            else:
                assert known.all(), name
    assert {name for each in SENSORS for name in each.columns} == set(OPTIONAL)


def test_values_are_in_range_and_fit_each_other(cohort: Cohort, records: pd.DataFrame) -> None:
    for name in OPTIONAL:
        if name in RANGES:
            low, high = RANGES[name]
            assert records[name].dropna().between(low, high).all(), name
    stages = records.dropna(subset=list(SLEEP_STAGES))
    asleep = stages[["sleep_deep", "sleep_light", "sleep_rem"]].sum(axis=1)
    hours = stages["sleep_hours"].where(stages["sleep_hours"] <= 24, stages["sleep_hours"] / 60)
    assert ((asleep - 60 * hours).abs() < 1).all(), "the stages add up to the night"
    span = stages["sleep_end"] - stages["sleep_start"]
    assert (span.dt.total_seconds() == 60 * (asleep + stages["sleep_awake"])).all()
    nights = records.dropna(subset=list(SLEEP_SPAN))
    assert (nights["sleep_end"].dt.date == nights["date"]).all(), "the day of waking"

    true = cohort.truth(MONTH)
    days = true.days.to_pandas().merge(true.sensed.to_pandas(), on=["user_id", "date"])
    active = days["moderate_minutes"] + days["vigorous_minutes"]
    assert (active <= days["active_minutes"]).all()
    parts = active + days["light_minutes"] + days["sedentary_minutes"] + 60 * days["sleep_hours"]
    assert parts.median() == pytest.approx(1440, abs=3)


def test_a_day_so_far_has_the_night_and_part_of_the_movement(records: pd.DataFrame) -> None:
    key = ["user_id", "date"]
    worn = records[records["steps"].notna()]
    part = worn[worn["activity_type"].isna()].drop_duplicates(key).set_index(key)
    whole = worn[worn["activity_type"].notna()].drop_duplicates(key)
    whole = whole.set_index(key).loc[part.index]
    assert len(part) > 50
    assert part[list(NIGHT)].equals(whole[list(NIGHT)])
    for name in MOVEMENT:
        known = whole[name].notna()
        assert (part.loc[known, name] <= whole.loc[known, name]).all()
        assert part.loc[known, name].sum() < whole.loc[known, name].sum()


@pytest.mark.parametrize(
    ("measure", "sleep_effect"), [("hrv_rmssd", SLEEP_EFFECT), ("hrv_sdnn", 0.0)]
)
def test_variability_follows_load_and_sleep_as_planted(
    cohort: Cohort, records: pd.DataFrame, measure: str, sleep_effect: float
) -> None:
    planted = cohort.truth(MONTH).sensed.to_pandas()
    planted = planted[["user_id", "date", "load_ratio", "sleep_deviation"]]
    days = records.dropna(subset=[measure]).drop_duplicates(["user_id", "date"])
    days = days.merge(planted, on=["user_id", "date"], validate="1:1")
    within = days[["load_ratio", "sleep_deviation"]].assign(value=np.log(days[measure]))
    within -= within.groupby(days["user_id"]).transform("mean")
    causes = within[["load_ratio", "sleep_deviation"]].to_numpy()
    found, *_ = np.linalg.lstsq(causes, within["value"].to_numpy(), rcond=None)
    residual = within["value"] - causes @ found
    error = residual.std() / (causes.std(axis=0) * np.sqrt(len(days)))
    assert (np.abs(found - [LOAD_EFFECT, sleep_effect]) < 4 * error).all()
    assert -found[0] > 6 * error[0]
    # 4.6 % are 0.36 standard deviations within a person.
    assert residual.std() == pytest.approx(0.131, abs=0.01)


def test_variability_falls_with_age_as_published(cohort: Cohort) -> None:
    truth = cohort.truth(MONTH)
    days = truth.sensed.to_pandas().merge(
        truth.days.to_pandas()[["user_id", "date", "age"]], on=["user_id", "date"]
    )
    users = days.groupby("user_id").agg({"hrv_rmssd": "median", "age": "first"})
    assert np.log(users["hrv_rmssd"]).corr(users["age"]) == pytest.approx(-0.35, abs=0.12)
