"""Workouts of the cohort: what devices record of the exercise, and each once after the ETL."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fitness_assets.etl import clean
from fitness_assets.etl.workouts import deduplicate, plausible
from fitness_assets.months import start
from fitness_assets.record import raw
from fitness_assets.record.workouts import KNOWN, SCHEMA
from fitness_assets.sources.cohort.population import APP, SENSORS
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage.rows import part, write_delivered, write_rows

MONTHS = ["2023-04", "2024-02", "2024-03"]
RECORDERS = {each.name: each.workouts for each in (*SENSORS, APP) if each.workouts}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort(6_000, seed=1)


@pytest.fixture(scope="module")
def rows(cohort: Cohort) -> pa.Table:
    return pa.Table.from_batches(cohort.read_workouts(MONTHS[0]), SCHEMA)


@pytest.fixture(scope="module")
def true(cohort: Cohort) -> pd.DataFrame:
    found: pd.DataFrame = cohort.truth(MONTHS[0]).workouts.to_pandas()
    return found


def pairs(rows: pa.Table, true: pd.DataFrame) -> pd.DataFrame:
    """Each row with the exercise of its user and day, of which there is at most one."""
    found = rows.to_pandas()
    for frame in (found, true):
        frame["date"] = frame["local_start"].dt.date
    joined: pd.DataFrame = found.merge(
        true, on=["user_id", "date"], suffixes=("", "_true"), validate="m:1"
    )
    return joined


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("seed", [1, 2])
def test_deduplication_finds_one_workout_for_each_true_one_that_was_recorded(
    seed: int, month: str
) -> None:
    cohort = Cohort(4_000, seed)
    rows = pa.Table.from_batches(cohort.read_workouts(month), SCHEMA)
    true = cohort.truth(month).workouts.to_pandas()
    found = plausible(rows)
    assert (found.nulled, found.left_out) == (0, 0)
    workouts = pairs(deduplicate(found.rows), true)
    recorded = pairs(rows, true)
    key = ["user_id", "start_true"]
    assert len(workouts) == len(recorded.drop_duplicates(key)) == len(workouts.drop_duplicates(key))
    assert len(recorded) > 1.3 * len(workouts), "many were recorded twice"
    assert 0.96 < len(workouts) / len(true) < 1, "devices that were not worn missed some"
    # Each row lies within the workout that it is of.
    begin = (workouts["start"] - workouts["start_true"]).dt.total_seconds() / 60
    end = begin + workouts["minutes"] - workouts["minutes_true"]
    assert begin.between(-1.1, 3.2).all()
    assert (end < 1.1).all()
    assert (-end / workouts["minutes_true"]).max() < 0.35


def test_a_workout_of_two_devices_has_what_either_knows(rows: pa.Table, true: pd.DataFrame) -> None:
    both = rows.group_by(["user_id", "source"]).aggregate([]).to_pandas()
    workouts = deduplicate(rows).to_pandas()
    joined = workouts[workouts["source"] == "phone_app, smart_watch"]
    assert joined["heart_rate_max"].notna().all()
    assert joined["distance_km"].notna().all()
    bands = workouts[workouts["source"].isin(["phone_app, simple_band", "simple_band"])]
    assert (bands["activity"].isna() == (bands["source"] == "simple_band")).all()
    assert {len(each) for _, each in both.groupby("user_id")["source"]} == {1, 2}
    known = pairs(deduplicate(rows), true).dropna(subset=["activity"])
    assert (known["activity"] == known["activity_true"]).all()


def test_each_device_knows_its_columns_and_measures_them_with_its_error(
    rows: pa.Table, true: pd.DataFrame
) -> None:
    found = pairs(rows, true)
    assert set(found["source"]) == set(RECORDERS)
    for name, columns in RECORDERS.items():
        own = found[found["source"] == name]
        for column in KNOWN:
            expected = own[f"{column}_true"].notna() if column in columns else False
            assert (own[column].notna() == expected).all(), (name, column)
    errors = (found["distance_km"] / found["distance_km_true"] - 1).dropna()
    assert errors.abs().mean() == pytest.approx(0.04, abs=0.01), "3.2 % to 6.1 % are published"
    # The energy of a device is off by the same factor in each workout.
    energy = pd.Series(np.log(found["calories_burned"] / found["calories_burned_true"]))
    of_device = energy.groupby([found["user_id"], found["source"]])
    assert of_device.std().median() < 0.01
    assert of_device.mean().std() == pytest.approx(0.15, abs=0.03)


def test_workouts_fit_the_day_of_their_user(cohort: Cohort, true: pd.DataFrame) -> None:
    truth = cohort.truth(MONTHS[0])
    days = truth.days.to_pandas().merge(
        truth.sensed.to_pandas()[["user_id", "date", "sleep_end"]], on=["user_id", "date"]
    )
    assert true["local_start"].dt.strftime("%Y-%m").eq(MONTHS[0]).all()
    joined = true.assign(date=true["local_start"].dt.date).merge(
        days, on=["user_id", "date"], suffixes=("", "_day"), validate="1:1"
    )
    assert len(joined) == len(true), "at most one a day, of users with sensors"
    assert (joined["activity"] == joined["activity_type"]).all()
    assert (joined["minutes"] <= joined["active_minutes"] + 0.6).all()
    assert (joined["calories_burned"] < joined["calories_burned_day"]).all()
    assert (joined["heart_rate_avg"] > joined["resting_heart_rate"]).all()
    assert (joined["heart_rate_max"] >= joined["heart_rate_avg"]).all()
    on_foot = joined["activity"].isin(["walking", "running", "hiking"])
    assert (joined["distance_km"] <= joined["distance_km_day"] + 0.06)[on_foot].all()
    assert (joined["local_start"] > joined["sleep_end"]).all(), "nobody trains asleep"
    pace = joined["distance_km"] / joined["minutes"] * 60
    by_activity = pace.groupby(joined["activity"]).median()
    assert by_activity["walking"] < by_activity["running"] < by_activity["cycling"]
    assert by_activity[["yoga", "gym_workout"]].isna().all()


def test_clocks_differ_and_a_month_is_that_of_the_local_start(cohort: Cohort) -> None:
    for month in MONTHS:
        rows = pa.Table.from_batches(cohort.read_workouts(month), SCHEMA)
        days = rows["local_start"].cast(pa.date32())
        assert pc.min(days).as_py() == start(month)
        ahead = pc.subtract(rows["local_start"], rows["start"].cast(pa.timestamp("us")))
        users = rows.append_column("ahead", ahead).group_by(["user_id", "ahead"]).aggregate([])
        assert len(users) == len(users["user_id"].unique()), "one zone each"
        assert len(users["ahead"].unique()) == 3


def test_only_users_whose_devices_record_workouts_have_any(cohort: Cohort, rows: pa.Table) -> None:
    users = cohort.truth(MONTHS[0]).users.to_pandas().set_index("user_id")["sensors"]
    found = set(users.loc[rows["user_id"].unique().to_pylist()])
    assert found == {each.name for each in SENSORS if each.workouts}
    assert len(rows["user_id"].unique()) < 0.05 * len(users)


def test_workouts_of_a_user_do_not_depend_on_the_number_of_users(
    rows: pa.Table,
) -> None:
    small = pa.Table.from_batches(Cohort(700, 1).read_workouts(MONTHS[0]), SCHEMA)
    own = rows.filter(pc.is_in(rows["user_id"], small["user_id"].unique()))
    key = [("source", "ascending"), ("user_id", "ascending"), ("start", "ascending")]
    assert len(small) > 50
    assert own.sort_by(key).equals(small.sort_by(key))


def test_optional_columns_and_workouts_make_the_lake_less_than_a_twentieth_larger(
    tmp_path: Path,
) -> None:
    cohort = Cohort(1_959, 1)
    batches = list(cohort.read(MONTHS[0]))
    sizes = {}
    for name, schema in (("narrow", raw.SCHEMA), ("wide", raw.FULL_SCHEMA)):
        folder = tmp_path / name
        folder.mkdir()
        write_delivered(folder, (each.select(schema.names) for each in batches))
        optional = raw.optional_in(pq.read_schema(folder / part(0)).names)
        assert optional == raw.optional_in(schema.names)
        records = pq.read_table(folder / part(0), schema=raw.schema_of(optional))
        days = clean.daily_activity(clean.with_history(records), optional)
        write_rows(folder / "days", days.to_batches(), days.schema)
        sizes[name] = sum(path.stat().st_size for path in folder.iterdir())
    delivered = pa.Table.from_batches(cohort.read_workouts(MONTHS[0]), SCHEMA)
    write_rows(tmp_path / "workouts", deduplicate(delivered).to_batches(), SCHEMA)
    grown = sizes["wide"] + (tmp_path / "workouts").stat().st_size
    assert 1 < grown / sizes["narrow"] < 1.05


def test_a_cohort_without_such_users_has_no_workouts() -> None:
    alone = Cohort(1, seed=2)
    assert sum(batch.num_rows for batch in alone.read_workouts(MONTHS[0])) == 0
    assert alone.truth(MONTHS[0]).workouts.num_rows == 0
