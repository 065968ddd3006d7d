"""The synthetic cohort: records, devices and the ground truth."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets import months
from fitness_assets.record.raw import FULL_SCHEMA, SCHEMA
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort import source
from fitness_assets.sources.cohort.population import (
    ACTIVITIES,
    DEVICES,
    PERSONAS,
    SENSORS,
    Device,
    Persona,
    Sensors,
)
from fitness_assets.sources.cohort.source import Cohort


def read(cohort: Cohort, month: str) -> pa.Table:
    return pa.Table.from_batches(cohort.read(month))


def first_users(table: pa.Table, count: int) -> pa.Table:
    ids = pa.array([f"u{i + 1:07d}" for i in range(count)])
    return table.filter(pc.is_in(table["user_id"], ids)).combine_chunks()


def test_records_are_canonical_and_complete() -> None:
    table = read(Cohort(40, seed=1), "2023-04")
    assert table.schema.equals(FULL_SCHEMA)
    days = table.select(["user_id", "date"]).group_by(["user_id", "date"]).aggregate([])
    assert days.num_rows == 40 * 30
    assert set(days["date"].to_pylist()) == set(months.days("2023-04"))
    assert table.num_rows > days.num_rows, "some records are duplicates"
    assert set(table["activity_type"].drop_null().to_pylist()) <= set(ACTIVITIES)
    assert table["steps"].null_count > 0, "on some days the device was not worn"


def test_the_default_cohort_has_the_documented_size() -> None:
    settings = Settings.from_env({})
    cohort = Cohort(settings.cohort_users, settings.cohort_seed)
    assert settings.last_month is not None
    days = 0
    for month in months.between(settings.first_month, settings.last_month):
        table = read(cohort, month)
        users = table["user_id"].combine_chunks().dictionary_encode()
        assert len(users.dictionary) == 1_959
        keys = users.indices.to_numpy().astype(np.int64) << 32
        days += len(np.unique(keys | table["date"].cast(pa.int32()).to_numpy()))
    assert days == 358_497


def test_records_of_a_user_do_not_depend_on_the_number_of_users() -> None:
    small, large = (read(Cohort(users, seed=1), "2023-05") for users in (7, 50))
    assert first_users(large, 7).equals(small.combine_chunks())


def test_blocks_of_users_change_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Cohort(users=150, seed=1)
    records, workouts = (
        read(whole, "2023-04"),
        pa.Table.from_batches(whole.read_workouts("2023-04")),
    )
    assert len(workouts) > 10
    monkeypatch.setattr(source, "_USERS_PER_BLOCK", 37)
    blocks = Cohort(users=150, seed=1)
    by_record = [(name, "ascending") for name in ("user_id", "date", "ingested_at", "steps")]
    assert read(blocks, "2023-04").sort_by(by_record).equals(records.sort_by(by_record))
    by_workout = [(name, "ascending") for name in ("user_id", "start", "source")]
    found = pa.Table.from_batches(blocks.read_workouts("2023-04")).sort_by(by_workout)
    assert found.equals(workouts.sort_by(by_workout))


def test_months_are_independent_and_seeds_differ() -> None:
    cohort = Cohort(10, seed=1)
    cohort.truth("2023-05")
    read(cohort, "2023-04")
    assert read(cohort, "2023-05").equals(read(Cohort(10, seed=1), "2023-05"))
    assert not read(Cohort(10, seed=2), "2023-05").equals(read(cohort, "2023-05"))


def test_parallel_processes_give_the_same_records_in_any_order() -> None:
    cohort, selected = Cohort(30, seed=1), ("2023-04", "2023-05", "2023-06")
    here = {month: read(cohort, month) for month in selected}
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        there = pool.map(read, [Cohort(30, seed=1)] * 3, reversed(selected))
        for month, table in zip(reversed(selected), there, strict=True):
            assert table.equals(here[month])


def test_traits_are_stable_across_months() -> None:
    """Users' means of two months are correlated, which those of random users would not be."""
    means = []
    for month in ("2023-04", "2023-06"):
        table = read(Cohort(300, seed=1), month)
        means.append(
            table.group_by("user_id").aggregate([("steps", "mean")]).sort_by("user_id").to_pandas()
        )
    assert means[0]["steps_mean"].corr(means[1]["steps_mean"]) > 0.8


@pytest.mark.parametrize("kinds", [PERSONAS, DEVICES, SENSORS])
def test_shares_sum_to_one(kinds: tuple[Persona | Device | Sensors, ...]) -> None:
    assert sum(kind.share for kind in kinds) == pytest.approx(1)


def delivered(users: int = 400, month: str = "2023-04") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The delivered records with the device and traits of each user, and the true days."""
    cohort = Cohort(users, seed=1)
    truth = cohort.truth(month)
    records = read(cohort, month).to_pandas()
    users_table = truth.users.to_pandas().set_index("user_id")
    return records.join(users_table[["device", "chronotype", "counted_share"]], on="user_id"), (
        truth.days.to_pandas()
    )


def test_records_include_late_partial_and_duplicate_deliveries() -> None:
    records, _ = delivered()
    records = records[records["steps"].notna()]
    day = pd.to_datetime(records["date"]).dt.tz_localize("UTC")
    waited = (records["ingested_at"] - day) / pd.Timedelta(days=1)
    part = records["activity_type"].isna()
    assert 0.01 < part.mean() < 0.03
    assert (waited[part] < 1).mean() > 0.6, "most partial days are delivered before the day is over"
    assert (waited[part] > 1).any(), "some are delayed and arrive with the complete day"
    assert (waited[~part] > 1).all()
    assert 0.03 < (waited[~part] > 2).mean() < 0.2, "some days wait for the next sync"
    assert waited.max() < 16
    after = records["ingested_at"] >= pd.Timestamp("2023-05-02", tz="UTC")
    assert after.any(), "some of the last days arrive after the month"

    by_day = records.groupby(["user_id", "date"])
    whole = by_day["steps"].transform("max")
    assert (records["steps"] < whole)[part].all()
    assert (records["steps"] == whole)[~part].all()
    last = records["ingested_at"] == by_day["ingested_at"].transform("max")
    alone = part & last & (by_day["activity_type"].transform("count") == 0)
    assert not alone.any(), "each complete day arrives, and not before its partial record"
    assert (~part & last).groupby([records["user_id"], records["date"]]).any().all()


def test_devices_have_their_own_measurement_errors() -> None:
    records, clean = delivered()
    once = records[records["activity_type"].notna()].drop_duplicates(["user_id", "date"])
    both = once.merge(clean, on=["user_id", "date"], suffixes=("", "_clean"))
    counted = (both["steps"] / both["steps_clean"]).groupby(both["user_id"]).median()
    expected = both.groupby("user_id")["counted_share"].first()
    assert counted.to_numpy() == pytest.approx(expected.to_numpy(), rel=0.002)
    by_device = counted.groupby(both.groupby("user_id")["device"].first()).median()
    assert by_device.to_dict() == pytest.approx(
        {device.name: device.counted_share for device in DEVICES}, rel=0.02
    )
    for device in DEVICES:
        own = both[both["device"] == device.name]
        assert own["heart_rate_avg"].notna().any() == device.heart_rate
        assert own["sleep_hours"].notna().any() == device.sleep
        assert (own["sleep_hours"] > 24).any() == (device.sleep_in_minutes > 0)
        assert (own["distance_km"] > 300).any() == (device.distance_in_metres > 0)


def test_late_chronotypes_sleep_longer_on_weekends() -> None:
    records, _ = delivered()
    records = records[records["sleep_hours"] <= 24]
    weekend = pd.to_datetime(records["date"]).dt.weekday >= 5
    free, working = (
        records[kind].groupby("user_id")["sleep_hours"].mean() for kind in (weekend, ~weekend)
    )
    late = records.groupby("user_id")["chronotype"].first()
    assert (free - working).corr(late) > 0.6
    assert abs(((5 * working + 2 * free) / 7).corr(late)) < 0.15


def test_ground_truth_is_complete_and_not_in_the_records() -> None:
    cohort = Cohort(60, seed=1)
    april, may = cohort.truth("2023-04"), cohort.truth("2023-05")
    assert april.users.equals(may.users), "traits are the same in every month"
    assert april.users.num_rows == 60
    assert april.days.schema.equals(SCHEMA)
    assert april.days.num_rows == april.best.num_rows == 60 * 30
    records = read(cohort, "2023-04")
    not_simulated = {name for name in SCHEMA.names if records[name].null_count == len(records)}
    nulls = {name: april.days[name].null_count for name in SCHEMA.names}
    assert {name for name, count in nulls.items() if count} == {"ingested_at"} | not_simulated
    text_columns = {
        column for column in SCHEMA.names if pa.types.is_string(SCHEMA.field(column).type)
    }
    delivered = {text for name in text_columns for text in records[name].unique().to_pylist()}
    hidden = {kind.name for kind in (*PERSONAS, *DEVICES, *SENSORS)}
    assert not delivered & hidden


def test_best_predictions_are_calibrated_and_unbiased() -> None:
    truth = Cohort(600, seed=1).truth("2023-04")
    days, best = truth.days.to_pandas(), truth.best.to_pandas()
    correct = days["activity_type"] == best["activity_type"]
    probability = best["activity_probability"]
    assert correct.mean() == pytest.approx(probability.mean(), abs=0.005), (
        "probabilities are calibrated"
    )
    for low, high in ((0.3, 0.7), (0.7, 0.9), (0.9, 0.999)):
        selected = (probability > low) & (probability <= high)
        assert correct[selected].mean() == pytest.approx(probability[selected].mean(), abs=0.03)
    residual = days["calories_burned"] / best["calories_burned"] - 1
    assert residual.mean() == pytest.approx(0, abs=0.001)
    assert residual.std() == pytest.approx(0.03, abs=0.001)
    features = days[["steps", "active_minutes", "heart_rate_avg", "weight_kg", "age"]]
    assert features.corrwith(residual).abs().max() < 0.03, "no feature explains it"
